"""How long teaching and answering take, in milliseconds of processor time on one thread.

    python scripts/measure_examples.py --checkpoint M [--size 480] [--entries 10000]

prints what the network needs for a picture of size x size, and what examples need beside it: one
more example, the fit for ten labels, and answers by text alone and with the examples.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

import lseg
from lseg.inference.memory import Memory
from lseg.inference.segmenter import Segmenter
from lseg.memory.examples import CELLS, Example, Examples, Vectors
from lseg.text.vocabulary import vocabulary


def milliseconds(work: Callable[[], object], rounds: int = 7) -> float:
    """The least of several runs."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def random_examples(memory: Memory, labels: list[str], entries: int) -> Examples:
    """Examples of so many random vectors in all."""
    owner, generator = memory.owner, torch.Generator().manual_seed(0)

    def vectors() -> Vectors:
        embeddings, *levels = (
            F.normalize(torch.randn(CELLS, width, generator=generator), dim=1)
            for width in (owner.embed_dim, *owner.levels)
        )
        return Vectors(embeddings.half(), torch.cat(levels, dim=1).half())

    return Examples(
        Example(
            labels[number % len(labels)],
            f"picture {number}",
            str(number),
            0.1,
            vectors(),
            vectors(),
        )
        for number in range(entries // (2 * CELLS))
    )


def main() -> None:
    """Prints the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="tiny")
    parser.add_argument("--size", type=int, default=480)
    parser.add_argument("--entries", type=int, default=10_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = lseg.load_model(options.checkpoint)
    labels = vocabulary(model.text)[:10]
    side = options.size
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    mask = np.zeros((side, side), bool)
    mask[side // 4 : side // 2, side // 4 : side // 2] = True
    plain = Segmenter(model, side)
    print(f"encoding        {milliseconds(lambda: plain.set_image(image)):8.1f}")
    print(f"answer of text  {milliseconds(lambda: plain.segment(labels).label_map):8.1f}")
    print(f"one example     {milliseconds(lambda: plain.teach(labels[0], mask)):8.1f}")
    memory = Memory(model, side)
    memory.examples = random_examples(memory, labels, options.entries)
    taught = Segmenter(model, side, memory=memory)
    taught.set_image(image)
    print(f"{memory.examples.vectors} vectors")
    print(f"fit             {milliseconds(lambda: taught.question(labels), 1):8.1f}")
    print(f"answer          {milliseconds(lambda: taught.segment(labels).label_map):8.1f}")


if __name__ == "__main__":
    main()
