"""Batches that ask each picture for labels of its own: `asked`, (B, n) indices into the label set.

Masks always hold indices into the label set. Logits (B, n, H, W) have a row for each of the n
labels that their picture was asked for. A batch without `asked` asks for the whole label set.
"""

import torch
from torch import Tensor

Batch = dict[str, Tensor]


def asked_text(text: Tensor, batch: Batch) -> Tensor:
    """Of label vectors (N, C) those that a batch asks for: (B, n, C), or (N, C) as they are."""
    return text[batch["asked"].to(text.device)] if "asked" in batch else text


def asked_rows(mask: Tensor, batch: Batch, ignore_index: int) -> Tensor:
    """A mask (B, H, W) of labels as one of rows, the target of the cross-entropy.

    Pixels of a label that their picture was not asked for are ignored.
    """
    if "asked" not in batch:
        return mask
    rows = torch.full_like(mask, ignore_index)
    for row, label in enumerate(batch["asked"].unbind(1)):
        rows[mask == label[:, None, None]] = row
    return rows


def asked_labels(rows: Tensor, batch: Batch) -> Tensor:
    """A map (B, H, W) of rows as one of labels, to compare with the mask."""
    if "asked" not in batch:
        return rows
    return batch["asked"].gather(1, rows.flatten(1)).view_as(rows)
