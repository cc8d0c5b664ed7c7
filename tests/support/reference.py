"""What is stored of the original networks: shapes, outputs, and the rule that makes weights.

`tests/references/README.md` says how the outputs were made and what is stored of them.
"""

import functools
import gzip
import json
import math
import zlib
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parents[1] / "references"
OUTPUTS = {path.stem: path for path in sorted(FOLDER.glob("*.npz"))}


@functools.cache
def _manifests():
    return json.loads(gzip.decompress((FOLDER / "manifests.json.gz").read_bytes()))


def manifest(name):
    """The shape of every tensor of a checkpoint: {key: shape}, keys as in the file."""
    return dict(_manifests()["shapes"][name])


def half_precision(name):
    """The keys that are float16 in the published file; all others are float32."""
    return set(_manifests()["half"][name])


def outputs(name):
    """What the original network said: {name: array}, as the README names them."""
    with np.load(OUTPUTS[name]) as file:
        return dict(file)


def fill(key, shape):
    """The deterministic weight of this key: normal numbers from its CRC-32, scaled by its kind.

    The key is that of the checkpoint's file, with `net.` where it has that. Maps stay in the range
    of trained networks: kernels are divided by the root of their fan-in, norms are near 1.
    """
    shape, leaf = tuple(shape), key.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return torch.zeros(shape, dtype=torch.int64)
    if leaf == "logit_scale":
        return torch.full(shape, math.log(1 / 0.07))
    normal = torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(key.encode())))
    if leaf == "running_mean":
        return 0.05 * normal
    if leaf == "running_var":
        return 1 + 0.1 * normal.abs()
    if leaf in ("pos_embed", "positional_embedding", "cls_token", "class_embedding"):
        return 0.02 * normal
    if key.endswith("token_embedding.weight"):
        return 0.5 * normal  # labels must differ
    if len(shape) == 1:
        return 1 + 0.05 * normal if leaf in ("weight", "gamma") else 0.02 * normal
    if len(shape) == 4 and shape[0] == 1:
        normal = normal.abs()  # depth stays above zero through the last ReLU
    return normal / math.sqrt(_fan_in(shape))


def _fan_in(shape):
    """Even square kernels between as many channels are transposed, of a stride of their size."""
    out, channels, *kernel = shape
    transposed = len(kernel) == 2 and out == channels > 1 and kernel[0] == kernel[1]
    if transposed and kernel[0] % 2 == 0:
        return out
    return math.prod(shape[1:])


def image(height, width, seed=0, batch=1):
    """The seeded picture, smooth with some noise, normalised: float32 (B, 3, H, W) in [-1, 1]."""
    source = torch.Generator().manual_seed(seed)
    low = torch.randn(batch, 3, max(height // 32, 2), max(width // 32, 2), generator=source)
    smooth = torch.nn.functional.interpolate(
        low, size=(height, width), mode="bicubic", align_corners=False
    )
    noise = torch.randn(batch, 3, height, width, generator=source)
    return (0.5 * smooth + 0.1 * noise).clamp(-1, 1)
