"""What results are called: no two alike, folders kept on request, names that are no UTF-8."""

import json
import os
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from drawing import draw, names
from PIL import Image

from lseg.cli import main
from lseg.inference.segmenter import Segmenter

LABELS = ["--labels", "sky,road,other"]
LATIN = os.fsdecode(b"caf\xe9")
"""A name of bytes that are no UTF-8."""


@pytest.fixture
def command(run, checkpoint, depth_folder, tmp_path):
    def call(name, *arguments, out=tmp_path / "out"):
        labels = LABELS if name in ("predict", "query") else []
        model = ["--checkpoint", depth_folder if name == "depth" else checkpoint]
        return run(name, *arguments, *labels, *([] if name == "query" else model), "--out", out)

    return call


@pytest.fixture
def folder(tmp_path):
    """Saves small pictures under given names; returns their folder."""

    def save(*given):
        for number, name in enumerate(given):
            path = tmp_path / "given" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw(40, 56, seed=number)).save(path)
        return tmp_path / "given"

    return save


@pytest.fixture
def scenes(folder):
    return folder(*(f"scenes/{scene}/color/{frame}.png" for scene in "ab" for frame in "12"))


def tree(folder):
    """Files in a folder and below it, but for the index of a run."""
    found = (path for path in folder.rglob("*") if path.is_file())
    paths = (path.relative_to(folder).as_posix() for path in found)
    return sorted(path for path in paths if not path.endswith(".index.jsonl"))


def check_collision(result, out, *parts):
    code, _, err = result
    assert code == 2
    assert err.count("\n") == 1
    for part in parts:
        assert str(part) in err
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "one", "other", "shared"),
    [
        ("predict", "a.png", "a.overlay.png", "a.overlay.png"),
        ("predict", "a.png", "a.jpg", "a.png"),
        ("depth", "a.png", "a.preview.jpg", "a.preview.png"),
        ("depth", "a.png", "a.jpg", "a.npy"),
        ("embed", "a.png", "a.jpg", "a.npy"),
    ],
)
def test_results_of_one_name_are_refused(command, folder, tmp_path, name, one, other, shared):
    given = folder(one, other)
    result = command(name, given)
    check_collision(result, tmp_path / "out", given / one, given / other, f"{shared} ", "rename")


def test_tails_of_a_preset_count(command, folder, tmp_path):
    given = folder("a.png", "a_fmap_CxHxW.png")
    preset = ["--preset", "feature3dgs", "--scales", "0.1", "--output-size", "8x8"]
    assert command("embed", given, *preset)[0] == 0  # .pt of one, .json of both
    assert len(tree(tmp_path / "out")) == 5


def test_pictures_called_as_the_principal_components_are_refused(command, folder, tmp_path):
    given = folder("a.png", "pca.png")
    result = command("embed", given, "--pca", "3", "--format", "safetensors")
    check_collision(result, tmp_path / "out", given / "pca.png", "pca.safetensors")
    assert command("embed", given, "--format", "safetensors")[0] == 0


def test_coco_tells_pictures_apart_by_their_whole_names(command, folder, tmp_path):
    given = folder("a.png", "a.jpg", "sub/a.jpg")
    assert command("predict", given, "--format", "coco")[0] == 0
    out = tmp_path / "again"
    result = command("predict", given / "**", "--format", "coco", out=out)
    check_collision(result, out, given / "a.jpg", given / "sub" / "a.jpg", "--keep-folders")
    code, _, _ = command("predict", given, "--format", "coco", "--keep-folders", out=out)
    images = json.loads((out / "instances.json").read_text())["images"]
    assert code == 0
    assert [image["file_name"] for image in images] == ["a.jpg", "a.png", "sub/a.jpg"]


