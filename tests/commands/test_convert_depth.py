"""`lseg convert` and `lseg depth`, and `lseg predict` with fixed classes."""

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lseg.checkpoints.convert
from lseg.checkpoints.keymap import Conversion
from lseg.checkpoints.native import load_model
from lseg.config import DepthConfig, Preprocessing, SegmentationConfig, TrunkConfig
from lseg.models.dpt import DPTDepth, DPTSegmentation
from lseg.segmenter import ClassSegmenter


def draw(height, width, seed=0):
    """An (H, W, 3) picture of blocks in random colours."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, size=(height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return colours.repeat(8, axis=0).repeat(8, axis=1)[:height, :width].copy()


REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
needs_manifests = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"no manifests in {REFERENCE}")

LABELS = ("wall", "sky|heaven", "other")
TRUNK = TrunkConfig(
    "resnet10t", {"channels": [8, 8, 16, 16]}, (1, 2, 3, 4), (8, 8, 16, 16), "ignore", 8
)


@pytest.fixture(scope="module")
def depth_folder(tmp_path_factory):
    return save_depth_net(tmp_path_factory.mktemp("depth"))


def save_depth_net(folder, **options):
    """A depth network whose map is above zero in about half of a picture."""
    torch.manual_seed(0)
    model = DPTDepth(DepthConfig(TRUNK, Preprocessing(size=64), **options)).eval()
    kept = {}
    hook = model.depth.register_forward_hook(lambda m, i, output: kept.update(raw=output))
    with torch.no_grad():
        pixels = torch.from_numpy(draw(64, 96)).permute(2, 0, 1)[None]
        model(model.normalize(pixels))
        model.depth.bias -= kept["raw"].median()
    hook.remove()
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def classes_folder(tmp_path_factory):
    """A network with classes of its own, each of which wins some pixels."""
    torch.manual_seed(0)
    config = SegmentationConfig(TRUNK, Preprocessing(size=64), LABELS)
    model = DPTSegmentation(config).eval()
    with torch.no_grad():
        pixels = torch.from_numpy(draw(48, 64)).permute(2, 0, 1)[None]
        model.classify.bias -= model(model.normalize(pixels)).mean((0, 2, 3))
    folder = tmp_path_factory.mktemp("classes")
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def refused(run):
    """The one line on standard error that a command ends with; it exits with 2."""

    def call(*arguments):
        code, out, err = run(*arguments)
        assert code == 2, (out, err)
        assert out == ""
        assert err.startswith("lseg: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        return err

    return call


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# ---- depth ---------------------------------------------------------------------------------------


def test_depth_writes_numbers_a_16_bit_picture_and_a_preview(run, depth_folder, pictures, tmp_path):
    out = tmp_path / "out"
    code, told, err = run("depth", pictures, "--checkpoint", depth_folder, "--out", out)
    assert (code, err.count("Traceback")) == (0, 0)
    assert f"2 map(s) of inverse depth in {out}" in told
    assert names(out) == [f"{s}.{x}" for s in "ab" for x in ("npy", "png", "preview.png")]
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
    assert np.allclose(maps[1], 1 / (0.5 * maps[0] + 0.25), rtol=1e-4)


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


# ---- fixed classes -------------------------------------------------------------------------------


def test_predict_by_the_models_own_classes(run, classes_folder, pictures, tmp_path):
    out = tmp_path / "out"
    code, told, _ = run("predict", pictures, "--checkpoint", classes_folder, "--out", out)
    assert code == 0
    assert f"2 label map(s) with overlay and JSON in {out}" in told
    assert names(out) == [f"{s}.{x}" for s in "ab" for x in ("json", "overlay.png", "png")]
    segmenter = ClassSegmenter(load_model(classes_folder))
    for stem, file in {"a": "a.png", "b": "b.jpg"}.items():
        result = segmenter.segment(pictures / file)
        with Image.open(out / f"{stem}.png") as picture:
            assert np.array_equal(np.asarray(picture), result.label_map)
        values = json.loads((out / f"{stem}.json").read_text())
        assert [entry["label"] for entry in values["labels"]] == list(LABELS)
    assert len(np.unique(segmenter.segment(pictures / "a.png").label_map)) == len(LABELS)


def test_predict_refuses_labels_for_fixed_classes(refused, classes_folder, pictures, tmp_path):
    message = refused(
        "predict", pictures, "--labels", "sky,road", "--checkpoint", classes_folder,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert "3 fixed classes" in message
    assert "--labels" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("labels", [[], ["--labels", "sky,road"]])
def test_predict_refuses_a_depth_network(refused, depth_folder, pictures, tmp_path, labels):
    message = refused(
        "predict", pictures, *labels, "--checkpoint", depth_folder, "--out", tmp_path / "out"
    )
    assert "DPTDepth" in message
    assert "lseg depth" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["embed", "depth"])
def test_commands_that_need_another_network_refuse_fixed_classes(
    refused, classes_folder, pictures, tmp_path, command
):
    message = refused(command, pictures, "--checkpoint", classes_folder, "--out", tmp_path / "out")
    assert "DPTSegmentation" in message
    assert not (tmp_path / "out").exists()


def test_predict_without_labels_asks_for_them(refused, checkpoint, pictures, tmp_path):
    message = refused("predict", pictures, "--checkpoint", checkpoint, "--out", tmp_path / "out")
    assert "--labels" in message


# ---- convert -------------------------------------------------------------------------------------


class WritesAFile:
    """What a hostile pickle holds: a call."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.system, (f"echo ran > '{self.path}'",))


