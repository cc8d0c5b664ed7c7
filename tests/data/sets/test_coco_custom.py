"""Any instances JSON: the file's own categories, where files and pictures lie, the background."""

import numpy as np
import pytest
from coco_trees import box, expected, image, instances, save_picture, thing, write

from lseg.data.base.check import picture_problems
from lseg.data.base.dataset import FolderDataset
from lseg.data.base.folder import IGNORE
from lseg.data.sets.coco_custom import CocoCustomFolder
from lseg.errors import DataError

CATEGORIES = [{"id": 5, "name": "bolt"}, {"id": 0, "name": "nut "}, {"id": "12", "name": "washer"}]
THINGS = [
    thing([box(0, 0, 10, 4)], category_id=0),
    thing([box(2, 1, 6, 4)], category_id="5"),
    thing([box(8, 6, 10, 8)], category_id=12),
]


def content(annotations=THINGS, categories=CATEGORIES, **fields):
    return instances(annotations, categories=categories, **fields)


def tree(root, json="annotations/instances_val2017.json", picture="val2017/a.jpg", **fields):
    write(root / json, content(**fields))
    save_picture(root / picture)
    return root


def test_categories_are_the_files_own_in_the_order_of_their_ids(tmp_path):
    folder = CocoCustomFolder(tree(tmp_path))
    assert folder.classes == ("background", "nut", "bolt", "washer")
    wanted = expected(((0, 4), (0, 10), 1), ((1, 4), (2, 6), 2), ((6, 8), (8, 10), 3), fill=0)
    item = FolderDataset(folder)[0]
    assert item["image"].shape == (3, 8, 10)
    assert np.array_equal(item["mask"], wanted)
    assert list(picture_problems(folder, "a.jpg")) == []


def test_ids_that_are_no_numbers_keep_the_files_order(tmp_path):
    categories = [{"id": "z", "name": "last"}, {"id": "a", "name": "first"}]
    folder = CocoCustomFolder(
        tree(tmp_path, annotations=[thing(category_id="a")], categories=categories)
    )
    assert folder.classes == ("background", "last", "first")
    assert folder.mask("a.jpg").max() == 2


def test_a_background_that_is_ignored(tmp_path):
    pictures = [image(), image(id=2, file_name="b.jpg")]
    folder = CocoCustomFolder(tree(tmp_path, images=pictures), background=None)
    assert folder.classes == ("nut", "bolt", "washer")
    assert folder.stems == ["a.jpg"]  # of the other, nothing would be labelled
    assert folder.mask("a.jpg")[7, 0] == IGNORE
    assert (FolderDataset(folder, ignore_index=99)[0]["mask"] == 99).sum() == 80 - 40 - 4
    assert CocoCustomFolder(tmp_path, background="other").stems == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("json", "picture", "file_name"),
    [
        ("annotations/instances_val2017.json", "val2017/a.jpg", "a.jpg"),
        ("annotations/instances_val2014.json", "val2014/a.jpg", "a.jpg"),
        ("annotations/instances_val.json", "images/val/a.jpg", "a.jpg"),
        ("annotations/val.json", "images/a.jpg", "images/a.jpg"),
        ("valid/_annotations.coco.json", "valid/a.jpg", "a.jpg"),
        ("val/labels.json", "val/data/a.jpg", "a.jpg"),
        ("labels.json", "data/a.jpg", "a.jpg"),
        ("annotations.json", "JPEGImages/a.jpg", "JPEGImages/a.jpg"),
        ("annotations.json", "images/sub/a.jpg", "sub/a.jpg"),
        ("annotations/instances_default.json", "images/a.jpg", "/home/x/a.jpg"),
        ("result.json", "images/a.jpg", "..\\images\\a.jpg"),
        ("val.json", "val/a.jpg", "https://host/x/a.jpg"),
    ],
)
def test_layouts_of_the_tools(json, picture, file_name, tmp_path):
    tree(tmp_path, json, picture, images=[image(file_name=file_name)])
    folder = CocoCustomFolder(tmp_path)
    (stem,) = folder.stems
    assert folder.image_path(stem).resolve() == tmp_path / picture
    assert folder.read(stem).mask.max() == 3
    assert CocoCustomFolder(tmp_path / json).read(stem).mask.max() == 3


def test_pictures_of_one_name_in_two_folders(tmp_path):
    pictures = [image(file_name="x/a.jpg"), image(id=2, file_name="y/a.jpg", width=6)]
    tree(tmp_path, picture="images/x/a.jpg", images=pictures)
    save_picture(tmp_path / "images/y/a.jpg", (6, 8))
    folder = CocoCustomFolder(tmp_path)
    assert [folder.read(stem).image.size for stem in folder.stems] == [(10, 8), (6, 8)]


def test_a_missing_picture_is_looked_for_where_the_split_lies(tmp_path):
    tree(tmp_path, picture="val2017/other.jpg")
    with pytest.raises(DataError, match=r"val2017/a.jpg, a picture of .*does not exist"):
        CocoCustomFolder(tmp_path).read("a.jpg")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"categories": None}, "nothing under 'categories'"),
        ({"categories": []}, "no category"),
        ({"categories": [{"id": 1}]}, "the name None"),
        ({"categories": [{"id": None, "name": "x"}]}, "the id None"),
        ({"categories": [{"id": 1, "name": "x"}, {"id": "1", "name": "y"}]}, "two .* the id 1"),
        ({"categories": [{"id": 1, "name": "x"}, {"id": 2, "name": "x"}]}, "two .* name 'x'"),
        ({"categories": [{"id": 1, "name": "background"}]}, "'background'"),
        ({"annotations": []}, "outlines nothing"),
        ({"annotations": [thing([], bbox=[0, 0, 5, 5])]}, "Boxes and key points"),
    ],
)
def test_one_line_about_a_file_that_makes_no_data_set(fields, words, tmp_path):
    with pytest.raises(DataError, match=words) as error:
        CocoCustomFolder(tree(tmp_path, **fields))
    assert "\n" not in str(error.value)
    assert "instances_val2017.json" in str(error.value)


def test_a_category_that_the_file_does_not_name(tmp_path):
    folder = CocoCustomFolder(tree(tmp_path, annotations=[thing(category_id=1)]))
    (problem,) = picture_problems(folder, "a.jpg")
    assert problem.kind == "corrupt mask"
    assert "annotation 7 of 'a.jpg' has the category_id 1, which is none of the 3" in problem.text


def test_no_json_names_those_there_are(tmp_path):
    write(tmp_path / "sub/odd.json", {})
    with pytest.raises(DataError, match=r"sub/odd\.json") as error:
        CocoCustomFolder(tmp_path, "train")
    assert "Expected: <root>/annotations" in str(error.value)
