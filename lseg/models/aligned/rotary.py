"""Patches of timm's class `Eva`: EVA-CLIP and Perception Encoder, with rotary positions."""

import torch
from timm.models.eva import EvaBlockPostNorm
from torch import Tensor

from lseg.errors import ConfigError
from lseg.models.aligned.attention import by_neighbours, masked_to_itself
from lseg.models.aligned.encoder import PatchEncoder


class RotaryEncoder(PatchEncoder):
    """An `Eva` that was created with `dynamic_img_size`, asked for its patches.

    Learnt positions, where there are some, are resampled as timm does it (bicubic, antialiased).
    """

    def before_last(self, pixels: Tensor, grid: tuple[int, int]) -> Tensor:
        """See `PatchEncoder`."""
        (found,) = self.vit.forward_intermediates(
            pixels,
            indices=[len(self.vit.blocks) - 2],
            return_prefix_tokens=self.vit.num_prefix_tokens > 0,
            output_fmt="NLC",
            intermediates_only=True,
        )
        if isinstance(found, Tensor):
            return found
        patches, prefix = found
        return torch.cat([prefix, patches], dim=1)

    def last_block(self, block: torch.nn.Module, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """See `PatchEncoder`; keys are compared with keys before they are turned by their place.

        Raises:
            ConfigError: If neighbours are asked for and the block norms what it has mixed.
        """
        if self.attention == "value":
            return masked_to_itself(block, self.patches(tokens))
        if self.attention == "neighbour":
            if isinstance(block, EvaBlockPostNorm):
                raise ConfigError(
                    "--attention neighbour is not defined on this encoder, whose blocks norm what "
                    "they have mixed: give value or full"
                )
            prefix = self.vit.num_prefix_tokens
            mixed = by_neighbours(block, tokens, prefix, grid, self.neighbourhood)
            return self.patches(mixed)
        rope = None if self.vit.rope is None else self.vit.rope.get_embed(shape=list(grid))
        return self.patches(block(tokens, rope=rope))
