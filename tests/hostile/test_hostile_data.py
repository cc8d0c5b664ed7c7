"""Data sets, prompts and figures that are damaged, by the commands that read them."""

import json
import pickle
from itertools import pairwise

import numpy as np
import pytest
from drawing import draw
from PIL import Image

from lseg.data.fewshot.splits import read_coco
from lseg.errors import DataError

CLASSES = "sky\nroad\ntree"
LISTED = "one.png one.mask.png\ntwo.png two.mask.png\n"


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    for name in ("one", "two"):
        Image.fromarray(draw(40, 56, seed=len(name))).save(root / f"{name}.png")
        mask = np.random.default_rng(0).integers(0, 3, (40, 56), dtype=np.uint8)
        Image.fromarray(mask).save(root / f"{name}.mask.png")
    (root / "classes.txt").write_text(CLASSES)
    (root / "val.txt").write_text(LISTED)
    return root


@pytest.fixture
def evaluate(command, model_folder, data):
    def call(*more):
        pairs = ["--dataset", "pairs", "--data-root", data]
        options = ["--checkpoint", model_folder, "--size", 64, "--workers", 0]
        return command("evaluate", *pairs, *options, *more)

    return call


def test_as_it_is(evaluate, command, data):
    assert evaluate() is None
    assert command("data", "check", "--dataset", "pairs", "--data-root", data) is None


def tenfold(form):
    """Lines of which each holds the one before ten times."""
    return "".join(
        f"{name}: &{name} {form.format(','.join([f'*{before}'] * 10))}\n"
        for before, name in pairwise("abcdefghi")
    )


YAML = {
    "an unknown key": "ignore_indx: 3",
    "an unknown key of a thousand letters": "x" * 1000 + ": 3",
    "a text for a number": "ignore_index: sky",
    "a number that is too large": "ignore_index: 1" + "0" * 400,
    "a number of 5,000 digits": "ignore_index: " + "1" * 5000,
    "NaN": "ignore_index: .nan",
    "a list for a mapping": "colors: [1, 2]",
    "a class that is not there": "colors: {water: [0, 0, 0]}",
    "a colour that is none": "colors: {sky: [0, 0, 256]}",
    "a colour of NaN": "colors: {sky: [.nan, 0, 0]}",
    "a tag of Python": "ignore_index: !!python/object/apply:os.system ['true']",
    "a name of Python": "licence: !!python/name:os.system",
    "a truth value that is none": "reduce_zero_label: !!bool maybe",
    "a date that is none": "licence: 2001-99-99",
    "a time that is none": "licence: !!timestamp x",
    "a list": "- a\n- b",
    "a text": "sky",
    "nested": "colors: " + "[" * 3000,
    "in itself": "colors: &a {sky: *a}",
    "a hundred million": "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + tenfold("[{}]"),
    "merged a hundred million times": "a: &a {k: v}\n" + tenfold("{{<<: [{}]}}"),
    "two documents": "ignore_index: 1\n---\nignore_index: 2",
    "a null": "\0",
    "no UTF-8": b"\xff\xfe",
    "a key that is a mapping": "? {a: b}\n: c",
    "tabs": "\tignore_index: 3",
}  # fmt: skip


