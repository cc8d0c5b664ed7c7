"""The label files of published sets: counts, ids, order, and words that differ."""

from pathlib import Path

import pytest

from lseg.data.base.labels import clean_label, display_name
from lseg.data.sets.class_labels import ClassLabels
from lseg.data.sets.label_table import read_labels
from lseg.errors import LabelError
from lseg.paths import ASSETS

COUNTS = {
    "ade20k": 150, "ade20k_full": 847, "coco_stuff": 171, "coco_stuff27": 27, "voc": 21,
    "context59": 60, "context459": 459, "cityscapes": 19, "camvid11": 11, "camvid32": 31,
    "mapillary": 65, "coco20i": 80,
}  # fmt: skip
SPOTS = {  # by the value in the set's masks
    "ade20k": {1: "wall", 13: "person", 90: "television", 150: "flag"},
    "ade20k_full": {0: "wall", 9: "earth", 72: "stove", 846: "adding machine"},
    "coco_stuff": {0: "person", 17: "dog", 89: "toothbrush", 91: "banner", 181: "wood"},
    "coco_stuff27": {0: "electronic", 9: "person", 12: "ceiling", 23: "sky", 26: "water"},
    "voc": {0: "background", 1: "aeroplane", 12: "dog", 15: "person", 20: "tvmonitor"},
    "context59": {0: "background", 2: "bag", 37: "person", 47: "sky", 59: "wood"},
    "context459": {0: "accordion", 283: "person", 359: "sky", 458: "wool"},
    "cityscapes": {0: "road", 8: "vegetation", 11: "person", 18: "bicycle"},
    "camvid11": {0: "sky", 3: "road", 10: "bicyclist"},
    "camvid32": {0: "Animal", 17: "Road", 21: "Sky", 31: "Wall"},
    "mapillary": {0: "Bird", 13: "Road", 19: "Person", 27: "Sky", 64: "Ego Vehicle"},
    "coco20i": {1: "person", 18: "dog", 90: "toothbrush"},
}
every_table = pytest.mark.parametrize("name", COUNTS)


def test_each_csv_that_sets_read_is_tested():
    there = {path.stem for path in (ASSETS / "labels").glob("*.csv")}
    assert set(COUNTS) == set(SPOTS) <= there


@every_table
def test_classes_are_counted_and_have_the_numbers_of_their_masks(name):
    table = read_labels(name)
    assert len(table.names) == COUNTS[name]
    numbers = dict(zip(table.numbers(), table.names, strict=True))
    assert len(numbers) == COUNTS[name]
    assert {number: numbers[number] for number in SPOTS[name]} == SPOTS[name]
    assert list(numbers) == sorted(numbers)


@every_table
def test_each_way_to_ask_has_words_that_differ(name):
    table = read_labels(name)
    for asked in ("own", "plain", "synonyms"):
        labels = ClassLabels(asked).labels(table.names, table.prompts)
        assert len({label.lower() for label in labels}) == len(labels)
        assert [clean_label(label, name) for label in labels] == labels
    for prompt in table.prompts:
        words = prompt.lower().split("|")
        assert len(set(words)) == len(words), prompt


@every_table
def test_a_label_file_says_where_it_is_from(name):
    text = (ASSETS / "labels" / f"{name}.csv").read_text("utf-8")
    assert text.startswith("# ")
    assert max(map(len, text.split("id,name")[0].splitlines())) <= 100


def test_what_is_asked_for():
    table = read_labels("voc").without("background")
    plain = ClassLabels().labels(table.names, table.prompts)
    assert plain[15] == "potted plant"
    assert ClassLabels("own").labels(table.names, table.prompts)[15] == "pottedplant"
    assert (
        ClassLabels("synonyms").labels(table.names, table.prompts)[15].startswith("potted plant|")
    )
    assert ClassLabels("synonyms").labels(["a", "b"]) == ["a", "b"]
    assert [display_name(prompt) for prompt in table.prompts] == plain


def test_a_users_own_files(tmp_path):
    table = read_labels("camvid11")
    path = tmp_path / "mine.txt"
    path.write_text("".join(f"my {name}\n" for name in table.names))
    assert ClassLabels(file=path).labels(table.names)[3] == "my road"
    path.write_text("sky\nroad\n")
    with pytest.raises(LabelError, match="2 labels for 11 classes"):
        ClassLabels(file=path).labels(table.names)
    path.write_text("sky\n\nroad\n")
    with pytest.raises(LabelError, match=r"line 2 of .* is empty"):
        ClassLabels(file=path).labels(table.names)
    prompts = tmp_path / "prompts.json"
    prompts.write_text('{"road": "street"}')
    labels = ClassLabels(prompts=str(prompts)).labels(table.names, table.prompts)
    assert labels[3:5] == ["street", "pavement"]
    with pytest.raises(LabelError, match="choose one"):
        ClassLabels(prompts=str(prompts), file=Path(path))


def test_unused_numbers_are_no_classes():
    assert read_labels("coco_stuff").unlabelled() == tuple(
        map(str, (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90))
    )
    assert read_labels("camvid32").unlabelled("name") == ("Void",)
    assert read_labels("mapillary").unlabelled("name") == ("Unlabeled",)
    assert len(read_labels("cityscapes").unlabelled("label_id")) == 15
