"""Checkpoints of a run: written whole, the last one always, and found again."""

import difflib
import os
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.trainer.states import TrainerFn

from lseg.errors import CheckpointError
from lseg.files import clear_partial_files
from lseg.store.lightning import read_training, write_training

AUTO = "auto"
_NAMED = ("last", "best")


class CheckpointFiles(TorchCheckpointIO):
    """Files that appear whole or not at all, and are never unpickled."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Writes a file beside the one that it then replaces.

        Raises:
            OutputError: If it cannot be written; what was there before stays.
        """
        write_training(checkpoint, Path(path))

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """What a file of this project holds, on the CPU.

        Raises:
            CheckpointError: If it is missing, truncated, or was written by something else.
        """
        return read_training(Path(path))


class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt` the last: after each epoch, and each validation within one.

    Lightning's own `save_last` writes it only together with a new best. Checkpoint callbacks run in
    their order, after all others: this one has to be the last, to know of the latest best.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        every_n_train_steps: int | None = None,
        train_time_interval: timedelta | None = None,
    ) -> None:
        """Sets where and when to write.

        Args:
            folder: Gets `last.ckpt`.
            every_n_train_steps: Write after so many optimizer steps as well.
            train_time_interval: Write after so much time as well.
        """
        self.path = Path(folder) / "last.ckpt"
        self.every_n_train_steps = every_n_train_steps
        self.train_time_interval = train_time_interval
        self.written = monotonic()
        self.step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes where training begins, and clears away what a killed run was writing."""
        if trainer.is_global_zero:
            clear_partial_files(self.path.parent, {*_NAMED})
        self.written, self.step = monotonic(), trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Writes where steps or time are up."""
        steps, time = self.every_n_train_steps, self.train_time_interval
        due = bool(steps) and trainer.global_step >= self.step + (steps or 0)
        if time is not None:
            past = monotonic() - self.written >= time.total_seconds()
            due = due or trainer.strategy.broadcast(past)
        if due:
            self._write(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes within an epoch; at the end of one the epoch's own end follows."""
        if not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self._write(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes."""
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        fitting = trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking
        if fitting and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            trainer.save_checkpoint(self.path, weights_only=False)
            self.written, self.step = monotonic(), trainer.global_step


def find_checkpoint(asked: str | None, folder: Path) -> str | None:
    """The file that a run starts from.

    Args:
        asked: A file; `last` or `best` in `folder`; or `auto`, the newest valid one there.
        folder: Where the run keeps its checkpoints.

    Returns:
        None if nothing is asked for, or `auto` finds nothing.

    Raises:
        CheckpointError: If there is no such file, naming those that there are.
    """
    if asked is None:
        return None
    if asked == AUTO:
        return _newest(folder)
    path = folder / f"{asked}.ckpt" if asked in _NAMED else Path(asked).expanduser()
    beside = path.parent
    try:
        if path.is_file():
            return str(path)
        beside = path if path.is_dir() else path.parent
    except OSError:  # a name that is too long, or a folder that may not be read
        pass
    found = _files(beside) or _files(folder)
    near = difflib.get_close_matches(str(path), map(str, found), 3, 0) or ["none"]
    raise CheckpointError(
        f"no checkpoint file {str(path)[:200]}; near it: {', '.join(near)}. "
        "Give a .ckpt file, or --resume auto for the newest of the run"
    )


def newest_first(folder: Path) -> list[Path]:
    """The checkpoints in a folder, whatever they hold."""
    return sorted(_files(folder), key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _newest(folder: Path) -> str | None:
    for path in newest_first(folder):
        try:
            read_training(path)
        except CheckpointError as error:
            print(f"left out: {error}")
        else:
            print(f"going on from {path}")
            return str(path)
    print(f"no checkpoint in {folder} yet: training begins at the start")
    return None


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.glob("[!.]*.ckpt") if path.is_file()]
    except OSError:
        return []
