"""What a patch takes from the others in an encoder's last block, where its own answer is wanted.

An encoder is trained to sum a picture up: its last block mixes patches, and a patch's vector then
says little of its place. The remedies here change that block alone, and no weight.
"""

import torch
from timm.layers.attention import Attention
from timm.models.eva import EvaAttention, EvaBlock
from timm.models.vision_transformer import Block
from torch import Tensor
from torch.nn import functional as F


def by_value(block: Block, tokens: Tensor) -> Tensor:
    """Each token takes its own value alone (MaskCLIP, arXiv:2112.01071, section 3.1).

    Args:
        block: The last one.
        tokens: (B, n, D) that enter it.

    Returns:
        (B, n, D) that leave it.
    """
    attention = block.attn
    values = _part(attention, block.norm1(tokens), 2)
    tokens = tokens + block.ls1(attention.proj(attention.norm(values)))
    return tokens + block.ls2(block.mlp(block.norm2(tokens)))


def masked_to_itself(block: EvaBlock, tokens: Tensor) -> Tensor:
    """As `by_value`, of a block made of any parts: all tokens but itself are masked."""
    alone = torch.eye(tokens.shape[1], dtype=torch.bool, device=tokens.device)
    return block(tokens, attn_mask=alone)


def by_neighbours(
    block: Block | EvaBlock, tokens: Tensor, prefix: int, grid: tuple[int, int], deviation: float
) -> Tensor:
    """Each token takes the values of tokens with alike keys, and of near patches first.

    NACLIP (arXiv:2404.08181, section 3): attention of keys to keys, to whose logits a Gaussian of
    the distance between patches is added; without the residual and the perceptron of the block.

    Args:
        block: The last one.
        tokens: (B, prefix + h * w, D) that enter it.
        prefix: How many of them, at the beginning, are no patches.
        grid: h and w.
        deviation: Standard deviation of the Gaussian, in patches.

    Returns:
        As `by_value`.
    """
    attention = block.attn
    tokens = block.norm1(tokens)
    keys, values = (
        _part(attention, tokens, index).unflatten(2, (attention.num_heads, -1)).transpose(1, 2)
        for index in (1, 2)
    )
    keys = attention.k_norm(keys)
    near = nearness(grid, deviation, keys)
    if prefix:
        near = F.pad(near, (prefix, 0, prefix, 0))  # what is no patch is near to nothing
    mixed = F.scaled_dot_product_attention(keys, keys, values, near, scale=attention.scale)
    return attention.proj(attention.norm(mixed.transpose(1, 2).flatten(2)))


def nearness(grid: tuple[int, int], deviation: float, like: Tensor) -> Tensor:
    """A Gaussian, of peak 1, of the distances between the patches of a grid.

    Args:
        grid: h and w.
        deviation: Its standard deviation, in patches.
        like: Gives dtype and device.

    Returns:
        (h * w, h * w).
    """
    down, across = (_line(length, deviation, like) for length in grid)
    square = down[:, None, :, None] * across[None, :, None, :]
    return square.flatten(2).flatten(0, 1)


def _line(length: int, deviation: float, like: Tensor) -> Tensor:
    places = torch.arange(length, device=like.device, dtype=like.dtype)
    return torch.exp(-((places[:, None] - places) ** 2) / (2 * deviation**2))


def _part(attention: Attention | EvaAttention, tokens: Tensor, index: int) -> Tensor:
    """Queries (0), keys (1) or values (2) of tokens, (B, n, heads * width of a head)."""
    if attention.qkv is None:
        return (attention.q_proj, attention.k_proj, attention.v_proj)[index](tokens)
    weight, bias = attention.qkv.weight.chunk(3)[index], attention.qkv.bias
    if isinstance(attention, EvaAttention):
        bias = (attention.q_bias, attention.k_bias, attention.v_bias)[index]
    else:
        bias = None if bias is None else bias.chunk(3)[index]
    return F.linear(tokens, weight, bias)
