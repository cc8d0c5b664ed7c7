"""A short training in one of several processes; each leaves what it saw and where it ended.

torchrun ... fit_in_a_group.py FOLDER STRATEGY, where FOLDER is a pairs folder of 32-pixel pictures,
picture i of the grey level i, with `table.safetensors` for its labels.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import torch
from networks import CONV, WIDTH
from pytorch_lightning import Callback, Trainer

from lseg.config import LSegConfig, TextConfig
from lseg.data.base.transforms import AugmentConfig
from lseg.data.sets.pairs import PairsDataModule
from lseg.inference.sharding import leave_group
from lseg.training.linear_start import LinearStart
from lseg.training.module import LSegModule
from lseg.training.optim import OptimConfig


class Seen(Callback):
    """Notes the pictures of each epoch."""

    def __init__(self):
        self.epochs = []

    def on_train_epoch_start(self, trainer, module):
        self.epochs.append([])

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.epochs[-1] += batch["image"][:, 0, 0, 0].tolist()


def digest(net):
    state = sorted(net.state_dict().items())
    return hashlib.sha256(b"".join(value.numpy().tobytes() for _, value in state)).hexdigest()


def main(folder, strategy):
    torch.manual_seed(0)
    table = TextConfig(table=str(folder / "table.safetensors"))
    config = LSegConfig(CONV, text=table, embed_dim=WIDTH)
    start = LinearStart(batches=2, steps=5, pixels=64)
    module = LSegModule(config, OptimConfig("adamw", 1e-3), linear_start=start)
    before = digest(module.net)
    augment = AugmentConfig(crop=32, scale=(1, 1), flip=0)
    data = PairsDataModule(folder, augment=augment, batch_size=2)
    seen, world = Seen(), int(os.environ["WORLD_SIZE"])
    trainer = Trainer(
        accelerator="cpu", devices=world, strategy=strategy, max_epochs=2, logger=False,
        enable_progress_bar=False, enable_checkpointing=False, enable_model_summary=False,
        num_sanity_val_steps=0, callbacks=[seen],
    )  # fmt: skip
    trainer.fit(module, datamodule=data)
    found = {
        "seen": seen.epochs,
        "before": before,
        "after": digest(module.net),
        "miou": trainer.callback_metrics["val/val/miou"].item(),
    }
    (folder / f"rank{trainer.global_rank}.json").write_text(json.dumps(found))
    leave_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
