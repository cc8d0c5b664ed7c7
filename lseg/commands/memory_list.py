"""`lseg memory list`: what a memory holds."""

from lseg.commands.options.memory import MemoryListOptions
from lseg.evaluation.report import listed, print_table
from lseg.memory.file import read_examples
from lseg.paths import user_path


def memory_list(options: MemoryListOptions) -> None:
    """Prints the labels, their examples, and whose they are; needs no model."""
    path = user_path(options.memory)
    examples, owner = read_examples(path)
    rows = []
    for label in examples.labels:
        own = examples.of(label)
        area = 100 * sum(example.area for example in own) / len(own)
        vectors = sum(example.count for example in own)
        pictures = listed((example.source for example in own), 3)
        rows.append([label, str(len(own)), str(vectors), f"{area:.1f}", pictures])
    print_table(str(path), ["label", "examples", "vectors", "area %", "pictures"], rows)
    print(
        f"of the model with weights {owner.fingerprint[:8]}, at "
        f"{'their own size' if owner.size == 0 else f'{owner.size} pixels'}; "
        f"{examples.vectors} vectors of {examples.limit} at most"
    )
