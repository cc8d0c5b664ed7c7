"""Image encoders as four-level feature extractors, and those of timm that DPT and LSeg use.

A backbone publishes facts about its levels (`LevelInfo`) and the decoder is sized from them;
nothing downstream compares model names. Feature maps come from timm's own interfaces: block outputs
for transformers (`forward_intermediates`), `features_only` for pyramids.
Other kinds: `lseg.models.rotary`, `lseg.models.beit`, `lseg.models.transformers_backbone`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from timm.layers import Format, PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.config import Positions
from lseg.errors import ConfigError
from lseg.models.padding import use_fixed_padding
from lseg.models.std_conv import use_original_standardization
from lseg.models.timm_names import unsupported_backbone


@dataclass(frozen=True)
class LevelInfo:
    """Facts about one level.

    Attributes:
        width: Channels of the feature map.
        stride: Input pixels per feature-map pixel.
        tokens: Whether it comes from a transformer, to be reassembled with a readout token.
    """

    width: int
    stride: int
    tokens: bool


class Level(NamedTuple):
    """One level's output: a feature map (B, D, h, w) and a readout token (B, D), if any."""

    map: Tensor
    readout: Tensor | None


class Backbone(nn.Module):
    """Base: `levels` describes what `forward` returns, finest level first."""

    levels: tuple[LevelInfo, ...]
    has_readout: bool = False

    @property
    def repeated(self) -> nn.Module | None:
        """The blocks of a plain transformer, all of one form; None of any other network."""
        return None

    def forward(self, pixels: Tensor) -> list[Level]:
        """(B, 3, H, W), H and W multiples of the coarsest stride, to one `Level` per entry."""
        raise NotImplementedError


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
        if not _rising(stages, available):
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


def transformer_levels(
    vit: VisionTransformer,
    pixels: Tensor,
    blocks: Sequence[int],
    level_norm: bool = False,
    positions: Positions = "bilinear",
) -> list[Level]:
    """Outputs of `blocks`, through the final norm on demand, positions resampled to the grid."""
    height, width = pixels.shape[-2:]
    grid = vit.patch_embed.dynamic_feat_size((height, width))
    prefix = 0 if vit.no_embed_class else vit.num_prefix_tokens
    table = {}
    if vit.pos_embed is not None:
        old_grid = vit.patch_embed.grid_size
        new = resample_positions(vit.pos_embed, old_grid, grid, prefix, positions)
        table["vit.pos_embed"] = new
    outputs = torch.func.functional_call(
        _Intermediates(vit), table, (pixels, list(blocks), level_norm)
    )
    prefixed = vit.num_prefix_tokens > 0
    return token_levels(outputs, grid, prefixed, has_readout=vit.cls_token is not None)


def token_levels(
    outputs: Sequence[Any], grid: tuple[int, int], prefixed: bool, has_readout: bool
) -> list[Level]:
    """What timm's transformers give for some blocks, as levels.

    Args:
        outputs: Tokens (B, hw, D) of each block; pairs of these and prefix tokens (B, P, D) where
            `prefixed`.
        grid: Rows h and columns w of tokens.
        prefixed: Whether there are class or register tokens.
        has_readout: Whether the first of them is a class token; a register is never the readout.
    """
    pairs: Sequence[Any] = outputs if prefixed else [(tokens, None) for tokens in outputs]
    # Tokens as a map in channels-last memory, which the decoder's convolutions like, cost no copy.
    return [
        Level(tokens.unflatten(1, grid).permute(0, 3, 1, 2), prefix[:, 0] if has_readout else None)
        for tokens, prefix in pairs
    ]


def resample_positions(
    table: Tensor,
    old_grid: tuple[int, int],
    new_grid: tuple[int, int],
    prefix: int,
    how: Positions = "bilinear",
) -> Tensor:
    """Position embeddings for another grid: plain bilinear, no antialiasing, as DPT does it.

    (timm's own default is bicubic with antialiasing, which gives other outputs.)

    Args:
        table: (1, prefix + old_h * old_w, D).
        old_grid: Rows and columns of the table.
        new_grid: Rows and columns that are wanted.
        prefix: How many leading entries belong to class and register tokens.
        how: See `TrunkConfig.positions`.

    Returns:
        (1, prefix + new_h * new_w, D); `table` itself where the grids agree.
    """
    if not torch.compiler.is_exporting() and tuple(old_grid) == tuple(new_grid):
        return table  # an exported program takes both ways in one, as they give the same
    tokens, spatial = table[:, :prefix], table[:, prefix:]
    spatial = spatial.reshape(1, *old_grid, -1).permute(0, 3, 1, 2)  # (1, D, old_h, old_w)
    mode = "bicubic" if how == "bicubic" else "bilinear"
    antialias = how == "antialiased"
    spatial = F.interpolate(spatial, new_grid, mode=mode, align_corners=False, antialias=antialias)
    return torch.cat([tokens, spatial.flatten(2).transpose(1, 2)], dim=1)


def level_scales(levels: Sequence[LevelInfo]) -> list[float]:
    """Factor by which each level is resized to reach strides 4, 8, 16, 32.

    Convolutional levels stay as they are. A patch size that is no power of two (14) counts as the
    nearest one, so that all four levels keep their ratio of 2.
    """
    return [
        2.0 ** (round(math.log2(level.stride)) - 2 - index) if level.tokens else 1.0
        for index, level in enumerate(levels)
    ]


def size_multiple(levels: Sequence[LevelInfo]) -> int:
    """The number that an input's height and width must divide by."""
    shrink = zip(levels, level_scales(levels), strict=True)
    return max(round(level.stride / min(scale, 1.0)) for level, scale in shrink)


class _Intermediates(nn.Module):
    """Lets `functional_call` reach timm's `forward_intermediates`."""

    def __init__(self, vit: VisionTransformer) -> None:
        super().__init__()
        self.vit = vit

    def forward(self, pixels: Tensor, blocks: list[int], norm: bool) -> list[Tensor]:
        return self.vit.forward_intermediates(
            pixels,
            indices=blocks,
            return_prefix_tokens=True,
            norm=norm,
            output_fmt="NLC",
            intermediates_only=True,
        )


def check_blocks(row: nn.Module, blocks: Sequence[int]) -> None:
    """Checks the indices of blocks.

    Args:
        row: All blocks of a transformer.
        blocks: Indices from 0, which must rise.

    Raises:
        ConfigError: If they do not, or there are no such blocks.
    """
    count = len(row)  # type: ignore[arg-type]
    if not _rising(blocks, count):
        raise ConfigError(
            f"levels {tuple(blocks)} do not fit a transformer of {count} blocks: "
            f"give rising indices from 0 to {count - 1}"
        )


def halving(strides: Sequence[int]) -> bool:
    """Whether each map is half as large as the one before."""
    return all(2 * fine == coarse for fine, coarse in pairwise(strides))


def _rising(indices: Sequence[int], end: int) -> bool:
    return all(0 <= index < end for index in indices) and all(a < b for a, b in pairwise(indices))
