"""From a file to a folder: all of it or nothing."""

import json
from pathlib import Path

import pytest
import torch
from official import hollow, refusal

import lseg.convert.checkpoint
import lseg.convert.official
import lseg.store.folder
from lseg.checkpoints.load import load_model
from lseg.config import DepthConfig, Preprocessing
from lseg.convert.checkpoint import ConvertOptions, convert, recognise
from lseg.convert.keymap import Conversion, Source
from lseg.convert.recognise import Recognised
from lseg.errors import CheckpointError
from lseg.models.dpt import DPTDepth
from lseg.store.foreign import read_state_dict


def test_a_checkpoint_of_another_kind_is_refused_with_what_is_accepted(tmp_path):
    torch.save({"encoder.weight": torch.zeros(3)}, tmp_path / "other.pt")
    message = refusal(recognise, tmp_path / "other.pt", ConvertOptions())
    assert "'encoder.weight'" in message
    assert "isl-org/lang-seg" in message


@pytest.mark.parametrize("name", ["empty", "missing", "native"])
def test_a_folder_of_another_kind_is_refused(tmp_path, model, name):
    folder = tmp_path / name
    if name == "native":
        model.save_pretrained(folder)
    elif name == "empty":
        folder.mkdir()
    message = refusal(convert, folder, tmp_path / "out")
    assert str(folder) in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "key",
    ["token_embedding.weight", "transformer.resblocks.5.mlp.c_fc.bias", "text_projection"],
)
@pytest.mark.parametrize("change", ["missing", "shape"])
def test_a_text_encoder_that_does_not_fit_is_refused(tmp_path, key, change):
    weights = hollow("lseg_clip_vitb32_384")
    if change == "missing":
        del weights[f"net.clip_pretrained.{key}"]
    else:
        weights[f"net.clip_pretrained.{key}"] = torch.zeros(2, 512)
    torch.save({"state_dict": weights}, tmp_path / "model.ckpt")
    message = refusal(convert, tmp_path / "model.ckpt", tmp_path / "out")
    assert key in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.ckpt"]


@pytest.fixture
def depth_net(tmp_path, config):
    torch.manual_seed(0)
    return DPTDepth(DepthConfig(config.trunk, Preprocessing(size=64))).eval()


@pytest.fixture
def source(tmp_path, depth_net, monkeypatch):
    """A file that is recognised as a tiny network."""

    def tiny(path, options):
        weights = read_state_dict(path)
        kind, dropped = "a tiny DPT", {"extra": "not used"}
        conversion = Conversion(kind, depth_net.config, weights, None, dropped)
        return Recognised(conversion, Source(str(path)))

    monkeypatch.setattr(lseg.convert.checkpoint, "recognise", tiny)
    (tmp_path / "in").mkdir()
    torch.save(depth_net.state_dict(), tmp_path / "in" / "tiny.pt")
    return tmp_path / "in" / "tiny.pt"


def assert_same(model, other):
    weights, others = model.state_dict(), other.state_dict()
    assert list(weights) == list(others)
    for key, tensor in weights.items():
        assert tensor.dtype == others[key].dtype, key
        assert torch.equal(tensor, others[key]), key


def test_a_folder_is_written_with_what_was_left_out(source, depth_net, tmp_path):
    out = tmp_path / "a" / "b"
    convert(source, out)
    assert sorted(path.name for path in out.iterdir()) == [
        "config.json", "conversion.json", "model.safetensors",
    ]  # fmt: skip
    assert list(out.parent.iterdir()) == [out]
    told = json.loads((out / "conversion.json").read_text())
    assert told == {"source": "a tiny DPT", "dropped": {"extra": "not used"}}
    model = load_model(out)
    assert type(model) is DPTDepth
    assert model.config == depth_net.config
    assert_same(model, depth_net)


def test_the_size_of_the_input_can_be_given(source, tmp_path):
    convert(source, tmp_path / "out", ConvertOptions(size=320))
    assert load_model(tmp_path / "out").config.preprocessing == Preprocessing(size=320)


def test_an_empty_destination_is_taken(source, tmp_path):
    (tmp_path / "out").mkdir()
    convert(source, tmp_path / "out")
    load_model(tmp_path / "out")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_destination_that_exists_is_refused_and_stays(source, tmp_path, kind):
    out = tmp_path / "out"
    if kind == "folder":
        out.mkdir()
    file = out / "mine.txt" if kind == "folder" else out
    file.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert str(out) in refusal(convert, source, out)
    assert sorted(tmp_path.rglob("*")) == before
    assert file.read_text() == "mine"


def test_a_destination_below_a_file_is_refused(source, tmp_path):
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    refusal(convert, source, tmp_path / "file" / "out")
    assert sorted(tmp_path.rglob("*")) == before


def test_the_working_folder_as_destination(source, tmp_path, monkeypatch):
    """Renaming cannot replace it: refused or filled, but no other error."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    try:
        convert(source, ".")
    except CheckpointError:
        assert not list(Path().iterdir())
    else:
        load_model(tmp_path / "here")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("step", ["save_file", "write_json", "conversion.json", "replace"])
def test_an_interrupted_conversion_leaves_nothing(source, tmp_path, monkeypatch, step, error):
    def stop(*arguments, **options):
        if step == "save_file":
            Path(arguments[1]).write_bytes(b"half of it")
        raise error

    if step == "replace":
        monkeypatch.setattr(Path, "replace", stop)
    else:
        place = lseg.convert.checkpoint if step == "conversion.json" else lseg.store.folder
        monkeypatch.setattr(place, "write_json" if "json" in step else step, stop)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CheckpointError if isinstance(error, OSError) else error):
        convert(source, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: {k: w.contiguous(memory_format=torch.channels_last) if w.ndim == 4 else w
                         for k, w in weights.items()},
        lambda weights: {**weights, "depth.weight": weights["depth.weight"].mT.contiguous().mT},
        lambda weights: {**weights, "depth.bias": weights["refine.bias"][:1]},
    ],
    ids=["channels last", "transposed", "a view of another"],
)  # fmt: skip
def test_the_layout_of_the_tensors_does_not_matter(source, depth_net, tmp_path, change):
    weights = change(depth_net.state_dict())
    torch.save(weights, source)
    convert(source, tmp_path / "out")
    found = load_model(tmp_path / "out").state_dict()
    for key, tensor in weights.items():
        assert torch.equal(found[key], tensor), key


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_float_type_load_as_float32(source, depth_net, tmp_path, dtype):
    weights = {
        key: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for key, tensor in depth_net.state_dict().items()
    }
    torch.save(weights, source)
    convert(source, tmp_path / "out")
    for key, tensor in load_model(tmp_path / "out").state_dict().items():
        assert tensor.dtype == (torch.int64 if "num_batches" in key else torch.float32)
        assert torch.equal(tensor, weights[key].to(tensor.dtype)), key


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1, dtype=torch.int8),
        torch.zeros(1, dtype=torch.complex64),
        torch.zeros(1).to_sparse(),
    ],
    ids=["int8", "complex", "sparse"],
)
def test_weights_that_are_no_dense_floats_are_refused(source, depth_net, tmp_path, tensor):
    torch.save({**depth_net.state_dict(), "depth.bias": tensor}, source)
    assert "depth.bias" in refusal(convert, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
