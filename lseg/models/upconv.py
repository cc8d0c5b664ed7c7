"""An upsampling without overlap and the 3x3 convolution after it, as one transposed convolution.

DPT enlarges a map s times by a transposed convolution of kernel and stride s, and then brings it to
F channels by a 3x3 convolution with padding 1. With m[s i + u] = sum_c up[u] x[i] + b and
y[p] = sum_d conv[d] m[p + d - 1], along each axis,

    y[p] = sum_i sum_d conv[d] up[p + d - 1 - s i] x[i]  +  bias,

so y is a transposed convolution of x with stride s, padding 1 and the kernel of s + 2 values

    k[v] = sum_d conv[d] up[v + d - 2],    up = 0 outside of 0 ... s - 1.

At s = 4 that takes a quarter of the products, and the enlarged map of the wide level is never made.
The bias b seen through the 3x3 convolution is a constant but for the outermost pixels, whose
neighbours beyond the edge are zero: a table of 3 x 3 values (first, inner, last row and column).
"""

from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.models.derived import DerivedWeights, can_derive, product_dtype
from lseg.models.layout import side_by_side

PLACES = (slice(0, 1), slice(1, -1), slice(-1, None))
"""First, inner and last rows or columns."""


class MergedKernel(NamedTuple):
    """Kernel (C, F, s + 2, s + 2) of the one convolution, and its bias by place (F, 3, 3)."""

    kernel: Tensor
    bias: Tensor


class UpsampledConvolution:
    """`conv(up(x))`; as one convolution where nothing is differentiated."""

    def __init__(self) -> None:
        self._merged = DerivedWeights(merge_kernels)

    def __call__(self, x: Tensor, up: nn.ConvTranspose2d, conv: nn.Conv2d) -> Tensor:
        """(B, C, h, w) to (B, F, s h, s w).

        Args:
            x: The map.
            up: Kernel and stride s, at least 2.
            conv: 3x3, padding 1, stride 1, no bias.
        """
        assert up.bias is not None
        if not can_derive(up.weight, up.bias, conv.weight):
            return conv(side_by_side(up(x)))
        kernel, bias = self._merged(up.weight, up.bias, conv.weight, dtype=product_dtype(x))
        inner = bias[:, 1, 1]
        y = F.conv_transpose2d(side_by_side(x), kernel, inner, stride=up.stride, padding=1)
        for (i, rows), (j, columns) in product(enumerate(PLACES), repeat=2):
            if (i, j) != (1, 1):
                y[..., rows, columns] += (bias[:, i, j] - inner)[:, None, None]
        return y


def merge_kernels(up: Tensor, up_bias: Tensor, conv: Tensor, dtype: torch.dtype) -> MergedKernel:
    """Kernels (C, M, s, s) and (F, M, 3, 3) and the bias (M) between them as one.

    Computed in float32 at least, and rounded to `dtype` once.
    """
    exact = torch.promote_types(up.dtype, torch.float32)
    up, up_bias, conv = (values.to(exact) for values in (up, up_bias, conv))
    kernel = F.conv2d(up, conv, padding=2)
    constant = up_bias[None, :, None, None].expand(-1, -1, 3, 3)
    bias = F.conv2d(constant, conv, padding=1)[0]
    return MergedKernel(kernel.to(dtype), bias.to(dtype))
