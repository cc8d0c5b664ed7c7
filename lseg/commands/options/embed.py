"""Options of `lseg embed`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from lseg.commands.options.base import NonNegative, Spelling
from lseg.commands.options.shared import PictureRunOptions, SizeOptions


@dataclass(frozen=True, kw_only=True)
class EmbedOptions(PictureRunOptions, SizeOptions):
    """Pixel embeddings of pictures, as files.

    What is not given is as the preset says, or as stated here without one.

    Attributes:
        preset: What these read.
        format: npy without a preset; zarr is one store for all pictures.
        dtype: float16 without a preset.
        layout: Order of the axes; CHW without a preset.
        output_size: network (default), picture, or HEIGHTxWIDTH.
        stride: Or pixels of the network's input to an embedding.
        codes: In place of embeddings, what they are made of, an eighth of the numbers: exact
            (float32), float16 or int8.
        regions: Of langsplat and scenesplat: about N superpixels (256 if not given), or a folder
            with label maps of the same names, whose pieces are the regions.
        normalize: Unit vectors (default); --raw keeps the embeddings' own norms.
        long_side: Longer side that the network sees, in place of the shorter.
        scales: Factors on that size to average over.
        flip: Average with the mirrored picture.
        window: Sliding window in pixels, for large pictures; 0: none.
        pca: Reduce to K principal components, or to those of a file.
        pca_pictures: Pictures to learn them from, spread over the run; 0: all.
    """

    preset: (
        Literal["openscene", "feature3dgs", "vlmaps", "vlmaps-h5", "langsplat", "scenesplat"] | None
    ) = None
    format: Literal["npy", "safetensors", "pt", "h5", "zarr"] | None = None
    dtype: Literal["float16", "float32"] | None = None
    layout: Literal["CHW", "HWC", "NCHW"] | None = None
    output_size: Annotated[str | None, Spelling("SIZE")] = None
    stride: NonNegative | None = None
    codes: Literal["exact", "float16", "int8"] | None = None
    regions: Annotated[str | None, Spelling("N|FOLDER")] = None
    normalize: Annotated[bool | None, Spelling(off="--raw")] = None
    long_side: NonNegative | None = None
    scales: Sequence[float] | None = None
    flip: bool | None = None
    window: NonNegative | None = None
    pca: Annotated[str | None, Spelling("K|FILE")] = None
    pca_pictures: NonNegative = 64
