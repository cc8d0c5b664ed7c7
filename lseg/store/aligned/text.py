"""The text side of an encoder, kept beside its image side in a native folder."""

import dataclasses
import shutil
from pathlib import Path

from safetensors.torch import save_file

from lseg.config import TextConfig
from lseg.files import atomic_file
from lseg.store.aligned.layouts import SMALL_FILES
from lseg.store.aligned.open_clip import WEIGHTS
from lseg.store.sharded import read_sharded
from lseg.text.clip import IMAGE_SIDE
from lseg.text.dinotxt import read_text_side
from lseg.text.location import DINOTXT, FOLDER, located, scheme_of

TEXT_FOLDER = "text"

_IMAGE_SIDES = (*IMAGE_SIDE, "vision_model.", "vision_encoder.", "visual_projection.")


def keep_text(config: TextConfig, folder: Path, beside: Path | None) -> TextConfig:
    """Copies the folder that a text side is read from, without what belongs to the image side.

    Args:
        config: Of the text side.
        folder: Native folder that is to have a copy.
        beside: Of the file that `config` is from.

    Returns:
        The configuration as a file in `folder` tells it; unchanged where it names no folder.

    Raises:
        CheckpointError: If a file cannot be read.
    """
    scheme = scheme_of(config.model)
    if config.table is not None or scheme is None:
        return config
    source = Path(located(config, beside).model.removeprefix(scheme))
    destination = folder / TEXT_FOLDER
    if scheme == DINOTXT:
        destination /= f"{TEXT_FOLDER}.safetensors"
        if source.resolve() != destination.resolve():
            with atomic_file(destination) as file:
                save_file(read_text_side(source), file, {"format": "pt"})
        return dataclasses.replace(config, model=f"{scheme}{TEXT_FOLDER}/{destination.name}")
    if source.resolve() != destination.resolve():
        destination.mkdir(parents=True, exist_ok=True)
        for pattern in SMALL_FILES:
            for file in source.glob(pattern):
                if not file.name.endswith(".index.json"):
                    shutil.copyfile(file, destination / file.name)
        name = WEIGHTS if scheme == FOLDER else "model"
        weights = read_sharded(source, name)
        text = {key: weights[key] for key in weights if not key.startswith(_IMAGE_SIDES)}
        with atomic_file(destination / f"{name}.safetensors") as file:
            save_file(text, file, {"format": "pt"})
    return dataclasses.replace(config, model=scheme + TEXT_FOLDER)
