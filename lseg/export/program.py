"""The image side of an LSeg as a program of its own: pixels and label vectors to logits.

Label vectors are an input, so any labels can be asked for without exporting again. Height, width,
batch and number of labels are free. Nothing of this project is needed to run the program.
"""

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config
from torch.nn import functional as F

from lseg.models.embeddings import AffineMap, PixelEmbeddings, at_least_float32
from lseg.models.lseg import LSeg
from lseg.models.network import Network
from lseg.models.norms import doubled_norms, squared_norms
from lseg.models.similarity import dot_products
from lseg.models.trunk import SMALLEST_SIDE
from lseg.models.upsample import double_size, upsample

PIXELS, LABELS, LOGITS = "pixels", "label_vectors", "logits"
"""Names of the two inputs and of the output."""


class ImageSide(nn.Module):
    """`LSeg.forward` for label vectors (N, C), every logit computed; its sizes may be symbols.

    What depends on weights alone is computed here once: the projection to C channels, and the
    shorter one with the same inner products (see `lseg.models.embeddings`).
    """

    weight: Tensor
    bias: Tensor
    short_weight: Tensor
    short_bias: Tensor

    @torch.no_grad()
    def __init__(self, model: LSeg) -> None:
        """`model` is in eval mode on the CPU, in float32, and lends its weights."""
        super().__init__()
        self.trunk = model.trunk.requires_grad_(False)
        self.block = model.spatial_block.requires_grad_(False)
        self.scale = model.config.logit_scale
        self.cells = model.cells
        projection = model.projection
        short = PixelEmbeddings(torch.empty(0), projection)._short()
        for name, values in zip(("weight", "bias"), projection, strict=True):
            self.register_buffer(name, values.clone())
        for name, values in zip(("short_weight", "short_bias"), short, strict=True):
            self.register_buffer(name, values.clone())

    def forward(self, pixels: Tensor, label_vectors: Tensor) -> Tensor:
        """Logits of every label at every pixel.

        Args:
            pixels: (B, 3, H, W), normalised; H and W from 32 up.
            label_vectors: (N, C), of any norm.

        Returns:
            (B, N, H, W).
        """
        height, width = pixels.shape[-2:]
        padded = extend_to_multiple(
            extend_to_multiple(pixels, 2, self.trunk.multiple), 3, self.trunk.multiple
        )
        embeddings = PixelEmbeddings(
            at_least_float32(self.trunk.refine(padded)), AffineMap(self.weight, self.bias)
        )
        # A matrix product for each picture: a convolution would be tied to more than one label.
        text = self.scale * F.normalize(label_vectors, dim=-1).expand(pixels.shape[0], -1, -1)
        kernels = embeddings.kernels(text)
        short = F.conv2d(embeddings.features, self.short_weight[:, :, None, None], self.short_bias)
        dots = dot_products(embeddings.features, kernels)
        if self.cells:
            logits = dots / squared_norms(short).clamp_min(1e-24).sqrt()
        else:
            logits = self.block(double_size(dots) / doubled_norms(short))
        return cut(upsample(logits, padded.shape[-2:], self.cells), height, width)


def extend_to_multiple(pixels: Tensor, dim: int, multiple: int) -> Tensor:
    """Repeats the last row or column until the length divides by `multiple`, without branches."""
    length = pixels.shape[dim]
    full = (length + multiple - 1) // multiple * multiple
    return pixels.index_select(dim, torch.arange(full).clamp(max=length - 1))


def cut(maps: Tensor, height: int, width: int) -> Tensor:
    """Maps (B, ..., H, W) without their last rows and columns, which a slice would compare first.

    Versions of torch up to 2.9 tie the program to sizes for which the comparison comes out alike.
    """
    return maps.index_select(-2, torch.arange(height)).index_select(-1, torch.arange(width))


def export_program(model: LSeg) -> ExportedProgram:
    """The image side as a `torch.export` program with free batch, height, width and label count."""
    multiple = model.trunk.multiple
    pixels = torch.zeros(2, 3, 2 * multiple + 5, 3 * multiple + 7)
    least = smallest_side(model)
    vectors = torch.ones(3, model.config.embed_dim)
    shapes = {
        PIXELS: {0: Dim("batch"), 2: Dim("height", min=least), 3: Dim("width", min=least)},
        LABELS: {0: Dim("labels")},
    }
    # A length of one is a length like any other.
    with _config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        return torch.export.export(
            ImageSide(model).eval(), (pixels, vectors), dynamic_shapes=shapes, strict=False
        )


def smallest_side(model: Network) -> int:
    """Least height and width of an exported program's input.

    Not less than what the network takes, and more than one cell of its coarsest level.
    """
    return max(SMALLEST_SIDE, model.trunk.coarsest + 1)
