"""From transformer tokens back to image-like feature maps (DPT, section 3.1)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.config import Readout, ReadoutActivation
from lseg.models.layout import pointwise, side_by_side
from lseg.models.levels import Level
from lseg.models.upconv import UpsampledConvolution


class ReadoutProject(nn.Module):
    """Concatenates the readout token to every token and projects back to D (linear, GELU).

    The readout token's half of the product is the same for every token and taken once.
    """

    def __init__(self, width: int, activation: ReadoutActivation = "gelu") -> None:
        super().__init__()
        self.linear = nn.Linear(2 * width, width)
        self.activation = nn.GELU("tanh" if activation == "gelu_tanh" else "none")

    def forward(self, level: Level) -> Tensor:
        """Map (B, D, h, w) and readout (B, D) to a map (B, D, h, w)."""
        assert level.readout is not None
        height, width = level.map.shape[-2:]
        tokens = level.map.flatten(2).transpose(1, 2)  # (B, hw, D)
        own, readout = self.linear.weight.chunk(2, dim=1)
        shared = F.linear(level.readout, readout, self.linear.bias)  # (B, D)
        tokens = self.activation(F.linear(tokens, own) + shared.unsqueeze(1))
        return tokens.transpose(1, 2).unflatten(2, (height, width))


class ReadoutAdd(nn.Module):
    """Adds the readout token to every token."""

    def forward(self, level: Level) -> Tensor:
        """Map (B, D, h, w) and readout (B, D) to a map (B, D, h, w)."""
        assert level.readout is not None
        return level.map + level.readout[:, :, None, None]


class ReadoutIgnore(nn.Module):
    """Drops the readout token."""

    def forward(self, level: Level) -> Tensor:
        """Map (B, D, h, w), returned as it is."""
        return level.map


READOUTS: dict[Readout, type[nn.Module]] = {
    "ignore": ReadoutIgnore,
    "add": ReadoutAdd,
    "project": ReadoutProject,
}


class ReassembleStep(nn.Module):
    """Base: a level's output to an image-like map at the level's stride."""

    def narrowed(self, level: Level, conv: nn.Conv2d) -> Tensor:
        """`conv(self(level))`, where `conv` is the 3x3 that brings the level to F channels."""
        return conv(side_by_side(self(level)))


class Reassemble(ReassembleStep):
    """Read, project to the level's width by 1x1, resample to the level's stride.

    Args:
        width: Token width D.
        out_width: Channels of the level.
        scale: Output pixels per token: above 1 a transposed convolution without overlap, 1 nothing,
            below 1 a strided 3x3 convolution.
        readout: See `TrunkConfig.readout`.
        activation: See `TrunkConfig.readout_activation`.
    """

    def __init__(
        self,
        width: int,
        out_width: int,
        scale: float,
        readout: Readout,
        activation: ReadoutActivation = "gelu",
    ) -> None:
        super().__init__()
        project = readout == "project"
        self.read = ReadoutProject(width, activation) if project else READOUTS[readout]()
        self.project = nn.Conv2d(width, out_width, 1)
        self.resample = _resample(out_width, scale)
        self._upsampled = UpsampledConvolution()

    def forward(self, level: Level) -> Tensor:
        """Tokens on a grid (B, D, h, w) to (B, out_width, scale * h, scale * w)."""
        return self.resample(pointwise(self.project, self.read(level)))

    def narrowed(self, level: Level, conv: nn.Conv2d) -> Tensor:
        """See `ReassembleStep`; an upsampling is merged with `conv`."""
        if not isinstance(self.resample, nn.ConvTranspose2d):
            return super().narrowed(level, conv)
        x = pointwise(self.project, self.read(level))
        return self._upsampled(x, self.resample, conv)


class TakeMap(ReassembleStep):
    """The reassemble step of a convolutional level: its feature map is already image-like."""

    def forward(self, level: Level) -> Tensor:
        """(B, D, h, w), returned as it is."""
        return level.map


class TakeMapInContext(TakeMap):
    """Tells each pixel of a convolutional level what the whole picture is like.

    The mean over the picture, projected to F channels, is added behind the 3x3 convolution
    (ParseNet, arXiv:1506.04579).

    Args:
        width: Channels D of the level.
        features: F.
    """

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.context = nn.Linear(width, features, bias=False)

    def narrowed(self, level: Level, conv: nn.Conv2d) -> Tensor:
        """See `ReassembleStep`."""
        said = self.context(picture_mean(level.map))
        return super().narrowed(level, conv) + said[:, :, None, None]


def picture_mean(maps: Tensor) -> Tensor:
    """(B, D, h, w) to the means over the picture, (B, D) float32."""
    return maps.mean((2, 3), dtype=torch.float32)


def _resample(width: int, scale: float) -> nn.Module:
    if scale > 1:
        factor = round(scale)
        return nn.ConvTranspose2d(width, width, factor, stride=factor)
    if scale < 1:
        return nn.Conv2d(width, width, 3, stride=round(1 / scale), padding=1)
    return nn.Identity()
