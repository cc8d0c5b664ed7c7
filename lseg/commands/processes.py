"""Commands in several processes, those of torchrun or our own, each on a device of its own."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import multiprocessing
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from lseg.commands.engine import require_engine
from lseg.commands.model import device_from
from lseg.commands.notes import escape_what_cannot_be_printed, notes_on_stderr
from lseg.commands.options.shared import CountOptions
from lseg.errors import ConfigError, LSegError
from lseg.inference.sharding import Shard, process_group

OptionsT = TypeVar("OptionsT", bound=CountOptions)


def run_shared(command: Callable[[OptionsT], None], options: OptionsT) -> None:
    """Runs a command with all who share its work.

    That is this process, in the group of those that torchrun has started with it; or `--devices`
    processes, which are started as torchrun would; or actors, which the command itself asks.

    Args:
        command: A function of a module, to be found there by other processes.
        options: Of the command.

    Raises:
        ConfigError: If the engine cannot be had, or there are fewer devices than asked for.
    """
    require_engine(options)
    shard = Shard.of_process()
    if shard.world > 1 or options.devices == 1:
        with process_group(shard):
            command(options)
        return
    if options.engine != "local":
        raise ConfigError(
            f"--devices starts processes here: with --engine {options.engine} give --actors "
            f"{options.devices}"
        )
    kind = device_from(options.device).type
    if kind != "cpu" and options.devices > (count := torch.accelerator.device_count()):
        raise ConfigError(f"--devices {options.devices}: there are {count} of the kind {kind} here")
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder, "meeting").as_uri()
        try:
            multiprocessing.spawn(_process, (command, options, meeting), options.devices)
        except (ProcessRaisedException, ProcessExitedException) as error:
            raise _from_process(error) from error


def _process(
    rank: int, command: Callable[[CountOptions], None], options: CountOptions, meeting: str
) -> None:
    """One of our own processes."""
    world = options.devices
    escape_what_cannot_be_printed()
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    if device_from(options.device).type == "cpu":  # they share its cores
        torch.set_num_threads(max(1, torch.get_num_threads() // world))
    with notes_on_stderr(), process_group(Shard.of_process(), meeting=meeting):
        command(options)


def _from_process(error: Exception) -> Exception:
    """The error that a user can mend, if that is what a process stopped for."""
    _, name, text = str(error).rstrip().rpartition("\nlseg.errors.")
    return LSegError(text.partition(": ")[2]) if name else error
