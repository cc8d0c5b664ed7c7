import json
from itertools import groupby

import numpy as np
import pytest
from label_worlds import save_maps, save_sidecar
from PIL import Image
from pycocotools import mask as coco

from lseg.errors import DataError, ImageError
from lseg.evaluation.class_matching import NO_CLASS, ClassMatcher
from lseg.evaluation.referee.label_maps import LabelMapFolder

CLASSES = ["background", "pottedplant", "person", "tvmonitor"]
VALUES = np.array([[0, 1, 2, 3], [3, 2, 1, 0], [0, 0, 2, 2]])


def opened(folder):
    return LabelMapFolder(folder, ClassMatcher(CLASSES, [*CLASSES[:2], "person|people", "tv"]))


def read(folder, name="a"):
    (found,) = opened(folder).find(name)
    return found.read()


@pytest.mark.parametrize("mode", ["L", "P", "I;16", "1"])
def test_index_pngs_of_any_depth_are_read_as_they_are(tmp_path, mode):
    values = VALUES + 300 * (mode == "I;16")
    if mode == "1":
        values = VALUES > 1
        Image.fromarray(values).save(tmp_path / "a.png")
    else:
        image = Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.uint8))
        if mode == "P":
            image.putpalette([200, 100, 0] * 256)
        image.save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == mode
    found = read(tmp_path)
    assert found.dtype == np.int64
    assert (found == values).all()


def test_colour_maps_are_refused_with_what_to_do(tmp_path):
    Image.new("RGB", (4, 3)).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"one channel.*indices first"):
        read(tmp_path)


def test_maps_of_lseg_predict_are_read_by_the_names_beside_them(tmp_path):
    save_maps(tmp_path, ["a"], [VALUES])
    save_maps(tmp_path, ["a.overlay"], [VALUES])
    save_sidecar(tmp_path / "a.json", ["people", "TV", "others", "kerb"])
    folder = opened(tmp_path)
    assert len(folder) == 1
    (found,) = folder.find("a")
    assert (found.read() == np.array([2, 3, 0, NO_CLASS])[VALUES]).all()
    assert folder.unknown == {"kerb"}


def test_indices_that_have_no_name_are_of_no_class(tmp_path):
    save_maps(tmp_path, ["a"], [VALUES])
    save_sidecar(tmp_path / "a.json", ["background", "person"])
    assert (read(tmp_path) == np.array([0, 2, NO_CLASS, NO_CLASS])[VALUES]).all()


@pytest.mark.parametrize("index", [-1, "0", None, 1.5])
def test_a_json_of_another_kind_leaves_indices_as_they_are(tmp_path, index):
    save_maps(tmp_path, ["a"], [VALUES])
    entries = [{"index": index, "label": "person"}]
    (tmp_path / "a.json").write_text(json.dumps({"labels": entries}))
    assert (read(tmp_path) == VALUES).all()


def test_labels_of_another_spelling_keep_their_place(tmp_path):
    save_maps(tmp_path, ["a"], [VALUES])
    save_sidecar(tmp_path / "a.json", ["other", "potted plant", "woman", "television"])
    assert (read(tmp_path) == VALUES).all()


def test_a_picture_of_an_overlay_without_its_map_is_a_map(tmp_path):
    save_maps(tmp_path, ["a.overlay"], [VALUES])
    assert len(opened(tmp_path)) == 1


def coco_file(annotations, names):
    return {
        "images": [{"id": 7, "file_name": "a.jpg", "height": 3, "width": 4}],
        "categories": [{"id": 10 + index, "name": name} for index, name in enumerate(names)],
        "annotations": [{"id": n, "image_id": 7, **one} for n, one in enumerate(annotations)],
    }


def packed(mask):
    rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(rle["size"]), "counts": rle["counts"].decode()}


def unpacked(mask):
    runs = [(value, len(list(run))) for value, run in groupby(mask.ravel("F").tolist())]
    counts = [length for _, length in runs]
    return {"size": list(mask.shape), "counts": [0] * runs[0][0] + counts}


@pytest.mark.parametrize("encode", [packed, unpacked])
def test_coco_masks_are_read_by_the_names_of_their_categories(tmp_path, encode):
    names = ["person", "television|tv", "potted plant"]
    wanted = [2, 3, 1]
    annotations = [
        {"category_id": 10 + index, "segmentation": encode(value == VALUES)}
        for index, value in enumerate(wanted)
    ]
    (tmp_path / "instances.json").write_text(json.dumps(coco_file(annotations, names)))
    assert (read(tmp_path) == VALUES).all()  # what nothing covers is the background
    assert (read(tmp_path / "instances.json") == VALUES).all()


def test_polygons_are_painted_and_the_surest_mask_wins(tmp_path):
    square = [0, 0, 2, 0, 2, 2, 0, 2]
    annotations = [
        {"category_id": 10, "score": 0.9, "segmentation": [square]},
        {"category_id": 11, "score": 0.8, "segmentation": packed(np.ones((3, 4)))},
    ]
    text = json.dumps(coco_file(annotations, ["person", "tvmonitor"]))
    (tmp_path / "masks.json").write_text(text)
    found = read(tmp_path)
    assert (found[:2, :2] == 2).all()
    assert (found[2] == 3).all()


@pytest.mark.parametrize(
    "spoiled",
    [
        {"category_id": 99, "segmentation": packed(VALUES == 1)},
        {"category_id": 10, "segmentation": packed(np.ones((9, 9)))},
        {"category_id": 10},
    ],
)
def test_a_spoiled_annotation_is_one_clear_error(tmp_path, spoiled):
    (tmp_path / "masks.json").write_text(json.dumps(coco_file([spoiled], ["person"])))
    with pytest.raises(DataError, match=r"masks.json: a.jpg: an annotation cannot be read"):
        read(tmp_path)


def test_a_coco_file_whose_lists_are_spoiled_is_one_clear_error(tmp_path):
    values = coco_file([], ["person"])
    del values["images"][0]["height"]
    (tmp_path / "masks.json").write_text(json.dumps(values))
    with pytest.raises(DataError, match="height"):
        opened(tmp_path)


def test_names_with_folders_find_their_own_maps_and_stems_those_below(tmp_path):
    save_maps(tmp_path, ["x/1", "y/1", "z/2"], [VALUES, VALUES + 1, VALUES + 2])
    folder = opened(tmp_path)
    assert [len(folder.find(name, unique_stem=False)) for name in ("x/1", "y/1", "w/1")] == [
        1,
        1,
        0,
    ]
    assert (folder.find("y/1", unique_stem=False)[0].read() == VALUES + 1).all()
    assert [one.source for one in folder.find("2")] == ["z/2.png"]
    assert [one.source for one in folder.find("1")] == ["x/1.png", "y/1.png"]


def test_an_empty_or_absent_folder_says_what_maps_look_like(tmp_path):
    (tmp_path / "table.json").write_text('{"miou": 3}')
    with pytest.raises(DataError, match=r"holds no label map.*<stem of the picture>.png"):
        opened(tmp_path)
    with pytest.raises(DataError, match="there is no folder"):
        opened(tmp_path / "nowhere")
