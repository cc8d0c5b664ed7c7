"""ZoeDepth: the DPT of MiDaS for relative depth, and bins on its features for depth in metres."""

import torch
from torch import Tensor

from lseg.config import ZoeDepthConfig
from lseg.models.dpt import DPTDepth
from lseg.models.upsample import double_size, upsample
from lseg.models.zoedepth.bins import MetricBins
from lseg.models.zoedepth.router import Router


class ZoeDepth(DPTDepth):
    """Depth in metres.

    Of several domains, each picture gets the one that its own features tell. (The original lets all
    pictures of a batch vote, so that a picture's depth depends on what it is asked with.)
    """

    config_type = ZoeDepthConfig
    config: ZoeDepthConfig

    def __init__(self, config: ZoeDepthConfig) -> None:
        """A network with random weights.

        Raises:
            ConfigError: If the configuration does not fit together.
        """
        super().__init__(config)
        self.bins = MetricBins(config)
        several = len(config.domains) > 1
        features = config.trunk.features
        self.router = Router(features, len(config.domains), config.router) if several else None

    def on_grid(self, padded: Tensor) -> Tensor:
        """Normalised pixels on the patch grid (B, 3, H, W) to metres (B, H, W)."""
        size = (padded.shape[-2], padded.shape[-1])
        passes = self.trunk.passes(padded)
        blocks = [double_size(block) for block in passes.blocks]
        features = blocks[-1] if self.mix is None else self.mix(blocks[-1]).relu()
        refined = self._refined(features, size)
        start = self.bins.entrance(passes.start)
        depths = self.bins(start, blocks, refined, self.depth(refined).relu())
        return upsample(self._of_domain(depths, start), size)[:, 0]

    def _of_domain(self, depths: list[Tensor], start: Tensor) -> Tensor:
        """Of depths by domain, (B, 1, H, W) each, that of each picture's own domain."""
        if self.router is None:
            return depths[0]
        chosen = self.router(start).argmax(dim=1)
        taken = chosen[:, None] == torch.arange(len(depths), device=chosen.device)  # (B, D)
        return (torch.stack(depths, dim=1) * taken[:, :, None, None, None]).sum(1)
