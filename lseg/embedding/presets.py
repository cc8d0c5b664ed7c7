"""What known consumers of LSeg embeddings read, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lseg.inference.embed_config import EmbedConfig, FixedGrid, PictureGrid, StrideGrid


@dataclass(frozen=True)
class Preset:
    """What a known consumer of LSeg embeddings reads.

    Attributes:
        config: How the embeddings are made.
        format: Suffix of the files.
        tail: Comes between a picture's stem and the suffix.
        source: Where the consumer makes its own, and in what ours differ.
        regions: Layout of `lseg.embedding.region_files`, where it reads regions.
    """

    config: EmbedConfig
    format: str
    tail: str
    source: str
    regions: str | None = None

    def given(self, changes: Mapping[str, object]) -> "Preset":
        """With some fields of `config` replaced."""
        return replace(self, config=replace(self.config, **changes))  # type: ignore[arg-type]


PRESETS = {
    "openscene": Preset(
        EmbedConfig(size=0, scales=(2.0,), flip=True, grid=PictureGrid()),
        "pt",
        "",
        "OpenScene (pengsongyou/lseg_feature_extraction, fusion_*.py): the network sees the "
        "picture at twice its size, also mirrored, so that its output has the picture's own; C x H "
        "x W half. There two unit vectors are added, here the mean is brought to unit length.",
    ),
    "feature3dgs": Preset(
        EmbedConfig(
            long_side=520, scales=(0.75, 1.0, 1.25, 1.75), flip=True, window=480,
            grid=FixedGrid(360, 480), normalize=False,
        ),
        "pt",
        "_fmap_CxHxW",
        "Feature-3DGS (ShijieZhou-UCLA/feature-3dgs, encoders/lseg_encoder/encode_images.py): base "
        "size 520, windows of 480, four scales and flip, C x 360 x 480 half, not normalised "
        "(--output-size 240x320 for Replica). There the scales are added, here averaged.",
    ),
    "vlmaps": Preset(
        EmbedConfig(
            long_side=520, window=480, grid=StrideGrid(1), dtype="float32", layout="NCHW",
        ),
        "npy",
        "",
        "VLMaps (vlmaps/vlmaps, vlmaps/utils/lseg_utils.py): longer side 520, windows of 480, "
        "1 x C x H x W float32 at the size of the network's input. There unit vectors are "
        "multiplied by 1/0.07, which no argmax sees; here they are unit vectors.",
    ),
    "vlmaps-h5": Preset(
        EmbedConfig(
            long_side=520, window=480, grid=StrideGrid(1), dtype="float32", layout="NCHW",
        ),
        "h5",
        "",
        "VLMaps (vlmaps/vlmaps, vlmaps/utils/mapping_utils.py, load_lseg_feat): as vlmaps, the "
        "dataset `pixfeat` of an HDF5 file.",
    ),
    "langsplat": Preset(
        EmbedConfig(grid=PictureGrid()),
        "npy",
        "_f",
        "LangSplat (minghanqin/LangSplat, scene/cameras.py, get_language_feature): unit vectors "
        "`_f.npy`, K x C half, and `_s.npy`, 4 x H x W, which of them each pixel has at the levels "
        "default, s, m and l, or -1. There regions are SAM's, and vectors those of CLIP for their "
        "cut-outs; here superpixels or pieces of label maps, and mean pixel embeddings.",
        "langsplat",
    ),
    "scenesplat": Preset(
        EmbedConfig(grid=PictureGrid()),
        "npy",
        "",
        "SceneSplat (unique1i/SceneSplat, pointcept/datasets/scannetgs.py): `lang_feat.npy`, N x C "
        "half, and `valid_feat_mask.npy`, N. There a row is a Gaussian's; here it is a region's, "
        "and `regions.png` says which row a pixel has.",
        "scenesplat",
    ),
}  # fmt: skip
"""What the known consumers read, by name."""
