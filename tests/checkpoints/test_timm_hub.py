"""Weights that timm downloads: from the cache without a network, else announced, else one line."""

import subprocess
import sys
import time
from pathlib import Path

import huggingface_hub.constants
import pytest
import timm
import torch
from pickles import call, name, shell, word, write_zip
from safetensors.torch import save_file

from lseg.checkpoints.backbone import pretrained_backbone
from lseg.checkpoints.timm_hub import timm_source
from lseg.config import TrunkConfig
from lseg.errors import CheckpointError

TRUNK = TrunkConfig("resnet10t", {}, (1, 2, 3, 4), (8, 8, 8, 8), "ignore", 8)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_weights_that_are_kept_are_taken_without_asking(cache):
    weights = timm.create_model("resnet10t").state_dict()
    hub_id = timm.get_pretrained_cfg("resnet10t").hf_hub_id
    repository = cache / f"models--{hub_id.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    (repository / "snapshots" / ("a" * 40)).mkdir(parents=True)
    save_file(weights, repository / "snapshots" / ("a" * 40) / "model.safetensors")
    backbone = pretrained_backbone(TRUNK, "timm")
    for key, tensor in backbone.net.state_dict().items():
        assert torch.equal(tensor, weights[key]), key


def test_weights_that_are_not_kept_are_one_line(cache):
    with pytest.raises(CheckpointError, match="resnet10t are not kept here, and HF_HUB_OFFLINE"):
        pretrained_backbone(TRUNK, "timm")
    with pytest.raises(CheckpointError, match="timm has no weights of cspresnet50d"):
        timm_source("cspresnet50d")


def test_a_hub_out_of_reach_is_told_at_once(tmp_path):
    """Its client alone would try for most of a minute."""
    code = "from lseg.checkpoints.timm_hub import timm_source; timm_source('resnet10t')"
    environment = {
        "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "0",
        "PATH": "", "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2]),
    }  # fmt: skip
    begun = time.monotonic()
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert time.monotonic() - begun < 40
    first, *_, last = run.stderr.splitlines()
    assert first == "lseg: fetching timm's weights of resnet10t from http://127.0.0.1:9"
    assert "127.0.0.1:9 cannot be reached" in last


def test_timm_unpickles_no_code(tmp_path):
    """Relied on wherever backbone_weights is a file."""
    ran = tmp_path / "ran"
    path = write_zip(tmp_path / "x.pth", call(name("os", "system"), word(shell(ran))))
    with pytest.raises(CheckpointError, match="cannot be read"):
        pretrained_backbone(TRUNK, str(path))
    assert not ran.exists()


def test_timm_names_the_hub_of_its_weights():
    config = timm.get_pretrained_cfg("resnet101")
    assert config.hf_hub_id.startswith("timm/")
    assert timm.get_pretrained_cfg("cspresnet50d").hf_hub_id is None
