"""COCO-Object and COCO panoptic, read back as they were drawn in the published layouts."""

import json

import numpy as np
import pytest
from coco_trees import HEIGHT, WIDTH, box, expected, image, save_picture, thing, without, write
from needs import PHOTOS, needs_photos
from PIL import Image

from lseg.data.base.check import picture_problems
from lseg.data.base.dataset import FolderDataset
from lseg.data.base.folder import IGNORE
from lseg.data.base.labels import parse_labels
from lseg.data.sets.class_names import COCO, COCO_IDS, natural_name
from lseg.data.sets.coco_categories import panoptic_categories, thing_categories
from lseg.data.sets.coco_object import CocoObjectFolder
from lseg.data.sets.coco_panoptic import CocoPanopticFolder
from lseg.errors import DataError

PICTURES = [image(), image(id=2, file_name="b.jpg")]


def test_the_table_of_categories():
    own = panoptic_categories()
    assert (len(own), len(thing_categories())) == (133, 80)
    assert [category.id for category in own] == sorted({category.id for category in own})
    assert tuple(category.id for category in thing_categories()) == COCO_IDS
    assert (own[0].name, own[-1].name, own[-1].id) == ("person", "rug-merged", 200)
    assert len(parse_labels([category.prompt for category in own])) == 133
    differing = {"couch": "sofa", "hair drier": "hair drier"}
    for category, name in zip(thing_categories(), COCO, strict=True):
        assert differing.get(category.name, category.prompt) == natural_name(name)


@needs_photos("coco_panoptic200")
def test_the_table_agrees_with_the_panoptic_classes_of_real_data():
    listing = json.loads((PHOTOS / "coco_panoptic200" / "categories.json").read_text())
    listed = {entry["id"]: entry["name"] for entry in listing}
    assert listed == {category.id: category.name for category in panoptic_categories()}


def object_tree(root, images="val2017"):
    annotations = [thing([box(0, 0, 10, 3)], category_id=90), thing([box(2, 1, 6, 3)])]
    content = {"images": PICTURES[::-1], "annotations": annotations}
    write(root / "annotations/instances_val2017.json", content)
    for name in ("a.jpg", "b.jpg"):
        save_picture(root / images / name)
    return root


@pytest.mark.parametrize("images", ["val2017", "images/val2017"])
def test_coco_object_from_the_json(images, tmp_path):
    folder = CocoObjectFolder(object_tree(tmp_path, images))
    assert len(folder.classes) == len(folder.prompts) == 81
    assert folder.classes[:2] == ("background", "person")
    data = FolderDataset(folder, folder.prompts)
    assert data.names == ["a", "b"]
    wanted = expected(((0, 3), (0, 10), 80), ((1, 3), (2, 6), 1), fill=0)
    assert np.array_equal(data[0]["mask"], wanted)
    assert np.array_equal(data[1]["mask"], np.zeros((HEIGHT, WIDTH)))  # and it is scored


def test_coco_object_from_the_published_masks(tmp_path):
    object_tree(tmp_path)
    masks = tmp_path / "annotations/val2017"
    masks.mkdir()
    values = np.arange(80, dtype=np.uint8).reshape(HEIGHT, WIDTH) + 1
    values[0, 0], values[0, 1] = 0, 255
    Image.fromarray(values).save(masks / "a_instanceTrainIds.png")
    Image.fromarray(values).save(masks / "a.png")  # those of COCO-Stuff lie beside them
    folder = CocoObjectFolder(tmp_path)
    assert folder.stems == ["a.jpg"]
    assert np.array_equal(folder.mask("a.jpg"), np.where(values == 255, 0, values))
    Image.fromarray(values + 1).save(masks / "a_instanceTrainIds.png")
    with pytest.raises(DataError, match="has the value 81"):
        folder.mask("a.jpg")


def test_coco_object_inside_the_data_root(tmp_path):
    object_tree(tmp_path / "coco")
    assert CocoObjectFolder(tmp_path, "val2017").stems == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("folder", [CocoObjectFolder, CocoPanopticFolder])
@pytest.mark.parametrize("there", [[], ["annotations"], ["annotations", "val2017"]])
def test_a_wrong_layout_shows_the_right_one(folder, there, tmp_path):
    for name in there:
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=r"there (is|are) n.*\nExpected: <root>/") as error:
        folder(tmp_path)
    assert folder.layout in str(error.value)
    with pytest.raises(DataError, match="'test'"):
        folder(tmp_path, "test")