@pytest.mark.parametrize("name", YAML)
def test_a_description_that_is_wrong(evaluate, command, data, name):
    text = YAML[name]
    (data / "dataset.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert "dataset.yaml" in evaluate()
    assert "dataset.yaml" in command("data", "check", "--dataset", "pairs", "--data-root", data)


LISTS = {
    "nothing": "",
    "blanks": " \n\t\n",
    "one name": "one.png\n",
    "a mask that is not there": "one.png none.png\n",
    "a picture that is not there": "none.png one.mask.png\n",
    "a folder": ". .\n",
    "a null": "one.png\tone\0.png\n",
    "300 letters": "one.png\t" + "x" * 300 + "\n",
    "the picture as its mask": "one.png one.png\n",
    "a text as its mask": "one.png classes.txt\n",
    "10,000 letters in a line": "x" * 10_000,
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_is_wrong(evaluate, data, name):
    (data / "val.txt").write_text(LISTS[name])
    assert evaluate() is not None


NAMES = {
    "nothing": b"",
    "an empty line": b"sky\n\nroad\ntree",
    "twice": b"sky\nroad\nsky",
    "a comment": b"# sky\nroad\ntree",
    "no UTF-8": b"sky\nro\xe9d\ntree",
    "UTF-16": "sky\nroad\ntree".encode("utf-16"),
    "fewer than the masks have": b"sky\nroad",
    "one that the model lacks": b"sky\nroad\nzebra crossing of my own",
    "ten thousand": b"\n".join(b"thing %d" % number for number in range(10_000)),
    "a null": b"sky\nroad\nt\0ree",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_classes_that_are_wrong(evaluate, data, name):
    (data / "classes.txt").write_bytes(NAMES[name])
    assert evaluate() is not None


MASKS = {
    "nothing": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:80]),
    "colours": lambda path: Image.fromarray(draw(40, 56)).save(path),
    "another size": lambda path: Image.new("L", (9, 9)).save(path),
    "a value of no class": lambda path: Image.new("L", (56, 40), 77).save(path),
    "floats": lambda path: Image.new("F", (56, 40)).save(path, "TIFF"),
    "a JPEG": lambda path: Image.new("L", (56, 40)).save(path, "JPEG"),
    "a bomb": lambda path: path.write_bytes(b"P5 60000 60000 255\n"),
    "a loop": lambda path: (path.unlink(), path.symlink_to(path)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_that_is_wrong(evaluate, data, name):
    MASKS[name](data / "two.mask.png")
    assert "two" in evaluate()


PROMPTS = {
    "nothing": "",
    "a list": "[]",
    "NaN": "NaN",
    "a number for a text": '{"sky": 1}',
    "NaN for a text": '{"sky": NaN}',
    "an unknown class": '{"water": "sea"}',
    "twice": '{"sky": "a", "sky": "b"}',
    "two classes in one": '{"sky": "road"}',
    "nested": "[" * 100_000,
    "a number of 5,000 digits": '{"sky": ' + "1" * 5000 + "}",
    "an empty prompt": '{"sky": " "}',
    "5,000 letters": '{"' + "x" * 5000 + '": "a"}',
    "a lone surrogate": '{"sky": "\\ud800"}',
}


@pytest.mark.parametrize("name", PROMPTS)
def test_prompts_that_are_wrong(evaluate, tmp_path, name):
    path = tmp_path / "prompts.json"
    path.write_text(PROMPTS[name])
    assert str(path) in evaluate("--prompts", path)


TABLES = {
    "nothing": "",
    "a list": "[1]",
    "cut off": '{"protocol": {"dataset": "pa',
    "nested": '{"a":' * 100_000,
    "a number of 5,000 digits": "1" * 5000,
    "no areas": '{"protocol": {}, "classes": []}',
    "areas that are none": json.dumps({
        "protocol": {"dataset": "pairs", "split": "val", "ignore_index": 255, "first": 0},
        "classes": ["sky"], "areas": {"one": "0 NaN 1 1"},
    }),
    "areas below 0": json.dumps({
        "protocol": {"dataset": "pairs", "split": "val", "ignore_index": 255, "first": 0},
        "classes": ["sky"], "areas": {"one": "0 -5 -5 -5"},
    }),
    "a protocol of other types": json.dumps({
        "protocol": {"dataset": "pairs", "split": "val", "ignore_index": 255, "first": 0.5},
        "classes": ["sky"], "areas": {"one": "0 1 1 1"},
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_figures_that_cannot_be_compared(command, tmp_path, name):
    path = tmp_path / "figures.json"
    path.write_text(TABLES[name])
    assert str(tmp_path) in command("evaluate", "--compare", path, path)


SUITES = {
    "nothing": "",
    "a mapping": "dataset: pairs",
    "numbers": "[1, 2]",
    "a tag of Python": "- !!python/object/apply:os.system ['true']",
    "an unknown option": "- {dataset: pairs, evil: 1}",
    "no data set": "- {data_root: x}",
    "nested": "- " + "[" * 3000,
    "a date that is none": "- {dataset: 2001-99-99}",
}


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_that_is_wrong(command, model_folder, tmp_path, name):
    path = tmp_path / "suite.yaml"
    path.write_text(SUITES[name])
    told = command("evaluate", "--suite", path, "--checkpoint", model_folder)
    assert str(path) in told


OPTIONS = {
    "an unknown option": "evil: 1",
    "a tag of Python": "size: !!python/object/apply:os.system ['true']",
    "a text for a number": "size: many",
    "NaN": "size: .nan",
    "a mapping for a text": "labels: {a: b}",
    "no mapping": "[1]",
    "nested": "size: " + "[" * 3000,
    "a date that is none": "labels: 2001-99-99",
    "5,000 letters": "size: " + "x" * 5000,
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_file_of_options_that_is_wrong(command, data, tmp_path, name):
    path = tmp_path / "options.yaml"
    path.write_text(OPTIONS[name])
    told = command("predict", data, "--labels", "sky", "--out", tmp_path / "out", "--config", path)
    assert str(path) in told
    assert not (tmp_path / "out").exists()


FEWSHOT = {
    "no such folder": (["--data-root", "none"], None),
    "labels of nothing": ([], b""),
    "labels that are too few": ([], b"sky\n"),
    "labels of bytes": ([], b"\xff\xff\n\xff\n\xfe"),
    "a fold that is none": (["--fold", "99"], b"sky\nroad\ntree"),
    "a fold that is no number": (["--fold", "x"], b"sky\nroad\ntree"),
    "shots below 0": (["--shots", "-1"], b"sky\nroad\ntree"),
    "no episodes": (["--episodes", "0"], b"sky\nroad\ntree"),
}


@pytest.mark.parametrize("name", FEWSHOT)
def test_few_shots_of_nothing(command, model_folder, data, tmp_path, name):
    more, labels = FEWSHOT[name]
    path = tmp_path / "labels.txt"
    path.write_bytes(labels or b"")
    given = ["--label-file", path] if labels is not None else []
    told = command(
        "fewshot", "--benchmark", "pairs", "--data-root", data, "--checkpoint", model_folder,
        "--workers", 0, "--size", 64, "--fold", 0, *given, *more,
    )  # fmt: skip
    assert told is not None


PICKLES = {
    "a call": b"cos\nsystem\n(S'true'\ntR.",
    "a class": pickle.dumps(DataError),
    "a list that never ends": b"(" * 1000,
    "a number": pickle.dumps(5),
    "other keys": pickle.dumps({"a": ["b"]}),
    "nested": b"(" + b"(l" * 20_000 + b".",
    "a string of 2^62 bytes": b"\x8e" + (2**62).to_bytes(8, "little") + b"x.",
    "a memo of 2^31": b"r\xff\xff\xff\x7f.",
    "nothing": b"",
}


@pytest.mark.parametrize("name", PICKLES)
def test_a_list_that_is_a_pickle(tmp_path, name):
    path = tmp_path / "fold0.pkl"
    path.write_bytes(PICKLES[name])
    with pytest.raises(DataError):
        read_coco(path)
