"""Named configurations of LSeg: what differs from the published ViT-L/16."""

from typing import Any

from lseg.config.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from lseg.config.text import TextConfig
from lseg.config.trunk import TrunkConfig

_VIT_BASE_WIDTHS = (96, 192, 384, 768)

PRESETS: dict[str, dict[str, Any]] = {
    "vitl16": {},
    "vitb16": {
        "trunk": TrunkConfig("vit_base_patch16_384", {}, (2, 5, 8, 11), _VIT_BASE_WIDTHS),
    },
    "vitb32": {
        "trunk": TrunkConfig("vit_base_patch32_384", {}, (2, 5, 8, 11), _VIT_BASE_WIDTHS),
    },
    "hybrid": {
        "trunk": TrunkConfig("vit_base_r50_s16_384", {}, (0, 1, 8, 11), (256, 512, 768, 768)),
    },
    "resnet101": {
        "trunk": TrunkConfig("resnet101", {}, (1, 2, 3, 4), (256, 512, 1024, 2048), "ignore"),
        "preprocessing": Preprocessing(IMAGENET_MEAN, IMAGENET_STD),
    },
    "tiny": {
        "trunk": TrunkConfig(
            "resnet10t", {"channels": [32, 48, 96, 128], "stem_width": 16}, (1, 2, 3, 4),
            (32, 48, 96, 128), readout="ignore", features=32,
        ),
        "text": TextConfig("tiny", None),
        "preprocessing": Preprocessing(size=128),
        "embed_dim": 64,
    },
}  # fmt: skip
