"""Pixel embeddings against label vectors (LSeg, section 3.2)."""

import torch
from torch import Tensor
from torch.nn import functional as F


def label_logits(embeddings: Tensor, text: Tensor, scale: float) -> Tensor:
    """`scale` times the cosine of every pixel embedding with every label vector.

    The dot products are divided by the pixel norms afterwards, and the scale is folded into the N
    label vectors, so that no normalised copy of the (large) embedding map is made.

    Args:
        embeddings: (B, C, h, w), any norm.
        text: (N, C), or (B, N, C) where each image has labels of its own; unit vectors.
        scale: 1/0.07 in LSeg.

    Returns:
        (B, N, h, w) in [-scale, scale].
    """
    norm = torch.linalg.vector_norm(embeddings, dim=1, keepdim=True, dtype=torch.float32)
    text = (scale * text).to(embeddings.dtype)
    if text.ndim == 2:  # a 1x1 convolution with the label vectors as its kernels
        dots = F.conv2d(embeddings, text[:, :, None, None])  # (B, N, h, w)
    else:
        dots = (text @ embeddings.flatten(2)).unflatten(2, embeddings.shape[-2:])
    return dots / norm.clamp_min(1e-12)
