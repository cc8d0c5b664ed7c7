import json

import numpy as np
import pytest
from drawing import names
from PIL import Image


@pytest.fixture
def embedded(run, checkpoint, pictures, tmp_path):
    folder = tmp_path / "embedded"
    run("embed", pictures, "--checkpoint", checkpoint, "--out", folder, "--dtype", "float32")
    return folder


LABELS = ["--labels", "sky,road,other"]


def test_query_writes_what_predict_writes(run, checkpoint, pictures, embedded, tmp_path):
    asked, seen = tmp_path / "asked", tmp_path / "seen"
    code, _, _ = run("query", embedded, *LABELS, "--out", asked, "--pictures", pictures)
    assert code == 0
    run("predict", pictures, *LABELS, "--checkpoint", checkpoint, "--out", seen)
    results = [f"{s}.{x}" for s in "ab" for x in ("json", "overlay.png", "png")]
    assert names(asked) == [*results, "query.yaml"]
    assert names(seen) == [*results, "predict.yaml"]
    for name in ("a.png", "a.overlay.png"):  # b.jpg is padded in the middle of a step
        one, other = (np.asarray(Image.open(folder / name)) for folder in (asked, seen))
        assert np.array_equal(one, other)
    assert (asked / "a.json").read_text() == (seen / "a.json").read_text()


def test_query_needs_no_checkpoint_and_no_picture(run, pictures, embedded, checkpoint, tmp_path):
    checkpoint.rename(checkpoint.with_name("away"))
    try:
        (pictures / "a.png").unlink()
        code, _, _ = run("query", embedded / "a.npy", *LABELS, "--out", tmp_path / "asked")
    finally:
        checkpoint.with_name("away").rename(checkpoint)
    assert code == 0
    assert Image.open(tmp_path / "asked" / "a.png").size == (64, 48)


def test_files_of_a_preset_are_found_with_their_tails(run, checkpoint, pictures, tmp_path):
    folder = tmp_path / "embedded"
    options = ["--preset", "feature3dgs", "--scales", "0.1", "--output-size", "24x32"]
    run("embed", pictures / "a.png", "--checkpoint", checkpoint, "--out", folder, *options)
    code, _, _ = run("query", folder, *LABELS, "--out", tmp_path / "asked")
    assert code == 0
    assert Image.open(tmp_path / "asked" / "a.png").size == (64, 48)


@pytest.mark.parametrize("labels", ["", "sky,sky", "sky,raod"])
def test_bad_labels_are_refused(run, embedded, tmp_path, labels):
    code, _, err = run("query", embedded, "--labels", labels, "--out", tmp_path / "asked")
    assert code == 2
    assert "lseg: " in err
    assert not (tmp_path / "asked").exists()


def test_what_is_no_embedding_is_refused(run, pictures, embedded, tmp_path):
    out = ["--out", tmp_path / "asked"]
    for source in (pictures, pictures / "none.npy", pictures / "*.npy", pictures / "a.png"):
        code, _, err = run("query", source, *LABELS, *out)
        assert code == 2
        assert str(source) in err


def test_sidecars_are_not_overwritten(run, embedded):
    before = json.loads((embedded / "a.json").read_text())
    code, _, err = run("query", embedded, *LABELS, "--out", embedded)
    assert code == 2
    assert "would be overwritten" in err
    assert json.loads((embedded / "a.json").read_text()) == before
