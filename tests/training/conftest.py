"""A tiny real network, label vectors in a table, and a few drawn pictures."""

import sys

import pytest
import torch
import yaml
from networks import CONV, WIDTH, save_table

from lseg.config import LSegConfig, TextConfig
from lseg.data.base.datamodule import SegmentationDataModule
from lseg.data.sets.shapes import CLASSES
from lseg.data.sets.shapes_data import ShapesDataModule
from lseg.training.cli import TrainingCLI
from lseg.training.configs import with_bases
from lseg.training.module import LSegModule


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "table.safetensors"
    names = ["background", *CLASSES]
    generator = torch.Generator().manual_seed(0)
    return save_table(path, names, generator=generator)


@pytest.fixture
def network(table):
    return LSegConfig(CONV, text=TextConfig(table=str(table)), embed_dim=WIDTH)


@pytest.fixture
def data():
    return ShapesDataModule(train_length=8, val_length=2, size=32, batch_size=4, val_batch_size=2)


@pytest.fixture
def build(monkeypatch):
    """What `lseg fit` with some arguments builds, before it trains."""
    monkeypatch.setattr(sys, "argv", ["lseg"])  # Lightning warns where both have arguments

    def build(*arguments):
        return TrainingCLI(
            LSegModule,
            SegmentationDataModule,
            subclass_mode_data=True,
            seed_everything_default=0,
            run=False,
            args=with_bases([*map(str, arguments), "--trainer.accelerator=cpu"]),
        )

    return build


@pytest.fixture
def config(network, tmp_path):
    values = {
        "model": {
            "network": network.to_dict(),
            "optim": {"name": "adamw", "lr": 0.001, "decoder_factor": 1.0},
        },
        "data": {
            "class_path": "lseg.data.ShapesDataModule",
            "init_args": {
                "train_length": 8, "val_length": 2, "size": 32, "batch_size": 4,
                "val_batch_size": 2,
            },
        },
        "trainer": {
            "default_root_dir": str(tmp_path / "run"), "accelerator": "cpu", "max_epochs": 1,
            "enable_progress_bar": False,
        },
        "checkpoint": {"monitor": "val/seen/miou"},
    }  # fmt: skip
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
