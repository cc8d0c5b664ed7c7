"""Files of a dino.txt: in other forms, damaged, missing, mixed up, and with code inside."""

import pickle

import pytest
import torch
from dinotxt import NAMES, published, write_dinotxt
from safetensors.torch import save_file

import lseg
from lseg.errors import CheckpointError, ConfigError
from lseg.store.aligned.dinotxt import is_dinotxt


@pytest.fixture(scope="module")
def parts():
    """Of each kind, as they are published; nobody changes them."""
    return {kind: published(kind) for kind in NAMES}


@pytest.fixture
def folder(parts, tmp_path):
    """Writes one kind's files, changed by `change`."""

    def write(kind, change=lambda files: None):
        files = {name: dict(weights) for name, weights in parts[kind].items()}
        change(files)
        for name, weights in files.items():
            torch.save(weights, tmp_path / name)
        return tmp_path

    return write


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


def refused(place, match):
    with pytest.raises(CheckpointError, match=match) as error:
        lseg.load_model(place)
    assert str(place) in one_line(error)


def look(model):
    with torch.inference_mode():
        pixels = torch.linspace(-1, 1, 3 * 48 * 64).view(1, 3, 48, 64)
        return model(pixels, ["cat", "dog"])


@pytest.mark.parametrize("kind", sorted(NAMES))
def test_safetensors_and_the_whole_in_one_file_are_the_same(folder, parts, tmp_path, kind):
    wanted = look(lseg.load_model(folder(kind)))
    safe, whole = tmp_path / "safe", {}
    safe.mkdir()
    for name, weights in parts[kind].items():
        save_file(weights, (safe / name).with_suffix(".safetensors"))
        part = {"_pretrain": "backbone.model." if kind == "dinov2" else "backbone."}
        prefix = next((f"visual_model.{own}" for mark, own in part.items() if mark in name), "")
        if "vision_head.pth" in name:
            prefix = "visual_model.head."
        elif "text_encoder.pth" in name:
            prefix = "text_model."
        whole |= {prefix + key: value for key, value in weights.items()}
    assert look(lseg.load_model(safe)).equal(wanted)
    one = tmp_path / "my_dinotxt.pth"  # `state_dict()` of the authors' whole model
    torch.save(whole, one)
    assert look(lseg.load_model(one)).equal(wanted)


def test_a_folder_of_several_networks_wants_a_file(folder, tmp_path):
    """As `torch.hub` keeps them: all in one folder."""
    folder("dinov2")
    place = folder("dinov3")
    refused(place, r"several networks, dinov2_vitl14_reg4, dinov3_vitl16: give one of the files")
    torch.save({"x": torch.ones(2)}, place / "resnet50-11ad3fa6.pth")
    for kind, patch in (("dinov2", 14), ("dinov3", 16)):
        for file in place.glob(f"{NAMES[kind]}_dinotxt*"):
            assert lseg.load_model(file).stride == patch


@pytest.mark.parametrize(
    ("kind", "lost", "message"),
    [
        ("dinov2", "_pretrain", "lacks its backbone, NAME_pretrain"),
        ("dinov2", "vision_head", "lacks its vision head"),
        ("dinov2", "text_encoder", "lacks its text encoder"),
        ("dinov3", "_pretrain", "lacks its backbone, NAME_pretrain"),
    ],
)
def test_a_missing_file_is_named(folder, kind, lost, message):
    def drop(files):
        (name,) = (name for name in files if lost in name)
        del files[name]

    refused(folder(kind, drop), message)


def test_a_second_backbone_is_refused(folder):
    def again(files):
        name = "dinov3_vitl16_pretrain_lvd1689m-8aa4cbdd.pth"
        files["dinov3_vitl16_pretrain_sat493m-eadcf0ff.pth"] = files[name]

    refused(folder("dinov3", again), "holds what another file does, 'visual_model.backbone")


@pytest.mark.parametrize(
    ("kind", "victim", "message"),
    [
        ("dinov2", "pos_embed", "no position embeddings"),
        ("dinov2", "blocks.1.mlp.fc1.bias", "lacks the weight"),
        ("dinov2", "block_list.0.mlp.w1.weight", "lacks a weight"),
        ("dinov2", "block_list.1.ls2.gamma", "lacks the weight"),
        ("dinov3", "patch_embed.proj.weight", "no part of a dino.txt"),
        ("dinov3", "visual_model.head.blocks.1.attn.proj.bias", "lacks the weight"),
    ],
)
def test_a_missing_weight_is_told(folder, kind, victim, message):
    def drop(files):
        for weights in files.values():
            weights.pop(victim, None)

    place = folder(kind, drop)
    with pytest.raises(CheckpointError, match=message) as error:
        lseg.load_model(place)
    assert str(place) in one_line(error)


def test_an_unknown_weight_is_named(folder):
    def add(files):
        files[min(files)]["visual_model.head.gate"] = torch.ones(2)

    refused(folder("dinov3", add), r"unknown weight: 'visual_model\.head\.gate'")


@pytest.mark.parametrize("victim", ["head.linear_projection.weight", "backbone.ln_final.weight"])
def test_a_text_side_that_lacks_a_weight_is_told_when_labels_are_asked_for(folder, victim):
    def drop(files):
        for weights in files.values():
            weights.pop(victim, None)

    model = lseg.load_model(folder("dinov2", drop))
    with pytest.raises(ConfigError, match=r"text_encoder\.pth") as error:
        model.encode_labels(["cat"])
    one_line(error)


def test_a_truncated_file_is_told(folder):
    place = folder("dinov2")
    for file in place.glob("*_vision_head.pth"):
        file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=r"vision_head\.pth is truncated") as error:
        lseg.load_model(place)
    one_line(error)


class Trap:
    """Runs code where it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def test_code_in_a_pickle_is_not_run(folder, tmp_path, parts):
    place, trap = folder("dinov2"), tmp_path / "run"
    for part in ("vision_head", "text_encoder"):
        (file,) = place.glob(f"*_{part}.pth")
        whole = torch.load(file)
        with file.open("wb") as out:
            pickle.dump({"trap": Trap(trap), **whole}, out)
        with pytest.raises((CheckpointError, ConfigError)) as error:
            lseg.load_model(place).encode_labels(["cat"])
        one_line(error)
        assert not trap.exists()
        torch.save(whole, file)
    torch.save({"trap": Trap(trap), **parts["dinov2"][file.name]}, file)  # in the zip format
    with pytest.raises(ConfigError, match=r"text_encoder\.pth") as error:
        lseg.load_model(place).encode_labels(["cat"])
    one_line(error)
    assert not trap.exists()


def test_other_names_are_none(tmp_path):
    assert not is_dinotxt(tmp_path / "dinov2_vitl14_reg4_pretrain.pth")
    assert not is_dinotxt(tmp_path / "dinov3_vitl16_dinotxt.txt")
    assert not is_dinotxt(tmp_path)
    file = write_dinotxt(tmp_path, "dinov2")
    assert is_dinotxt(file)
    assert is_dinotxt(tmp_path)
