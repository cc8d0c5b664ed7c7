"""Folders of published encoders: by Hub name, without a network, damaged, and with code inside."""

import json
import socket

import pytest
import torch
from encoders import open_clip_folder, transformers_folder
from hub_server import Hub
from safetensors.torch import load_file, save_file

import lseg
from lseg.errors import CheckpointError, ConfigError
from lseg.models.aligned.network import AlignedEncoder
from lseg.store.aligned.layouts import layout_of
from lseg.store.location import hub_id


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders in both layouts, to be copied."""
    root = tmp_path_factory.mktemp("made")
    open_clip_folder(root / "open_clip")
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


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A server with the Hub's interface and an empty cache; both are the client's from now on."""
    from huggingface_hub import constants

    server = Hub()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", server.address)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub._snapshot_download.HF_HUB_CACHE", None, raising=False)
    yield server
    server.close()
