"""Weight standardisation as DPT-Hybrid was trained with it."""

import torch
from timm.layers import StdConv2dSame
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.models.padding import like_convolution, pad_same


class WeightStandardizedConv2d(nn.Conv2d):
    """A convolution whose kernels are brought to mean 0 and deviation 1, with TensorFlow's padding.

    (w - mean) / (std + 1e-5), the formula of the timm release that DPT used. Later releases divide
    by sqrt(var + 1e-8), which changes DPT-Hybrid's output by 5e-3.
    """

    eps = 1e-5

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h / stride, w / stride), rounded up."""
        std, mean = torch.std_mean(self.weight, dim=(1, 2, 3), keepdim=True, unbiased=False)
        weight = (self.weight - mean) / (std + self.eps)
        x = pad_same(x, self.kernel_size, self.stride, self.dilation)
        return F.conv2d(x, weight, self.bias, self.stride, 0, self.dilation, self.groups)


def use_original_standardization(module: nn.Module) -> None:
    """Puts `WeightStandardizedConv2d` in place of timm's, with the same weights."""
    for name, child in module.named_children():
        if isinstance(child, StdConv2dSame):
            setattr(module, name, like_convolution(child, WeightStandardizedConv2d))
        else:
            use_original_standardization(child)
