"""`lseg fit|validate|test`: Lightning's command line over this project's module and data."""

import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from lseg.data.base.datamodule import SegmentationDataModule
from lseg.inference.sharding import leave_group
from lseg.models.lseg import LSeg
from lseg.training.configs import with_bases
from lseg.training.module import LSegModule
from lseg.training.pictures import ValidationPictures
from lseg.training.result import Result

# Advice that does not apply here, and notices about libraries' insides.
HARMLESS = (
    ".*does not have many workers.*",
    ".*It is recommended to use `self.log.*sync_dist=True.*",  # metrics are summed before that
    ".*isinstance.treespec, LeafSpec.*",
    ".*Experiment logs directory.*exists and is not empty.*",
    ".*module.s. in eval mode at the start of training.*",
    ".*number of training batches.*is smaller than the logging interval.*",
)

HINTS = ("Tip:", "Tensor Cores")  # Lightning's; `precision` says what tensor cores are used for


class TrainingCLI(LightningCLI):
    """Adds what every run has: checkpoints, logs, validation pictures, and a result at the end."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Checkpoints of the best and the last epoch, by `--checkpoint.*`."""
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults({
            "checkpoint.filename": "best",
            "checkpoint.mode": "max",
            "checkpoint.save_last": True,
            "checkpoint.save_on_train_epoch_end": True,
            "checkpoint.enable_version_counter": False,
            "checkpoint.auto_insert_metric_name": False,
        })  # fmt: skip

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """A trainer with this project's logs, unless the configuration names others."""
        settings = self._get(self.config_init, "trainer")
        root = Path(settings.get("default_root_dir") or "runs")
        checkpoint = self._get(self.config_init, "checkpoint")
        checkpoint.dirpath = checkpoint.dirpath or str(root / "checkpoints")
        if settings.get("logger") in (None, True) and not settings.get("fast_dev_run"):
            tensorboard = TensorBoardLogger(root, name="logs")
            csv = CSVLogger(root, name="logs", version=f"version_{tensorboard.version}")
            kwargs["logger"] = [tensorboard, csv]
            kwargs["callbacks"] = [LearningRateMonitor("step"), ValidationPictures()]
        return super().instantiate_trainer(**kwargs)

    def before_fit(self) -> None:
        """Notes the time."""
        self.started = time.monotonic()

    def after_fit(self) -> None:
        """Evaluates the best weights, and leaves a model folder, a picture and `result.json`."""
        seconds = time.monotonic() - self.started
        if self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        best = self.trainer.checkpoint_callback.best_model_path  # type: ignore[union-attr]
        if self.trainer.num_val_batches and best:
            self.trainer.validate(self.model, self.datamodule, best, verbose=False)
        if self.trainer.is_global_zero:
            root = Path(self.trainer.default_root_dir)
            model = LSeg.from_pretrained(best) if best else self.model.net
            model.save_pretrained(root / "model")
            Result(self.model, self.datamodule, seconds, root).write()


def main(command: str, arguments: list[str]) -> None:
    """Runs `lseg <command> <arguments>`."""
    for harmless in HARMLESS:
        warnings.filterwarnings("ignore", message=harmless)
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(
        lambda record: not any(hint in record.getMessage() for hint in HINTS)
    )
    sys.argv = [
        "lseg",
        command,
        *with_bases(arguments),
    ]  # Lightning's parser reads it, and usage names it
    TrainingCLI(
        LSegModule,
        SegmentationDataModule,
        subclass_mode_data=True,
        seed_everything_default=0,
        save_config_kwargs={"overwrite": True},
    )
    leave_group()
