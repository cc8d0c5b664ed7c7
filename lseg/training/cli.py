"""`lseg fit|validate|test`: Lightning's command line over this project's module and data."""

import logging
import signal
import sys
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from lseg.data.base.datamodule import SegmentationDataModule
from lseg.errors import ConfigError, LSegError
from lseg.inference.sharding import leave_group
from lseg.locks import folder_lock
from lseg.models.lseg import LSeg
from lseg.training.checkpoints import CheckpointFiles, LastCheckpoint, find_checkpoint, newest_first
from lseg.training.configs import with_bases
from lseg.training.finite import FiniteLoss
from lseg.training.messages import TrainingParser, one_line
from lseg.training.module import LSegModule
from lseg.training.monitors import check_monitors
from lseg.training.pictures import ValidationPictures
from lseg.training.result import Result
from lseg.training.timing import StepTimes

# Advice that does not apply here, and notices about libraries' insides.
HARMLESS = (
    ".*does not have many workers.*",
    ".*It is recommended to use `self.log.*sync_dist=True.*",  # metrics are summed before that
    ".*isinstance.treespec, LeafSpec.*",
    ".*Experiment logs directory.*exists and is not empty.*",
    ".*module.s. in eval mode at the start of training.*",
    ".*number of training batches.*is smaller than the logging interval.*",
    ".*your dataloader is not resumable.*",  # lseg.data.base.loader is, in a way of its own
    ".*Checkpoint directory .* exists and is not empty.*",  # as in every resumed run
)

HINTS = ("Tip:", "Tensor Cores")  # Lightning's; `precision` says what tensor cores are used for


