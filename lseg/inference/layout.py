"""The order of the axes of an array of embeddings."""

import numpy as np

from lseg.errors import ConfigError

LAYOUTS = ("CHW", "HWC", "NCHW")


def check_layout(layout: str) -> None:
    """Accepts one of `LAYOUTS`.

    Raises:
        ConfigError: If it is none.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"layout is {layout!r}: choose one of {', '.join(LAYOUTS)}")


def stored_shape(layout: str, channels: int, height: int, width: int) -> tuple[int, ...]:
    """Shape of the stored array; N is 1."""
    lengths = {"N": 1, "C": channels, "H": height, "W": width}
    return tuple(lengths[axis] for axis in layout)


def as_chw(array: np.ndarray, layout: str) -> np.ndarray:
    """A stored array as (C, H, W), the same memory."""
    if "N" in layout:
        array = array[layout.index("N")]
        layout = layout.replace("N", "")
    return array.transpose([layout.index(axis) for axis in "CHW"])
