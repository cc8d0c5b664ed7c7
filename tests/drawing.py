"""Pictures and small networks that commands are run on."""

import json

import numpy as np
import torch
from safetensors.torch import save_file

from lseg.config import DepthConfig, LSegConfig, Preprocessing, TextConfig, TrunkConfig
from lseg.models.dpt import DPTDepth
from lseg.models.lseg import LSeg

LABELS = ("wall", "sky|heaven", "other")
TRUNK = TrunkConfig(
    "resnet10t", {"channels": [8, 8, 16, 16]}, (1, 2, 3, 4), (8, 8, 16, 16), "ignore", 8
)


def draw(height, width, seed=0):
    """An (H, W, 3) picture of blocks in random colours."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, size=(height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return colours.repeat(8, axis=0).repeat(8, axis=1)[:height, :width].copy()


def save_lseg(folder, names, width=16):
    """An LSeg with a table of random labels, each of which wins some pixels."""
    torch.manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(len(names), width), dim=-1)
    table = folder / "table.safetensors"
    save_file({"embeddings": vectors}, table, metadata={"labels": json.dumps(names)})
    text = TextConfig(table=str(table))
    model = LSeg(LSegConfig(TRUNK, Preprocessing(size=64), text, embed_dim=width)).eval()
    with torch.no_grad():
        pixels = torch.from_numpy(draw(96, 96)).permute(2, 0, 1)[None]
        model.project.bias -= model.encode_image(model.normalize(pixels)).mean((0, 2, 3))
    model.save_pretrained(folder / "saved")
    return folder / "saved"


def save_depth_net(folder, **options):
    """A depth network whose map is above zero in about half of a picture."""
    torch.manual_seed(0)
    model = DPTDepth(DepthConfig(TRUNK, Preprocessing(size=64), **options)).eval()
    kept = {}
    hook = model.depth.register_forward_hook(lambda m, i, output: kept.update(raw=output))
    with torch.no_grad():
        pixels = torch.from_numpy(draw(64, 96)).permute(2, 0, 1)[None]
        model(model.normalize(pixels))
        model.depth.bias -= kept["raw"].median()
    hook.remove()
    model.save_pretrained(folder)
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())
