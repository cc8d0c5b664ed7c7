"""Label maps as pictures: colours, overlays and legends."""

from lseg.visualize.colours import (
    BACKGROUND_NAMES,
    GREY,
    colour_map,
    depth_colours,
    label_colours,
    normal_colours,
    overlay,
    palette,
)
from lseg.visualize.legend import comparison, with_legend

__all__ = [
    "BACKGROUND_NAMES",
    "GREY",
    "colour_map",
    "comparison",
    "depth_colours",
    "label_colours",
    "normal_colours",
    "overlay",
    "palette",
    "with_legend",
]