class TrainingCLI(LightningCLI):
    """Adds what every run has: checkpoints, logs, validation pictures, and a result at the end."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Checkpoints of the best and the last epoch, by `--checkpoint.*`; `--resume`."""
        parser.add_argument(
            "--resume",
            type=str | None,
            help="Checkpoint to go on from: a file, last, best, or auto for the newest valid one "
            "of the run (from the start if there is none).",
        )
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults({
            "checkpoint.filename": "best",
            "checkpoint.mode": "max",
            "checkpoint.save_last": True,
            "checkpoint.enable_version_counter": False,
            "checkpoint.auto_insert_metric_name": False,
        })  # fmt: skip

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses; what jsonargparse cannot place at all is a wrong configuration, too.

        Raises:
            ConfigError: If something is unknown or of another type.
        """
        try:
            super().parse_arguments(parser, args)
        except LSegError:
            raise
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ConfigError(f"the configuration has a wrong form: {one_line(error)}") from error

    def _parse_ckpt_path(self) -> None:
        """Lightning reads hyperparameters here; a checkpoint of this project has none."""

    def before_instantiate_classes(self) -> None:
        """Looks at what the parser lets pass.

        Raises:
            ConfigError: If a part of the configuration holds no options.
        """
        for part in ("trainer", "model", "data", "checkpoint"):
            value = self._get(self.config, part)
            if not isinstance(value, Namespace):
                raise ConfigError(f"{part} is {value!r}: it must be a mapping of options to values")

    def instantiate_classes(self) -> None:
        """Makes trainer, module and data; jsonargparse wraps what their options' classes refuse.

        Raises:
            LSegError: If one refuses its arguments, in its own words.
        """
        try:
            super().instantiate_classes()
        except ValueError as error:
            if not isinstance(error, LSegError) and isinstance(error.__cause__, LSegError):
                raise error.__cause__ from error
            raise

    @property
    def root(self) -> Path:
        """Folder of the run."""
        settings = self._get(self.config_init, "trainer")
        return Path(settings.get("default_root_dir") or "runs").expanduser()

    @property
    def checkpoints(self) -> Path:
        """Folder of the run's checkpoints."""
        return Path(self.best.dirpath or self.root)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """A trainer with this project's checkpoints, and its logs unless others are configured.

        Raises:
            ConfigError: If Lightning refuses its arguments.
        """
        settings = self._get(self.config_init, "trainer")
        self.best: ModelCheckpoint = self._get(self.config_init, "checkpoint")
        self.best.dirpath = self.best.dirpath or str(self.root.resolve() / "checkpoints")
        last = LastCheckpoint(
            self.best.dirpath, self.best._every_n_train_steps, self.best._train_time_interval
        )
        callbacks = [*as_list(settings.get("callbacks")), FiniteLoss(), StepTimes()]
        if settings.get("logger") in (None, True) and not settings.get("fast_dev_run"):
            tensorboard = TensorBoardLogger(self.root, name="logs")
            csv = CSVLogger(self.root, name="logs", version=f"version_{tensorboard.version}")
            kwargs["logger"] = [tensorboard, csv]
            callbacks += [LearningRateMonitor("step"), ValidationPictures()]
        kwargs["callbacks"] = callbacks
        kwargs["plugins"] = [*as_list(settings.get("plugins")), CheckpointFiles()]
        kwargs["default_root_dir"] = str(self.root)
        wanted, self.best.save_last = self.best.save_last, False
        try:
            trainer = super().instantiate_trainer(**kwargs)
        except (MisconfigurationException, ValueError, TypeError) as error:
            raise ConfigError(f"trainer: {one_line(error)}") from error
        if wanted:
            trainer.callbacks.append(last)  # type: ignore[attr-defined]
        return trainer

    def after_instantiate_classes(self) -> None:
        """Finds the checkpoint that was asked for.

        Raises:
            CheckpointError: If there is none.
            ConfigError: If two are asked for.
        """
        if self.subcommand is None:
            return
        options = self.config_init[self.subcommand]
        if options.resume is not None and options.ckpt_path is not None:
            raise ConfigError("give --resume or --ckpt_path, not both")
        asked = options.ckpt_path if options.resume is None else options.resume
        options.ckpt_path = find_checkpoint(asked, self.checkpoints)

    def _run_subcommand(self, subcommand: str) -> None:
        """Keeps other runs from the folders of a training, and leaves Ctrl-C to the command line.

        Lightning ends the interpreter at Ctrl-C, and goes on to leave it unheard.

        Raises:
            InUseError: If another training writes there.
            KeyboardInterrupt: After Ctrl-C, with what there is then.
        """
        handler = signal.getsignal(signal.SIGINT)
        try:
            with ExitStack() as stack:
                if subcommand == "fit" and self.trainer.is_global_zero:
                    for folder in dict.fromkeys([self.root.resolve(), self.checkpoints.resolve()]):
                        stack.enter_context(folder_lock(folder))
                super()._run_subcommand(subcommand)
        except SystemExit as error:
            if not isinstance(error.__context__, KeyboardInterrupt):
                raise
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt(self._going_on()) from None

    def _going_on(self) -> str:
        """What an interrupted run leaves, and how to go on."""
        kept = newest_first(self.checkpoints)
        if not kept:
            return "no checkpoint has been written yet"
        return f"the same command with --resume auto goes on from {kept[0]}"

    def before_fit(self) -> None:
        """Looks at what callbacks wait for, and notes the time.

        Raises:
            ConfigError: If that is nothing that a validation logs.
        """
        if self.trainer.limit_val_batches:
            names = [name for name, _ in self.datamodule.val_sets]
            check_monitors(self.trainer, names, self.datamodule.mean_name)
        self.started = time.monotonic()

    def after_fit(self) -> None:
        """Evaluates the best weights, and leaves a model folder, a picture and `result.json`."""
        seconds = time.monotonic() - self.started
        if self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        best = self.best.best_model_path
        best = best if best and Path(best).is_file() else ""  # of another folder, and gone
        if self.trainer.num_val_batches and best:
            self.trainer.validate(self.model, self.datamodule, best, verbose=False)
        if self.trainer.is_global_zero:
            model = LSeg.from_pretrained(best) if best else self.model.trained
            model.save_pretrained(self.root / "model")
            Result(self.model, self.datamodule, seconds, self.root).write()


def as_list(value: Any) -> list[Any]:
    """A list of one, of many, or of none: Lightning takes each."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def main(command: str, arguments: list[str]) -> None:
    """Runs `lseg <command> <arguments>`.

    Raises:
        LSegError: If something that was given is wrong.
    """
    for harmless in HARMLESS:
        warnings.filterwarnings("ignore", message=harmless)
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(
        lambda record: not any(hint in record.getMessage() for hint in HINTS)
    )
    # Lightning's parser reads it, and usage names it.
    sys.argv = ["lseg", command, *with_bases(arguments)]
    try:
        TrainingCLI(
            LSegModule,
            SegmentationDataModule,
            subclass_mode_data=True,
            seed_everything_default=0,
            save_config_kwargs={"overwrite": True},
            parser_class=TrainingParser,
        )
    except MisconfigurationException as error:
        raise ConfigError(one_line(error)) from error
    leave_group()
