import pytest

from lseg.checkpoints.load import load_model
from lseg.errors import CheckpointError
from lseg.store.location import hub_id, nearest_names


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "runs/modle", "user/last.ckpt", "user/model.SAFETENSORS", "./user", "~/model", "/a/b",
        "model", "a/b/c", "user/", "/model", "..\\runs/model",
    ],
)  # fmt: skip
def test_what_looks_like_a_path_is_no_hub_id(here, name):
    (here / "runs").mkdir()
    assert hub_id(name) is None


@pytest.mark.parametrize("name", ["user/model", "user/model-v1.5", "runs/modle"])
def test_two_words_are_a_hub_id_where_no_folder_has_the_first_ones_name(here, name):
    assert hub_id(name) == name


def test_a_scheme_says_that_it_is_a_hub_id(here):
    (here / "runs").mkdir()
    assert hub_id("hf://runs/model") == "runs/model"


def test_the_nearest_names_are_those_beside_the_first_missing_part(here):
    for name in ("model", "modal", "else", ".model"):
        (here / "runs" / name).mkdir(parents=True)
    assert nearest_names(here / "runs" / "modle") == (
        f" (near it: {here / 'runs' / 'model'}, {here / 'runs' / 'modal'})"
    )
    assert nearest_names(here / "rnus" / "model" / "a") == f" (near it: {here / 'runs'})"
    assert nearest_names(here / "zzzzz" / "model") == f" ({here / 'zzzzz'} is not there)"
    assert nearest_names(here / "zzzzz") == ""
    assert nearest_names(here / "tiyn", ["tiny"]) == " (near it: tiny)"


def test_a_misspelt_folder_is_told_at_once_with_the_nearest(here):
    (here / "runs" / "model").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="near it: runs/model") as caught:
        load_model("runs/modle")
    assert "Hub:" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_embedded_models_misspelt_name_is_told(here):
    with pytest.raises(CheckpointError, match="near it: tiny"):
        load_model("tinny")
