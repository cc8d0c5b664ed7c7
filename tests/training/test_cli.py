"""`lseg fit` end to end, on a tiny network and few pictures."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

import lseg
from lseg.cli import main
from lseg.config import LSegConfig
from lseg.store.lightning import read_training, write_training

ROOT = Path(__file__).parents[2]


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
    assert main(["fit", "--config", str(config), *typo]) == 2
    assert typo[0].rsplit(".", 1)[-1] in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_errors_of_the_configuration_are_one_line(config, capsys):
    assert main(["fit", "--config", str(config), "--model.loss_stride", "3"]) == 2
    assert "loss_stride is 3" in capsys.readouterr().err.splitlines()[-1]


def test_two_processes_count_every_validation_picture_once(config, tmp_path):
    options = ["--config", str(config), "--data.init_args.val_length", "5"]
    main(["fit", *options])
    best = str(tmp_path / "run" / "checkpoints" / "best.ckpt")
    command = [sys.executable, "-m", "lseg", "validate", *options, "--ckpt_path", best]
    one = figures(command)
    two = figures([*command, "--trainer.devices", "2", "--trainer.strategy", "ddp"])
    assert {"seen/miou", "seen/pixel_accuracy", "unseen/miou", "unseen/pixel_accuracy"} <= set(one)
    assert two == pytest.approx(one, rel=1e-6)  # as many digits as the table has


def figures(command):
    """What a run's table says; in a process of its own, where it is wide enough for all of it."""
    environment = {**os.environ, "COLUMNS": "200"}
    run = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, check=True, env=environment
    )
    printed = run.stdout
    found = re.findall(r"val/(\w+/\w+)\D+([\d.]+)", printed)
    return {name: float(figure) for name, figure in found}


def test_quickstart_trains_the_preset_tiny():
    values = yaml.safe_load((ROOT / "configs" / "quickstart.yaml").read_text())
    assert LSegConfig.from_dict(values["model"]["network"]) == LSegConfig.preset("tiny")


@pytest.mark.parametrize("form", [["--config", "~/config.yaml"], ["--config=~/config.yaml"]])
def test_the_home_folder_may_stand_anywhere(form, config, table, tmp_path, monkeypatch):
    """On the command line after `=`, and in the file, where no shell looks."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.safetensors").write_bytes(table.read_bytes())
    torch.save(timm.create_model("resnet10t", channels=[8, 8, 16, 16]).state_dict(), "weights.pt")
    values = yaml.safe_load(config.read_text())
    values["trainer"]["default_root_dir"] = "~/here"
    values["model"]["network"]["text"]["table"] = "~/table.safetensors"
    values["model"]["backbone_weights"] = "~/weights.pt"
    config.write_text(yaml.safe_dump(values))
    (tmp_path / "base.yaml").write_text(f"base: [~/{config.name}]\n")
    assert main(["fit", *form]) == 0
    assert (tmp_path / "here" / "model" / "config.json").is_file()
    assert (tmp_path / "here" / "checkpoints" / "last.ckpt").is_file()
    last = "--ckpt_path=~/here/checkpoints/last.ckpt"
    assert main(["validate", "--config=~/base.yaml", last]) == 0
    init = ["--model.init_from=~/here/model", "--model.backbone_weights=null"]
    assert main(["fit", *form, *init, "--trainer.fast_dev_run=true"]) == 0
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("schedule", ["poly", "onecycle"])
def test_a_loss_that_is_no_number_ends_in_one_line(schedule, config, tmp_path, capsys):
    options = ["--model.optim.lr", "1e5", "--model.optim.schedule", schedule]
    assert main(["fit", "--config", str(config), *options, "--trainer.max_epochs", "3"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("lseg:")]
    assert "the loss is" in line or "no longer finite" in line
    assert "model.optim.lr" in line
    if "batch" in line:
        assert load_file(tmp_path / "run" / "nonfinite_batch.safetensors").keys() >= {
            "image",
            "mask",
        }


def test_weights_that_are_no_numbers_replace_no_checkpoint(config, tmp_path, capsys):
    """One step an epoch: the last loss is still finite when the weights no longer are."""
    first = ["--config", str(config), "--data.init_args.train_length", "4"]
    assert main(["fit", *first]) == 0
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    state = read_training(last)
    next(iter(state["optimizer_states"][0]["state"].values()))["exp_avg"].fill_(float("nan"))
    write_training(state, tmp_path / "bad.ckpt")
    more = ["--trainer.max_epochs", "2", "--ckpt_path", str(tmp_path / "bad.ckpt")]
    assert main(["fit", *first, *more]) == 2
    assert "no longer finite at step 2" in capsys.readouterr().err
    assert last.read_bytes() == before


def test_timm_weights_without_a_network_are_one_line(config, capsys):
    options = ["--model.backbone_weights", "timm", "--model.network.trunk.backbone_options={}"]
    assert main(["fit", "--config", str(config), *options]) == 2
    assert "timm's weights of resnet10t" in capsys.readouterr().err.splitlines()[-1]


def test_a_run_stopped_and_taken_up_by_the_command_ends_alike(config, tmp_path):
    """By `--resume auto`, in and between epochs, with a monitor that does not improve."""

    def fit(folder, steps, *more):
        options = ["--trainer.log_every_n_steps", "1", "--trainer.max_steps", str(steps)]
        options += ["--trainer.default_root_dir", str(tmp_path / folder)]
        options += ["--trainer.val_check_interval", "1", "--trainer.max_epochs", "-1"]
        options += ["--model.optim.schedule", "constant", "--checkpoint.monitor", "train/loss"]
        assert main(["fit", "--config", str(config), *options, *more]) == 0
        return read_training(tmp_path / folder / "checkpoints" / "last.ckpt")

    whole = fit("whole", 5)
    for steps in (2, 3, 5):
        parts = fit("parts", steps, "--resume", "auto")
        assert parts["global_step"] == steps
    for name, value in whole["state_dict"].items():
        assert torch.equal(parts["state_dict"][name], value), name
    assert logged_steps(tmp_path / "parts") == logged_steps(tmp_path / "whole") == [0, 1, 2, 3, 4]


def logged_steps(folder):
    rows = []
    for table in sorted(folder.glob("logs/*/metrics.csv")):
        heads, *lines = [line.split(",") for line in table.read_text().splitlines()]
        step, loss = heads.index("step"), heads.index("train/loss")
        rows += [int(line[step]) for line in lines if line[loss]]
    return rows
