"""Segmentations as files to take away."""

import io
import json
from typing import Any

import numpy as np
from PIL import Image

from lseg.inference.segmenter import Segmentation


def label_map_png(segmentation: Segmentation) -> bytes:
    """Indices into the labels, one 8-bit channel, at the picture's own size."""
    return _png(Image.fromarray(segmentation.label_map))


def overlay_png(segmentation: Segmentation, opacity: float) -> bytes:
    """The picture under its label map, with a legend."""
    return _png(segmentation.overlay(min(1.0, max(0.0, opacity))))


def summary(segmentation: Segmentation) -> dict[str, Any]:
    """Labels, colours, shares, and a COCO run-length mask of each label that occurs."""
    return {**segmentation.to_json(), "masks": segmentation.to_coco_rle()}


def summary_json(segmentation: Segmentation) -> bytes:
    """`summary` as a file."""
    return json.dumps(summary(segmentation), indent=2, ensure_ascii=False).encode()


def npy(array: np.ndarray) -> bytes:
    """An array as NumPy's own file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=3)
    return file.getvalue()