def test_convert_says_what_was_kept_and_left_out(run, depth_folder, tmp_path, monkeypatch):
    model = load_model(depth_folder)
    dropped = {"a": "not used", "b": "not used", "c": "of the training"}

    def tiny(path, options):
        assert path == tmp_path / "model.pt"
        assert options.labels == ("sky", "road")
        assert options.depth == {"scale": 2.0, "shift": 0.5, "invert": True}
        block = options.block
        assert (block.kind, block.depth, block.activation) == ("depthwise", 2, "tanh")
        return Conversion("a tiny DPT", model.config, dict(model.state_dict()), None, dropped)

    monkeypatch.setattr(lseg.checkpoints.convert, "recognise", tiny)
    code, out, err = run(
        "convert", tmp_path / "model.pt", tmp_path / "out", "--block", "depthwise",
        "--block-depth", "2", "--block-activation", "tanh", "--labels", "sky,road",
        "--scale", "2", "--shift", "0.5", "--invert", "--size", "96",
    )  # fmt: skip
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith(f"a tiny DPT: {len(model.state_dict())} weights in ")
    assert lines[1:] == ["left out 2: not used", "left out 1: of the training"]
    assert load_model(tmp_path / "out").config.preprocessing.size == 96


@pytest.fixture
def mistakes(tmp_path, pictures, checkpoint):
    """Files that are no checkpoints of a known kind, and one that would run code."""
    folder = tmp_path / "mistakes"
    folder.mkdir()
    (folder / "empty.pt").touch()
    (folder / "text.pt").write_text("no checkpoint\n" * 100)
    torch.save({"state_dict": {"encoder.weight": torch.randn(100)}}, folder / "other.ckpt")
    data = (folder / "other.ckpt").read_bytes()
    (folder / "truncated.ckpt").write_bytes(data[: len(data) // 2])
    torch.save({"epoch": 3}, folder / "nothing.ckpt")
    torch.save(torch.zeros(3), folder / "tensor.pt")
    (folder / "short.safetensors").write_bytes(b"1234")
    with zipfile.ZipFile(folder / "archive.pt", "w") as file:
        file.writestr("a.txt", "text")
    (folder / "folder").mkdir()
    (folder / "config").mkdir()
    (folder / "config" / "config.json").write_text('{"model_type": "bert"}')
    (folder / "hf").mkdir()
    (folder / "hf" / "config.json").write_text('{"model_type": "dpt"}')
    for name, legacy in {"evil.ckpt": False, "evil_legacy.ckpt": True}.items():
        values = {"hyper_parameters": WritesAFile(tmp_path / "witness"), "state_dict": {}}
        values["state_dict"]["scratch.head1.weight"] = torch.zeros(3)
        torch.save(values, folder / name, _use_new_zipfile_serialization=not legacy)
    torch.save(WritesAFile(tmp_path / "witness"), folder / "all_evil.ckpt")
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "missing.ckpt", "empty.pt", "text.pt", "other.ckpt", "truncated.ckpt", "nothing.ckpt",
        "tensor.pt", "short.safetensors", "archive.pt", "folder", "config", "hf",
        "evil.ckpt", "evil_legacy.ckpt", "all_evil.ckpt",
    ],
)  # fmt: skip
def test_mistakes_of_convert(refused, mistakes, tmp_path, name):
    before = sorted(tmp_path.rglob("*"))
    message = refused("convert", mistakes / name, tmp_path / "out")
    assert str(mistakes / name) in message
    assert sorted(tmp_path.rglob("*")) == before  # neither a result nor a witness


