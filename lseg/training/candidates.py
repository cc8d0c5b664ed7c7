"""Batches that ask each picture for labels of its own: its `candidates`.

These are (B, n) indices into the label set. Masks always hold indices into the label set; logits
(B, n, H, W) have a row for each candidate. A batch without candidates asks for the whole label set.
"""

import torch
from torch import Tensor

Batch = dict[str, Tensor]


def candidate_text(text: Tensor, batch: Batch) -> Tensor:
    """Of label vectors (N, C) those of a batch's candidates: (B, n, C), or (N, C) as they are."""
    return text[batch["candidates"].to(text.device)] if "candidates" in batch else text


def candidate_rows(mask: Tensor, batch: Batch, ignore_index: int) -> Tensor:
    """A mask (B, H, W) of labels as one of rows, the target of the cross-entropy.

    Pixels of a label that is no candidate of their picture are ignored.
    """
    if "candidates" not in batch:
        return mask
    rows = torch.full_like(mask, ignore_index)
    for row, label in enumerate(batch["candidates"].unbind(1)):
        rows[mask == label[:, None, None]] = row
    return rows


def candidate_labels(rows: Tensor, batch: Batch) -> Tensor:
    """A map (B, H, W) of rows as one of labels, to compare with the mask."""
    if "candidates" not in batch:
        return rows
    return batch["candidates"].gather(1, rows.flatten(1)).view_as(rows)
