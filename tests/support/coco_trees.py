"""COCO folders of one picture, 10 wide and 8 high, for tests of what stands in their JSON."""

import json

import numpy as np
from PIL import Image

from lseg.data.sets.coco import CocoFolder

HEIGHT, WIDTH = 8, 10


def box(left, top, right, bottom):
    """A polygon around whole pixels."""
    return [left, top, right, top, right, bottom, left, bottom]


def image(**fields):
    return {"id": 1, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH} | fields


def thing(segmentation=None, **fields):
    """A person of 3 × 4 pixels, unless told otherwise."""
    segmentation = [box(2, 1, 6, 4)] if segmentation is None else segmentation
    entry = {"id": 7, "image_id": 1, "category_id": 1, "area": 12.0, "iscrowd": 0}
    return entry | {"segmentation": segmentation} | fields


def without(entry, *names):
    return {name: value for name, value in entry.items() if name not in names}


def instances(annotations=None, images=None, **fields):
    annotations = [thing()] if annotations is None else annotations
    return {"images": images or [image()], "annotations": annotations} | fields


def save_picture(path, size=(WIDTH, HEIGHT)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (30, 90, 200)).save(path)


def write(path, content):
    """Bytes as they are, all else as JSON, in which NaN is a number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def coco20i_tree(root, content):
    """`COCO2014` with a JSON for val, and the picture."""
    write(root / "COCO2014/annotations/instances_val2014.json", content)
    save_picture(root / "COCO2014/val2014/a.jpg")
    return root


def expected(*parts, fill=-1):
    """A mask of (rows, columns, value) laid over each other in turn."""
    mask = np.full((HEIGHT, WIDTH), fill, np.int16)
    for rows, columns, value in parts:
        mask[slice(*rows), slice(*columns)] = value
    return mask


def read_mask(root, content):
    """The mask of the one picture, by the adaptor."""
    tree = CocoFolder(coco20i_tree(root, content))
    (stem,) = tree.stems
    return tree.mask(stem)


def check_line(error, *words):
    """An error is one line that names the file, and has these words."""
    text = str(error.value)
    assert "\n" not in text and len(text) < 600
    assert "instances_val2014.json" in text
    for word in words:
        assert word in text


PERSON = expected(((1, 4), (2, 6), 0))
"""The mask of `thing`."""
