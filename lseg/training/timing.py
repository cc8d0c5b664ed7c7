"""How long steps take, and how much of that they wait for data."""

from time import monotonic
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from lseg.data.base.loader import TrainLoader

DATA_TIME = "train/data_seconds"
STEP_TIME = "train/step_seconds"


class StepTimes(Callback):
    """Logs the seconds of a batch, and those in which training stood still for want of data.

    Reading keeps up where the latter are next to nothing; else more workers help, or fewer pixels.
    Validation and checkpoints between two batches belong to neither. (On GPUs, whose work is only
    queued, a step shows its time once the queue is full.)
    """

    def __init__(self) -> None:
        """Starts nothing yet."""
        self.started = 0.0
        self.waited = 0.0

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Notes the time."""
        self.started = monotonic()
        loader = trainer.train_dataloader
        self.waited = loader.take_waited() if isinstance(loader, TrainLoader) else 0.0

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: dict[str, Tensor],
        batch_idx: int,
    ) -> None:
        """Logs both."""
        seconds = monotonic() - self.started + self.waited
        pl_module.log(DATA_TIME, self.waited, prog_bar=True, batch_size=1)
        pl_module.log(STEP_TIME, seconds, batch_size=1)
