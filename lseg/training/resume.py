"""Where a run stands, read from a checkpoint of Lightning and given back to it exactly.

Lightning's counters depend on the hook in which a checkpoint was written: an epoch that has ended
may count as begun, processed or completed. Under `max_steps` it then counts the epoch once more and
goes on with the data of the one after. A run stands at (epoch, batches of it that are done); here
the counters are set to what they are where that position is reached, whatever wrote the checkpoint.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from lseg.errors import CheckpointError

Loops = dict[str, Any]

GRADIENTS_KEY = "gradients"
_EPOCHS = "epoch_progress"
_BATCHES = "epoch_loop.batch_progress"


@dataclass(frozen=True)
class Position:
    """A moment between two batches.

    Attributes:
        epoch: Epochs that are done.
        batch: Batches of the next one that are done; fewer than it has.
    """

    epoch: int
    batch: int

    @classmethod
    def of(cls, loops: Loops) -> "Position":
        """The position at which the state of a fit loop was saved."""
        begun, batches = loops[_EPOCHS]["current"]["ready"], loops[_BATCHES]
        if batches["is_last_batch"] or not begun:
            return cls(begun, 0)
        return cls(begun - 1, batches["current"]["ready"])


def settled(loops: Loops) -> Loops:
    """The state of a fit loop with nothing half done, at the position where it was saved."""
    position = Position.of(loops)
    batches = loops[_BATCHES]["total"]["ready"]
    progress = {name: _completed(value) for name, value in loops.items() if "progress" in name}
    return {
        **loops,
        **progress,
        _EPOCHS: {
            part: _counts(position.epoch) | _begun(position.epoch + (position.batch > 0))
            for part in ("total", "current")
        },
        _BATCHES: {
            "total": _counts(batches),
            "current": _counts(position.batch),
            "is_last_batch": False,
        },
    }


def check_fit(checkpoint: dict[str, Any], expected: dict[str, Tensor], source: object) -> None:
    """Compares the weights of a checkpoint with those that a network expects.

    Raises:
        CheckpointError: If a name or a shape differs, naming the first.
    """
    found = checkpoint["state_dict"]
    hint = "give the configuration that it was trained with"
    for name in [*expected, *found]:
        if name not in found or name not in expected:
            which = "lacks" if name not in found else "has a weight that the network lacks,"
            raise CheckpointError(f"{source} is of another network: it {which} {name!r}; {hint}")
        given, wanted = tuple(found[name].shape), tuple(expected[name].shape)
        if given != wanted:
            raise CheckpointError(
                f"{source} is of another network: {name!r} has shape {given}, this one wants "
                f"{wanted}; {hint}"
            )


def check_optimizer(checkpoint: dict[str, Any], name: str, source: object) -> None:
    """Compares the optimizer of a checkpoint with that of the configuration.

    Raises:
        CheckpointError: If the file holds weights alone, or the optimizer is another one.
    """
    states = checkpoint.get("optimizer_states")
    if not states or "loops" not in checkpoint:
        raise CheckpointError(
            f"{source} holds weights alone, no state of a training: begin a new one with it by "
            "--model.init_from"
        )
    found = "adamw" if "betas" in states[0]["param_groups"][0] else "sgd"
    if found != name:
        raise CheckpointError(
            f"{source} was trained by {found}, model.optim.name is {name}: give {found}, or begin "
            "a new training with its weights by --model.init_from"
        )


def open_gradients(module: nn.Module) -> dict[str, Tensor]:
    """Gradients of a step whose batches are not all there yet, by parameter."""
    named = module.named_parameters()
    return {name: parameter.grad for name, parameter in named if parameter.grad is not None}


def restore_gradients(module: nn.Module, gradients: dict[str, Tensor]) -> None:
    """Gives parameters the gradients that `open_gradients` found."""
    for name, parameter in module.named_parameters():
        if name in gradients:
            parameter.grad = gradients[name].to(parameter.device)


def _counts(done: int) -> dict[str, int]:
    return {"ready": done, "started": done, "processed": done, "completed": done}


def _begun(number: int) -> dict[str, int]:
    return {"ready": number, "started": number}


def _completed(progress: Any) -> Any:
    """Counters, however deep, with everything that was begun completed."""
    if not isinstance(progress, dict):
        return progress
    if "ready" in progress:
        return dict.fromkeys(progress, progress["ready"])
    return {name: _completed(value) for name, value in progress.items()}
