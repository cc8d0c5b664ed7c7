"""`lseg memory remove`: a memory without some labels."""

from lseg.commands.options.memory import MemoryRemoveOptions
from lseg.data.base.labels import parse_labels
from lseg.memory.file import read_examples, save_examples
from lseg.paths import user_path


def memory_remove(options: MemoryRemoveOptions) -> None:
    """Removes the examples of labels; needs no model."""
    path = user_path(options.memory)
    examples, owner = read_examples(path)
    removed = sum(examples.remove(label) for label in parse_labels(options.labels))
    save_examples(path, examples, owner)
    print(f"{removed} example(s) removed from {path}, {len(examples)} left")
