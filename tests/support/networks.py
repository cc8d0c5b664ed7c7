"""What tiny real networks are made of."""

import json

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from lseg.config import TrunkConfig

WIDTH = 16  # of the embeddings
CONV = TrunkConfig(
    "resnet10t", {"channels": [8, 8, 16, 16]}, (1, 2, 3, 4), (8, 8, 16, 16), "ignore", 8
)
VIT = TrunkConfig(
    "vit_tiny_patch16_224",
    {"depth": 4, "embed_dim": 32, "num_heads": 2, "img_size": 64},
    (0, 1, 2, 3),
    (8, 8, 16, 16),
    features=8,
)


def save_table(path, names, width=WIDTH, generator=None):
    """Random unit vectors of these labels, as a table that stands in for a text encoder."""
    vectors = F.normalize(torch.randn(len(names), width, generator=generator), dim=-1)
    save_file({"embeddings": vectors}, path, metadata={"labels": json.dumps(names)})
    return path


@torch.no_grad()
def centre(model, picture):
    """Centres the embeddings of an (H, W, 3) picture: random labels then each win some pixels."""
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None]
    model.project.bias -= model.encode_image(model.normalize(pixels)).mean((0, 2, 3))
