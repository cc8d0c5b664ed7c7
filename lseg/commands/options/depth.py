"""Options of `lseg depth`."""

from dataclasses import dataclass

from lseg.commands.options.shared import PictureRunOptions, SizeOptions


@dataclass(frozen=True, kw_only=True)
class DepthOptions(PictureRunOptions, SizeOptions):
    """Depth maps of pictures, or surface normals."""
