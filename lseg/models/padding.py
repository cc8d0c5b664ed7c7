"""TensorFlow's padding ("same"), also for lengths that an export leaves free.

A kernel of k, a stride of s and a dilation of d take (k - 1) d + 1 - (h mod s, or s where it is 0)
rows beside h, if positive. timm computes it by a division and a rounding a layer; with free lengths
an export drowns in these formulas. Backbones here see multiples of their coarsest stride alone, so
that for free lengths it is a number.
"""

from collections.abc import Sequence
from typing import TypeVar

from timm.layers import Conv2dSame
from timm.layers.pool2d_same import MaxPool2dSame
from torch import Tensor, nn
from torch.nn import functional as F

ConvT = TypeVar("ConvT", bound=nn.Conv2d)


def pad_same(
    x: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    value: float = 0.0,
) -> Tensor:
    """Maps (B, C, h, w), padded so that h / stride rows come out, rounded up."""
    sides: list[int] = []
    for length, size, step, gap in zip(x.shape[-2:], kernel_size, stride, dilation, strict=True):
        rest = length % step if isinstance(length, int) else 0  # else symbolic, and a multiple
        total = max((size - 1) * gap + 1 - (rest or step), 0)
        sides = [total // 2, total - total // 2, *sides]  # F.pad begins with the last dimension
    return F.pad(x, sides, value=value) if any(sides) else x


class SameConv2d(nn.Conv2d):
    """`timm.layers.Conv2dSame`, whose padding is a number in an export."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h / stride, w / stride), rounded up."""
        x = pad_same(x, self.kernel_size, self.stride, self.dilation)
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class SameMaxPool2d(nn.Module):
    """`timm.layers.MaxPool2dSame`, whose padding is a number in an export."""

    def __init__(self, like: MaxPool2dSame) -> None:
        super().__init__()
        self.kernel_size: tuple[int, int] = like.kernel_size
        self.stride: tuple[int, int] = like.stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C, h / stride, w / stride), rounded up."""
        x = pad_same(x, self.kernel_size, self.stride, (1, 1), float("-inf"))
        return F.max_pool2d(x, self.kernel_size, self.stride)


def use_fixed_padding(module: nn.Module) -> None:
    """Puts these layers in place of timm's, with the same weights under the same names."""
    for name, child in module.named_children():
        if isinstance(child, Conv2dSame):
            setattr(module, name, like_convolution(child, SameConv2d))
        elif isinstance(child, MaxPool2dSame):
            setattr(module, name, SameMaxPool2d(child))
        else:
            use_fixed_padding(child)


def like_convolution(conv: nn.Conv2d, kind: type[ConvT]) -> ConvT:
    """A convolution of another class with the sizes and the very weights of `conv`."""
    new = kind(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,  # type: ignore[arg-type]
        conv.stride,  # type: ignore[arg-type]
        dilation=conv.dilation,  # type: ignore[arg-type]
        groups=conv.groups,
        bias=conv.bias is not None,
    )
    new.weight, new.bias = conv.weight, conv.bias
    return new
