"""Pictures and small networks that commands are run on."""

import numpy as np
import torch

from lseg.config import DepthConfig, Preprocessing, TrunkConfig
from lseg.models.dpt import DPTDepth

LABELS = ("wall", "sky|heaven", "other")
TRUNK = TrunkConfig(
    "resnet10t", {"channels": [8, 8, 16, 16]}, (1, 2, 3, 4), (8, 8, 16, 16), "ignore", 8
)


def draw(height, width, seed=0):
    """An (H, W, 3) picture of blocks in random colours."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, size=(height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return colours.repeat(8, axis=0).repeat(8, axis=1)[:height, :width].copy()


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
