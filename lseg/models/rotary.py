"""Transformers of timm's class `Eva`: EVA-02, DINOv3, Perception Encoder and other rotary ones."""

from collections.abc import Sequence

from timm.models.eva import Eva
from torch import Tensor, nn

from lseg.models.levels import Backbone, Level, LevelInfo, check_blocks
from lseg.models.tokens import token_levels


class EvaBackbone(Backbone):
    """Levels are the outputs of four blocks, before the final norm.

    Rotary positions are computed for the grid of the pixels, learnt ones resampled to it as timm
    does it (bicubic, antialiased): there is no DPT of these networks whose way would bind us.
    """

    def __init__(self, vit: Eva, blocks: Sequence[int]) -> None:
        """`vit`, created with `dynamic_img_size`, loses its head, final norm and unused blocks."""
        super().__init__()
        check_blocks(vit.blocks, blocks)
        vit.prune_intermediate_layers(list(blocks), prune_norm=True, prune_head=True)
        self.vit = vit
        self.blocks = tuple(blocks)
        self.has_readout = vit.cls_token is not None
        stride = vit.patch_embed.patch_size[0]
        self.levels = (LevelInfo(vit.embed_dim, stride, tokens=True),) * len(blocks)

    @property
    def repeated(self) -> nn.Module:
        """See `Backbone`."""
        return self.vit.blocks

    def forward(self, pixels: Tensor) -> list[Level]:
        """See `Backbone`."""
        prefix = self.vit.num_prefix_tokens
        outputs = self.vit.forward_intermediates(
            pixels,
            indices=list(self.blocks),
            return_prefix_tokens=prefix > 0,
            output_fmt="NLC",
            intermediates_only=True,
        )
        grid = self.vit.patch_embed.dynamic_feat_size(pixels.shape[-2:])
        return token_levels(outputs, grid, prefix > 0, self.has_readout)
