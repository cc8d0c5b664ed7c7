"""What this project takes for granted of Lightning; a release that changes it fails here first."""

from importlib.metadata import version

import pytest
import torch
from packaging.version import Version
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping, ModelCheckpoint

from lseg.data.base.sampler import EpochSampler, ExactSampler
from lseg.data.sets.shapes_data import ShapesDataModule
from lseg.training.checkpoints import CheckpointFiles, LastCheckpoint
from lseg.training.module import LSegModule
from lseg.training.optim import StepSchedule

LIGHTNING = Version(version("pytorch-lightning"))
QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


class Notes(Callback):
    """What is seen in the hooks of a run."""

    def __init__(self):
        self.seen = []

    def on_train_start(self, trainer, module):
        self.seen.append(("start", trainer.fit_loop.batch_idx, trainer.fit_loop.epoch_loop))

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        loop = trainer.fit_loop.epoch_loop
        self.seen.append((trainer.current_epoch, batch_idx, loop._batches_that_stepped))

    def on_validation_start(self, trainer, module):
        self.seen.append(("validation", module.training, torch.is_grad_enabled()))


def fit(network, data, *callbacks, resume=None, **options):
    module = LSegModule(network, loss_stride=4, freeze_backbone_norm=True)
    keep = any(isinstance(callback, Checkpoint) for callback in callbacks)
    trainer = Trainer(**QUIET, enable_checkpointing=keep, callbacks=list(callbacks), **options)
    trainer.fit(module, datamodule=data, ckpt_path=resume)
    return trainer


def test_batches_are_counted_from_nought_in_each_epoch(network, data):
    notes = Notes()
    fit(network, data, notes, max_epochs=2, limit_val_batches=0)
    start, *batches = notes.seen
    assert start[1] == -1  # so many batches are done: one more
    assert batches == [(0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 1, 3)]


def test_steps_are_optimizer_steps_and_their_total_is_known(network, data):
    options = {"accumulate_grad_batches": 2, "limit_val_batches": 0}
    trainer = fit(network, data, max_epochs=3, **options)
    assert trainer.global_step == trainer.estimated_stepping_batches == 3
    trainer = fit(network, data, max_steps=2, **options)
    assert trainer.global_step == trainer.estimated_stepping_batches == 2
    schedule = trainer.lr_scheduler_configs[0].scheduler
    assert isinstance(schedule, StepSchedule)
    assert schedule.last_epoch == 2


def test_validation_runs_in_eval_mode_and_gives_the_modes_back(network, data):
    notes = Notes()
    trainer = fit(network, data, notes, max_epochs=1, num_sanity_val_steps=0)
    assert ("validation", False, False) in notes.seen
    module = trainer.lightning_module
    kind = torch.nn.modules.batchnorm._BatchNorm
    parts = module.net.trunk.backbone.modules()
    norms = [part.training for part in parts if isinstance(part, kind)]
    assert norms
    assert not any(norms)  # as they were frozen before the validation
    assert module.net.training


def test_samplers_are_told_the_epoch_and_left_in_place(network, data):
    trainer = fit(network, data, max_epochs=2, limit_val_batches=1)
    assert isinstance(trainer.train_dataloader.sampler, EpochSampler)
    assert trainer.train_dataloader.sampler.epoch == 1
    assert all(isinstance(loader.sampler, ExactSampler) for loader in trainer.val_dataloaders)


def test_checkpoint_callbacks_run_last_and_in_their_order(tmp_path):
    best, last, stop = ModelCheckpoint(tmp_path), LastCheckpoint(tmp_path), EarlyStopping("x")
    trainer = Trainer(**QUIET, callbacks=[best, last, stop])
    order = [trainer.callbacks.index(callback) for callback in (stop, best, last)]
    assert order == sorted(order)
    assert trainer.checkpoint_callback is best


@pytest.mark.skipif(Version("2.6") > LIGHTNING, reason="before, it was the last")
def test_its_own_last_is_written_with_a_new_best_alone(network, data, tmp_path):
    """Should `save_last` come to mean the last again, LastCheckpoint can go."""
    best = ModelCheckpoint(
        tmp_path, "best", "train/loss", mode="max", save_last=True, save_on_train_epoch_end=True
    )
    fit(network, data, best, max_epochs=3, limit_val_batches=0)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == 2


def test_files_are_written_and_read_by_the_plugin(network, data, tmp_path):
    class Counted(CheckpointFiles):
        calls = ()

        def save_checkpoint(self, *args, **options):
            Counted.calls += ("save",)
            super().save_checkpoint(*args, **options)

        def load_checkpoint(self, *args, **options):
            Counted.calls += ("load",)
            return super().load_checkpoint(*args, **options)

    options = {"limit_val_batches": 0, "plugins": [Counted()]}
    fit(network, data, LastCheckpoint(tmp_path), max_epochs=1, **options)
    fit(network, data, max_epochs=2, resume=tmp_path / "last.ckpt", **options)
    assert Counted.calls == ("save", "load")


def test_counters_can_be_changed_before_they_are_restored(network, data, tmp_path):
    """`LSegModule.on_load_checkpoint` sets them; the run begins where they say."""
    options = {"limit_val_batches": 0}
    trainer = fit(network, data, max_epochs=1, **options)
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    state = torch.load(tmp_path / "x.ckpt", weights_only=True)
    counters = state["loops"]["fit_loop"]
    counters["epoch_progress"]["current"].update(ready=1, processed=0, completed=0)
    counters["epoch_loop.batch_progress"]["is_last_batch"] = False
    counters["epoch_loop.batch_progress"]["current"]["ready"] = 1
    torch.save(state, tmp_path / "x.ckpt")
    notes = Notes()
    fit(network, data, notes, max_epochs=1, resume=tmp_path / "x.ckpt", **options)
    assert [note[:2] for note in notes.seen[1:]] == [(0, 1)]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_that_is_none_of_torch_is_taken(network, workers):
    data = ShapesDataModule(train_length=8, val_length=1, size=32, batch_size=4, workers=workers)
    trainer = fit(network, data, max_epochs=1, limit_val_batches=0)
    assert trainer.num_training_batches == 2
    assert trainer.global_step == 2
