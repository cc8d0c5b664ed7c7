"""Spatial regularisation of logits (LSeg, section 3.3)."""

import torch
from torch import Tensor, nn

from lseg.config import Activation, Block

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "lrelu": nn.LeakyReLU,
    "tanh": nn.Tanh,
}


class SpatialBlock(nn.Module):
    """One 3x3 kernel that all labels share, applied `depth` times, so any label count works.

    `depthwise` is the convolution alone; `bottleneck` adds the maximum over the labels. The
    activation follows every application but the last.
    """

    def __init__(self, kind: Block, depth: int, activation: Activation) -> None:
        super().__init__()
        self.bottleneck = kind == "bottleneck"
        self.depth = depth
        self.conv = nn.Conv2d(1, 1, 3, padding=1)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, logits: Tensor) -> Tensor:
        """(B, N, h, w) to the same shape."""
        for step in range(self.depth):
            smooth = self.conv(logits.flatten(0, 1).unsqueeze(1)).reshape(logits.shape)
            if self.bottleneck:
                smooth = smooth + torch.amax(logits, dim=1, keepdim=True)
            logits = self.activation(smooth) if step < self.depth - 1 else smooth
        return logits


def halo(block: nn.Module) -> int:
    """How many rows around a pixel its regularised logits depend on."""
    return block.depth if isinstance(block, SpatialBlock) else 0


def mixes_labels(block: nn.Module) -> bool:
    """Whether a label's regularised logits depend on other labels."""
    return isinstance(block, SpatialBlock) and block.bottleneck
