"""Labels that a text encoder takes for one: between them only rounding would choose."""

from collections.abc import Callable, Sequence

from torch import Tensor

from lseg.errors import LabelError, shown

CHUNK = 1024
"""How many vectors are compared with all at a time."""

NEAR = 0.99
"""Cosine above which two vectors are looked at closely; products may be rounded to 8 bits."""

EQUAL = 2e-6
"""Squared distance of unit vectors up to which they are equal: a cosine of 1 - 1e-6."""


def refuse_equal(
    vectors: Tensor,
    labels: Sequence[str],
    notes: Callable[[Sequence[str]], Sequence[str]] = lambda labels: (),
) -> None:
    """Checks that different labels have different vectors.

    CLIP's tokenizer ignores case, spaces, the form of Unicode characters and the escapes of HTML,
    and leaves out all that is beyond the encoder's context; synonyms may come in another order.

    Args:
        vectors: (N, C) unit vectors.
        labels: N labels. The same text may be there several times.
        notes: What is to be said of how labels were answered, for the message.

    Raises:
        LabelError: Naming the first two whose vectors are equal.
    """
    vectors = vectors.cpu()
    for start in range(0, len(vectors), CHUNK):
        some = vectors[start : start + CHUNK]
        near = (some @ vectors[start:].T > NEAR).triu(1).nonzero() + start
        first, second = near.unbind(1)
        distances = (vectors[first] - vectors[second]).square().sum(1)
        for one, other in near[distances < EQUAL].tolist():
            if labels[one] != labels[other]:
                why = "; ".join(notes([labels[one], labels[other]]))
                raise LabelError(
                    f"{shown(labels[one])} and {shown(labels[other])} are one and the same to the "
                    f"text encoder{f' ({why})' if why else ''}, so that nothing could choose "
                    "between them: leave one out, or word it otherwise"
                )