@pytest.mark.parametrize(
    ("name", "endings"),
    [
        ("predict", ["json", "overlay.png", "png"]),
        ("embed", ["json", "npy"]),
        ("depth", ["json", "npy", "png", "preview.png"]),
    ],
)
def test_folders_are_kept_on_request(command, scenes, tmp_path, name, endings):
    frames = sorted((scenes / "scenes").glob("*/color/*.png"))
    check_collision(
        command(name, *frames), tmp_path / "out", frames[0], frames[2], "--keep-folders"
    )
    assert command(name, *frames, "--keep-folders")[0] == 0
    results = [f"{s}/color/{frame}.{end}" for s in "ab" for frame in "12" for end in endings]
    assert tree(tmp_path / "out") == [*results, f"{name}.yaml"]
    for number, given in enumerate(([scenes / "scenes"], [scenes / "scenes/*/color/*.png"])):
        again = tmp_path / str(number)
        assert command(name, *given, "--keep-folders", out=again)[0] == 0
        for result in results:
            assert (again / result).read_bytes() == (tmp_path / "out" / result).read_bytes()


def test_names_start_at_the_longest_common_folder(command, scenes, tmp_path, monkeypatch):
    monkeypatch.chdir(scenes / "scenes")
    for number, (given, wanted) in enumerate([
        (["a/color/1.png"], "1.npy"),
        (["a/color"], "1.npy"),
        (["a"], "color/1.npy"),
        (["*/color/1.png"], "a/color/1.npy"),
        (["a/color/1.png", "../scenes/b/color/1.png"], "a/color/1.npy"),
        (["..", "a"], "scenes/a/color/1.npy"),
    ]):  # fmt: skip
        out = tmp_path / str(number)
        assert command("embed", *given, "--keep-folders", out=out)[0] == 0
        assert (out / wanted).is_file(), tree(out)


def test_a_tree_of_embeddings_is_done_once_and_queried_as_a_tree(command, scenes, tmp_path):
    embedded, out = tmp_path / "embedded", tmp_path / "out"
    more = ["--keep-folders", "--dtype", "float32", "--pca", "16"]
    assert command("embed", scenes / "scenes", *more, out=embedded)[0] == 0
    before = {path: (embedded / path).stat().st_mtime_ns for path in tree(embedded)}
    assert command("embed", scenes / "scenes", *more, out=embedded)[0] == 0
    assert {path: (embedded / path).stat().st_mtime_ns for path in tree(embedded)} == before
    sidecar = json.loads((embedded / "a/color/1.json").read_text())
    assert (sidecar["source"], sidecar["file"]) == ("a/color/1.png", "1.npy")
    assert sidecar["pca"]["file"] == "../../pca.safetensors"
    code, told, _ = command("query", embedded, "--pictures", scenes / "scenes")
    assert code == 0
    assert "4 label map(s)" in told
    seen = tmp_path / "seen"
    command("predict", scenes / "scenes", "--keep-folders", out=seen)
    wanted = [path for path in tree(seen) if path != "predict.yaml"]
    assert tree(out) == [*wanted, "query.yaml"]
    for path in wanted:
        if path.endswith("overlay.png"):
            assert (out / path).read_bytes() == (seen / path).read_bytes()
    files = sorted(embedded.rglob("*.npy"))
    assert command("query", *files, out=tmp_path / "flat")[0] == 2
    assert command("query", *files, "--keep-folders", out=tmp_path / "kept")[0] == 0
    assert tree(tmp_path / "kept")[:-1] == wanted


@pytest.fixture
def latin(folder):
    try:
        return folder(f"{LATIN}.png", "b.png")
    except OSError:
        pytest.skip("this file system takes no such names")


def test_names_that_are_no_utf8_come_back_from_all_results(command, latin, tmp_path):
    out = tmp_path / "out" / LATIN
    for name, endings in (
        ("predict", ["json", "overlay.png", "png"]),
        ("embed", ["json", "npy"]),
        ("depth", ["json", "npy", "png", "preview.png"]),
    ):
        assert command(name, latin, out=out / name)[0] == 0
        results = [f"{stem}.{ending}" for stem in ("b", LATIN) for ending in endings]
        assert names(out / name) == sorted([*results, f"{name}.yaml"])
        record = yaml.safe_load((out / name / f"{name}.yaml").read_text("utf-8"))
        assert record["out"] == str(out / name)
    sidecar = json.loads((out / "embed" / f"{LATIN}.json").read_text("utf-8"))
    assert os.fsencode(sidecar["source"]) == b"caf\xe9.png"
    assert rb'"caf\udce9.png"' in (out / "embed" / f"{LATIN}.json").read_bytes()
    before = (out / "embed" / f"{LATIN}.npy").stat().st_mtime_ns
    assert command("embed", latin, out=out / "embed")[0] == 0
    assert (out / "embed" / f"{LATIN}.npy").stat().st_mtime_ns == before
    assert command("query", out / "embed", "--pictures", latin, out=out / "query")[0] == 0
    asked = Image.open(out / "query" / f"{LATIN}.overlay.png")
    seen = Image.open(out / "predict" / f"{LATIN}.overlay.png")
    assert np.mean(np.asarray(asked) != np.asarray(seen)) < 0.01
    assert command("predict", latin, "--format", "coco", out=out / "coco")[0] == 0
    images = json.loads((out / "coco" / "instances.json").read_text("utf-8"))["images"]
    assert [os.fsencode(image["file_name"]) for image in images] == [b"b.png", b"caf\xe9.png"]


