"""From a picture to what each of its patches says by itself: plain vision transformers of timm."""

from typing import NamedTuple

import torch
from timm.layers import AttentionPoolLatent
from timm.models.eva import Eva
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from lseg.config import Attention, EncoderConfig, Positions
from lseg.errors import ConfigError
from lseg.models.aligned.attention import by_neighbours, by_value
from lseg.models.levels import Backbone, Level, LevelInfo
from lseg.models.tokens import resample_positions


class Patches(NamedTuple):
    """What is known of the patches of pictures.

    Attributes:
        features: (B, F, h, w), each patch pooled as if it were the whole picture.
        tokens: (B, D, h, w) before the last block.
    """

    features: Tensor
    tokens: Tensor


class PatchEncoder(Backbone):
    """A plain vision transformer, asked for its patches instead of the whole picture."""

    def __init__(self, vit: VisionTransformer | Eva, config: EncoderConfig) -> None:
        """`vit` has no classifier; see `lseg.models.aligned.build`."""
        super().__init__()
        vit.patch_embed.strict_img_size = False  # positions are resampled below for any grid
        self.vit = vit
        self.attention: Attention = config.attention
        self.neighbourhood = config.neighbourhood
        self.positions: Positions = config.positions
        self.patch = patch_side(vit)
        self.width: int = vit.embed_dim
        self.levels = (LevelInfo(self.width, self.patch, tokens=True),)

    @property
    def repeated(self) -> nn.Module:
        """See `Backbone`; the last block is taken apart, and stays as it is."""
        return self.vit.blocks[:-1]

    def forward(self, pixels: Tensor) -> list[Level]:
        """The tokens before the last block, as a map; see `Backbone`."""
        return [Level(self.look(pixels).tokens, None)]

    def look(self, pixels: Tensor) -> Patches:
        """Normalised pixels (B, 3, H, W), H and W multiples of the patch size, to their patches."""
        grid = pixels.shape[-2] // self.patch, pixels.shape[-1] // self.patch
        tokens = self.before_last(pixels, grid)
        features = self.finish(self.last_block(self.last, tokens, grid))
        return Patches(_as_map(features, grid), _as_map(self.patches(tokens), grid))

    @property
    def last(self) -> Block:
        """The block that is taken apart."""
        return self.vit.blocks[-1]

    def before_last(self, pixels: Tensor, grid: tuple[int, int]) -> Tensor:
        """Pixels to the tokens (B, p + h * w, D) that enter the last block."""
        tokens = self.embed(pixels, grid)
        for block in self.vit.blocks[:-1]:
            tokens = block(tokens)
        return tokens

    def finish(self, patches: Tensor) -> Tensor:
        """What leaves the last block, (B, h * w, D), to features (B, h * w, F)."""
        return self.pool(self.vit.norm(patches))

    def embed(self, pixels: Tensor, grid: tuple[int, int]) -> Tensor:
        """Pixels to tokens (B, p + h * w, D) with their positions; the first p are no patches."""
        vit = self.vit
        table = vit.pos_embed
        if table is not None:
            prefix = 0 if vit.no_embed_class else vit.num_prefix_tokens
            old = vit.patch_embed.grid_size
            table = resample_positions(table, old, grid, prefix, self.positions)
        tokens = vit.patch_embed(pixels)
        extra = [
            token.expand(tokens.shape[0], -1, -1)
            for token in (vit.cls_token, vit.reg_token)
            if token is not None
        ]
        if vit.no_embed_class and table is not None:
            tokens = tokens + table
        tokens = torch.cat([*extra, tokens], dim=1)
        if not vit.no_embed_class and table is not None:
            tokens = tokens + table
        return vit.norm_pre(tokens)

    def last_block(self, block: Block, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens (B, p + h * w, D) to patches (B, h * w, D)."""
        if self.attention == "value":
            return by_value(block, self.patches(tokens))
        if self.attention == "neighbour":
            prefix = self.vit.num_prefix_tokens
            mixed = by_neighbours(block, tokens, prefix, grid, self.neighbourhood)
            return self.patches(mixed)
        return self.patches(block(tokens))

    def patches(self, tokens: Tensor) -> Tensor:
        """Without those tokens that are no patches."""
        return tokens[:, self.vit.num_prefix_tokens :]

    def pool(self, tokens: Tensor) -> Tensor:
        """Each token pooled by itself, as the encoder pools those of a picture."""
        vit = self.vit
        if vit.attn_pool is not None:
            tokens = pooled_alone(vit.attn_pool, tokens)
        return vit.fc_norm(tokens)


def patch_side(vit: VisionTransformer | Eva) -> int:
    """Side of a patch in pixels of the input, also where convolutions come before the patches.

    Raises:
        ConfigError: If patches are no squares.
    """
    height, width = vit.patch_embed.feat_ratio(as_scalar=False)
    if height != width:
        raise ConfigError(f"patches are of {height} by {width} pixels: squares are wanted")
    return int(height)


def pooled_alone(pool: AttentionPoolLatent, tokens: Tensor) -> Tensor:
    """What attention pooling gives of each token (B, n, D) alone: attention to it is 1."""
    width = tokens.shape[-1]
    bias = pool.kv.bias
    values = F.linear(tokens, pool.kv.weight[width:], None if bias is None else bias[width:])
    pooled = pool.proj(values)
    return pooled if pool.mlp is None else pooled + pool.mlp(pool.norm(pooled))


def _as_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """(B, h * w, D) to (B, D, h, w), in channels-last memory without a copy."""
    return tokens.unflatten(1, grid).permute(0, 3, 1, 2)
