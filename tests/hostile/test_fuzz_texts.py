"""Texts that users write: labels, lists, YAML. Each gives a value or one clear line."""

import unicodedata

import pytest
import yaml
from fuzzing import ANYTHING, VALUE, changed, dumped, fuzzed
from hostile import outcome
from hypothesis import given
from hypothesis import strategies as st

from lseg.commands.options.predict import PredictOptions
from lseg.commands.parser import parse_options
from lseg.config import LSegConfig, TextConfig
from lseg.data.base.images import list_images
from lseg.data.base.labels import load_prompts, parse_labels, prompts_of, read_label_lines
from lseg.data.fewshot.splits import read_fss, read_pascal
from lseg.data.sets.pairs_config import PairsConfig
from lseg.data.sets.pairs_lists import read_classes, read_split
from lseg.errors import LSegError
from lseg.evaluation.suite import read_suite
from lseg.parsing import parse_json, parse_yaml
from lseg.training.configs import read_config

NAMES = ["sky", "road", "tvmonitor"]
LABELS = st.one_of(
    ANYTHING,
    st.lists(
        st.sampled_from([
            "sky", "a|b", "|", ",", "#", "\n", " ", "~", "/", ".txt", "\u200b", "\ufeff", "é",
            "e\u0301", "\x00", "\u202e", "{}", "x" * 400,
        ]), max_size=9,
    ).map("".join),
)  # fmt: skip
LINES = st.lists(LABELS, max_size=5).map("\n".join)


def written(path, text):
    path.write_bytes(text.encode("utf-8", "surrogateescape" if is_escape(text) else "replace"))
    return path


def is_escape(text):
    """Whether the surrogates of a text are bytes that are no UTF-8."""
    return all("\udc80" <= c <= "\udcff" for c in text if "\ud800" <= c <= "\udfff")


@fuzzed
@given(st.one_of(LABELS, st.lists(LABELS, max_size=4), VALUE))
def test_labels(source):
    found = outcome(lambda: parse_labels(source))
    if isinstance(found, LSegError):
        return
    assert found
    assert len(set(found)) == len(found)
    for label in found:
        assert label == unicodedata.normalize("NFC", label).strip()
        assert all(part.strip() for part in label.split("|"))
    assert parse_labels(found) == found  # cleaning them again changes nothing


@fuzzed
@given(LINES)
def test_files_of_labels(tmp_path, text):
    path = written(tmp_path / "labels.txt", text)
    found = outcome(lambda: parse_labels(path))
    assert isinstance(found, LSegError) or all(found)
    for read in (read_label_lines, read_classes, read_fss, read_pascal):
        outcome(lambda read=read: read(path))


@fuzzed
@given(LINES)
def test_lists_of_pictures_and_masks(tmp_path, text):
    path = written(tmp_path / "list.txt", text)
    found = outcome(lambda: read_split(tmp_path, path))
    if not isinstance(found, LSegError):
        assert all(pair.line <= text.count("\n") + len(text) + 1 for pair in found)
    assert isinstance(outcome(lambda: list_images(path)), LSegError | list)


@fuzzed
@given(LABELS)
def test_patterns_of_pictures(tmp_path, text):
    found = outcome(lambda: list_images(tmp_path / "none" / text.lstrip("/~")))
    assert isinstance(found, LSegError)


@fuzzed
@given(st.one_of(changed({"sky": "sky|air", "tvmonitor": "television"}), VALUE))
def test_prompts(tmp_path, values):
    path = tmp_path / "prompts.json"
    path.write_bytes(dumped(values))
    found = outcome(lambda: load_prompts(path, NAMES))
    if isinstance(values, dict) and all(isinstance(name, str) for name in values):
        found = outcome(lambda: prompts_of(values.items(), NAMES, "these"))
    assert isinstance(found, LSegError) or len(found) == len(NAMES)


SUITE = [
    {"dataset": "pairs", "data_root": "data/camvid", "name": "CamVid", "ignore_index": 11},
    {"dataset": "voc", "prompts": "prompts.json"},
]
PAIRS = {
    "ignore_index": 255, "reduce_zero_label": False, "orientation": "auto", "licence": "mine",
    "colors": {"sky": [1, 2, 3], "road": "#804080"}, "ignore_colors": [[0, 0, 0]],
}  # fmt: skip
OPTIONS = {"images": ["a.png"], "labels": "sky,road", "out": "out", "size": 64, "flip": True}
TRAINING = {"base": [], "model": {"class_path": "lseg.A", "init_args": {"a": 1}}, "seed": 1}


def yaml_of(values):
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False)


YAML = st.one_of(
    ANYTHING,
    st.lists(
        st.sampled_from([
            "[", "]", "{", "}", "- ", "a: ", "&a ", "*a", "!!int ", "!!python/name:os.system ",
            "!!bool ", "!!timestamp ", "2001-99-99", "1_0:0x", "<<: ", "? ", "\n", "  ", "|", "'",
            "%TAG ", "=", "#", "~", "\t", "1" * 5000, "sky",
        ]), max_size=12,
    ).map("".join),
)  # fmt: skip


@pytest.mark.parametrize(
    ("valid", "read"),
    [
        (PAIRS, lambda path: PairsConfig.read(path.parent).mask_values(NAMES)),
        (SUITE, lambda path: read_suite(path, ["data_root", "ignore_index", "prompts", "dataset"])),
        (OPTIONS, lambda path: parse_options("predict", PredictOptions, ["--config", str(path)])),
        (TRAINING, read_config),
    ],
    ids=["dataset.yaml", "suite", "options", "configuration of a training"],
)
@pytest.mark.parametrize("broken", [False, True], ids=["other values", "any text"])
def test_yaml(tmp_path, valid, read, broken):
    path = tmp_path / "dataset.yaml"

    @fuzzed
    @given(YAML if broken else changed(valid).map(yaml_of))
    def check(text):
        path.write_bytes(text.encode("utf-8", "replace"))
        outcome(lambda: read(path))

    path.write_text(yaml_of(valid))
    assert not isinstance(outcome(lambda: read(path)), LSegError)
    check()


@fuzzed
@given(YAML)
def test_parsing_yaml_raises_nothing_but_value_errors(text):
    try:
        parse_yaml(text)
    except ValueError as error:
        assert "\n" not in str(error)


@fuzzed
@given(st.one_of(ANYTHING, st.binary(max_size=50), changed(OPTIONS).map(dumped)))
def test_parsing_json_raises_nothing_but_value_errors(text):
    try:
        parse_json(text)
    except ValueError as error:
        assert "\n" not in str(error)


@fuzzed
@given(changed(LSegConfig.preset("tiny").to_dict()))
def test_configurations_of_networks(values):
    found = outcome(lambda: LSegConfig.from_dict(values))
    if isinstance(found, LSegConfig):
        assert LSegConfig.from_dict(found.to_dict()) == found


@fuzzed
@given(changed({"model": "tiny", "pretrained": None, "table": "t", "templates": ["a {}"]}))
def test_configurations_of_text_encoders(values):
    outcome(lambda: TextConfig.from_dict(values))
