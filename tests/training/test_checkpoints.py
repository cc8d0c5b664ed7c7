"""Which files a run keeps, when it writes them, and how they are found and read again."""

import os
import resource
import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from pickles import call, name, shell, word, write_zip
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint

from lseg.cli import main
from lseg.errors import CheckpointError, OutputError
from lseg.store.lightning import read_training, write_training
from lseg.training.checkpoints import CheckpointFiles, LastCheckpoint, find_checkpoint
from lseg.training.module import LSegModule

QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


class Look(Checkpoint):
    """Compares last.ckpt with where the run is; runs after the others, as they were given."""

    def __init__(self, path):
        self.path = path
        self.seen = []

    def look(self, trainer):
        if not trainer.sanity_checking:
            steps = read_training(self.path)["global_step"] if self.path.is_file() else None
            self.seen.append((trainer.global_step, steps))

    def on_train_batch_end(self, trainer, *_):
        self.look(trainer)

    def on_validation_end(self, trainer, pl_module):
        if not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self.look(trainer)

    def on_train_epoch_end(self, trainer, pl_module):
        self.look(trainer)


def watched(network, data, tmp_path, best=None, last=None, **options):
    best = best or ModelCheckpoint(
        tmp_path, "best", "train/loss", mode="max", enable_version_counter=False
    )
    look = Look(tmp_path / "last.ckpt")
    callbacks = [best, LastCheckpoint(tmp_path, **(last or {})), look]
    trainer = Trainer(**QUIET, plugins=[CheckpointFiles()], callbacks=callbacks, **options)
    trainer.fit(LSegModule(network, loss_stride=4), datamodule=data)
    return look.seen


def test_last_is_the_last_though_none_is_better(network, data, tmp_path):
    """The loss only falls, so that the first epoch stays the best one."""
    seen = watched(network, data, tmp_path, max_epochs=4)
    assert seen == [(1, None), (2, None), (2, 2), (3, 2), (4, 2), (4, 4), (5, 4), (6, 4), (6, 6),
                    (7, 6), (8, 6), (8, 8)]  # fmt: skip
    best, last = (read_training(tmp_path / f"{name}.ckpt") for name in ("best", "last"))
    assert (best["global_step"], last["global_step"]) == (2, 8)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"max_steps": 3}, [(2, 2), (3, 3)]),
        ({"max_epochs": 1, "val_check_interval": 1}, [(1, 1), (2, 2)]),
        ({"max_epochs": 2, "limit_val_batches": 0}, [(2, 2), (4, 4)]),
        ({"max_epochs": 3, "check_val_every_n_epoch": 3}, [(2, 2), (4, 4), (6, 6)]),
        ({"max_epochs": 2, "last": {"every_n_train_steps": 1}}, [(n, n) for n in (1, 2, 2, 3, 4)]),
        ({"max_epochs": 1, "last": {"train_time_interval": timedelta(0)}}, [(1, 1), (2, 2)]),
        ({"max_epochs": 1, "fast_dev_run": True}, []),
    ],
)
def test_last_is_written_after_each_epoch_and_validation(network, data, tmp_path, options, wanted):
    seen = watched(network, data, tmp_path, **options)
    assert [pair for pair in dict.fromkeys(seen) if pair[0] == pair[1]] == list(
        dict.fromkeys(wanted)
    )


def test_last_knows_the_best_score_so_far(network, data, tmp_path):
    watched(network, data, tmp_path, max_epochs=2)
    (state,) = [
        value
        for key, value in read_training(tmp_path / "last.ckpt")["callbacks"].items()
        if key.startswith("ModelCheckpoint")
    ]
    assert Path(state["best_model_path"]) == tmp_path / "best.ckpt"
    assert state["best_model_score"] > 0


def test_early_stopping_of_a_configuration_is_not_forgotten(config, tmp_path):
    stop = "[{class_path: pytorch_lightning.callbacks.EarlyStopping, init_args: {monitor: "
    stop += "train/loss, mode: max, patience: 1}}]"
    options = ["--trainer.max_epochs", "9", "--trainer.callbacks", stop]
    assert main(["fit", "--config", str(config), *options]) == 0
    assert read_training(tmp_path / "run" / "checkpoints" / "last.ckpt")["epoch"] < 5


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path):
    path = tmp_path / "last.ckpt"
    state = {"state_dict": {"x": torch.zeros(10)}, "lseg_config": {}}
    write_training(state, path)
    before = path.read_bytes()
    state["state_dict"]["x"] = torch.zeros(100_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"last\.ckpt cannot be written.*still whole"):
            write_training(state, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_what_a_killed_run_was_writing_is_cleared_away(network, data, tmp_path):
    partial = tmp_path / ".last.0123abcd.partial.ckpt"
    partial.write_bytes(b"half")
    watched(network, data, tmp_path, max_epochs=1)
    assert {path.name for path in tmp_path.iterdir()} == {"best.ckpt", "last.ckpt"}


def test_reading_a_checkpoint_runs_no_code(tmp_path):
    ran = tmp_path / "ran"
    path = write_zip(tmp_path / "x.ckpt", call(name("os", "system"), word(shell(ran))))
    with pytest.raises(CheckpointError, match="holds more than weights"):
        CheckpointFiles().load_checkpoint(path, weights_only=False)
    assert not ran.exists()


@pytest.fixture
def kept(tmp_path):
    """Three checkpoints, c the newest."""
    for age, letter in enumerate("cba"):
        write_training({"state_dict": {}, "lseg_config": {}}, tmp_path / f"{letter}.ckpt")
        moment = time.time() - 100 * age
        os.utime(tmp_path / f"{letter}.ckpt", (moment, moment))
    return tmp_path


def test_auto_finds_the_newest_valid_one(kept, capsys):
    assert find_checkpoint("auto", kept) == str(kept / "c.ckpt")
    content = (kept / "c.ckpt").read_bytes()
    (kept / "c.ckpt").write_bytes(content[: len(content) // 2])
    assert find_checkpoint("auto", kept) == str(kept / "b.ckpt")
    assert "c.ckpt is truncated" in capsys.readouterr().out
    assert find_checkpoint("auto", kept / "none") is None
    assert find_checkpoint(None, kept) is None


def test_files_are_found_by_name(kept, monkeypatch):
    (kept / "a.ckpt").rename(kept / "last.ckpt")
    assert find_checkpoint("last", kept) == str(kept / "last.ckpt")
    monkeypatch.setenv("HOME", str(kept))
    assert find_checkpoint("~/b.ckpt", kept / "x") == str(kept / "b.ckpt")


@pytest.mark.parametrize("asked", ["{}/lst.ckpt", "best", "{}", "https://x.org/a", "x" * 999])
def test_what_is_no_file_is_refused_with_those_that_are(kept, asked):
    with pytest.raises(CheckpointError) as caught:
        find_checkpoint(asked.format(kept), kept)
    assert "no checkpoint file" in str(caught.value)
    assert str(kept / "b.ckpt") in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