NUMBERS = np.zeros((HEIGHT, WIDTH), np.int64)  # of the segments
NUMBERS[:4], NUMBERS[1:3, 2:6], NUMBERS[6:8, 5:8] = 70_000, 300, 7
SEGMENTS = [
    {"id": 70_000, "category_id": 200, "iscrowd": 0},
    {"id": 300, "category_id": "1", "iscrowd": 1},
    {"id": 7, "category_id": 187},
]


def panoptic_tree(
    root, numbers=NUMBERS, png="annotations/panoptic_val2017", segments=SEGMENTS, **fields
):
    entry = {"image_id": 1, "file_name": "a.png", "segments_info": segments} | fields
    own = [{"id": c.id, "name": c.name} for c in panoptic_categories()]
    content = {"images": PICTURES, "annotations": [entry], "categories": own}
    write(root / "annotations/panoptic_val2017.json", content)
    save_picture(root / "val2017/a.jpg")
    (root / png).mkdir(parents=True, exist_ok=True)
    channels = [numbers // 256**channel % 256 for channel in range(3)]
    Image.fromarray(np.stack(channels, -1).astype(np.uint8)).save(root / png / "a.png")
    return root


@pytest.mark.parametrize("png", ["annotations/panoptic_val2017", "panoptic_val2017"])
def test_coco_panoptic(png, tmp_path):
    folder = CocoPanopticFolder(panoptic_tree(tmp_path, png=png))
    assert folder.stems == ["a.jpg"]
    assert len(folder.classes) == len(folder.prompts) == 133
    sky = folder.classes.index("sky-other-merged")
    wanted = np.select(
        [NUMBERS == 70_000, NUMBERS == 300, NUMBERS == 7, NUMBERS == 0], [132, 0, sky, IGNORE]
    )
    mask = folder.mask("a.jpg")
    assert mask.dtype == np.int16
    assert np.array_equal(mask, wanted)
    item = FolderDataset(folder, folder.prompts)[0]["mask"]
    assert (item == 255).sum() == (NUMBERS == 0).sum() > 0
    assert list(picture_problems(folder, "a.jpg")) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"segments": SEGMENTS[1:]}, r"segment 70000, which .*a\.png shows \(32 pixels"),
        ({"segments": None}, "segments_info None"),
        ({"segments": [5]}, "segments_info"),
        ({"segments": []}, "segment 70000"),
        ({"segments": [*SEGMENTS, SEGMENTS[0]]}, "the id 70000"),
        ({"segments": [{"id": 0, "category_id": 1}]}, "the id 0"),
        ({"segments": [{"id": 2**24, "category_id": 1}]}, "the id 16777216"),
        ({"segments": [{"id": None, "category_id": 1}]}, "the id None"),
        ({"segments": [{"id": 7, "category_id": 12}]}, "category_id 12"),
        ({"segments": [without(SEGMENTS[0], "category_id")]}, "category_id None"),
        ({"file_name": None}, "file_name None"),
    ],
)
def test_one_line_about_a_panoptic_annotation(fields, words, tmp_path):
    folder = CocoPanopticFolder(panoptic_tree(tmp_path, id=4, **fields))
    with pytest.raises(DataError, match=words) as error:
        folder.mask("a.jpg")
    assert "\n" not in str(error.value)
    assert "panoptic_val2017.json: annotation 4 of 'a.jpg'" in str(error.value)


def test_panoptic_files_that_do_not_fit_together(tmp_path):
    folder = CocoPanopticFolder(panoptic_tree(tmp_path, file_name="other.png"))
    with pytest.raises(DataError, match=r"other\.png, which .*names, does not exist"):
        folder.mask("a.jpg")
    path = tmp_path / "annotations/panoptic_val2017.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"annotations": content["annotations"] * 2}))
    with pytest.raises(DataError, match=r"two annotations of 'a\.jpg'"):
        _ = CocoPanopticFolder(tmp_path).stems
    path.write_text(json.dumps(content | {"annotations": []}))
    with pytest.raises(DataError, match="annotates no picture"):
        _ = CocoPanopticFolder(tmp_path).stems
    path.write_text(json.dumps(content | {"categories": [{"id": 1, "name": "ego vehicle"}]}))
    with pytest.raises(DataError, match="'ego vehicle'"):
        _ = CocoPanopticFolder(tmp_path).stems
