"""The other two networks of the DPT family: depth and fixed-class segmentation.

They share the trunk with LSeg and differ in the head (Ranftl et al., ICCV 2021, section 3.2).
"""

import torch
from torch import Tensor, nn

from lseg.config import DepthConfig, SegmentationConfig
from lseg.models.build import build_trunk
from lseg.models.network import Network
from lseg.models.trunk import pad_to_multiple
from lseg.models.upsample import double_size, upsample


class DPTDepth(Network):
    """Monocular inverse depth, or metric depth where the configuration inverts it."""

    config_type = DepthConfig
    config: DepthConfig

    def __init__(self, config: DepthConfig) -> None:
        """A network with random weights."""
        super().__init__(config)
        features = config.trunk.features
        self.trunk = build_trunk(config.trunk)
        self.narrow = nn.Conv2d(features, features // 2, 3, padding=1)
        self.refine = nn.Conv2d(features // 2, 32, 3, padding=1)
        self.depth = nn.Conv2d(32, 1, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Depth of every pixel.

        Args:
            pixels: (B, 3, H, W), normalised as `config.preprocessing` says; H and W from 32 up.

        Returns:
            (B, H, W): inverse depth of unknown scale and shift, at least 0; with `config.invert`
            1 / (scale * inverse depth + shift), which is metres for DPT's KITTI and NYU networks.
        """
        padded, (height, width) = pad_to_multiple(pixels, self.trunk.multiple)
        features = double_size(self.trunk(padded))
        features = upsample(self.narrow(features), padded.shape[-2:])
        inverse = self.depth(self.refine(features).relu()).relu()[:, 0, :height, :width]
        if not self.config.invert:
            return inverse
        return 1 / (self.config.scale * inverse + self.config.shift).clamp_min(1e-8)


class DPTSegmentation(Network):
    """Logits over the fixed classes `labels`."""

    config_type = SegmentationConfig
    config: SegmentationConfig

    def __init__(self, config: SegmentationConfig) -> None:
        """A network with random weights."""
        super().__init__(config)
        features = config.trunk.features
        self.trunk = build_trunk(config.trunk)
        self.mix = nn.Conv2d(features, features, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(features)
        self.dropout = nn.Dropout(0.1)
        self.classify = nn.Conv2d(features, len(config.labels), 1)

    @property
    def labels(self) -> list[str]:
        """Class names, in the order of the logits."""
        return list(self.config.labels)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (B, K, H, W) of normalised pixels (B, 3, H, W); H and W from 32 up."""
        padded, (height, width) = pad_to_multiple(pixels, self.trunk.multiple)
        logits = self.half_logits(padded)
        return upsample(logits, padded.shape[-2:])[..., :height, :width]

    def half_logits(self, padded: Tensor) -> Tensor:
        """Pixels on the patch grid (B, 3, H, W) to logits (B, K, H/2, W/2)."""
        features = self.mix(double_size(self.trunk(padded)))
        return self.classify(self.dropout(torch.relu(self.norm(features))))
