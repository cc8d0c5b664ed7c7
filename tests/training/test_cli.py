"""`lseg fit` end to end, on a tiny network and few pictures."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import lseg
from lseg.cli import main
from lseg.config import LSegConfig

ROOT = Path(__file__).parents[2]


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


def test_fit_leaves_a_model_a_picture_figures_and_logs(config, tmp_path, capsys):
    assert main(["fit", "--config", str(config)]) == 0
    run = tmp_path / "run"
    result = json.loads((run / "result.json").read_text())
    model = lseg.load_model(run / "model")
    checkpoint = lseg.load_model(run / "checkpoints" / "last.ckpt")
    assert {"seen_miou", "unseen_miou", "train_seconds"} <= result.keys()
    assert 0 <= result["unseen_miou"] <= 100
    assert model.config == checkpoint.config
    assert len(model.config.labels) == 28
    with Image.open(run / "predictions.png") as picture:
        assert np.asarray(picture).std() > 0
    logs = run / "logs" / "version_0"
    assert "val/unseen/miou" in (logs / "metrics.csv").read_text()
    assert list(logs.glob("events.out.tfevents*"))
    assert "unseen" in capsys.readouterr().out


def test_validate_gives_the_figures_of_the_training(config, tmp_path, capsys):
    main(["fit", "--config", str(config), "--model.optim.lr", "0.01", "--trainer.max_epochs", "6"])
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    capsys.readouterr()
    best = str(tmp_path / "run" / "checkpoints" / "best.ckpt")
    main(["validate", "--config", str(config), "--ckpt_path", best])
    printed = re.search(r"val/seen/pixel_accuracy\D+([\d.]+)", capsys.readouterr().out)
    assert result["seen_pixel_accuracy"] > 10
    assert float(printed[1]) == pytest.approx(result["seen_pixel_accuracy"] / 100, rel=1e-4)


@pytest.mark.parametrize(
    "typo",
    [
        ["--model.network.trunk.featurs", "8"],
        ["--model.optim.lr", "fast"],
        ["--data.init_args.batchsize", "4"],
        ["--model.network.trunk.readout", "multiply"],
    ],
)
def test_typos_are_refused(config, typo, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "--config", str(config), *typo])
    assert stopped.value.code == 2
    assert typo[0].rsplit(".", 1)[-1] in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_errors_of_the_configuration_are_one_line(config, capsys):
    assert main(["fit", "--config", str(config), "--model.loss_stride", "3"]) == 2
    assert "loss_stride is 3" in capsys.readouterr().err.splitlines()[-1]


def test_two_processes_count_every_validation_picture_once(config, tmp_path, capsys):
    options = ["--config", str(config), "--data.init_args.val_length", "5"]
    main(["fit", *options])
    best = str(tmp_path / "run" / "checkpoints" / "best.ckpt")
    capsys.readouterr()
    main(["validate", *options, "--ckpt_path", best])
    one = figures(capsys.readouterr().out)
    command = [sys.executable, "-m", "lseg", "validate", *options, "--ckpt_path", best]
    command += ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    two = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert len(one) >= 4
    assert figures(two.stdout) == one


def figures(printed):
    return re.findall(r"val/(\w+/\w+)\D+([\d.]+)", printed)


def test_quickstart_trains_the_preset_tiny():
    values = yaml.safe_load((ROOT / "configs" / "quickstart.yaml").read_text())
    assert LSegConfig.from_dict(values["model"]["network"]) == LSegConfig.preset("tiny")
