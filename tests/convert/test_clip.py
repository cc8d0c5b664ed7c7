"""CLIP weights alone as a source of `lseg convert`, against open_clip's own answers."""

import dataclasses
import json

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from lseg.checkpoints.load import load_model
from lseg.cli import main
from lseg.convert.checkpoint import ConvertOptions, convert
from lseg.errors import CheckpointError
from lseg.store.folder import TEXT_FILE, read_text_config
from lseg.text.encoder import LabelEncoder, OpenClipText

LABELS = ["a red circle", "sky"]
NAME = "tiny-convert-test"
CONFIG = {
    "embed_dim": 32,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 32},
    "text_cfg": {
        "context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2,
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def known_to_open_clip(tmp_path):
    folder = tmp_path / "configs"
    folder.mkdir()
    (folder / f"{NAME}.json").write_text(json.dumps(CONFIG))
    open_clip.add_model_config(folder)


@pytest.fixture
def clip():
    return open_clip.create_model(NAME).eval()


def openai_state_dict(clip):
    """As OpenAI's JIT archives list it: half precision, and three facts."""
    facts = {"input_resolution": 32, "context_length": 16, "vocab_size": 49408}
    weights = {key: value.half() for key, value in clip.state_dict().items()}
    return weights | {key: torch.tensor(value) for key, value in facts.items()}


def save(weights, tmp_path, kind):
    path = tmp_path / f"clip.{'safetensors' if kind == 'safetensors' else 'pt'}"
    if kind == "safetensors":
        save_file(weights, path)
    elif kind == "checkpoint":  # open_clip's training leaves these, with DDP's prefix
        prefixed = {f"module.{key}": value for key, value in weights.items()}
        torch.save({"epoch": 3, "name": "run", "state_dict": prefixed}, path)
    else:
        torch.save(weights, path)
    return path


@pytest.mark.parametrize("kind", ["state dict", "safetensors", "checkpoint"])
@torch.no_grad()
def test_label_vectors_are_open_clips(clip, tmp_path, kind):
    source = save(clip.state_dict(), tmp_path, kind)
    conversion = convert(source, tmp_path / "text", ConvertOptions(clip_model=NAME))
    assert not any(key.startswith("visual.") for key in conversion.text)
    assert all(conversion.dropped.values())
    tokens = open_clip.get_tokenizer(NAME)(LABELS)
    wanted = clip.encode_text(tokens, normalize=True)
    config = read_text_config(tmp_path / "text")
    torch.testing.assert_close(LabelEncoder(config, 32).encode(LABELS), wanted)
    files = {path.name for path in (tmp_path / "text").iterdir()}
    assert files == {"config.json", "conversion.json", TEXT_FILE}


def test_half_precision_weights_of_openai_are_told_by_their_shapes(tmp_path):
    clip = open_clip.create_model("ViT-B-32-quickgelu")  # a real tower, with random weights
    path = save(openai_state_dict(clip), tmp_path, "state dict")
    convert(path, tmp_path / "text")
    config = read_text_config(tmp_path / "text")
    assert config.model == "ViT-B-32-quickgelu"
    vectors = LabelEncoder(config, 512).encode(LABELS)
    halved = clip.half().float().eval()
    tokens = open_clip.get_tokenizer("ViT-B-32-quickgelu")(LABELS)
    with torch.no_grad():
        wanted = halved.encode_text(tokens, normalize=True)
    torch.testing.assert_close(vectors, wanted, atol=1e-5, rtol=0)


def test_weights_that_do_not_say_their_activation_need_a_name(clip, tmp_path):
    path = save(clip.state_dict(), tmp_path, "state dict")
    with pytest.raises(CheckpointError, match="--clip-model"):
        convert(path, tmp_path / "text")
    with pytest.raises(CheckpointError, match="no model 'ViT-Z'"):
        convert(path, tmp_path / "text", ConvertOptions(clip_model="ViT-Z"))
    with pytest.raises(CheckpointError, match=r"text encoder ViT-B-32.*'positional_embedding'"):
        convert(path, tmp_path / "text", ConvertOptions(clip_model="ViT-B-32"))
    assert not (tmp_path / "text").exists()


def test_an_unknown_weight_is_named(clip, tmp_path):
    weights = dict(clip.state_dict())
    weights["trensformer.x"] = weights.pop("transformer.resblocks.0.ln_1.weight")
    with pytest.raises(CheckpointError, match=r"'trensformer\.x'"):
        convert(
            save(weights, tmp_path, "state dict"),
            tmp_path / "text",
            ConvertOptions(clip_model=NAME),
        )


def test_a_model_folder_is_asked_with_the_converted_encoder(
    clip, tmp_path, tiny_conv_config, capsys
):
    from PIL import Image

    from lseg.models.lseg import LSeg

    convert(
        save(clip.state_dict(), tmp_path, "state dict"),
        tmp_path / "text",
        ConvertOptions(clip_model=NAME),
    )
    LSeg(dataclasses.replace(tiny_conv_config, embed_dim=32)).save_pretrained(tmp_path / "model")
    Image.new("RGB", (40, 40), "red").save(tmp_path / "photo.png")
    arguments = [
        "predict",
        tmp_path / "photo.png",
        "--labels",
        "sky,road",
        "--out",
        tmp_path / "out",
    ]
    arguments += [
        "--checkpoint",
        tmp_path / "model",
        "--text-table",
        tmp_path / "text",
        "--device",
        "cpu",
    ]
    assert main([str(argument) for argument in arguments]) == 0
    assert (tmp_path / "out" / "photo.overlay.png").is_file()


def test_a_text_folder_is_no_model_and_a_model_folder_no_text_encoder(clip, tmp_path):
    convert(
        save(clip.state_dict(), tmp_path, "state dict"),
        tmp_path / "text",
        ConvertOptions(clip_model=NAME),
    )
    with pytest.raises(CheckpointError, match="text encoder alone"):
        load_model(tmp_path / "text")
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        read_text_config(tmp_path)


def test_open_clip_files_of_the_whole_model_still_load_as_such(clip, tmp_path):
    path = tmp_path / "whole.safetensors"
    save_file(clip.state_dict(), path)
    with torch.no_grad():
        wanted = clip.encode_text(open_clip.get_tokenizer(NAME)(LABELS), normalize=True)
    found = OpenClipText(NAME, str(path)).encode(LABELS, torch.device("cpu"))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("custom", [True, False])
def test_a_text_tower_that_is_a_module_of_its_own(clip, tmp_path, custom):
    """As open_clip saves it with --force-custom-text, or always (SigLIP's architecture)."""
    name = f"{NAME}-custom" if custom else NAME
    if custom:
        folder = tmp_path / "more"
        folder.mkdir()
        (folder / f"{name}.json").write_text(json.dumps({**CONFIG, "custom_text": True}))
        open_clip.add_model_config(folder)
    separate = open_clip.create_model(name, force_custom_text=True).eval()
    path = save(separate.state_dict(), tmp_path, "checkpoint")
    convert(path, tmp_path / "text", ConvertOptions(clip_model=name))
    found = OpenClipText(name, None, tmp_path / "text" / TEXT_FILE)
    vectors = found.encode(LABELS, torch.device("cpu"))
    with torch.no_grad():
        wanted = separate.encode_text(open_clip.get_tokenizer(name)(LABELS), normalize=True)
    assert (vectors - wanted).abs().max() < 1e-6
