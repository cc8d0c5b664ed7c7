"""Image encoders of timm that DPT and LSeg use, as four-level feature extractors.

Feature maps come from timm's own interfaces: block outputs for transformers
(`forward_intermediates`), `features_only` for pyramids.
"""

from collections.abc import Sequence
from typing import Any

from timm.layers import Format, PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from lseg.config import Positions
from lseg.errors import ConfigError
from lseg.models.levels import Backbone, Level, LevelInfo, check_blocks, halving, rising
from lseg.models.padding import use_fixed_padding
from lseg.models.std_conv import use_original_standardization
from lseg.models.timm_names import unsupported_backbone
from lseg.models.tokens import transformer_levels


class ViTBackbone(Backbone):
    """A plain vision transformer at any patch size; levels are the outputs of four blocks."""

    def __init__(
        self,
        vit: VisionTransformer,
        blocks: Sequence[int],
        level_norm: bool = False,
        positions: Positions = "bilinear",
    ) -> None:
        """`vit` loses its head, unused blocks, and the final norm where levels do without it.

        Args:
            vit: The transformer.
            blocks: Whose outputs are the levels; indices from 0.
            level_norm: See `TrunkConfig`.
            positions: See `TrunkConfig`.
        """
        super().__init__()
        check_blocks(vit.blocks, blocks)
        vit.prune_intermediate_layers(list(blocks), prune_norm=not level_norm, prune_head=True)
        vit.patch_embed.strict_img_size = False  # positions are resampled below for any grid
        self.vit = vit
        self.blocks = tuple(blocks)
        self.level_norm = level_norm
        self.positions = positions
        self.has_readout = vit.cls_token is not None
        stride = vit.patch_embed.patch_size[0]
        self.levels = (LevelInfo(vit.embed_dim, stride, tokens=True),) * len(blocks)

    @property
    def repeated(self) -> nn.Module:
        """See `Backbone`."""
        return self.vit.blocks

    def forward(self, pixels: Tensor) -> list[Level]:
        """See `Backbone`."""
        return transformer_levels(self.vit, pixels, self.blocks, self.level_norm, self.positions)


class HybridBackbone(Backbone):
    """A ResNet stem under a transformer (DPT-Hybrid): two stem stages, then two blocks."""

    def __init__(self, vit: VisionTransformer, levels: Sequence[int]) -> None:
        """`vit` has a `HybridEmbed`; `levels` are two stage indices, then two block indices."""
        super().__init__()
        stages, blocks = levels[:2], levels[2:]
        check_blocks(vit.blocks, blocks)
        embed = vit.patch_embed
        self.stem = embed.backbone
        use_original_standardization(self.stem)
        use_fixed_padding(self.stem)
        available = len(getattr(self.stem, "stages", ())) - 1  # the last one feeds the transformer
        if not rising(stages, available):
            raise ConfigError(
                f"levels {tuple(levels)} begin with stem stages {tuple(stages)}: they must rise "
                f"and lie below {available}, the number of stages under the transformer's own"
            )
        self.stages = tuple(stage + 1 for stage in stages)  # 0 is the stem's first convolution
        self.last_stage = len(self.stem.feature_info) - 1
        # The transformer now reads stem features through 1x1 patches, so that the stem runs once.
        proj = embed.proj
        vit.patch_embed = PatchEmbed(
            embed.grid_size, 1, proj.in_channels, proj.out_channels, strict_img_size=False
        )
        vit.patch_embed.proj = proj
        vit.prune_intermediate_layers(list(blocks), prune_norm=True, prune_head=True)
        self.vit = vit
        self.blocks = tuple(blocks)
        self.has_readout = vit.cls_token is not None
        info = [self.stem.feature_info[stage] for stage in self.stages]
        stride = self.stem.feature_info[-1]["reduction"]
        self.levels = (
            *(LevelInfo(entry["num_chs"], entry["reduction"], tokens=False) for entry in info),
            *(LevelInfo(vit.embed_dim, stride, tokens=True) for _ in blocks),
        )

    @property
    def repeated(self) -> nn.Module:
        """See `Backbone`."""
        return self.vit.blocks

    def forward(self, pixels: Tensor) -> list[Level]:
        """See `Backbone`."""
        *skips, deepest = self.stem.forward_intermediates(
            pixels, indices=[*self.stages, self.last_stage], intermediates_only=True
        )
        tokens = transformer_levels(self.vit, deepest, self.blocks)
        return [Level(skip, None) for skip in skips] + tokens


class PyramidBackbone(Backbone):
    """Any timm network that was created with `features_only=True`: convolutional, Swin and more."""

    def __init__(self, net: Any, name: str) -> None:
        """`net.feature_info` gives the widths and strides of its outputs; `name` is for errors.

        Raises:
            ConfigError: If the outputs are not four maps, each of half the size.
        """
        super().__init__()
        self.net = net
        use_fixed_padding(net)
        widths, strides = net.feature_info.channels(), net.feature_info.reduction()
        if len(strides) != 4 or not halving(strides):
            raise unsupported_backbone(name, f"gives maps at strides {strides}")
        self.channels_last = getattr(net, "output_fmt", Format.NCHW) == Format.NHWC
        self.levels = tuple(
            LevelInfo(width, stride, tokens=False)
            for width, stride in zip(widths, strides, strict=True)
        )

    def forward(self, pixels: Tensor) -> list[Level]:
        """See `Backbone`."""
        maps = self.net(pixels)
        if self.channels_last:
            maps = [features.permute(0, 3, 1, 2) for features in maps]
        return [Level(features, None) for features in maps]