@pytest.mark.parametrize("suffix", ["npy", "safetensors", "pt"])
def test_every_format_takes_names_that_are_no_utf8(command, latin, tmp_path, suffix):
    more = ["--format", suffix, "--pca", "3"]
    out = tmp_path / LATIN
    assert command("embed", latin, *more, out=out)[0] == 0
    assert command("query", out, out=tmp_path / "asked")[0] == 0
    assert (tmp_path / "asked" / f"{LATIN}.png").is_file()
    more[-1] = out / "pca.safetensors"
    assert command("embed", latin, *more, out=tmp_path / "again")[0] == 0


def test_what_standard_output_cannot_say_is_escaped(latin, checkpoint, tmp_path, monkeypatch):
    output = TextIOWrapper(BytesIO(), "ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", output)
    out = str(tmp_path / LATIN)
    images = [str(latin), "--checkpoint", str(checkpoint), "--out", out]
    assert main(["predict", *images, *LABELS]) == 0
    output.flush()
    assert rb"caf\udce9" in output.buffer.getvalue()


def test_broken_pictures_with_such_names_are_named(command, latin):
    (latin / f"{LATIN}.png").write_bytes(b"no picture")
    code, _, err = command("predict", latin)
    assert code == 3
    assert r"caf\udce9.png" in err


def test_evaluations_write_such_names(run, data, checkpoint, tmp_path):
    root = data.rename(tmp_path / LATIN)
    shared = ["--data-root", root, "--checkpoint", checkpoint, "--out"]
    out = root / f"{LATIN}.json"
    assert run("evaluate", "--dataset", "pairs", *shared, out)[0] == 0
    options = json.loads(out.read_text("utf-8"))["options"]
    assert os.fsencode(options["data_root"]) == os.fsencode(root)
    more = ["--background-label", "other", "--fold", "0", "--save-pictures", "1"]
    out = root / "fewshot" / f"{LATIN}.json"
    assert run("fewshot", "--benchmark", "pairs", *shared, out, *more)[0] == 0
    assert json.loads(out.read_text("utf-8"))["options"]["out"] == str(out)
    assert run("data", "check", "--dataset", "pairs", "--data-root", root)[0] == 0


def test_lists_may_have_such_names(run, command, latin, data, checkpoint, tmp_path):
    (latin / "list.txt").write_bytes(b"caf\xe9.png\n")
    assert command("embed", latin / "list.txt")[0] == 0
    assert (tmp_path / "out" / f"{LATIN}.npy").is_file()
    for old, new in (("two.png", f"{LATIN}.png"), ("two.mask.png", f"{LATIN}.mask.png")):
        (data / old).rename(data / new)
    (data / "val.txt").write_bytes(b"caf\xe9.png caf\xe9.mask.png\n")
    more = ["--data-root", data, "--checkpoint", checkpoint]
    assert run("evaluate", "--dataset", "pairs", *more)[0] == 0
    more += ["--background-label", "other", "--fold", "0"]
    assert run("fewshot", "--benchmark", "pairs", *more)[0] == 0
    assert run("data", "check", "--dataset", "pairs", "--data-root", data, "--split", "val")[0] == 0


def test_the_segmenter_takes_such_names(latin, checkpoint):
    path = latin / f"{LATIN}.png"
    assert isinstance(path, Path)
    embeddings = Segmenter.from_pretrained(checkpoint).embed(path)
    assert torch.isfinite(torch.from_numpy(embeddings)).all()
