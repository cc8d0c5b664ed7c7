"""Few-shot benchmarks in the layouts of the community, small, with random pictures and masks."""

import json
import pickle

import numpy as np
from PIL import Image

SIZES = [(40, 56), (48, 48), (37, 51)]


def blocks(rng, height, width, values, block=6):
    """(height, width) of random `values` in squares."""
    grid = rng.choice(values, (height // block + 1, width // block + 1))
    return grid.repeat(block, 0).repeat(block, 1)[:height, :width].astype(np.uint8)


def picture(rng, height, width):
    return np.stack([blocks(rng, height, width, range(256)) for _ in range(3)], axis=-1)


def save_jpeg(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, quality=95)


def save_png(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def voc_tree(root, fold=1, count=12):
    """Masks of the fold's classes, two others, background and unlabelled; lists of `fold`."""
    rng = np.random.default_rng(0)
    held = [5 * fold + 1 + k for k in range(5)]
    lines = []
    for number in range(count):
        height, width = SIZES[number % len(SIZES)]
        name = f"2007_{number:06d}"
        mask = blocks(rng, height, width, [0, *held, 16, 20, 255])
        save_jpeg(picture(rng, height, width), root / "VOC2012" / "JPEGImages" / f"{name}.jpg")
        save_png(mask, root / "VOC2012" / "SegmentationClassAug" / f"{name}.png")
        lines += [f"{name}__{held[(2 * number + k) % 5]:02d}" for k in (1, 0)]
    write_lines(root / "splits" / "pascal" / "val" / f"fold{fold}.txt", lines)
    return root


def coco_tree(root, fold=2, count=16, protocol=2):
    """PNG masks with classes of the fold and others; a pickle with an empty list for the rest."""
    rng = np.random.default_rng(1)
    held = list(range(fold, 80, 4))
    lists = {index: [] for index in range(80)}
    for number in range(count):
        height, width = SIZES[number % len(SIZES)]
        name = f"val2014/COCO_val2014_{number:012d}"
        shown = np.array([held[(5 * number + k) % len(held)] for k in range(5)])
        mask = blocks(rng, height, width, [0, 1, 255, *(shown + 1)])
        save_jpeg(picture(rng, height, width), root / "COCO2014" / f"{name}.jpg")
        save_png(mask, root / "COCO2014" / "annotations" / f"{name}.png")
        for index in shown:
            if (mask == index + 1).any():
                lists[int(index)].append(f"{name}.jpg")
    path = root / "splits" / "coco" / "val" / f"fold{fold}.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(lists, protocol=protocol))
    return root


def coco_json_tree(root):
    """Two pictures: overlapping boxes of person (1) and dog (18), and a crowd of cars (3)."""
    folder = root / "COCO2014" / "annotations"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(2)
    for name in ("a", "b"):
        save_jpeg(picture(rng, 40, 60), root / "COCO2014" / "val2014" / f"{name}.jpg")

    def box(image, category, left, top, right, bottom):
        outline = [left, top, right, top, right, bottom, left, bottom]
        area = (right - left) * (bottom - top)
        return {
            "image_id": image, "category_id": category, "area": area, "iscrowd": 0,
            "segmentation": [outline],
        }  # fmt: skip

    crowd = {
        "image_id": 2, "category_id": 3, "area": 400, "iscrowd": 1,
        "segmentation": {"size": [40, 60], "counts": [40 * 10, 400, 40 * 40]},
    }  # fmt: skip
    values = {
        "images": [
            {"id": 1, "file_name": "a.jpg", "height": 40, "width": 60},
            {"id": 2, "file_name": "b.jpg", "height": 40, "width": 60},
        ],
        "annotations": [box(1, 18, 20, 10, 30, 20), box(1, 1, 10, 5, 50, 35), crowd],
    }
    (folder / "instances_val2014.json").write_text(json.dumps(values))
    return root


def fss_tree(root, names=("zebra_fish", "ac_wall", "melon"), pictures=10, size=(32, 40)):
    """RGB masks with grey levels around the threshold, and a test list."""
    rng = np.random.default_rng(3)
    for name in names:
        for number in range(1, pictures + 1):
            stem = root / "FSS-1000" / name / str(number)
            save_jpeg(picture(rng, *size), stem.with_suffix(".jpg"))
            mask = blocks(rng, *size, [0, 127, 128, 255])
            save_png(np.stack([mask] * 3, -1), stem.with_suffix(".png"))
    write_lines(root / "splits" / "fss" / "test.txt", names)
    return root
