"""Made-up data sets of label maps: truths, predictions of any quality, files."""

import json
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image

from lseg.evaluation.picture_areas import AreaCounter

IGNORED = 255
NAMES = ["sky", "road", "tree", "car", "person", "dog", "wall", "lamp"]


@dataclass
class Truths:
    """A data set of masks; pictures are random, but for a mask's they are not looked at."""

    truths: list
    classes: list
    ignore_index: int = IGNORED
    names: list = field(default_factory=list)
    pictures: dict = field(default_factory=dict)  # index -> another's picture

    def __post_init__(self):
        self.names = self.names or [f"p{index}" for index in range(len(self.truths))]

    @property
    def labels(self):
        return self.classes

    def __len__(self):
        return len(self.truths)

    def __getitem__(self, index):
        truth = self.truths[index]
        rng = np.random.default_rng(self.pictures.get(index, index))
        image = rng.integers(0, 256, (3, *truth.shape), dtype=np.uint8)
        return {"image": torch.from_numpy(image), "mask": torch.from_numpy(truth).long()}


def mosaic(rng, classes, size=40, seeds=12):
    """A map of cells around random points, each of a random class."""
    points = rng.random((seeds, 2)) * size
    y, x = np.mgrid[:size, :size]
    nearest = ((y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2).argmin(-1)
    return rng.integers(0, classes, seeds)[nearest]


def world(seed=0, pictures=6, classes=6, ignored=0.05, draw=mosaic):
    """A data set of mosaics."""
    rng = np.random.default_rng(seed)
    truths = []
    for _ in range(pictures):
        truth = draw(rng, classes)
        truth[rng.random(truth.shape) < ignored] = IGNORED
        truths.append(truth)
    return Truths(truths, NAMES[:classes])


def predictions(data, right, seed=1, draw=mosaic):
    """Maps that are right in this share of the pixels, and at random elsewhere."""
    rng = np.random.default_rng(seed)
    found = []
    for truth in data.truths:
        other = draw(rng, len(data.classes))
        true = np.where(truth == IGNORED, other, truth)
        found.append(np.where(rng.random(truth.shape) < right, true, other))
    return found


def count(data, maps):
    """The areas of maps against the truths."""
    counter = AreaCounter(len(data.classes), data.ignore_index)
    for name, values, truth in zip(data.names, maps, data.truths, strict=True):
        counter.add(name, torch.from_numpy(values), torch.from_numpy(truth))
    return counter.finish()


def save_maps(folder, names, maps):
    """Index PNGs, of 8 bits where the values allow."""
    for name, values in zip(names, maps, strict=True):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values.astype(np.uint8 if values.max() < 256 else np.uint16)).save(path)
    return folder


def save_sidecar(path, labels):
    """What `lseg predict` writes beside a map, as far as it names the labels."""
    entries = [{"index": index, "label": label} for index, label in enumerate(labels)]
    path.write_text(json.dumps({"labels": entries}))


def naive_confusion(maps, truths, classes, ignored=IGNORED):
    """(N, N) pixels, one after the other; predictions that are no class in a column N."""
    found = np.zeros((classes, classes + 1), int)
    for values, truth in zip(maps, truths, strict=True):
        for called, true in zip(values.ravel(), truth.ravel(), strict=True):
            if true != ignored:
                found[true, called if called < classes else classes] += 1
    return found


def naive_figures(confusion):
    """In percent: mIoU, pixel accuracy, mean accuracy, frequency-weighted IoU, and each IoU."""
    count = len(confusion)
    iou, accuracy, weighted = [], [], 0.0
    for index in range(count):
        both, true = confusion[index, index], confusion[index].sum()
        union = true + confusion[:, index].sum() - both
        iou.append(100 * both / union if union else None)
        if true:
            accuracy.append(100 * both / true)
            weighted += true * iou[-1]
    there = [one for one in iou if one is not None]
    return {
        "miou": sum(there) / len(there),
        "pixel_accuracy": 100 * np.trace(confusion[:, :count]) / confusion.sum(),
        "mean_accuracy": sum(accuracy) / len(accuracy),
        "fw_iou": weighted / confusion.sum(),
        "per_class": iou,
    }
