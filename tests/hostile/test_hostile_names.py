"""Files of any name: the results are called so and lie where they should, and nowhere else."""

import os

import pytest
from drawing import draw
from PIL import Image

NAMES = [
    "a b.png", "q'u\"o.png", "new\nline.png", "tab\t.png", "esc\x1b[31m.png", "émoji🙂.png",
    "e\u0301.png", "\u202egnp.png", "..png", "...png", "a..png", ".b.png", "-dash.png", "--out.png",
    "[1].png", "a*b?.png", "$(touch x).png", "`touch x`.png", "a;b&c|d.png", "%s%n.png", "{0}.png",
    "<b onload=x>.png", "back\\slash.png", "trailing .png", "~.png", "CON.png", "a.png.png",
    "UPPER.PNG", "no suffix", "a.jpeg", "x" * 200 + ".png", "#.png", "a,b.png", "=.png",
    "\udce9.png", "\udcff\udcfe.png", "predict.png",
]  # fmt: skip
RUN = {"out", "out/predict.yaml", "out/predict.index.jsonl"}
ENDINGS = (".png", ".overlay.png", ".json")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "in"
    made.mkdir()
    return made


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name(command, model_folder, folder, tmp_path, name):
    Image.fromarray(draw(33, 40)).save(folder / name, "PNG")
    before = tree(tmp_path)
    out = tmp_path / "out"
    told = command(
        "predict", folder / name, "--labels", "sky,road", "--checkpoint", model_folder, "--out", out
    )
    assert told is None
    stem = name.removesuffix((folder / name).suffix)
    results = {f"out/{stem}{ending}" for ending in ENDINGS} | RUN
    assert set(tree(tmp_path)) == set(before) | results
    assert Image.open(out / f"{stem}.png").size == (40, 33)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_broken_file_of_that_name_is_one_line(command, model_folder, folder, tmp_path, name):
    (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n no more")
    before = tree(tmp_path)
    out = tmp_path / "out"
    told = command(
        "predict", folder / name, "--labels", "sky,road", "--checkpoint", model_folder, "--out", out
    )
    assert "cannot be read" in told
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["a.png/b", "in/../none.png", "\0.png", "x" * 300, "", " ", "//"])
def test_a_name_of_nothing(command, model_folder, folder, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    options = ["--labels", "sky,road", "--checkpoint", model_folder, "--out", tmp_path / "out"]
    assert command("predict", name, *options) is not None
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("links", [1, 2, 3])
@pytest.mark.parametrize("pattern", ["in", "in/**", "in/**/*.png", "in/**/**/*.png"])
def test_links_that_lead_up_again(command, model_folder, folder, tmp_path, links, pattern):
    """With two of them there would be more paths than anyone can walk."""
    (folder / "below").mkdir()
    for path in (folder / "a.png", folder / "below" / "b.png"):
        Image.fromarray(draw(33, 40)).save(path)
    for number in range(links):
        (folder / f"again{number}").symlink_to(folder)
        (folder / "below" / f"up{number}").symlink_to(os.pardir)
    out = tmp_path / "out"
    told = command(
        "predict",
        tmp_path / pattern,
        "--labels",
        "sky,road",
        "--checkpoint",
        model_folder,
        "--out",
        out,
    )
    assert told is None
    found = {path.name for path in out.glob("*.json")}
    assert found == ({"a.json"} if pattern == "in" else {"a.json", "b.json"})
