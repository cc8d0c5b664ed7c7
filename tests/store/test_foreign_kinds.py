"""Checkpoints of others, given where one of this project is expected."""

import json
import shlex
import warnings
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from lseg.checkpoints.load import load_model
from lseg.cli import main
from lseg.errors import CheckpointError
from lseg.models.lseg import LSeg
from lseg.store.foreign_kinds import is_official_dpt

ONE = torch.zeros(1)
LSEG = {"net.scratch.head1.weight": ONE, "net.pretrained.model.cls_token": ONE}
DPT = {"scratch.output_conv.0.weight": ONE, "scratch.layer1_rn.weight": ONE}
CLIP = {"token_embedding.weight": ONE, "ln_final.weight": ONE, "visual.proj": ONE}


def refusal(source):
    with pytest.raises(CheckpointError) as caught:
        load_model(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def command_of(message):
    """The command between backquotes, as a shell would split it."""
    return shlex.split(message.split("`")[1])


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"state_dict": LSEG, "hyper_parameters": SimpleNamespace(lr=1)}, "isl-org/lang-seg"),
        ({"state_dict": LSEG}, "isl-org/lang-seg"),
        (DPT, "isl-org/DPT"),
        (CLIP, "--text-table"),
    ],
    ids=["lightning with classes", "lightning", "state dict", "clip"],
)
def test_a_file_that_can_be_converted_is_told_with_the_command(values, word, tmp_path):
    path = tmp_path / "old model.ckpt"
    torch.save(values, path)
    message = refusal(path)
    assert word in message
    assert command_of(message) == ["lseg", "convert", str(path), "old model-lseg"]


@pytest.mark.parametrize("left_out", DPT)
def test_half_of_a_dpts_mark_is_no_dpt(left_out):
    assert is_official_dpt(DPT)
    assert not is_official_dpt([key for key in DPT if key != left_out])


def test_safetensors_alone_are_told_by_their_content(tmp_path, model):
    save_file({key: torch.zeros(1) for key in DPT}, tmp_path / "dpt.safetensors")
    assert command_of(refusal(tmp_path / "dpt.safetensors"))[:2] == ["lseg", "convert"]
    save_file({"embeddings": torch.zeros(2, 3)}, tmp_path / "table.safetensors")
    assert "--text-table" in refusal(tmp_path / "table.safetensors")
    model.save_pretrained(tmp_path / "native")
    assert f"give its folder, {tmp_path / 'native'}," in refusal(
        tmp_path / "native" / "model.safetensors"
    )
    save_file({"neck.convs.0.weight": ONE}, tmp_path / "model.safetensors")
    assert command_of(refusal(tmp_path / "model.safetensors"))[2] == str(tmp_path)
    save_file({"fc.weight": ONE}, tmp_path / "other.safetensors")
    assert "a checkpoint is" in refusal(tmp_path / "other.safetensors")


def test_a_torchscript_archive_is_told_as_one(tmp_path):
    path = tmp_path / "ViT-B-32.pt"
    with warnings.catch_warnings(action="ignore"):  # it is deprecated, and OpenAI's files are so
        torch.jit.script(torch.nn.Linear(1, 1)).save(str(path))
    assert "TorchScript" in refusal(path)


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_an_exported_program_is_no_checkpoint(suffix, tmp_path):
    (tmp_path / f"model{suffix}").write_bytes(b"a program")
    assert "exported program" in refusal(tmp_path / f"model{suffix}")


def test_a_hugging_face_dpt_in_the_place_of_an_lseg_is_told_with_the_command(tmp_path):
    folder = tmp_path / "dpt-large"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "dpt"}))
    with pytest.raises(CheckpointError, match="load_model") as caught:
        LSeg.from_pretrained(folder)
    wanted = ["lseg", "convert", str(folder), "dpt-large-lseg"]
    assert command_of(str(caught.value)) == wanted


@pytest.mark.parametrize(
    ("name", "values", "word"),
    [
        ("config.json", {"model_type": "segformer"}, "'segformer', which is not supported"),
        ("config.json", {"model_type": "radio", "hidden_size": 768}, "is a C-RADIO: transformers"),
        ("config.json", {"adaptor_names": ["siglip2-g"], "auto_map": {}}, "is a C-RADIO"),
        ("config.json", {"_class_name": "UNet2DConditionModel"}, "diffusers"),
        ("model_index.json", {"_class_name": "StableDiffusionPipeline"}, "diffusers"),
        ("adapter_config.json", {}, "peft"),
        ("open_clip_config.json", {}, "--text-table"),
    ],
)
def test_a_folder_of_another_library_is_told_by_its_name(name, values, word, tmp_path):
    (tmp_path / name).write_text(json.dumps(values))
    assert word in refusal(tmp_path)


def test_the_command_line_prints_the_same_line_and_exits_with_2(tmp_path, capsys):
    torch.save({"state_dict": LSEG}, tmp_path / "demo.ckpt")
    Image.new("RGB", (32, 32)).save(tmp_path / "picture.png")
    arguments = ["--checkpoint", str(tmp_path / "demo.ckpt"), "--out", str(tmp_path / "out")]
    assert main(["predict", str(tmp_path / "picture.png"), "--labels", "sky,road", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert command_of(error)[:2] == ["lseg", "convert"]
