"""Folders of published encoders: by Hub name, without a network, damaged, and with code inside."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from encoders import open_clip_folder, transformers_folder
from hub_server import Hub
from safetensors.torch import load_file, save_file

import lseg
from lseg.errors import CheckpointError, ConfigError
from lseg.store.aligned.layouts import layout_of
from lseg.store.aligned.open_clip import read_open_clip
from lseg.store.location import hub_id

ROOT = Path(__file__).parents[2]

# The client reads its address when it is imported, so it runs in a process of its own.
FETCH_THEN_WITHOUT_A_NETWORK = """
import socket, sys
import lseg

names = sys.argv[1:]
first = [lseg.load_model(name).encode_labels(["cat", "dog"]) for name in names]

def refuse(*arguments, **options):
    raise AssertionError("a socket was asked for")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
for name, vectors in zip(names, first):
    model = lseg.load_model(name)
    model.text._known.clear()
    assert model.encode_labels(["dog", "cat"]).flip(0).equal(vectors)
    print(name, model.config.licence, model.config.embed_dim)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders in both layouts, to be copied."""
    root = tmp_path_factory.mktemp("made")
    open_clip_folder(root / "open_clip")
    (root / "open_clip" / "README.md").write_text("---\nlicense: mit\ntags:\n- clip\n---\n# One\n")
    transformers_folder(root / "tipsv2", "tipsv2")
    return root


@pytest.fixture
def folder(made, tmp_path):
    """A copy of one of them."""

    def copy(name):
        (tmp_path / name).mkdir()
        for file in (made / name).iterdir():
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
        return tmp_path / name

    return copy


def edit(file, change):
    """Changes a JSON file."""
    values = json.loads(file.read_text())
    change(values)
    file.write_text(json.dumps(values))


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_hub_name_is_fetched_once_and_then_needs_no_network(made, tmp_path):
    hub = Hub()
    try:
        for name, layout in (("user/clip", "open_clip"), ("google/tips", "tipsv2")):
            files = {file.name: file.read_bytes() for file in (made / layout).iterdir()}
            pickles = {"pytorch_model.bin": b"a pickle", "modeling_tips.py": b"raise SystemExit"}
            hub.repositories[name] = {"main": files | pickles}
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        variables = {
            **kept,
            "HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.address,
            "HF_HUB_DISABLE_XET": "1", "PYTHONPATH": str(ROOT),
            "LSEG_CACHE": str(tmp_path / "cache"),
        }  # fmt: skip
        command = [sys.executable, "-c", FETCH_THEN_WITHOUT_A_NETWORK]
        done = subprocess.run(
            [*command, "hf-hub:user/clip", "google/tips"],
            env=variables, capture_output=True, text=True, timeout=400,
        )  # fmt: skip
    finally:
        hub.close()
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["hf-hub:user/clip mit 24", "google/tips cc-by-4.0 32"]
    fetched = {path.name for path in (tmp_path / "home").rglob("snapshots/*/*")}
    assert {"open_clip_model.safetensors", "model.safetensors"} <= fetched
    assert not {"pytorch_model.bin", "modeling_tips.py"} & fetched


def test_names_of_the_hub_as_open_clip_writes_them():
    assert hub_id("hf-hub:user/clip") == "user/clip"
    assert hub_id("google/tipsv2-b14") == "google/tipsv2-b14"


@pytest.mark.parametrize("name", ["open_clip", "tipsv2"])
def test_truncated_weights_are_told_in_one_line(folder, name):
    place = folder(name)
    (weights,) = place.glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cannot be read") as error:
        lseg.load_model(place)
    assert weights.name in one_line(error)


@pytest.mark.parametrize(
    ("name", "victim"),
    [
        ("open_clip", "visual.transformer.resblocks.1.mlp.c_fc.bias"),
        ("open_clip", "visual.conv1.weight"),
        ("tipsv2", "vision_encoder.blocks.2.ls1.gamma"),
        ("tipsv2", "vision_encoder.pos_embed"),
    ],
)
def test_a_missing_weight_is_named(folder, name, victim):
    place = folder(name)
    (file,) = place.glob("*.safetensors")
    weights = load_file(file)
    del weights[victim]
    save_file(weights, file)
    with pytest.raises(CheckpointError, match=r"lacks|no position") as error:
        lseg.load_model(place)
    assert str(place) in one_line(error)


def test_an_unknown_weight_is_named(folder):
    place = folder("tipsv2")
    file = place / "model.safetensors"
    save_file({**load_file(file), "vision_encoder.head.weight": torch.ones(2)}, file)
    with pytest.raises(CheckpointError, match=r"unknown weight: 'vision_encoder\.head\.weight'"):
        lseg.load_model(place)


def test_a_scale_that_is_not_stored_is_that_of_clip(folder):
    place = folder("open_clip")
    file = place / "open_clip_model.safetensors"
    weights = load_file(file)
    assert read_open_clip(place).config["logit_scale"] == pytest.approx(
        weights.pop("logit_scale").exp().item()
    )
    save_file(weights, file)
    assert read_open_clip(place).config["logit_scale"] == 100


def test_weights_that_do_not_fit_the_configuration_are_told(folder):
    place = folder("tipsv2")
    edit(
        place / "config.json", lambda values: values["vision_config"].update(num_attention_heads=5)
    )
    with pytest.raises(CheckpointError, match="cannot be built") as error:
        lseg.load_model(place)
    one_line(error)


def test_a_text_side_that_lacks_a_weight_is_told_when_labels_are_asked_for(folder):
    place = folder("tipsv2")
    file = place / "model.safetensors"
    weights = load_file(file)
    weights.pop("text_encoder.ln_final.weight")
    save_file(weights, file)
    with pytest.raises(ConfigError, match=r"lacks the weight 'final_layer_norm\.weight'") as error:
        lseg.load_model(place).encode_labels(["cat"])
    one_line(error)


def test_weights_in_shards_are_read(folder):
    place = folder("tipsv2")
    whole = lseg.load_model(place)
    weights = load_file(place / "model.safetensors")
    (place / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, own in parts.items():
        save_file({name: weights[name] for name in own}, place / file, {"format": "pt"})
    index = {name: file for file, own in parts.items() for name in own}
    listed = {"metadata": {"total_size": 1}, "weight_map": index}
    (place / "model.safetensors.index.json").write_text(json.dumps(listed))
    pixels = torch.randn(1, 3, 56, 70)
    with torch.inference_mode():
        assert lseg.load_model(place)(pixels, ["cat", "dog"]).equal(whole(pixels, ["cat", "dog"]))
    edit(
        place / "model.safetensors.index.json",
        lambda values: values["weight_map"].update({names[0]: "../model-1.safetensors"}),
    )
    with pytest.raises(CheckpointError, match="lists no files of weights"):
        lseg.load_model(place)


def test_pickles_are_not_read(folder):
    place = folder("open_clip")
    (place / "open_clip_model.safetensors").rename(place / "open_clip_pytorch_model.bin")
    with pytest.raises(CheckpointError, match="is a pickle, which is not read") as error:
        lseg.load_model(place)
    one_line(error)


@pytest.mark.parametrize("name", ["open_clip", "tipsv2"])
def test_code_of_a_repository_is_not_run(folder, tmp_path, name):
    place, trap = folder(name), tmp_path / "run"
    (place / "own.py").write_text(f"open({str(trap)!r}, 'w').close()\nclass Own: pass\n")
    code = {"auto_map": {"AutoTokenizer": ["own.Own", None]}, "tokenizer_class": "Own"}
    if name == "open_clip":
        (place / "tokenizer_config.json").write_text(json.dumps(code))
        with pytest.raises(CheckpointError, match="names code of the repository") as error:
            lseg.load_model(place)
        one_line(error)
    else:  # the library knows the kind itself
        model = {"AutoModel": "own.Own", "AutoConfig": "own.Own"}
        edit(place / "tokenizer_config.json", lambda values: values.update(code))
        edit(place / "config.json", lambda values: values.update(auto_map=model))
        assert lseg.load_model(place).encode_labels(["cat"]).shape == (1, 32)
    assert not trap.exists()


def test_a_tokenizer_that_cannot_fill_up_is_refused(folder):
    place = folder("tipsv2")
    edit(place / "tokenizer_config.json", lambda values: values.pop("pad_token"))
    with pytest.raises(ConfigError, match="no token to fill prompts up with") as error:
        lseg.load_model(place).encode_labels(["cat"])
    one_line(error)


def test_a_tower_that_has_no_patches_is_not_one_of_these(folder):
    place = folder("open_clip")
    edit(
        place / "open_clip_config.json",
        lambda values: values["model_cfg"]["vision_cfg"].update(layers=[1, 1, 1, 1]),
    )
    assert layout_of(place) is None
    with pytest.raises(CheckpointError, match="makes a text encoder of it"):
        lseg.load_model(place)


def test_options_of_a_tower_that_are_not_known_are_refused(folder):
    place = folder("open_clip")
    edit(
        place / "open_clip_config.json",
        lambda values: values["model_cfg"]["vision_cfg"].update(attentional_pool=True),
    )
    with pytest.raises(CheckpointError, match="attentional_pool True, which is not supported"):
        lseg.load_model(place)
