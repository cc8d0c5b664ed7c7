"""Tiny real models for every test: width 32, four blocks, one thread."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here may need a network
os.environ["OMP_NUM_THREADS"] = "1"  # also in the commands that tests start

import pytest
import torch
from needs import REASONS

from lseg.config import LSegConfig, TextConfig, TrunkConfig

torch.set_num_threads(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """A test is skipped for one of the reasons of `needs`, or it fails."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(REASONS):
            report.outcome, report.longrepr = "failed", f"skipped for no known reason: {reason}"
    return report


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def cache_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSEG_CACHE", str(folder))
        yield folder


@pytest.fixture
def tiny_vit_config():
    """A ViT with patches of 16 and a class token; embeddings are 24 wide, at half resolution."""
    options = {"depth": 4, "embed_dim": 32, "num_heads": 2, "img_size": 64}
    trunk = TrunkConfig("vit_tiny_patch16_224", options, (0, 1, 2, 3), (8, 16, 24, 32), features=16)
    return LSegConfig(trunk, text=TextConfig("tiny", None), embed_dim=24)


@pytest.fixture
def tiny_conv_config():
    """A ResNet of four blocks; embeddings are 24 wide, at half resolution."""
    trunk = TrunkConfig(
        "resnet10t", {"channels": [8, 16, 24, 32]}, (1, 2, 3, 4), (8, 16, 24, 32), "ignore", 16
    )
    return LSegConfig(trunk, text=TextConfig("tiny", None), embed_dim=24)
