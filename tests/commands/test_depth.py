"""`lseg depth`."""

import json

import numpy as np
import pytest
import torch
from dpt_family import (
    depth_anything,
    dpt_beit,
    dpt_swinv2,
    save_peer,
    tipsv2_dpt,
    zoedepth,
)
from drawing import draw, names, save_depth_net
from PIL import Image

from lseg.checkpoints.load import load_model


def test_depth_writes_numbers_a_16_bit_picture_and_a_preview(run, depth_folder, pictures, tmp_path):
    out = tmp_path / "out"
    code, told, err = run("depth", pictures, "--checkpoint", depth_folder, "--out", out)
    assert (code, err.count("Traceback")) == (0, 0)
    assert f"2 map(s) of inverse depth in {out}" in told
    results = [f"{s}.{x}" for s in "ab" for x in ("json", "npy", "png", "preview.png")]
    assert names(out) == [*results, "depth.yaml"]
    for stem, shape in {"a": (48, 64), "b": (37, 41)}.items():
        values = np.load(out / f"{stem}.npy")
        assert values.shape == shape
        assert values.dtype == np.float32
        assert values.min() >= 0
        assert values.max() > values.min()
        with Image.open(out / f"{stem}.png") as picture:
            assert picture.mode == "I;16"
            levels = np.asarray(picture)
        assert levels.dtype == np.uint16
        assert (levels.min(), levels.max()) == (0, 65535)
        facts = json.loads((out / f"{stem}.json").read_text())
        assert facts["unit"] == "inverse depth"
        assert (facts["png_0"], facts["png_65535"]) == (values.min(), values.max())
        share = (values - values.min()) / (values.max() - values.min())
        assert np.abs(levels - 65535 * share.astype(np.float64)).max() < 1
        with Image.open(out / f"{stem}.preview.png") as picture:
            assert picture.mode == "RGB"
            assert picture.size == shape[::-1]
            light = np.asarray(picture).astype(int).sum(-1)
        near, far = np.unravel_index([values.argmax(), values.argmin()], shape).__iter__()
        assert light[near[0], far[0]] > light[near[1], far[1]]


@torch.no_grad()
def test_depth_is_the_answer_of_the_network(run, depth_folder, pictures, tmp_path):
    run("depth", pictures / "a.png", "--checkpoint", depth_folder, "--out", tmp_path, "--size", "0")
    model = load_model(depth_folder)
    pixels = torch.from_numpy(draw(48, 64)).permute(2, 0, 1)[None]
    wanted = model(model.normalize(pixels))[0].numpy()
    assert np.abs(np.load(tmp_path / "a.npy") - wanted).max() < 1e-5


def test_depth_takes_its_own_size_and_another(run, depth_folder, pictures, tmp_path):
    maps = []
    for size in ([], ["--size", "64"], ["--size", "96"]):
        arguments = ["--checkpoint", depth_folder, "--out", tmp_path, *size]
        assert run("depth", pictures / "b.jpg", *arguments)[0] == 0
        maps.append(np.load(tmp_path / "b.npy"))
    assert np.array_equal(maps[0], maps[1])
    assert maps[0].shape == maps[2].shape
    assert not np.allclose(maps[0], maps[2])


def test_inverted_depth_is_told_to_be_in_metres(run, pictures, tmp_path):
    plain = save_depth_net(tmp_path / "plain")
    metric = save_depth_net(tmp_path / "metric", scale=0.5, shift=0.25, invert=True)
    maps = []
    for folder in (plain, metric):
        arguments = ["--checkpoint", folder, "--out", tmp_path / "out", "--size", "0"]
        code, out, _ = run("depth", pictures / "a.png", *arguments)
        assert code == 0
        maps.append(np.load(tmp_path / "out" / "a.npy"))
    assert "depth in metres" in out
    assert json.loads((tmp_path / "out" / "a.json").read_text())["unit"] == "metres"
    assert np.allclose(maps[1], 1 / (0.5 * maps[0] + 0.25), rtol=1e-4)


