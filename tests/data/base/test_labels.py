"""Label sets from lists, strings and files, and prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lseg.data.base.labels import (
    clean_name,
    display_name,
    display_names,
    load_prompts,
    parse_labels,
)
from lseg.errors import LabelError


@pytest.mark.parametrize(
    "source",
    [
        ["sky", " person | man", "", "other"],
        ("sky", "person|man|", "other"),
        "sky, person|man ,,other",
        "# classes, with a comma\nsky\nperson| |man, other\n",
    ],
)
def test_labels_are_trimmed_and_keep_their_order(source: str | list[str]) -> None:
    assert parse_labels(source) == ["sky", "person|man", "other"]


@pytest.mark.parametrize("as_string", [False, True])
def test_file_has_one_label_a_line(tmp_path: Path, as_string: bool) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("\ufeff# mine\n door, double door \n\nwall\r\n", encoding="utf-8")
    assert parse_labels(str(path) if as_string else path) == ["door, double door", "wall"]


def test_bare_word_is_a_label_even_where_a_file_has_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sky").write_text("from the file\n")
    assert parse_labels("sky") == ["sky"]
    assert parse_labels("./sky") == ["from the file"]
    assert parse_labels("wall/fence") == ["wall/fence"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ([], "the list given holds no label"),
        (["", "  ", "#"], "the list given holds no label"),
        (" , \n", "holds no label"),
        (["sky", "road", " sky"], "'sky' occurs more than once"),
        (["person|man", "person | man"], "'person|man' occurs more than once"),
        (["sky", " | "], "only empty synonyms"),
        (["sky", 3], "3 in the list given is not a string"),
        (7, "int is no label set"),
        ({"sky": 1}, "dict is no label set"),
        ("lables.txt", "there is no file lables.txt"),
        (Path("nowhere"), "there is no file nowhere"),
    ],
)
def test_bad_label_sets_say_what_is_wrong(source: object, said: str) -> None:
    with pytest.raises(LabelError) as caught:
        parse_labels(source)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xff\xfe\x00sky")
    with pytest.raises(LabelError, match="cannot be read as UTF-8"):
        parse_labels(path)


@pytest.mark.parametrize(
    ("label", "name"), [("person|man", "person"), (" | man", "man"), ("sky ", "sky")]
)
def test_display_name_is_the_first_synonym(label: str, name: str) -> None:
    assert display_name(label) == name


def test_prompts_replace_names_in_class_order(tmp_path: Path) -> None:
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps({"tvmonitor": "television | tv", "bus": "bus"}))
    labels = load_prompts(path, ["sofa", "tvmonitor", "bus"])
    assert labels == ["sofa", "television|tv", "bus"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"tvmonitr": "tv"}', "'tvmonitr', which is none of the 2 classes; the closest are 'tvm"),
        ('{"sofa": "couch"', "is not valid JSON"),
        ('["sofa"]', "does not hold a JSON object"),
        ('{"sofa": 3}', "the prompt of 'sofa' is 3"),
        ('{"sofa": " "}', "the prompt of 'sofa' is ' '"),
        ('{"sofa": "|"}', "only empty synonyms"),
        ('{"sofa": "a", "sofa": "b"}', "'sofa' occurs more than once in the keys"),
        ('{"sofa": "tvmonitor"}', "'tvmonitor' occurs more than once in the prompts"),
    ],
)
def test_bad_prompt_files_say_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "prompts.json"
    path.write_text(text)
    with pytest.raises(LabelError) as caught:
        load_prompts(path, ["sofa", "tvmonitor"])
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (" traffic \t light\n", "traffic light"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u200bsk\u00ady\ufeff", "sky"),
        ("s\u200dky", "sky"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u200c\u062e\u0648"),  # Persian needs it
        ("\U0001f468\u200d\U0001f33e", "\U0001f468\u200d\U0001f33e"),  # a farmer
        ("R&amp;D", "R&amp;D"),  # what a tokenizer makes of it is not known here
    ],
)
def test_a_name_has_one_spelling(text: str, name: str) -> None:
    assert clean_name(text) == name
    assert parse_labels([text]) == [name]


@pytest.mark.parametrize(
    "labels",
    [
        ["caf\u00e9", "cafe\u0301"],
        ["traffic light", "traffic  light"],
        ["sky", "sk\u200by"],
        ["a|traffic light", "a | traffic\u00a0light"],
    ],
)
def test_labels_that_look_the_same_are_one(labels: list[str]) -> None:
    with pytest.raises(LabelError, match="occurs more than once"):
        parse_labels(labels)
    with pytest.raises(LabelError, match="occurs more than once"):
        parse_labels(",".join(labels))


def test_keys_of_prompts_are_found_in_any_spelling(tmp_path: Path) -> None:
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps({"cafe\u0301": "bistro"}))
    assert load_prompts(path, ["caf\u00e9", "bus"]) == ["bistro", "bus"]


@pytest.mark.parametrize("text", ["a" * 300, "a/" + "b" * 300, "a\0b/c", "a" * 5000])
def test_a_text_that_can_be_no_path_is_a_label(text: str) -> None:
    assert parse_labels(text) == [text]


@pytest.mark.parametrize("text", ["a" * 300 + ".txt", "a\0b.txt"])
def test_a_label_file_that_there_cannot_be_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(LabelError, match="cannot be read") as caught:
        parse_labels(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_label_file_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "labels.txt").write_text("sky\nroad\n")
    assert parse_labels("~/labels.txt") == ["sky", "road"]
    assert parse_labels(Path("~/labels.txt")) == ["sky", "road"]


def test_bytes_that_were_no_text_are_refused() -> None:
    with pytest.raises(LabelError, match="no valid text"):
        parse_labels(["sky", b"caf\xe9".decode("utf-8", "surrogateescape")])


def test_classes_that_share_their_first_synonym_are_called_by_all() -> None:
    names = display_names(["person|man", "sky|heaven", "person|woman", "person"])
    assert names == ["person|man", "sky", "person|woman", "person"]
