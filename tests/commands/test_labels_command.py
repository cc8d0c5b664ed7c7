"""`lseg labels`, and words in other spellings at every command."""

import json

import numpy as np
import pytest
from networks import save_table
from PIL import Image

from lseg.text.table import LabelTable

MADE = ["--clip-model", "tiny"]


@pytest.fixture
def encode(run, tmp_path):
    """Encodes words by the embedded CLIP into a table of this name."""

    def call(name, *words, template="{}"):
        path = tmp_path / f"{name}.safetensors"
        code, out, err = run(
            "labels", "encode", *words, *MADE, "--template", template, "--out", path
        )
        assert code == 0, err
        assert str(path) in out
        return path

    return call


@pytest.fixture
def predict(run, pictures, tmp_path):
    """Segments a picture by the tiny model with a table: exit code, output, errors, and JSON."""

    def call(table, labels):
        result = run(
            "predict", pictures / "a.png", "--labels", labels, "--text-table", table,
            "--checkpoint", "tiny", "--out", tmp_path / "out",
        )  # fmt: skip
        written = tmp_path / "out" / "a.json"
        return *result, json.loads(written.read_text()) if written.exists() else None

    return call


def test_a_table_of_words_answers_in_place_of_the_encoder(encode, predict, tmp_path):
    (tmp_path / "words.txt").write_text("blue star\n# a comment\nbackground\n")
    table = encode("mine", "red circle, car", tmp_path / "words.txt")
    assert LabelTable(table).names == ["red circle", "car", "blue star", "background"]
    assert (tmp_path / "mine.safetensors.yaml").exists()
    code, _, err, told = predict(table, "Red-circles,automobile|car,background")
    assert code == 0
    notes = ['"Red-circles" answered as "red circle"', '"automobile" answered as "car"']
    assert told["notes"] == notes
    assert [line for line in err.splitlines() if "answered" in line] == [
        f"lseg: note: {note}" for note in notes
    ]
    assert [entry["label"] for entry in told["labels"]][:2] == ["Red-circles", "automobile|car"]


def test_a_word_that_the_table_lacks_goes_to_its_encoder(encode, predict, run, pictures, tmp_path):
    table = encode("mine", "red circle, background")
    code, _, err, told = predict(table, "blue star,red circle,background")
    assert code == 0
    note = '"blue star" is not in mine.safetensors, encoded by tiny'
    assert told["notes"] == [note]
    assert f"lseg: note: {note}" in err
    run(
        "predict", pictures / "a.png", "--labels", "blue star,red circle,background",
        "--checkpoint", "tiny", "--out", tmp_path / "plain",
    )  # fmt: skip
    maps = [np.asarray(Image.open(tmp_path / name / "a.png")) for name in ("out", "plain")]
    assert np.array_equal(*maps)
    assert json.loads((tmp_path / "plain" / "a.json").read_text())["notes"] == []


def test_query_says_what_was_matched(run, checkpoint, pictures, tmp_path):
    run("embed", pictures / "a.png", "--checkpoint", checkpoint, "--out", tmp_path / "embedded")
    code, _, err = run(
        "query", tmp_path / "embedded", "--labels", "The Sky,highway|Trees", "--out",
        tmp_path / "out",
    )  # fmt: skip
    assert code == 2
    assert "'highway' is not among the 4" in err
    assert 'nearest: "road", ' in err
    code, _, err = run(
        "query", tmp_path / "embedded", "--labels", "The Sky,Trees", "--out", tmp_path / "out"
    )
    assert code == 0
    notes = json.loads((tmp_path / "out" / "a.json").read_text())["notes"]
    assert notes == ['"The Sky" answered as "sky"', '"Trees" answered as "tree"']
    assert all(f"lseg: note: {note}\n" in err for note in notes)


def test_evaluate_records_what_was_matched(run, checkpoint, data, tmp_path):
    (tmp_path / "prompts.json").write_text(json.dumps({"tree": "the trees"}))
    options = ["--dataset", "pairs", "--data-root", data, "--checkpoint", checkpoint, "--out"]
    figures = []
    for name, prompts in (("plain", []), ("changed", ["--prompts", tmp_path / "prompts.json"])):
        code, _, err = run("evaluate", *options, tmp_path / name, *prompts)
        assert code == 0, err
        figures.append(json.loads((tmp_path / name).read_text()))
    plain, changed = figures
    assert plain["notes"] == []
    assert changed["notes"] == ['"the trees" answered as "tree"']
    assert 'lseg: note: "the trees" answered as "tree"' in err
    assert changed["labels"]["tree"] == "the trees"
    assert changed["miou"] == plain["miou"]


def test_two_labels_for_one_name_are_refused_before_anything_is_written(encode, predict, tmp_path):
    code, _, err, told = predict(encode("mine", "car, sky"), "automobile,car,sky")
    assert (code, told) == (2, None)
    assert "'automobile' and 'car' are one and the same" in err
    assert '"automobile" answered as "car"' in err


def test_merge_and_list(encode, run, refused, tmp_path):
    one, other = encode("one", "car,sky"), encode("other", "sky,dog")
    code, out, _ = run("labels", "merge", one, other, "--out", tmp_path / "all.safetensors")
    assert code == 0
    assert "3 names" in out
    code, out, _ = run("labels", "list", tmp_path / "all.safetensors")
    first, *names = out.splitlines()
    assert first == "# 3 names, 64 wide, model tiny, template {}"
    assert names == ["car", "sky", "dog"]
    third = encode("third", "sky", template="a {}")
    message = refused("labels", "merge", one, third, "--out", tmp_path / "none.safetensors")
    assert "their template is '{}' and 'a {}'" in message
    assert "two tables or more" in refused("labels", "merge", one, "--out", tmp_path / "none")
    assert not list(tmp_path.glob("none*"))


def test_list_of_a_model_that_has_a_table(run, refused, checkpoint):
    code, out, _ = run("labels", "list", checkpoint)
    assert code == 0
    assert out.splitlines() == ["# 4 names, 16 wide", "sky", "road", "tree", "other"]
    assert "tiny has a text encoder" in refused("labels", "list", "tiny")
    assert "no such label-embedding table" in refused("labels", "list", "nowhere")


WRONG = {
    "synonyms": (["a|b"], "'a|b' is no word"),
    "twice": (["sky", "car,sky"], "'sky' occurs more than once"),
    "nothing": ([" , "], "no label"),
    "template": (["sky", "--template", "a photo"], "each needs a {}"),
    "model": (["sky", "--clip-model", "no-such"], "no-such"),
}


@pytest.mark.parametrize(("arguments", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_encoded_is_refused(refused, tmp_path, arguments, said):
    out = tmp_path / "table.safetensors"
    assert said in refused("labels", "encode", *MADE, *arguments, "--out", out)
    assert not out.exists()


def test_a_table_without_metadata_still_answers_in_any_spelling(predict, tmp_path):
    table = save_table(tmp_path / "bare.safetensors", ["car", "sky"], width=64)
    code, _, _, told = predict(table, "autos,sky")
    assert code == 0
    assert told["notes"] == ['"autos" answered as "car"']
    code, _, err, _ = predict(table, "unicorn,sky")
    assert code == 2
    assert "the table does not say which model" in err