def test_a_native_folder_as_source_is_refused(refused, checkpoint, tmp_path):
    refused("convert", checkpoint, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_destination_with_files_is_refused_and_stays(refused, mistakes, pictures):
    before = {path: path.read_bytes() for path in pictures.iterdir()}
    assert str(pictures) in refused("convert", mistakes / "other.ckpt", pictures)
    assert {path: path.read_bytes() for path in pictures.iterdir()} == before


def hollow(name):
    """An official checkpoint with one element of memory a tensor."""
    shapes = json.loads((REFERENCE / f"manifest_{name}.json").read_text())
    return {
        key: torch.zeros((), dtype=torch.int64 if key.endswith("tracked") else None).expand(shape)
        for key, shape in shapes.items()
    }


@needs_manifests
@pytest.mark.parametrize(
    ("name", "change", "options", "part"),
    [
        ("lseg_clip_vitb32_384", "net.scratch.head1.bias", [], "project.bias"),
        ("lseg_clip_vitb32_384", "net.scratch.mystery", [], "'scratch.mystery'"),
        ("lseg_clip_vitb32_384", None, ["--block", "depthwise"], "--block"),
        ("dpt_large-midas", "pretrained.model.cls_token", [], "cls_token"),
        ("dpt_large-ade20k", None, ["--labels", "sky,road"], "150 classes, got 2 labels"),
        ("dpt_large-ade20k", None, ["--labels", "sky,sky"], "more than once"),
        ("dpt_large-ade20k", None, ["--labels", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_official_checkpoints_that_do_not_fit(
    refused, tmp_path, monkeypatch, name, change, options, part
):
    monkeypatch.chdir(tmp_path)
    weights = hollow(name)
    if change is not None:
        if change in weights:
            del weights[change]
        else:
            weights[change] = torch.zeros(1)
    torch.save({"state_dict": weights} if name.startswith("lseg") else weights, "model.pt")
    assert part in refused("convert", "model.pt", "out", *options)
    assert names(tmp_path) == ["model.pt"]


@pytest.mark.parametrize(
    "options",
    [
        ["--block", "cubic"],
        ["--block-depth", "-1"],
        ["--block-activation", "gelu"],
        ["--size", "large"],
        ["--scale", "x"],
    ],
)
def test_impossible_options_are_refused_by_the_parser(run, tmp_path, options, capsys):
    with pytest.raises(SystemExit) as caught:
        run("convert", "model.pt", tmp_path / "out", *options)
    assert caught.value.code == 2
    assert options[0] in capsys.readouterr().err
