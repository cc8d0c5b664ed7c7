"""`lseg convert`."""

import os
import zipfile

import pytest
import torch
from drawing import names
from official import hollow

import lseg.convert.checkpoint
import lseg.convert.official
import lseg.store.folder
from lseg.checkpoints.load import load_model
from lseg.commands.options.convert import ConvertOptions
from lseg.commands.parser import parse_options
from lseg.convert.keymap import Conversion, Source
from lseg.convert.recognise import Recognised


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
        weights = dict(model.state_dict())
        conversion = Conversion("a tiny DPT", model.config, weights, None, dropped)
        return Recognised(conversion, Source(str(path)))

    monkeypatch.setattr(lseg.convert.checkpoint, "recognise", tiny)
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
    record = tmp_path / "out" / "convert.yaml"
    options = parse_options("convert", ConvertOptions, ["--config", str(record)])
    assert (options.source, options.destination) == (tmp_path / "model.pt", tmp_path / "out")
    assert (options.block, options.labels, options.scale) == ("depthwise", "sky,road", 2.0)


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


@pytest.mark.parametrize(
    ("name", "change", "options", "part"),
    [
        ("lseg_clip_vitb32_384", "net.scratch.head1.bias", [], "'net.scratch.head1.bias'"),
        ("lseg_clip_vitb32_384", "net.scratch.mystery", [], "'net.scratch.mystery'"),
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
def test_impossible_options_are_refused(refused, tmp_path, options):
    assert options[0] in refused("convert", "model.pt", tmp_path / "out", *options)
