"""How much memory the label map of one large picture takes: run in a process of its own.

    python memory_of_labels.py whole|windows|published

prints the peak in bytes above what the process has with the model loaded and run once, and the
seconds. At six scales every ninth strip of the map is made, one in 144 rows: all windows are shown,
and as many at a time as ever, for where two of them overlap they do so by 180 rows or more.
"""

import dataclasses
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
from lseg.models import strips
from lseg.models.lseg import LSeg
from lseg.models.strips import label_map

LABELS, WIDTH, HEIGHT = 847, 2048, 1024
RULES = {
    "whole": InferenceConfig(size=0),
    "windows": InferenceConfig(520, PUBLISHED_SCALES, flip=True, window=480),
    "published": MultiEvalConfig(),
}


def status(name):
    """A value of the process's memory in bytes."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if name in line)
    return 1024 * int(line.split()[1])


def every_ninth_strip(maps):
    """These rows of `label_map(maps)`."""
    parts = maps.split(strips.budget_of(maps).labels_of(maps))
    some = list(strips.row_strips(parts[0]))[::9]
    assert len(parts) > 1
    return torch.cat([strips._top_of_strip(parts, strip, 1).indices[:, 0] for strip in some], 1)


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
        # What getrusage says would begin with the peak of the process that started this one.
        Path("/proc/self/clear_refs").write_text("5")
        before, start = status("VmRSS"), time.perf_counter()
        maps = RULES[rule].maps(model, image, text)
        found = label_map(maps) if rule == "whole" else every_ninth_strip(maps)
    assert found.shape[::2] == (1, WIDTH)
    print(status("VmHWM") - before, f"{time.perf_counter() - start:.1f}")


if __name__ == "__main__":
    main(sys.argv[1])
