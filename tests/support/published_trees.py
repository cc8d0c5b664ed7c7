"""Published sets in their true layouts: file names, palettes and ids, small, with drawn masks.

What masks mean is written down here a second time, from the publishers' own descriptions, so that
the adaptors' tables have something to be compared with.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fewshot_trees import picture, save_jpeg, save_png, write_lines
from PIL import Image

from lseg.data.base.folder import BACKGROUND, IGNORE

SIZE = (30, 40)  # as many pixels as show each of 847 classes

UNUSED_STUFF = {11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90}
STUFF = [value for value in range(182) if value not in UNUSED_STUFF]
CITY_LABELS = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
CAMVID = """64 128 64\tAnimal
192 0 128\tArchway
0 128 192\tBicyclist
0 128 64\tBridge
128 0 0\t\tBuilding
64 0 128\tCar
64 0 192\tCartLuggagePram
192 128 64\tChild
192 192 128\tColumn_Pole
64 64 128\tFence
128 0 192\tLaneMkgsDriv
192 0 64\tLaneMkgsNonDriv
128 128 64\tMisc_Text
192 0 192\tMotorcycleScooter
128 64 64\tOtherMoving
64 192 128\tParkingBlock
64 64 0\t\tPedestrian
128 64 128\tRoad
128 128 192\tRoadShoulder
0 0 192\t\tSidewalk
192 128 128\tSignSymbol
128 128 128\tSky
64 128 192\tSUVPickupTruck
0 0 64\t\tTrafficCone
0 64 64\t\tTrafficLight
192 64 128\tTrain
128 128 0\tTree
192 128 192\tTruck_Bus
64 0 64\t\tTunnel
192 192 0\tVegetationMisc
0 0 0\t\tVoid
64 192 0\tWall
"""
COLOURS = [tuple(map(int, line.split()[:3])) for line in CAMVID.splitlines()]
VOID = 30


class Tree(NamedTuple):
    """A set in one of its layouts.

    Attributes:
        dataset: Its name.
        home: Its own folder; the empty name where there is none.
        image: Path of a picture, `{}` standing for its name.
        mask: Path of a mask.
        values: What the values of masks mean.
        save: Writes a mask.
        names: Of two pictures.
        more: Writes the other files of the set.
        split: Which is drawn.
    """

    dataset: str
    home: str
    image: str
    mask: str
    values: dict[int, int]
    save: Callable[[np.ndarray, Path], None] = save_png
    names: tuple[str, str] = ("2008_000002", "2008_000003")
    more: Callable[[Path, tuple[str, str]], None] | None = None
    split: str = "val"

    def draw(self, root):
        """Write the files; the expected mask of each stem."""
        expected = {}
        for number, name in enumerate(self.names):
            stored, expected[name] = self.mask_of(number)
            save = save_png if self.image.endswith("png") else save_jpeg
            save(picture(np.random.default_rng(number), *SIZE), self.path(root, self.image, name))
            target = self.path(root, self.mask, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            self.save(stored, target)
        if self.more is not None:
            self.more(root / self.home, self.names)
        return expected

    def mask_of(self, number):
        """Stored and expected values, in which every value occurs."""
        rng = np.random.default_rng(number)
        stored = rng.permutation(np.resize(list(self.values), SIZE[0] * SIZE[1])).reshape(SIZE)
        return stored, np.vectorize(self.values.get)(stored)

    def path(self, root, pattern, name):
        return root / self.home / pattern.format(name)


def classes(values, ignored=()):
    """Values of classes in their order, and those without a label."""
    return {value: index for index, value in enumerate(values)} | dict.fromkeys(ignored, IGNORE)


def save_palette(values, path):
    """A palette PNG whose colours say nothing."""
    image = Image.fromarray(values.astype(np.uint8))
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    assert image.mode == "P"
    image.save(path)


def save_grey(values, path):
    Image.fromarray(values.astype(np.uint8)).save(path)


def save_deep(values, path):
    Image.fromarray(values.astype(np.uint16)).save(path)


def save_colours(values, path):
    Image.fromarray(np.array(COLOURS, np.uint8)[values]).save(path)


def lists(path):
    return lambda home, names: write_lines(home / path, names)


def camvid_csv(home, names):
    lines = [line.split() for line in CAMVID.splitlines()]
    write_lines(
        home / "class_dict.csv", ["name,r,g,b", *(f"{n},{r},{g},{b}" for r, g, b, n in lines)]
    )


def camvid_txt(home, names):
    (home / "label_colors.txt").write_text(CAMVID)
    write_lines(home / "val.txt", names)


def vistas_config(home, names):
    labels = [{"readable": f"label {i}", "evaluate": i < 65} for i in range(66)]
    (home / "config.json").write_text(json.dumps({"version": "1.1", "labels": labels}))


ADE = ("ADE_val_00000001", "ADE_val_00000002")
COCO = ("000000000139", "000000000285")
CITY = ("frankfurt/frankfurt_000000_000294", "munster/munster_000000_000019")
CAM = ("0016E5_07959", "0016E5_07961")
BACK_FIRST = {0: BACKGROUND}

TREES = {
    "ade20k": Tree(
        "ade20k", "ADEChallengeData2016", "images/validation/{}.jpg",
        "annotations/validation/{}.png", BACK_FIRST | classes(range(1, 151)), save_grey, ADE,
    ),
    "ade20k_full": Tree(
        "ade20k_full", "ADE20K_2021_17_01", "images_detectron2/validation/{}.jpg",
        "annotations_detectron2/validation/{}.tif", classes(range(847), [65535]), save_deep, ADE,
    ),
    "coco_stuff": Tree(
        "coco_stuff", "", "images/val2017/{}.jpg", "stuffthingmaps/val2017/{}.png",
        classes(STUFF, [255]), save_grey, COCO,
    ),
    "coco_stuff, train ids": Tree(
        "coco_stuff", "coco_stuff164k", "images/train2017/{}.jpg",
        "annotations/train2017/{}_labelTrainIds.png", classes(range(171), [255]), save_grey, COCO,
        split="train",
    ),
    "voc20": Tree(
        "voc20", "VOC2012", "JPEGImages/{}.jpg", "SegmentationClass/{}.png",
        BACK_FIRST | classes(range(1, 21), [255]), save_palette,
        more=lists("ImageSets/Segmentation/val.txt"),
    ),
    "voc21": Tree(
        "voc21", "VOCdevkit/VOC2012", "JPEGImages/{}.jpg", "SegmentationClassAug/{}.png",
        classes(range(21), [255]), save_grey, more=lists("ImageSets/Segmentation/trainaug.txt"),
        split="trainaug",
    ),
    "context59": Tree(
        "context59", "VOC2010", "JPEGImages/{}.jpg", "SegmentationClassContext/{}.png",
        BACK_FIRST | classes(range(1, 60)), save_grey,
        more=lists("ImageSets/SegmentationContext/val.txt"),
    ),
    "context60": Tree(
        "context60", "VOC2010", "JPEGImages/{}.jpg", "SegmentationClassContext/{}.png",
        classes(range(60)), save_grey, more=lists("ImageSets/SegmentationContext/val.txt"),
    ),
    "context59, prepared": Tree(
        "context59", "VOCdevkit/VOC2010", "JPEGImages/{}.jpg",
        "annotations_detectron2/pc59_val/{}.png", classes(range(59)) | {255: BACKGROUND}, save_grey,
    ),
    "context60, prepared": Tree(
        "context60", "VOC2010", "JPEGImages/{}.jpg", "annotations_detectron2/pc59_val/{}.png",
        {value: value + 1 for value in range(59)} | {255: 0}, save_grey,
    ),
    "context459": Tree(
        "context459", "VOC2010", "JPEGImages/{}.jpg", "annotations_detectron2/pc459_val/{}.tif",
        classes(range(459), [65535]), save_deep,
    ),
    "cityscapes": Tree(
        "cityscapes", "", "leftImg8bit/val/{}_leftImg8bit.png",
        "gtFine/val/{}_gtFine_labelTrainIds.png", classes(range(19), [255]), save_grey, CITY,
    ),
    "cityscapes, label ids": Tree(
        "cityscapes", "cityscapes", "leftImg8bit/train/{}_leftImg8bit.png",
        "gtFine/train/{}_gtFine_labelIds.png",
        classes(CITY_LABELS, set(range(34)) - set(CITY_LABELS)), save_grey, CITY, split="train",
    ),
    "camvid11": Tree(
        "camvid11", "CamVid", "test/{}.png", "testannot/{}.png", classes(range(11), [11]),
        save_grey, CAM, split="test",
    ),
    "camvid32": Tree(
        "camvid32", "CamVid", "val/{}.png", "val_labels/{}_L.png",
        classes([i for i in range(32) if i != VOID], [VOID]), save_colours, CAM, more=camvid_csv,
    ),
    "camvid32, as published": Tree(
        "camvid32", "CamVid", "701_StillsRaw_full/{}.png", "LabeledApproved_full/{}_L.png",
        classes([i for i in range(32) if i != VOID], [VOID]), save_colours, CAM, more=camvid_txt,
    ),
    "mapillary": Tree(
        "mapillary", "mapillary_vistas", "validation/images/{}.jpg", "validation/labels/{}.png",
        classes(range(65), [65]), save_palette, ("_1Gs_9M1i", "__Cbp9cWa"),
    ),
    "mapillary, 2.0": Tree(
        "mapillary", "", "training/images/{}.jpg", "training/v1.2/labels/{}.png",
        classes(range(65), [65]), save_palette, ("_1Gs_9M1i", "__Cbp9cWa"), split="train",
    ),
}  # fmt: skip
"""The sets' layouts; `coco_stuff27` is in `stuff27_tree`."""


def plant(root, dataset):
    """A published set with two pictures in each of its two splits."""
    tree = TREES[dataset]
    tree.draw(root)
    train = {"validation": "training", "/val": "/train"}
    moved = [tree.image, tree.mask]
    for old, new in train.items():
        moved = [pattern.replace(old, new) for pattern in moved]
    tree._replace(image=moved[0], mask=moved[1]).draw(root)


def enlarge(root):
    """Doubles all pictures and masks: networks take them from 32 pixels up."""
    for path in [*root.rglob("*.jpg"), *root.rglob("*.png")]:
        with Image.open(path) as picture:
            larger = picture.resize((80, 60), Image.Resampling.NEAREST)
        larger.save(path)
