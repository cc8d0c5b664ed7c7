"""Draw docs/photo_sheet.png: what the embedded model says of ten photographs of COCO val.

    LSEG_DATA=../shared/data python scripts/make_photo_sheet.py [OUT.png] [--photos]

Each photograph is asked for its five largest classes and `other`. The sheet has the truth (COCO's
annotations, CC BY 4.0) and the answer; photographs, which have licences of their own, are beside
them with `--photos` only.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lseg.data.sets.pairs import PairsDataset
from lseg.inference.segmenter import Segmenter
from lseg.training.pictures import stack
from lseg.visualize import label_colours
from lseg.visualize.colours import colour_map
from lseg.visualize.legend import with_legend

EVERY, COUNT, LARGEST, HEIGHT, GAP, COLUMNS = 10, 10, 5, 160, 4, 2


def main() -> None:
    """Draws the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, nargs="?", default=Path("docs/photo_sheet.png"))
    parser.add_argument("--photos", action="store_true", help="show the photographs, to look at")
    arguments = parser.parse_args()
    data = PairsDataset("coco_panoptic200", "val", prompts="clip_text/coco133_prompt_names.json")
    segmenter = Segmenter.from_pretrained("photo")
    entries = [
        entry(segmenter, data[EVERY * number], data.labels, arguments.photos)
        for number in range(COUNT)
    ]
    width = max(part.shape[1] for part in entries)
    height = max(part.shape[0] for part in entries)
    cells = [_filled(part, height, width) for part in entries]
    rows = [np.concatenate(cells[i : i + COLUMNS], axis=1) for i in range(0, COUNT, COLUMNS)]
    stack([Image.fromarray(row) for row in rows]).quantize(64).save(arguments.out, optimize=True)
    print(arguments.out)


def entry(
    segmenter: Segmenter, item: dict[str, torch.Tensor], labels: list[str], photo: bool
) -> np.ndarray:
    """Truth and answer side by side with their legend, (h, w, 3) uint8."""
    image, mask = item["image"], item["mask"]
    counts = torch.bincount(mask[mask < len(labels)], minlength=len(labels))
    asked = counts.topk(LARGEST).indices
    asked = asked[counts[asked] > 0]
    names = [*(labels[index] for index in asked.tolist()), "other"]
    truth = torch.full_like(mask, len(names) - 1)
    for place, index in enumerate(asked.tolist()):
        truth[mask == index] = place
    truth[mask >= len(labels)] = len(names)  # without a label: black
    picture = image.permute(1, 2, 0).numpy()
    segmenter.set_image(picture)
    answer = segmenter.segment(names).label_map
    step = max(1, image.shape[1] // HEIGHT)
    colours = label_colours(names)
    parts = [
        colour_map(labelled[::step, ::step].astype(np.uint16), colours)
        for labelled in (truth.numpy(), answer)
    ]
    if photo:
        parts.insert(0, picture[::step, ::step])
    gap = np.full((len(parts[0]), GAP, 3), 255, np.uint8)
    row = np.concatenate([part for each in parts for part in (each, gap)], axis=1)
    return np.asarray(with_legend(row, names, colours))


def _filled(part: np.ndarray, height: int, width: int) -> np.ndarray:
    canvas = np.full((height + GAP, width + 4 * GAP, 3), 255, np.uint8)
    canvas[: part.shape[0], : part.shape[1]] = part
    return canvas


if __name__ == "__main__":
    main()
