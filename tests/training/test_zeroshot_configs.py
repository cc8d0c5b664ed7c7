"""Every configuration in configs/zeroshot parses and builds."""

from pathlib import Path

import pytest

from lseg.config import LSegConfig
from lseg.data.fewshot.zeroshot import ZeroShotDataModule
from lseg.training.configs import read_config
from lseg.training.module import LSegModule

FOLDER = Path(__file__).parents[2] / "configs" / "zeroshot"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SMALL = [
    "--model.network.trunk.backbone=resnet10t",
    "--model.network.trunk.backbone_options={channels: [8, 8, 16, 16]}",
    "--model.network.trunk.levels=[1, 2, 3, 4]",
    "--model.network.trunk.level_widths=[8, 8, 16, 16]",
    "--model.network.trunk.readout=ignore",
    "--model.network.trunk.features=8",
    "--model.backbone_weights=null",
]


def test_there_is_one_for_every_fold_and_backbone():
    folds = [f"{name}_fold{k}" for name in ("pascal5i", "coco20i") for k in range(4)]
    wanted = [f"{name}_{net}" for name in [*folds, "fss1000"] for net in ("resnet101", "vitl16")]
    assert sorted(NAMES) == sorted([*wanted, *(f"shapes_fold{k}" for k in range(4))])


@pytest.mark.parametrize("name", NAMES)
def test_it_builds_with_a_small_backbone(name, build, tmp_path, monkeypatch):
    monkeypatch.setenv("LSEG_DATA", str(tmp_path))
    cli = build("--config", FOLDER / f"{name}.yaml", *SMALL)
    parts = name.split("_")
    data = cli.datamodule
    assert isinstance(data, ZeroShotDataModule)
    assert data.fold == (int(parts[1][-1]) if "fold" in parts[1] else 0)
    assert type(data.benchmark).__name__.lower().startswith(parts[0].rstrip("0123456789i"))
    assert cli.trainer.default_root_dir == f"runs/{name}"
    assert data.task == "two-way"
    assert data.validate == "seen"
    assert isinstance(cli.model, LSegModule)


@pytest.mark.parametrize("name", [name for name in NAMES if "shapes" not in name])
def test_networks_are_the_presets(name):
    values = read_config(FOLDER / f"{name}.yaml")
    preset = LSegConfig.preset(name.rsplit("_", 1)[-1])
    assert LSegConfig.from_dict(values["model"]["network"]) == preset
    assert any("EarlyStopping" in entry["class_path"] for entry in values["trainer"]["callbacks"])
