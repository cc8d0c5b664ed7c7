import json
import shutil

import numpy as np
import pytest
from PIL import Image

import lseg

LABELS = ["--labels", "sky,road,other"]


@pytest.fixture
def coded(run, checkpoint, pictures, tmp_path):
    """Files of codes of the pictures."""

    def call(kind="exact", *more):
        folder = tmp_path / kind
        code, _, err = run(
            "embed", pictures, "--checkpoint", checkpoint, "--out", folder, "--codes", kind, *more
        )
        assert code == 0, err
        return folder

    return call


def test_label_maps_from_exact_codes_are_those_of_predict(
    run, checkpoint, pictures, coded, tmp_path
):
    run("predict", pictures, *LABELS, "--checkpoint", checkpoint, "--out", tmp_path / "seen")
    asked = tmp_path / "asked"
    code, _, _ = run("query", coded(), *LABELS, "--out", asked, "--pictures", pictures)
    assert code == 0
    for name in ("a.png", "a.overlay.png", "b.png", "b.overlay.png"):
        one, other = (Image.open(folder / name) for folder in (asked, tmp_path / "seen"))
        assert np.array_equal(np.asarray(one), np.asarray(other))


def test_files_of_codes_are_small_and_can_be_moved(coded, tmp_path):
    sizes = {}
    for kind in ("exact", "float16", "int8"):
        folder = coded(kind)
        sizes[kind] = (folder / "a.safetensors").stat().st_size
        moved = shutil.copytree(folder, tmp_path / f"moved {kind}")
        shutil.rmtree(folder)
        assert lseg.open_embeddings(moved / "a.safetensors").embed_at([(3, 3)]).shape == (1, 16)
    assert sizes["exact"] > 1.5 * sizes["float16"] > 2 * sizes["int8"]


def test_finished_codes_are_left_alone_and_other_kinds_are_not(coded, run, checkpoint, pictures):
    folder = coded()
    before = (folder / "a.safetensors").stat().st_mtime_ns
    coded()
    assert (folder / "a.safetensors").stat().st_mtime_ns == before
    options = ["--checkpoint", checkpoint, "--out", folder, "--codes", "int8"]
    run("embed", pictures, *options)
    assert json.loads((folder / "a.json").read_text())["codes"]["kind"] == "int8"
    assert (folder / "a.safetensors").stat().st_mtime_ns != before


def test_codes_in_folders_find_their_basis(run, checkpoint, pictures, tmp_path):
    for scene in ("one", "two"):
        (pictures / scene).mkdir()
        Image.open(pictures / "a.png").save(pictures / scene / "000.png")
    out = tmp_path / "out"
    options = ["--checkpoint", checkpoint, "--out", out, "--codes", "float16", "--keep-folders"]
    run("embed", pictures, *options)
    assert lseg.open_embeddings(out / "two" / "000.json").embed().shape[0] == 16
    code, _, _ = run("query", out, *LABELS, "--out", tmp_path / "asked")
    assert code == 0
    assert (tmp_path / "asked" / "one" / "000.png").is_file()


@pytest.mark.parametrize(
    "more", [["--pca", "3"], ["--flip"], ["--raw"], ["--preset", "vlmaps"], ["--format", "npy"]]
)
def test_codes_are_not_made_with_what_dense_embeddings_are(
    refused, checkpoint, pictures, tmp_path, more
):
    out = tmp_path / "out"
    options = ["--checkpoint", checkpoint, "--out", out, "--codes", "exact"]
    assert "--codes" in refused("embed", pictures, *options, *more)
    assert not out.exists()


def test_a_picture_that_is_called_as_the_basis_is_refused(refused, checkpoint, pictures, tmp_path):
    (pictures / "a.png").rename(pictures / "basis.png")
    options = ["--checkpoint", checkpoint, "--out", tmp_path / "out", "--codes", "exact"]
    assert "rename it" in refused("embed", pictures, *options)
