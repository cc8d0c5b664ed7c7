"""Low-rank adaptors (LoRA, Hu et al., arXiv:2106.09685) in stored weights, as peft names them."""

from collections.abc import Mapping

from torch import Tensor

SCALE_KEY = "lora_scale"
"""Under which a checkpoint of a training with adaptors says by what their product is scaled."""

DOWN, UP = "lora_A.default.weight", "lora_B.default.weight"
BASE = "base_layer."


def merge_adaptors(weights: Mapping[str, Tensor], scale: float) -> dict[str, Tensor]:
    """Weights without adaptors that compute the same: W + scale * B A in place of W, B and A."""
    merged = {}
    for name, value in weights.items():
        layer = name.removesuffix(f"{BASE}weight")
        if layer != name:
            merged[f"{layer}weight"] = value + scale * (weights[layer + UP] @ weights[layer + DOWN])
        elif not name.endswith((DOWN, UP)):
            merged[name.replace(f".{BASE}", ".")] = value
    return merged
