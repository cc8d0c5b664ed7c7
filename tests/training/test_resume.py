"""A run that goes on from a checkpoint ends with the weights of one that was never stopped."""

import pytest
import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import EMAWeightAveraging

from lseg.config import LSegConfig, TextConfig, TrunkConfig
from lseg.data.sets.shapes_data import ShapesDataModule
from lseg.models.lseg import LSeg
from lseg.training.module import LSegModule
from lseg.training.optim import OptimConfig
from lseg.training.resume import Position

QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
    "num_sanity_val_steps": 0,
}


@pytest.fixture
def network(table):
    """With random depth, so that equal weights need equal random numbers."""
    options = {"channels": [8, 8, 8, 8], "drop_path_rate": 0.5}
    trunk = TrunkConfig("resnet10t", options, (1, 2, 3, 4), (8, 8, 8, 8), "ignore", 8)
    return LSegConfig(trunk, text=TextConfig(table=str(table)), embed_dim=16)


class Keep(Callback):
    """Writes a checkpoint wherever one may be written."""

    def __init__(self, folder):
        self.folder = folder
        self.losses = {}
        self.kept = []

    def keep(self, trainer, hook):
        path = self.folder / f"{len(self.kept)}_{hook}_{trainer.global_step}.ckpt"
        trainer.save_checkpoint(path)
        self.kept.append(path)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        key = (trainer.current_epoch, batch_idx)
        self.losses[key] = outputs["loss"].item()
        if self.folder is not None:
            self.keep(trainer, "batch")

    def on_validation_end(self, trainer, pl_module):
        if self.folder is not None:
            self.keep(trainer, "validation")

    def on_train_epoch_end(self, trainer, pl_module):
        if self.folder is not None:
            self.keep(trainer, "epoch")


def run(network, optim, options, folder=None, resume=None, workers=0, others=()):
    torch.manual_seed(0)
    data = ShapesDataModule(
        train_length=10, val_length=1, size=32, batch_size=2, val_batch_size=1, workers=workers
    )
    module = LSegModule(network, optim, loss_stride=4)
    keep = Keep(folder)
    trainer = Trainer(**QUIET, **options, callbacks=[*others, keep])
    trainer.fit(module, datamodule=data, ckpt_path=resume)
    optimizer = trainer.optimizers[0].state_dict()
    return module.net.state_dict(), optimizer, keep, trainer


def same(first, second):
    return all(torch.equal(second[name], value) for name, value in first.items())


