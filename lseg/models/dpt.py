"""The other networks of the DPT family: depth, surface normals, fixed-class segmentation.

They share the trunk with LSeg and differ in the head (Ranftl et al., ICCV 2021, section 3.2).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.config import DepthConfig, NormalsConfig, SegmentationConfig
from lseg.errors import ConfigError
from lseg.models.build import build_trunk
from lseg.models.network import Network
from lseg.models.trunk import pad_to_multiple
from lseg.models.upsample import double_size, upsample


class PixelNetwork(Network):
    """Base: something of every pixel, made of pixels alone."""

    def forward(self, pixels: Tensor) -> Tensor:
        """What `on_grid` gives, for pixels (B, 3, H, W) of any size from 32 up."""
        padded, (height, width) = pad_to_multiple(pixels, self.trunk.multiple)
        return self.on_grid(padded)[..., :height, :width]

    def on_grid(self, padded: Tensor) -> Tensor:
        """Normalised pixels on the patch grid (B, 3, H, W) to (B, ..., H, W)."""
        raise NotImplementedError


class DPTDepth(PixelNetwork):
    """Monocular inverse depth, or metric depth where the configuration says so."""

    config_type = DepthConfig
    config: DepthConfig

    def __init__(self, config: DepthConfig) -> None:
        """A network with random weights.

        Raises:
            ConfigError: If the configuration does not fit together.
        """
        super().__init__(config)
        features, binned = config.trunk.features, config.bins > 0
        if binned and not config.min_depth < config.max_depth:
            raise ConfigError(
                f"min_depth is {config.min_depth}, max_depth {config.max_depth}: bins lie between"
            )
        self.trunk = build_trunk(self.config.trunk)
        mixes = binned or config.mixes
        self.mix = nn.Conv2d(features, features, 3, padding=1) if mixes else None
        if binned:
            self.classify = nn.Conv2d(features, config.bins, 1)
        else:
            self.narrow = nn.Conv2d(features, features // 2, 3, padding=1)
            self.refine = nn.Conv2d(features // 2, config.hidden, 3, padding=1)
            self.depth = nn.Conv2d(config.hidden, 1, 1)

    def on_grid(self, padded: Tensor) -> Tensor:
        """Depth of every pixel.

        Args:
            padded: (B, 3, H, W), normalised as `config.preprocessing` says, on the patch grid.

        Returns:
            (B, H, W), measured in `config.unit`: metres, or inverse depth of unknown scale and
            shift, at least 0; with `config.invert` metres are 1 / (scale * inverse depth + shift).
        """
        features = double_size(self.trunk(padded))
        if self.mix is not None:
            features = self.mix(features).relu()
        size = (padded.shape[-2], padded.shape[-1])
        answer = self._mean_bin(features) if self.config.bins else self._regress(features, size)
        answer = upsample(answer, size)[:, 0]
        if not self.config.invert:
            return answer
        return 1 / (self.config.scale * answer + self.config.shift).clamp_min(1e-8)

    def _regress(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Features at half resolution to (B, 1, h, w), of `size` unless everything is doubled."""
        depth = self.depth(self._refined(features, size))
        depth = depth.sigmoid() if self.config.activation == "sigmoid" else depth.relu()
        return self.config.max_depth * depth

    def _refined(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """As `_regress`, before the last convolution."""
        narrow = self.narrow(features)
        doubles = self.trunk.fusion.doubles
        return self.refine(double_size(narrow) if doubles else upsample(narrow, size)).relu()

    def _mean_bin(self, features: Tensor) -> Tensor:
        """Features (B, F, h, w) to the mean of the bins (B, 1, h, w), weighted at every pixel.

        (The weights are at least `min_depth`, of all things, in TIPSv2.)
        """
        config = self.config
        weights = self.classify(features).relu() + config.min_depth
        bins = torch.linspace(
            config.min_depth, config.max_depth, config.bins, device=weights.device
        ).view(-1, 1, 1)
        return (weights * bins).sum(1, keepdim=True) / weights.sum(1, keepdim=True)


class DPTNormals(PixelNetwork):
    """Surface normals."""

    config_type = NormalsConfig
    config: NormalsConfig

    def __init__(self, config: NormalsConfig) -> None:
        """A network with random weights."""
        super().__init__(config)
        features = config.trunk.features
        self.trunk = build_trunk(self.config.trunk)
        self.mix = nn.Conv2d(features, features, 3, padding=1)
        self.classify = nn.Conv2d(features, 3, 1)

    def on_grid(self, padded: Tensor) -> Tensor:
        """The direction in which the surface at every pixel looks.

        Args:
            padded: (B, 3, H, W), normalised as `config.preprocessing` says, on the patch grid.

        Returns:
            (B, 3, H, W): x, y and z, of length 1.
        """
        normals = self.classify(self.mix(double_size(self.trunk(padded))))
        return F.normalize(upsample(F.normalize(normals), padded.shape[-2:]))


class DPTSegmentation(PixelNetwork):
    """Logits over the fixed classes `labels`."""

    config_type = SegmentationConfig
    config: SegmentationConfig

    def __init__(self, config: SegmentationConfig) -> None:
        """A network with random weights."""
        super().__init__(config)
        features, plain = config.trunk.features, config.plain_head
        self.trunk = build_trunk(self.config.trunk)
        self.mix = nn.Conv2d(features, features, 3, padding=1, bias=plain)
        self.norm = nn.Identity() if plain else nn.BatchNorm2d(features)
        self.activation = nn.Identity() if plain else nn.ReLU()
        self.dropout = nn.Dropout(0.1)
        self.classify = nn.Conv2d(features, len(config.labels), 1)

    @property
    def labels(self) -> list[str]:
        """Class names, in the order of the logits."""
        return list(self.config.labels)

    def on_grid(self, padded: Tensor) -> Tensor:
        """Normalised pixels on the patch grid (B, 3, H, W) to logits (B, K, H, W)."""
        return upsample(self.half_logits(padded), padded.shape[-2:])

    def half_logits(self, padded: Tensor) -> Tensor:
        """Pixels on the patch grid (B, 3, H, W) to logits (B, K, H/2, W/2)."""
        features = self.mix(double_size(self.trunk(padded)))
        return self.classify(self.dropout(self.activation(self.norm(features))))
