"""Tiny real models of the transformers library, with random weights."""

import torch
from transformers.models import auto

VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "mlp_ratio": 2,
}
SWIN = {
    "image_size": 64,
    "embed_dim": 8,
    "depths": [1, 1, 2, 1],
    "num_heads": [1, 1, 2, 2],
    "window_size": 4,
}
PYRAMID = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1]}
TOWER = VIT | {"image_size": 64, "patch_size": 16}
TEXT = VIT | {
    "vocab_size": 64,
    "max_position_embeddings": 16,
    "projection_size": 24,
    "eos_token_id": 1,
    "bos_token_id": 3,
    "pad_token_id": 0,
}

BACKBONES = {
    "dinov2": VIT | {"image_size": 56, "patch_size": 14},
    "dinov2_with_registers": VIT | {"image_size": 56, "patch_size": 14, "num_register_tokens": 3},
    "dinov3_vit": VIT | {"image_size": 64, "patch_size": 16, "num_register_tokens": 4},
    "dinov3_convnext": PYRAMID,
    "beit": VIT | {"image_size": 64, "patch_size": 16, "use_relative_position_bias": True},
    "swinv2": SWIN,
    "tipsv2_vision_model": VIT | {"image_size": 56, "patch_size": 14},
}
"""Options of image encoders that `AutoBackbone` has, by their type."""

WHOLE = {
    "siglip": {"vision_config": TOWER, "text_config": TEXT},  # SigLIP 2 of fixed sizes, too
    "clip": {"vision_config": TOWER, "text_config": TEXT, "projection_dim": 24},
    "tipsv2": {
        "vision_config": TOWER,
        "text_config": {key: value for key, value in TEXT.items() if key != "mlp_ratio"},
    },
}
"""Options of models of pictures and words."""


@torch.no_grad()
def save_model(kind, folder):
    """A model of this type in a folder, no weight of which is zero; and its configuration."""
    config = auto.CONFIG_MAPPING[kind](**(BACKBONES | WHOLE)[kind])
    torch.manual_seed(0)
    model = auto.MODEL_MAPPING[type(config)](config).eval()
    for parameter in model.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    return model


def save_tokenizer(folder, words):
    """A tokenizer of whole words for the text towers above: 0 pads, 1 ends, 2 is unknown."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    marks = ["<pad>", "<end>", "<unk>"]
    numbers = {word: number for number, word in enumerate([*marks, *words])}
    tokenizer = Tokenizer(WordLevel(numbers, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="$A <end>", special_tokens=[("<end>", 1)])
    tokens = {"pad_token": "<pad>", "eos_token": "<end>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **tokens).save_pretrained(folder)
    return numbers