@pytest.mark.parametrize(
    ("optim", "options"),
    [
        (OptimConfig("adamw", 1e-3, schedule="onecycle"), {"max_steps": 8}),
        (OptimConfig("sgd", 1e-3, schedule="poly"), {"max_steps": 8, "val_check_interval": 2}),
        (OptimConfig("adamw", 1e-3, schedule="onecycle"), {"max_epochs": 2}),
        (
            OptimConfig("sgd", 1e-3, schedule="poly"),
            {"max_epochs": 2, "val_check_interval": 2, "accumulate_grad_batches": 3},
        ),
        (
            OptimConfig("adamw", 1e-3, schedule="onecycle"),
            {"max_steps": 5, "accumulate_grad_batches": 2, "check_val_every_n_epoch": 2},
        ),
        (
            OptimConfig("adamw", 1e-3),
            {"max_steps": 7, "val_check_interval": 3, "check_val_every_n_epoch": None},
        ),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_it_ends_alike_wherever_it_was_stopped(network, optim, options, tmp_path):
    weights, state, keep, _ = run(network, optim, options, tmp_path)
    assert len(keep.kept) >= 10
    for path in keep.kept:
        if "batch" in path.stem and "accumulate_grad_batches" not in options:
            continue  # as between two batches anywhere
        resumed, resumed_state, later, _ = run(network, optim, options, resume=path)
        assert later.losses.items() <= keep.losses.items(), path.stem
        assert same(weights, resumed), path.stem
        assert resumed_state["param_groups"] == state["param_groups"], path.stem
        for entry, wanted in zip(
            resumed_state["state"].values(), state["state"].values(), strict=True
        ):
            assert same(wanted, entry), path.stem


def test_averaged_weights_go_on_alike(network, tmp_path):
    """The average is what is stored as the network, and what is left at the end."""
    optim, options = OptimConfig("sgd", 1e-2), {"max_epochs": 2, "val_check_interval": 2}
    weights, _, keep, _ = run(
        network, optim, options, tmp_path, others=[EMAWeightAveraging(decay=0.7)]
    )
    plain, *_ = run(network, optim, options)
    assert not same(plain, weights)
    for path in keep.kept[:-1]:  # Lightning averages nothing where nothing is left to train
        if "batch" in path.stem:
            continue
        resumed, *_ = run(
            network, optim, options, resume=path, others=[EMAWeightAveraging(decay=0.7)]
        )
        assert same(weights, resumed), path.stem
    stored = LSeg.from_pretrained(keep.kept[-1]).state_dict()
    assert same(weights, stored)


def test_a_run_that_was_over_goes_on_to_more_steps(network, tmp_path):
    """Under a constant schedule the longer run is the one that was meant to be long."""
    optim = OptimConfig("adamw", 1e-3, schedule="constant")
    weights, *_ = run(network, optim, {"max_steps": 12})
    *_, keep, _ = run(network, optim, {"max_steps": 7}, tmp_path)
    assert keep.kept[-1].stem.endswith("epoch_7")  # in the middle of the second epoch
    resumed, *_ = run(network, optim, {"max_steps": 12}, resume=keep.kept[-1])
    assert same(weights, resumed)


@pytest.mark.parametrize("schedule", ["poly", "onecycle"])
@pytest.mark.parametrize(("options", "more"), [({"max_steps": 5}, {"max_steps": 9}),
                                               ({"max_epochs": 1}, {"max_epochs": 2})])  # fmt: skip
def test_every_schedule_goes_on_to_more(network, tmp_path, schedule, options, more):
    optim = OptimConfig("sgd", 1e-3, schedule=schedule)
    before, _, keep, _ = run(network, optim, options, tmp_path)
    before = {name: value.clone() for name, value in before.items()}
    weights, _, later, trainer = run(network, optim, more, resume=keep.kept[-1])
    assert trainer.global_step == (9 if "max_steps" in more else 10)
    assert len(later.losses) == trainer.global_step - 5
    assert not same(before, weights)


def test_workers_prepare_the_batches_of_the_resumed_epoch(network, tmp_path):
    """They begin before Lightning has read the checkpoint, if they are let."""
    optim = OptimConfig("sgd", 1e-3)
    options = {"max_epochs": 2, "val_check_interval": 3, "limit_val_batches": 1}
    weights, _, keep, _ = run(network, optim, options, tmp_path, workers=1)
    middle = next(path for path in keep.kept if path.stem.endswith("validation_8"))
    for path in (middle, next(path for path in keep.kept if path.stem.endswith("epoch_5"))):
        resumed, *_ = run(network, optim, options, resume=path, workers=1)
        assert same(weights, resumed)


def test_positions_are_told_apart_by_what_is_done():
    def loops(epochs, batches, last):
        def counts(number):
            return dict.fromkeys(("ready", "started", "processed", "completed"), number)

        return {
            "epoch_progress": {"total": counts(epochs), "current": counts(epochs)},
            "epoch_loop.batch_progress": {
                "total": counts(9), "current": counts(batches), "is_last_batch": last,
            },
        }  # fmt: skip

    assert Position.of(loops(0, 0, False)) == Position(0, 0)
    assert Position.of(loops(1, 2, False)) == Position(0, 2)
    assert Position.of(loops(1, 5, True)) == Position(1, 0)
    assert Position.of(loops(3, 1, False)) == Position(2, 1)
