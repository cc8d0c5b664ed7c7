"""Names of what a run logs, and callbacks that wait for one of them."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from lseg.errors import ConfigError

LOSS = "train/loss"
FIGURES = ("miou", "pixel_accuracy")

ValueT = TypeVar("ValueT")


def by_group(sets: Mapping[str, ValueT]) -> dict[str, list[ValueT]]:
    """Values of the sets of each group: `seen/1` and `seen/2` are of `seen`."""
    groups: dict[str, list[ValueT]] = {}
    for name, value in sets.items():
        groups.setdefault(name.split("/")[0], []).append(value)
    return groups


def check_monitors(trainer: Trainer, val_sets: Iterable[str], mean: str | None = None) -> None:
    """Compares what checkpoints and early stopping wait for with what a run logs.

    Args:
        trainer: Has the callbacks.
        val_sets: Names of the validation sets.
        mean: What the mean over their groups is called, if it is logged.

    Raises:
        ConfigError: If one waits for something else.
    """
    groups = list(by_group({name: name for name in val_sets})) + [mean] * (mean is not None)
    logged = [LOSS, *(f"val/{group}/{figure}" for group in groups for figure in FIGURES)]
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if not isinstance(callback, ModelCheckpoint | EarlyStopping):
            continue
        if callback.monitor is not None and callback.monitor not in logged:
            near = get_close_matches(callback.monitor, logged, len(logged), 0)
            kind = "checkpoint" if isinstance(callback, ModelCheckpoint) else "EarlyStopping"
            raise ConfigError(
                f"{kind}.monitor is {callback.monitor!r}, which is not logged; there are: "
                f"{', '.join(near)}"
            )
