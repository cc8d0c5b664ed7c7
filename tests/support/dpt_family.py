"""Tiny networks of the DPT family as transformers has them, with random weights."""

import math

import torch
import transformers
from torch import nn
from transformers import (
    BeitConfig,
    DepthAnythingConfig,
    Dinov2Config,
    DPTConfig,
    Swinv2Config,
    ZoeDepthConfig,
)
from transformers.models.tipsv2.configuration_tipsv2 import Tipsv2VisionConfig
from transformers.models.tipsv2_dpt.configuration_tipsv2_dpt import Tipsv2DptConfig
from transformers.models.tipsv2_dpt.modeling_tipsv2_dpt import Tipsv2DptForDensePrediction

PATCH = 14
LABELS = ("wall", "sky", "potted plant")
ENCODER = {
    "hidden_size": 32,
    "num_hidden_layers": 5,  # the last may be used or not
    "num_attention_heads": 2,
    "image_size": 4 * PATCH,
    "patch_size": PATCH,
    "reshape_hidden_states": False,
    "out_indices": [1, 2, 3, 4],
}
BEIT = {
    "hidden_size": 32,
    "num_hidden_layers": 5,
    "num_attention_heads": 2,
    "intermediate_size": 72,
    "layer_norm_eps": 1e-6,
    "image_size": 64,
    "patch_size": 16,
    "use_relative_position_bias": True,
    "reshape_hidden_states": False,
    "out_indices": [1, 2, 3, 4],
}
SWINV2 = {
    "image_size": 64,
    "patch_size": 4,
    "embed_dim": 16,
    "depths": [1, 2, 2, 1],
    "num_heads": [1, 2, 2, 4],
    "window_size": 4,
    "out_indices": [1, 2, 3, 4],
}
ROUTER = {  # of a ZoeDepth for several domains; its width is always this
    "num_patch_transformer_layers": 4,
    "patch_transformer_hidden_size": 128,
    "patch_transformer_intermediate_size": 40,
    "patch_transformer_num_attention_heads": 4,
}
NECK = {"neck_hidden_sizes": [8, 12, 16, 20], "fusion_hidden_size": 16}


def depth_anything(kind="relative", **encoder):
    """Depth Anything V1 and V2, which differ in the levels that they take."""
    config = DepthAnythingConfig(
        backbone_config=Dinov2Config(**{**ENCODER, **encoder}),
        reassemble_hidden_size=32,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=20 if kind == "metric" else 1,
        **NECK,
    )
    peer = randomised(transformers.DepthAnythingForDepthEstimation(config))
    if kind == "relative":
        nn.init.constant_(peer.head.conv3.bias, 3.0)  # away from the last ReLU's zeros
    return peer


def dpt_dinov2(encoder=None, **options):
    """DPT on a DINOv2, for depth."""
    backbone = Dinov2Config(**{**ENCODER, "apply_layernorm": False, **(encoder or {})})
    return _dpt(backbone, options)


def dpt_beit(encoder=None, **options):
    """DPT on a BEiT, for depth."""
    backbone = BeitConfig(**{**BEIT, **(encoder or {})})
    return _dpt(backbone, options)


def dpt_swinv2(encoder=None, **options):
    """DPT on a Swin V2, for depth; windows of 4 patches, of 2 in the last stage."""
    backbone = Swinv2Config(**{**SWINV2, **(encoder or {})})
    widths = [backbone.embed_dim * 2**stage for stage in range(4)]
    return _dpt(backbone, {"neck_hidden_sizes": widths, **options})


def zoedepth(*names, **options):
    """ZoeDepth; for several domains by their names, else with one head."""
    sizes = {"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0}
    values = {
        "num_relative_features": 6,
        "bottleneck_features": 16,
        "num_attractors": [5, 4, 3, 2],
        "bin_embedding_dim": 12,
        "bin_configurations": [{"name": name, **sizes} for name in names] or [sizes],
        **(ROUTER if names else {}),
        **NECK,
        **options,
    }
    config = ZoeDepthConfig(backbone_config=BeitConfig(**BEIT), **values)
    peer = randomised(transformers.ZoeDepthForDepthEstimation(config))
    for key, value in peer.metric_head.named_parameters():
        if "seed_bin_regressor" in key and key.endswith("conv2.bias"):
            nn.init.uniform_(value, 1, 9)  # bins far apart, in metres
    nn.init.constant_(peer.relative_head.conv3.bias, 3.0)  # away from the last ReLU's zeros
    return peer


def _dpt(backbone, options):
    config = DPTConfig(backbone_config=backbone, **{**NECK, **options})
    peer = randomised(transformers.DPTForDepthEstimation(config))
    nn.init.constant_(peer.head.head[4].bias, 3.0)  # away from the last ReLU's zeros
    return peer


def tipsv2_dpt(**encoder):
    """TIPSv2 with all three decoders."""
    config = Tipsv2DptConfig(
        backbone_config=Tipsv2VisionConfig(**{**ENCODER, **encoder}),
        num_depth_bins=8,
        id2label=dict(enumerate(LABELS)),
        **NECK,
    )
    return randomised(Tipsv2DptForDensePrediction(config))


@torch.no_grad()
def randomised(peer):
    """The same network in eval mode, its weights of a lively scale."""
    torch.manual_seed(0)
    for name, value in peer.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif name.endswith("logit_scale"):
            value.uniform_(1, 3)
        elif value.ndim == 1 and name.endswith(("weight", "lambda1", "lambda_1", "lambda_2")):
            value.normal_(1, 0.2)
        elif value.ndim <= 1 or "token" in name or "position" in name:
            value.normal_(0, 0.3)
        else:
            value.normal_(0, 1 / math.sqrt(value[0].numel()))
    return peer.eval()


def save_peer(peer, folder, size=56):
    """As its own `save_pretrained` writes it, with a preprocessor."""
    peer.save_pretrained(folder)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    processor = transformers.DPTImageProcessor(
        image_mean=mean, image_std=std, size={"height": size, "width": size}
    )
    processor.save_pretrained(folder)
    return folder
