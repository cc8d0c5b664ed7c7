"""The memory of examples that options name."""

from pathlib import Path

from lseg.commands.options.shared import MemoryOptions
from lseg.inference.memory import Memory
from lseg.models.lseg import LSeg


def memory_from(options: MemoryOptions, model: LSeg) -> Memory | None:
    """The memory of `--memory`, if it is given.

    Raises:
        CheckpointError: If there is no such file, or it was made with another model.
    """
    return None if options.memory is None else Memory.load(options.memory, model)


def save_memory(memory: Memory, path: Path) -> None:
    """Writes it, and says what it holds."""
    memory.save(path)
    labels = len(memory.labels)
    print(f"{len(memory.examples)} example(s) of {labels} label(s) in {path}")
