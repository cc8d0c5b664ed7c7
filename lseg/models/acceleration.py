"""Faster on request: rounded products (TF32, bfloat16, int8), compilation."""

from typing import Literal, get_args

import torch
from torch import nn

from lseg.errors import ConfigError
from lseg.models.levels import Backbone
from lseg.models.network import Network
from lseg.models.trunk import Trunk

Precision = Literal["auto", "fp32", "tf32", "bf16", "int8"]
TrainingPrecision = Literal["auto", "fp32", "tf32", "bf16"]


def accelerate(model: Network, precision: Precision = "fp32", compiled: bool = False) -> None:
    """Prepares a network for inference, in place; it can neither be trained nor saved afterwards.

    Only the image side is touched: norms, residual sums and softmax of its blocks stay in float32
    under autocast, and so does the whole head (see `lseg.models.embeddings`). Under bf16 so does a
    convolutional backbone: rounding adds up over its many narrow layers (with MobileNetV2 5 to 6 %
    of the pixels of photos then get another label, against 0.1 % so), and it would gain little.

    Args:
        model: In eval mode, on its device.
        precision: `fp32`; `tf32` (on GPUs; see `round_float32`, which every precision sets);
            `bf16` (weights of products are rounded once, and take half the memory); `int8` (weights
            and activations of the transformer's linear layers, each with a scale of its own a row;
            on CPUs; needs torchao); or `auto`: bf16 where the device computes with it natively,
            fp32 elsewhere.
        compiled: Compile the repeated parts with `torch.compile`. The first picture takes a minute
            or so; other sizes need no compilation of their own.

    Raises:
        ConfigError: If the precision is unknown or not to be had here.
    """
    if precision not in get_args(Precision):
        known = ", ".join(get_args(Precision))
        raise ConfigError(f"precision is {precision!r}: choose one of {known}")
    if precision == "auto":
        precision = native_precision(model.device)
    round_float32(precision == "tf32")
    if precision == "bf16":
        model.trunk.autocast = torch.bfloat16
        model.trunk.exact_backbone = model.trunk.backbone.repeated is None
        round_products(model.trunk)
    elif precision == "int8":
        quantize_transformer(model.trunk.backbone, model.device)
    if compiled:
        compile_parts(model.trunk)


def prepare_training(model: Network, precision: TrainingPrecision, compiled: bool) -> None:
    """As `accelerate`, for a network that learns: its weights stay in float32.

    Under bf16 so do the products of a backbone with depthwise convolutions: their gradients take
    several times longer in bfloat16 on CPUs, which costs more than all other products gain.
    """
    if precision == "auto":
        precision = native_precision(model.device)
    round_float32(precision == "tf32")
    model.trunk.autocast = torch.bfloat16 if precision == "bf16" else None
    model.trunk.exact_backbone = has_depthwise(model.trunk.backbone)
    if compiled:
        compile_parts(model.trunk)


def has_depthwise(backbone: nn.Module) -> bool:
    """Whether a network has convolutions of one channel a group."""
    convolutions = (module for module in backbone.modules() if isinstance(module, nn.Conv2d))
    return any(conv.groups == conv.in_channels > 1 for conv in convolutions)


def native_precision(device: torch.device) -> Literal["fp32", "bf16"]:
    """What `auto` stands for on a device."""
    return "bf16" if computes_bf16(device) else "fp32"


def computes_bf16(device: torch.device) -> bool:
    """Whether products of bfloat16 run natively on a device, and not by way of float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False


def round_float32(rounded: bool) -> None:
    """Whether GPUs round the factors of float32 products to 10 bits (TF32); in the whole process.

    PyTorch's own default is to do so in convolutions alone.
    """
    torch.backends.cuda.matmul.allow_tf32 = rounded
    torch.backends.cudnn.allow_tf32 = rounded


def round_products(trunk: Trunk) -> None:
    """Kernels of convolutions and linear layers to bfloat16; autocast would do so at each call.

    What the trunk keeps exact stays, and so does a backbone that stays in float32.
    """
    kept = trunk.exact_parts
    if trunk.exact_backbone:
        kept |= set(trunk.backbone.modules())
    for module in trunk.modules():
        plain = type(module) in (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
        if plain and module not in kept:
            module.to(torch.bfloat16)


def quantize_transformer(backbone: Backbone, device: torch.device) -> None:
    """Linear layers of a transformer's blocks to int8, by torchao.

    Raises:
        ConfigError: If there is no transformer, no torchao, or the device is no CPU.
    """
    if device.type != "cpu" or backbone.repeated is None:
        raise ConfigError("int8 is for transformer backbones on a CPU: use bf16 or fp32")
    try:
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_
    except ImportError as error:
        raise ConfigError('int8 needs torchao: pip install "lseg[int8]"') from error
    quantize_(backbone.repeated, Int8DynamicActivationInt8WeightConfig())


def compile_parts(trunk: Trunk) -> None:
    """Compiles each transformer block (all share one program), or a convolutional net.

    The decoder is left alone: its convolutions gain nothing, and its size ratios would be compiled
    in anew for pictures of other shapes.
    """
    repeated = trunk.backbone.repeated
    if repeated is not None:
        for block in repeated.children():
            block.compile(dynamic=True)
    else:
        trunk.backbone.compile(dynamic=True)
