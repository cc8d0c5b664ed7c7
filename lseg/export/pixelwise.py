"""A network for depth, normals or fixed classes as a program of its own: pixels to its answer."""

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config

from lseg.export.program import PIXELS, cut, extend_to_multiple, smallest_side
from lseg.models.dpt import PixelNetwork


class WholeNetwork(nn.Module):
    """`PixelNetwork.forward`, whose sizes may be symbols."""

    def __init__(self, model: PixelNetwork) -> None:
        """`model` is in eval mode on the CPU, in float32, and lends its weights."""
        super().__init__()
        self.model = model.requires_grad_(False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (B, 3, H, W) to (B, ..., H, W)."""
        height, width = pixels.shape[-2:]
        multiple = self.model.trunk.multiple
        padded = extend_to_multiple(extend_to_multiple(pixels, 2, multiple), 3, multiple)
        return cut(self.model.on_grid(padded), height, width)


def export_pixelwise(model: PixelNetwork) -> ExportedProgram:
    """The network as a `torch.export` program with free batch, height and width."""
    multiple = model.trunk.multiple
    pixels = torch.zeros(2, 3, 2 * multiple + 5, 3 * multiple + 7)
    least = smallest_side(model)
    free = {0: Dim("batch"), 2: Dim("height", min=least), 3: Dim("width", min=least)}
    # A length of one is a length like any other.
    with _config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        return torch.export.export(
            WholeNetwork(model).eval(), (pixels,), dynamic_shapes={PIXELS: free}, strict=False
        )