def test_a_hugging_face_folder_gives_metres_as_it_is(run, pictures, tmp_path):
    folder = save_peer(depth_anything("metric"), tmp_path / "peer")
    code, told, err = run("depth", pictures, "--checkpoint", folder, "--out", tmp_path / "out")
    assert code == 0, err
    assert "2 map(s) of depth in metres" in told
    for stem, shape in {"a": (48, 64), "b": (37, 41)}.items():
        facts = json.loads((tmp_path / "out" / f"{stem}.json").read_text())
        assert facts["unit"] == "metres"
        values = np.load(tmp_path / "out" / f"{stem}.npy")
        assert values.shape == shape
        assert 0 < values.min() < values.max() < 20


def test_normals_are_vectors_of_length_one(run, pictures, tmp_path):
    save_peer(tipsv2_dpt(), tmp_path / "peer")
    native = tmp_path / "native"
    assert run("convert", tmp_path / "peer", native, "--task", "normals")[0] == 0
    code, told, err = run("depth", pictures, "--checkpoint", native, "--out", tmp_path / "out")
    assert code == 0, err
    assert "2 map(s) of normals" in told
    endings = ("json", "npy", "preview.png")
    assert names(tmp_path / "out") == [*(f"{s}.{x}" for s in "ab" for x in endings), "depth.yaml"]
    values = np.load(tmp_path / "out" / "a.npy")
    assert values.shape == (3, 48, 64)
    assert np.abs(np.linalg.norm(values, axis=0) - 1).max() < 1e-5
    with Image.open(tmp_path / "out" / "a.preview.png") as picture:
        shown = np.asarray(picture).transpose(2, 0, 1) / 127.5 - 1
    assert np.abs(shown - values).max() < 0.005


def test_a_flat_map_is_black_and_no_division_by_zero(run, pictures, tmp_path):
    model = load_model(save_depth_net(tmp_path / "net"))
    torch.nn.init.constant_(model.depth.bias, -1000.0)
    model.save_pretrained(tmp_path / "net")
    with np.errstate(all="raise"):
        code, _, _ = run(
            "depth", pictures / "a.png", "--checkpoint", tmp_path / "net", "--out", tmp_path / "o"
        )
    assert code == 0
    assert np.load(tmp_path / "o" / "a.npy").max() == 0
    with Image.open(tmp_path / "o" / "a.png") as picture:
        assert np.asarray(picture).max() == 0


def test_depth_with_an_lseg_is_refused(refused, checkpoint, pictures, tmp_path):
    message = refused("depth", pictures, "--checkpoint", checkpoint, "--out", tmp_path / "out")
    assert "LSeg" in message
    assert "DPTDepth" in message
    assert not (tmp_path / "out").exists()


def test_depth_without_a_checkpoint_is_refused(refused, pictures, tmp_path):
    """The embedded model, which is the default elsewhere, is an LSeg."""
    refused("depth", pictures, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere.png", "--out", "out"],
        ["pictures", "--out", "pictures"],  # a.png would be overwritten
        ["pictures", "--out", "pictures/a.png"],
        ["pictures", "--out", "out", "--checkpoint", "nowhere"],
        ["pictures", "--out", "out", "--device", "toaster"],
    ],
)
def test_mistakes_of_depth(refused, depth_folder, pictures, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in pictures.iterdir()}
    if "--checkpoint" not in arguments:
        arguments = [*arguments, "--checkpoint", depth_folder]
    refused("depth", *arguments)
    assert {path: path.read_bytes() for path in pictures.iterdir()} == before
    assert names(tmp_path) == ["pictures"]


@pytest.mark.parametrize(
    ("peer", "unit"),
    [(dpt_beit, "inverse depth"), (dpt_swinv2, "inverse depth"),
     (lambda: zoedepth("nyu", "kitti"), "metres")],
    ids=["beit", "swinv2", "zoedepth"],
)  # fmt: skip
def test_depth_of_the_networks_of_midas(run, pictures, tmp_path, peer, unit):
    folder, out = save_peer(peer(), tmp_path / "theirs", 64), tmp_path / "out"
    code, told, _ = run("depth", pictures / "b.jpg", "--checkpoint", folder, "--out", out)
    assert code == 0
    assert f"of {'depth in metres' if unit == 'metres' else unit} in {out}" in told
    values, facts = np.load(out / "b.npy"), json.loads((out / "b.json").read_text())
    assert (values.shape, facts["unit"]) == ((37, 41), unit)
    assert 0 < values.min() < values.max()
