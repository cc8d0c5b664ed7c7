"""Options of `lseg depth`."""

from dataclasses import dataclass

from lseg.commands.options.shared import ModelOptions, PictureOptions, RunOptions, SizeOptions


@dataclass(frozen=True, kw_only=True)
class DepthOptions(PictureOptions, RunOptions, ModelOptions, SizeOptions):
    """Depth maps of pictures, or surface normals."""
