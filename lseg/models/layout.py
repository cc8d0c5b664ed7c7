"""Memory order of the decoder: the channels of a pixel side by side (channels-last).

Its convolutions are fastest so on processors and on GPUs, as long as every map and every kernel has
this order; one that has not is copied into it at each call, which takes longer than some of the
products. Values, shapes and the state dict are the same in both orders.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def side_by_side(maps: Tensor) -> Tensor:
    """Maps (B, C, h, w) in channels-last memory."""
    return maps.contiguous(memory_format=torch.channels_last)


def pointwise(conv: nn.Conv2d, maps: Tensor) -> Tensor:
    """A 1x1 convolution as a matrix product over the channels of each pixel.

    (PyTorch cannot tell the order of a 1x1 kernel, takes it for channels-first, and would turn
    channels-last maps around.)
    """
    pixels = maps.permute(0, 2, 3, 1)  # (B, h, w, C)
    return F.linear(pixels, conv.weight[:, :, 0, 0], conv.bias).permute(0, 3, 1, 2)


def add_in_place(maps: Tensor, fresh: Tensor) -> Tensor:
    """`maps + fresh`, in the memory of `fresh` where that may be had; nobody else may hold it."""
    in_place = fresh.dtype == torch.promote_types(maps.dtype, fresh.dtype)
    return fresh.add_(maps) if in_place else maps + fresh
