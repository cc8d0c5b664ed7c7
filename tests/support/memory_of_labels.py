"""How much memory the label map of one large picture takes: run in a process of its own.

    python memory_of_labels.py whole|windows|published

prints the peak in bytes above what the process has with the model loaded and run once, the seconds,
and how many labels the map has.
"""

import dataclasses
import resource
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))

from networks import CONV

from lseg.config import LSegConfig, Preprocessing, TextConfig
from lseg.inference.multi_eval import PUBLISHED_SCALES, MultiEvalConfig
from lseg.inference.views import InferenceConfig
from lseg.models.lseg import LSeg
from lseg.models.strips import label_map

LABELS, WIDTH, HEIGHT = 847, 2048, 1024
RULES = {
    "whole": InferenceConfig(size=0),
    "windows": InferenceConfig(520, PUBLISHED_SCALES, flip=True, window=480),
    "published": MultiEvalConfig(),
}


def peak():
    """Bytes that the process has had at most."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(rule):
    torch.manual_seed(0)
    trunk = dataclasses.replace(CONV, features=32)
    model = LSeg(LSegConfig(trunk, Preprocessing(size=480), TextConfig(), embed_dim=512)).eval()
    text = F.normalize(torch.randn(LABELS, 512), dim=1)
    image = torch.randint(0, 256, (3, HEIGHT, WIDTH), dtype=torch.uint8)
    with torch.inference_mode():
        small = torch.randn(1, 3, 96, 96)
        model.project.bias -= model.encode_image(small).mean((0, 2, 3))  # several labels win
        model(small, text)
        before, start = peak(), time.perf_counter()
        found = label_map(RULES[rule].maps(model, image, text))
    assert found.shape == (1, HEIGHT, WIDTH)
    print(peak() - before, f"{time.perf_counter() - start:.1f}", len(found.unique()))


if __name__ == "__main__":
    main(sys.argv[1])
