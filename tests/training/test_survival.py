"""Trainings that are killed, stopped, or given broken things: nothing is lost, all ends alike."""

import json
import os
import random
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from drawing import draw
from killable import Command, die_in_the_second_checkpoint
from PIL import Image

from lseg.cli import main
from lseg.store.lightning import read_training

STEPS = 24


@pytest.fixture
def long_run(config):
    """A run of many steps, with a checkpoint after each."""
    values = yaml.safe_load(config.read_text())
    values["trainer"] |= {"max_epochs": STEPS // 4, "logger": False, "enable_model_summary": False}
    values["data"]["init_args"] |= {"train_length": 16, "val_length": 1, "val_batch_size": 1}
    values["checkpoint"] |= {"every_n_train_steps": 1, "monitor": "train/loss", "mode": "min"}
    config.write_text(yaml.safe_dump(values))
    return config


def fit(config, folder, *more):
    root = ["--trainer.default_root_dir", folder]
    return ["fit", "--config", config, "--resume", "auto", *root, *more]


def weights(folder):
    return (folder / "model" / "model.safetensors").read_bytes()


def written(folder):
    """When the last checkpoint was written; None before there is one."""
    path = folder / "checkpoints" / "last.ckpt"
    return path.stat().st_mtime_ns if path.exists() else None


def go_on(command, folder, checkpoints):
    """Waits until a run has written some checkpoints more."""
    seen = {written(folder)}
    return command.wait_until(lambda: seen.add(written(folder)) or len(seen) > checkpoints)


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_with_the_weights_of_one_that_was_not(long_run, tmp_path):
    """Six kills at random moments, one in the middle of a checkpoint, and a sleep."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    undisturbed = Command(fit(long_run, whole), tmp_path / "whole.txt")
    dice = random.Random(0)
    command = Command(
        fit(long_run, broken), tmp_path / "0.txt", prepare=die_in_the_second_checkpoint
    )
    assert command.wait() == -signal.SIGKILL
    assert len(list(broken.glob("checkpoints/.*.partial.ckpt"))) == 1
    for number in range(1, 7):
        command = Command(fit(long_run, broken), tmp_path / f"{number}.txt")
        assert go_on(command, broken, dice.randint(1, 3))
        time.sleep(dice.random() * 0.1)
        if number == 3:  # a machine that sleeps
            os.kill(command.process.pid, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(command.process.pid, signal.SIGCONT)
        assert command.kill() == -signal.SIGKILL
        for path in broken.glob("checkpoints/[!.]*.ckpt"):
            assert 0 < read_training(path)["global_step"] < STEPS
    command = Command(fit(long_run, broken), tmp_path / "last.txt")
    assert command.wait() == undisturbed.wait() == 0
    assert "going on from" in command.printed
    assert weights(broken) == weights(whole)
    assert read_training(broken / "checkpoints" / "last.ckpt")["global_step"] == STEPS
    assert list(broken.glob("checkpoints/.*")) == []


def test_ctrl_c_says_how_to_go_on(long_run, tmp_path):
    folder = tmp_path / "run"
    command = Command(fit(long_run, folder), tmp_path / "out.txt")
    assert command.wait_until(lambda: written(folder))
    assert command.kill(signal.SIGINT) == 130
    (line,) = re.findall("^lseg: .*$", command.printed, re.MULTILINE)
    assert "interrupted: the same command with --resume auto goes on from" in line
    assert str(folder / "checkpoints") in line
    assert "Traceback" not in command.printed
    assert not (folder / ".lseg.lock").exists()


def test_a_second_run_keeps_out_of_the_folder_of_the_first(long_run, tmp_path, capsys):
    """And may have it the moment after a kill, though workers of the first may yet live."""
    folder = tmp_path / "run"
    workers = ["--data.init_args.workers", "2"]
    first = Command(fit(long_run, folder, *workers), tmp_path / "out.txt")
    assert first.wait_until(lambda: written(folder))
    first.stop()
    assert main([str(word) for word in fit(long_run, folder)]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("lseg:")]
    assert f"process {first.process.pid}" in line
    assert f"{folder} is being written by another run (lseg" in line
    first.kill()
    second = Command(fit(long_run, folder, "--trainer.max_epochs", 1), tmp_path / "second.txt")
    assert second.wait() == 0


def test_a_worker_that_dies_ends_in_one_line(long_run, tmp_path):
    folder = tmp_path / "run"
    workers = ["--data.init_args.workers", "1"]
    command = Command(fit(long_run, folder, *workers), tmp_path / "out.txt")
    assert command.wait_until(lambda: written(folder))
    (worker, *_) = children(command.process.pid)
    os.kill(worker, signal.SIGKILL)
    assert command.wait() == 2
    (line,) = re.findall("^lseg: .*$", command.printed, re.MULTILINE)
    assert "a worker process that reads pictures died" in line
    assert "Traceback" not in command.printed
    assert read_training(folder / "checkpoints" / "last.ckpt")["global_step"] > 0


def children(process):
    listed = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(number) for number in listed.split()]


@pytest.fixture
def photos(tmp_path, table):
    """Eight pictures of two classes, the sixth of them cut off in the middle."""
    root = tmp_path / "photos"
    root.mkdir()
    rng = np.random.default_rng(0)
    lines = []
    for number in range(8):
        Image.fromarray(draw(40, 40, seed=number)).save(root / f"{number}.jpg")
        Image.fromarray(rng.integers(0, 2, (40, 40), np.uint8)).save(root / f"{number}.png")
        lines.append(f"{number}.jpg {number}.png\n")
    content = (root / "5.jpg").read_bytes()
    (root / "5.jpg").write_bytes(content[: len(content) // 2])
    (root / "classes.txt").write_text("red circle\nblue square\n")
    (root / "train.txt").write_text("".join(lines))
    (root / "val.txt").write_text(lines[0])
    return root


@pytest.fixture
def on_photos(config, photos):
    values = yaml.safe_load(config.read_text())
    init = {"root": str(photos), "augment": {"crop": 32}, "batch_size": 2}
    values["data"] = {"class_path": "lseg.data.PairsDataModule", "init_args": init}
    values["checkpoint"]["monitor"] = "val/val/miou"
    config.write_text(yaml.safe_dump(values))
    return config


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupt_picture_is_named(on_photos, photos, workers, capsys):
    options = ["--data.init_args.workers", str(workers)]
    assert main(["fit", "--config", str(on_photos), *options]) == 2
    err = capsys.readouterr().err
    (line,) = [line for line in err.splitlines() if line.startswith("lseg:")]
    assert str(photos / "5.jpg") in line
    assert "Traceback" not in err


def test_a_corrupt_picture_is_passed_over_and_counted(on_photos, photos, tmp_path, capfd):
    """Alike whatever the workers."""
    results = []
    for workers in (0, 2):
        options = ["--data.init_args.on_error", "skip", "--data.init_args.workers", str(workers)]
        options += ["--trainer.default_root_dir", str(tmp_path / str(workers))]
        options += ["--trainer.max_epochs", "2"]
        assert main(["fit", "--config", str(on_photos), *options]) == 0
        result = json.loads((tmp_path / str(workers) / "result.json").read_text())
        assert result["passed_over"] == 2  # once an epoch
        assert f"passed over, as data.on_error says: {photos / '5.jpg'}" in capfd.readouterr().err
        results.append(weights(tmp_path / str(workers)))
    assert results[0] == results[1]


def test_only_corrupt_pictures_end_the_run_all_the_same(on_photos, photos, capsys):
    for path in photos.glob("*.jpg"):
        path.write_bytes(b"no picture")
    options = ["--data.init_args.on_error", "skip", "--trainer.num_sanity_val_steps", "0"]
    assert main(["fit", "--config", str(on_photos), *options]) == 2
    assert "8 pictures in a row cannot be read" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_files_whatever_the_workers(config, tmp_path):
    for number, workers in enumerate((0, 0, 2)):
        options = ["--trainer.default_root_dir", str(tmp_path / str(number))]
        options += ["--data.init_args.workers", str(workers), "--trainer.max_epochs", "2"]
        assert main(["fit", "--config", str(config), *options]) == 0
    first, *others = (weights(tmp_path / str(number)) for number in range(3))
    assert others == [first, first]
    assert main(["fit", "--config", str(config), "--data.init_args.seed", "1"]) == 0
    assert weights(tmp_path / "run") != first


@pytest.mark.parametrize("rate", ["1e30", "1e39", "inf", ".nan"])
def test_a_rate_that_trains_nothing_ends_in_one_line(config, rate, capsys):
    assert main(["fit", "--config", str(config), "--model.optim.lr", rate]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("lseg:")]
    assert "lr" in line


def test_a_result_says_what_it_is_of(on_photos, photos, capsys):
    (photos / "5.jpg").write_bytes((photos / "4.jpg").read_bytes())
    assert main(["fit", "--config", str(on_photos)]) == 0
    folder = yaml.safe_load(on_photos.read_text())["trainer"]["default_root_dir"]
    result = json.loads((Path(folder) / "result.json").read_text())
    (facts,) = result["trained_on"]
    sizes = [path.stat().st_size for path in photos.glob("*.[jp]*g")]
    assert (facts["files"]["files"], facts["files"]["bytes"]) == (16, sum(sizes))
    assert result["validated_on"]["val"]["files"] == 2
    assert result["passed_over"] == 0
    assert result["seed"] == 0
    assert "torch" in result["versions"]
