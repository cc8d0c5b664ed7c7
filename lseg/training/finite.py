"""Stops a run whose loss is no longer a number, with the batch kept for a look."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from safetensors.torch import save_file
from torch import Tensor, nn

from lseg.errors import TrainingError
from lseg.files import atomic_file

BATCH_FILE = "nonfinite_batch.safetensors"


class FiniteLoss(Callback):
    """Looks at the loss of each batch, before any checkpoint can be written."""

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: dict[str, Tensor],
        batch_idx: int,
    ) -> None:
        """Goes on, or stops.

        Raises:
            TrainingError: If the loss is NaN or infinite.
        """
        loss = outputs["loss"]
        if torch.isfinite(loss):
            return
        path = Path(trainer.default_root_dir) / BATCH_FILE
        with atomic_file(path) as partial:
            save_file({name: part.cpu().contiguous() for name, part in batch.items()}, partial)
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        raise TrainingError(
            f"the loss is {loss.item()} at batch {batch_idx} of epoch {trainer.current_epoch} "
            f"(learning rate {rate:.3g}): lower model.optim.lr, or set trainer.gradient_clip_val; "
            f"the batch is in {path}"
        )


def check_weights(module: nn.Module, step: int) -> None:
    """Refuses weights that are not finite, so that the checkpoint written before them stays.

    Raises:
        TrainingError: Naming the first one.
    """
    for name, weight in module.named_parameters():
        if not torch.isfinite(weight).all():
            raise TrainingError(
                f"the weight {name} is no longer finite at step {step}: lower model.optim.lr, or "
                "set trainer.gradient_clip_val; the last checkpoint stays as it was"
            )
