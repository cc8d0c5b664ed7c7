"""What is wrong with a run's options and checkpoints is told in a line or two, with exit code 2."""

import pytest
import torch
import yaml
from pickles import call, name, shell, word, write_zip

from lseg.cli import main
from lseg.store.lightning import read_training, write_training
from lseg.training.messages import explain, option_keys


def refusal(capsys, *arguments):
    """The one line that a command ends with."""
    capsys.readouterr()
    assert main(list(arguments)) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("lseg:")]
    assert len(lines) == 1
    assert len(lines[0]) < 500
    return lines[0]


def changed(config, change):
    values = yaml.safe_load(config.read_text())
    change(values)
    config.write_text(yaml.safe_dump(values))
    return str(config)


@pytest.mark.parametrize(
    ("option", "value", "parts"),
    [
        ("model.network.trunk.featurs", 8, ["model.network.trunk.features"]),
        ("model.optim.lrate", 1, ["model.optim.lrate"]),
        ("model.los_stride", 1, ["model.loss_stride"]),
        ("trainer.max_epoch", 3, ["trainer.max_epochs"]),
        ("data.init_args.batchsize", 4, ["data.init_args.batch_size"]),
        ("checkpoint.monitr", "x", ["checkpoint.monitor"]),
        ("trainr.max_epochs", 3, ["trainer.max_epochs"]),
        ("model.optim.lr", "fast", ["fast", "float"]),
        ("trainer.max_epochs", "three", ["three", "int"]),
        ("model.network.embed_dim", "wide", ["wide", "int"]),
        ("model.optim.name", "adam", ["adam", "'sgd', 'adamw'"]),
        ("model.network.trunk.readout", "multiply", ["multiply", "'ignore', 'add', 'project'"]),
        ("data.class_path", "lseg.data.Shapes", ["lseg.data.Shapes", "ShapesDataModule"]),
        ("data.class_path", "Shapes", ["is Shapes", "ShapesDataModule"]),
        ("data.class_path", "lseg.training.module.LSegModule", ["no data module"]),
        ("trainer.accelerator", "gpuu", ["gpuu", "cpu"]),
        ("checkpoint.monitor", "val/sen/miou", ["val/sen/miou", "val/seen/miou", "train/loss"]),
        ("model.network.trunk.backbone", "resnet9t", ["resnet9t", "timm"]),
        ("model.loss_stride", 3, ["loss_stride is 3"]),
        ("trainer.max_epochs", -1, ["max_epochs", "needs an end"]),
    ],
)
def test_a_wrong_option_is_named_with_what_is_near(config, capsys, tmp_path, option, value, parts):
    line = refusal(capsys, "fit", "--config", str(config), f"--{option}", str(value))
    assert all(part in line for part in parts), line
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize(
    ("option", "value", "parts"),
    [
        ("model.network.trunk.featurs", 8, ["model.network.trunk.features"]),
        ("trainer.max_epoch", 3, ["trainer.max_epochs"]),
        ("data.init_args.batchsize", 4, ["data.init_args.batch_size"]),
        ("data.class_path", "lseg.data.Shapes", ["lseg.data.Shapes", "ShapesDataModule"]),
        ("model.optim.lr", "fast", ["fast", "float"]),
        ("trainr.max_epochs", 3, ["trainer.max_epochs"]),
    ],
)
def test_a_wrong_line_of_a_file_is_named_with_what_is_near(config, capsys, option, value, parts):
    def change(values):
        *path, last = option.split(".")
        for part in path:
            values = values.setdefault(part, {})
        values[last] = value

    line = refusal(capsys, "fit", "--config", changed(config, change))
    assert all(part in line for part in parts), line


def test_a_wrong_configuration_is_named(config, capsys, tmp_path):
    assert "mising.yaml" in refusal(capsys, "fit", "--config", str(tmp_path / "mising.yaml"))
    assert "data is missing" in refusal(capsys, "fit")
    assert "--config" in refusal(capsys, "fit", "--config")
    assert "near it: config" in refusal(capsys, "fit", "--confg", str(config))
    line = refusal(capsys, "fit", "--config", changed(config, lambda v: v.update(model=3)))
    assert "model is 3" in line
    config.write_text("model: [")
    assert "is no YAML" in refusal(capsys, "fit", "--config", str(config))


def test_a_class_that_a_module_lacks_is_named(config, capsys):
    stop = "[{class_path: pytorch_lightning.callbacks.EarlyStoping}]"
    line = refusal(capsys, "fit", "--config", str(config), "--trainer.callbacks", stop)
    assert "trainer.callbacks" in line
    assert "EarlyStoping" in line


def test_a_message_that_nobody_knows_is_one_line():
    assert explain("first\n  second " + "x" * 9999).startswith("first second xxx")
    assert len(explain("x" * 9999)) < 500


def test_keys_are_those_of_every_part():
    keys = option_keys()
    for key in ("trainer.max_steps", "model.optim.lr", "model.network.trunk.features",
                "data.init_args.seed", "checkpoint.monitor", "resume"):  # fmt: skip
        assert key in keys


@pytest.fixture
def trained(config, tmp_path):
    assert main(["fit", "--config", str(config)]) == 0
    return tmp_path / "run" / "checkpoints" / "last.ckpt"


def test_a_wrong_checkpoint_is_named(config, trained, tmp_path, capsys):
    def said(command="fit", *more):
        wrong = str(tmp_path / "wrong.ckpt")
        return refusal(capsys, command, "--config", str(config), "--ckpt_path", wrong, *more)

    wrong = tmp_path / "wrong.ckpt"
    assert "wrong.ckpt; near it" in said()
    wrong.write_bytes(trained.read_bytes()[:5000])
    assert "truncated" in said()
    assert "truncated" in said("validate")
    ran = tmp_path / "ran"
    write_zip(wrong, call(name("os", "system"), word(shell(ran))))
    assert "more than weights" in said("test")
    assert not ran.exists()
    torch.save({"state_dict": {}, "epoch": 3}, wrong)
    assert "was not written by this project" in said()
    wrong.write_bytes(trained.read_bytes())
    other = ("--model.network.trunk.features", "16")
    assert "wrong.ckpt is of another network: 'net." in said("fit", *other)
    assert "shape" in said("validate", *other)
    assert "was trained by adamw, model.optim.name is sgd" in said("fit", "--model.optim.name=sgd")
    state = read_training(trained)
    del state["optimizer_states"]
    write_training(state, wrong)
    assert "holds weights alone" in said()
    state["state_dict"].pop("net.project.bias")
    write_training(state, wrong)
    assert "lacks 'net.project.bias'" in said("test")
    assert "not both" in said("fit", "--resume", "auto")
