"""`lseg memory add`: one more example."""

import numpy as np

from lseg.commands.memory import save_memory
from lseg.commands.model import model_from
from lseg.commands.options.memory import MemoryAddOptions
from lseg.data.base.images import load_mask
from lseg.errors import ConfigError
from lseg.inference.memory import Memory
from lseg.memory.marks import LABEL, Box, Marks, Mask, Point, clicks
from lseg.models.lseg import LSeg
from lseg.paths import user_path


def memory_add(options: MemoryAddOptions) -> None:
    """Adds a picture in which a label is marked."""
    marks = _marks(options)
    path = user_path(options.memory)
    model = model_from(options, LSeg)
    memory = Memory.load(path, model) if path.exists() else Memory(model)
    memory.add(options.image, marks, options.label, options.image.name)
    save_memory(memory, path)


def _marks(options: MemoryAddOptions) -> Marks:
    given = [name for name in ("mask", "box", "points") if getattr(options, name) is not None]
    if len(given) != 1:
        raise ConfigError(
            f"{' and '.join(f'--{name}' for name in given) or 'nothing'} says where the label is: "
            "give one of --mask FILE, --box LEFT TOP RIGHT BOTTOM, --points 'X Y, X Y'"
        )
    if options.mask is not None:
        values = load_mask(options.mask)
        return Mask(np.where(values > 0, LABEL, 0))
    if options.box is not None:
        if len(options.box) != 4:
            raise ConfigError(f"--box has {len(options.box)} numbers: give LEFT TOP RIGHT BOTTOM")
        left, top, right, bottom = options.box
        return Box(left, top, right, bottom)
    return clicks(_points(options.points or ""))


def _points(text: str) -> list[Point]:
    pairs = [part.split() for part in text.split(",")]
    try:
        return [(float(x), float(y)) for x, y in pairs]
    except ValueError:
        raise ConfigError(
            f"--points {text!r}: give columns and rows between commas, as in '120 80, 131 92'"
        ) from None
