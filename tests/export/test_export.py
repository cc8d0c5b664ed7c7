"""Exported programs against the network, run by onnxruntime and by torch."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from lseg.cli import main
from lseg.errors import LSegError
from lseg.export.formats import FORMATS, OnnxFile, export, largest_difference
from lseg.export.interface import describe_program
from lseg.export.program import smallest_side
from lseg.models.lseg import LSeg


def network(config):
    """With batch norm statistics that are not the initial ones."""
    model = LSeg(config)
    with torch.no_grad():
        model(torch.randn(2, 3, 64, 64), torch.randn(2, config.embed_dim))
    return model.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("export")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "block"), [("vit", "bottleneck"), ("conv", "depthwise")])
def test_onnx_gives_the_networks_logits(tiny_vit_config, tiny_conv_config, folder, kind, block):
    import onnx
    import onnxruntime

    config = tiny_vit_config if kind == "vit" else tiny_conv_config
    trunk = dataclasses.replace(config.trunk, context=kind == "conv")
    config = dataclasses.replace(config, trunk=trunk)
    model = network(dataclasses.replace(config, block=block, block_depth=2, labels=("sky",)))
    path = folder / f"{kind}.onnx"
    assert export(model, path) < 1e-4
    assert [file.name for file in folder.glob(f"*{kind}*")] == [path.name]  # one file, no remains
    session = onnxruntime.InferenceSession(path)
    for batch, height, width, count in [(1, 64, 64, 1), (3, 70, 113, 20), (2, 33, 200, 200)]:
        pixels, vectors = torch.randn(batch, 3, height, width), torch.randn(count, 24)
        inputs = {"pixels": pixels.numpy(), "label_vectors": vectors.numpy()}
        found = session.run(["logits"], inputs)[0]
        with torch.no_grad():
            wanted = model(pixels, vectors).numpy()
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() < 1e-4
    told = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert json.loads(told["config"]) == model.config.to_dict()
    assert json.loads(told["preprocessing"])["mean"] == [0.5, 0.5, 0.5]
    shapes = {entry.name: entry.shape for entry in session.get_inputs() + session.get_outputs()}
    assert shapes == {
        "pixels": ["batch", 3, "height", "width"],
        "label_vectors": ["labels", 24],
        "logits": ["batch", "labels", "height", "width"],
    }


@pytest.mark.slow
def test_a_torch_program_gives_the_networks_logits(tiny_vit_config, folder):
    model = network(tiny_vit_config)
    path = folder / "model.pt2"
    assert export(model, path) < 1e-4
    texts = {"details.json": ""}
    program = torch.export.load(path, extra_files=texts).module(check_guards=False)
    assert json.loads(texts["details.json"]) == describe_program(model)
    pixels, vectors = torch.randn(1, 3, 64, 64), torch.randn(5, 24)  # the grid of the weights
    with torch.no_grad():
        assert (program(pixels, vectors) - model(pixels, vectors)).abs().max() < 1e-4


TINY_VIT = {"depth": 4, "embed_dim": 32, "num_heads": 2, "img_size": 56}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "levels", "suffix"),
    [
        ("vit_small_patch14_reg4_dinov2", TINY_VIT, (0, 1, 2, 3), ".onnx"),
        ("vit_small_patch14_dinov2", TINY_VIT, (0, 1, 2, 3), ".pt2"),
        ("resnet10t", {"channels": [8, 16, 24, 32]}, (0, 1, 2, 3), ".onnx"),
        ("vit_base_r50_s16_384", {**TINY_VIT, "img_size": 64}, (0, 1, 2, 3), ".pt2"),
    ],
    ids=["patch 14", "patch 14 for torch", "stride 2", "hybrid"],
)
def test_networks_of_every_grid_are_exported(
    tiny_vit_config, folder, name, options, levels, suffix
):
    trunk = dataclasses.replace(
        tiny_vit_config.trunk, backbone=name, backbone_options=options, levels=levels
    )
    model = network(dataclasses.replace(tiny_vit_config, trunk=trunk))
    assert export(model, folder / f"{name}{suffix}") < 1e-4  # three sizes, 2, 20 and 200 labels


def test_the_check_asks_for_no_less_than_a_network_takes(tiny_vit_config, tiny_conv_config):
    dino = dataclasses.replace(
        tiny_vit_config.trunk, backbone="vit_small_patch14_dinov2", backbone_options=TINY_VIT
    )
    fine = dataclasses.replace(tiny_conv_config.trunk, levels=(0, 1, 2, 3))
    for trunk, least in ((dino, 32), (fine, 32), (tiny_vit_config.trunk, 33)):
        model = LSeg(dataclasses.replace(tiny_vit_config, trunk=trunk)).eval()
        assert smallest_side(model) == least
        assert largest_difference(model, model) == 0


def test_the_check_sees_a_wrong_program(tiny_conv_config):
    model = network(tiny_conv_config)
    assert largest_difference(model, model) == 0
    assert largest_difference(model, lambda pixels, text: model(pixels, text) + 2e-4) > 1e-4
    with pytest.raises(LSegError, match="gives"):
        largest_difference(model, lambda pixels, text: model(pixels, text)[:, :, 1:])


def test_a_program_with_other_answers_is_not_kept(tiny_conv_config, tmp_path, monkeypatch):
    class Wrong(OnnxFile):
        def write(self, model, path, details):
            path.write_bytes(b"a program")

        def load(self, path):
            return lambda pixels, text: torch.full((*pixels.shape[:1], len(text),
                                                    *pixels.shape[2:]), torch.nan)  # fmt: skip

    monkeypatch.setitem(FORMATS, ".onnx", Wrong())
    with pytest.raises(LSegError, match="differ"):
        export(network(tiny_conv_config), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_mistakes_of_export(tmp_path, capsys):
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.iterdir())
    for checkpoint, out, part in [
        ("tiny", "model.tflite", "'.tflite': give a name in .onnx or .pt2"),
        ("tiny", "folder", "is a folder"),
        ("nowhere", "model.onnx", "nowhere"),
    ]:
        code = main(["export", "--checkpoint", checkpoint, "--out", str(tmp_path / out)])
        error = capsys.readouterr().err
        assert code == 2, error
        assert part in error
        assert error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_onnx_gives_the_logits_of_a_backbone_of_transformers(tiny_vit_config, folder):
    from transformers_models import BACKBONES

    options = {"model_type": "dinov2", **BACKBONES["dinov2"]}
    trunk = dataclasses.replace(
        tiny_vit_config.trunk, backbone="hf:facebook/dinov2-small", backbone_options=options
    )
    model = network(dataclasses.replace(tiny_vit_config, trunk=trunk))
    assert export(model, folder / "dinov2.onnx") < 1e-4  # three sizes, by onnxruntime


def test_an_image_encoder_whose_code_is_tied_to_a_size_is_told_in_one_line(
    tiny_vit_config, folder, monkeypatch
):
    model = network(tiny_vit_config)

    def look(pixels):
        if pixels.shape[-1] == 160:  # so that the program would be for this width alone
            return list(forward(pixels))
        return forward(pixels)

    forward = model.trunk.backbone.forward
    monkeypatch.setattr(model.trunk.backbone, "forward", look)
    path = folder / "tied.pt2"
    with pytest.raises(LSegError, match="cannot be exported for pictures of any size") as caught:
        export(model, path)
    assert "\n" not in str(caught.value)
    assert not path.exists()
