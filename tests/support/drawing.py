"""Pictures and small networks that commands are run on."""

import numpy as np
import torch
from networks import CONV, centre, save_table
from PIL import Image

from lseg.config import DepthConfig, LSegConfig, Preprocessing, TextConfig
from lseg.models.dpt import DPTDepth
from lseg.models.lseg import LSeg

LABELS = ("wall", "sky|heaven", "other")


def draw(height, width, seed=0):
    """An (H, W, 3) picture of blocks in random colours."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, size=(height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return colours.repeat(8, axis=0).repeat(8, axis=1)[:height, :width].copy()


def save_frames(folder, count, broken=()):
    """Pictures `0.png` on, or `00.png` on beyond ten, of which some are cut off."""
    folder.mkdir()
    digits = len(str(count - 1))
    for number in range(count):
        file = folder / f"{number:0{digits}}.png"
        Image.fromarray(draw(40, 56, seed=number)).save(file)
        if number in broken:
            file.write_bytes(file.read_bytes()[:200])
    return folder


def save_lseg(folder, names, width=16):
    """An LSeg with a table of random labels, each of which wins some pixels."""
    torch.manual_seed(0)
    text = TextConfig(table=str(save_table(folder / "table.safetensors", names, width)))
    model = LSeg(LSegConfig(CONV, Preprocessing(size=64), text, embed_dim=width)).eval()
    centre(model, draw(96, 96))
    model.save_pretrained(folder / "saved")
    return folder / "saved"


def save_depth_net(folder, **options):
    """A depth network whose map is above zero in about half of a picture."""
    torch.manual_seed(0)
    model = DPTDepth(DepthConfig(CONV, Preprocessing(size=64), **options)).eval()
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
    """Names of what lies in a folder, but for the index of a run."""
    found = (path.name for path in folder.iterdir())
    return sorted(name for name in found if not name.endswith(".index.jsonl"))
