"""Tiny networks of dino.txt, in the files in which their authors publish them.

Weights are those of `reference.fill`, by the names of the whole network, so that the outputs of the
original code on the same files, in `tests/references/dinotxt.npz`, can be made again.
"""

import torch
from reference import fill

WIDTH, HIDDEN, DEPTH, REGISTERS, VOCABULARY, LENGTH = 128, 384, 2, 4, 49408, 77
HEAD_HIDDEN = 384  # two thirds of 512, brought to a multiple of 64
NAMES = {"dinov2": "dinov2_vitl14_reg4", "dinov3": "dinov3_vitl16"}


def write_dinotxt(folder, kind):
    """Writes the files of one kind; returns one of them, not of the backbone."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = published(kind)
    for name, weights in parts.items():
        torch.save(weights, folder / name)
    return folder / min(parts)


def published(kind):
    """Each file's name and state dict."""
    name, backbone = NAMES[kind], _filled(backbone_shapes(kind), "visual_model.backbone.")
    head = _filled(head_shapes(kind), "visual_model.head.")
    text = _filled(text_shapes(), "text_model.")
    if kind == "dinov2":
        return {
            f"{name}_pretrain.pth": backbone,
            f"{name}_dinotxt_tet1280d20h24l_vision_head.pth": head,
            f"{name}_dinotxt_tet1280d20h24l_text_encoder.pth": text,
        }
    periods = 100 ** (torch.arange(WIDTH // 8) / (WIDTH // 4))
    backbone["rope_embed.periods"] = periods.bfloat16().float()  # rounded, as they were trained
    for block in range(DEPTH):
        mask = torch.ones(3, WIDTH)
        mask[1] = 0
        backbone[f"blocks.{block}.attn.qkv.bias_mask"] = mask.flatten()
    rest = {f"visual_model.head.{key}": value for key, value in head.items()}
    rest |= {f"text_model.{key}": value for key, value in text.items()}
    return {
        f"{name}_pretrain_lvd1689m-8aa4cbdd.pth": backbone,
        f"{name}_dinotxt_vision_head_and_text_encoder-a442d8f5.pth": {
            "logit_scale": torch.tensor([3.0]),
            **rest,
        },
    }


def backbone_shapes(kind):
    """Shapes of a DINOv2 for pictures of 56 pixels, or of a DINOv3."""
    patch, registers = (14, "register_tokens") if kind == "dinov2" else (16, "storage_tokens")
    shapes = {
        "cls_token": (1, 1, WIDTH),
        registers: (1, REGISTERS, WIDTH),
        "mask_token": (1, WIDTH),
        **_affine("patch_embed.proj", WIDTH, 3, patch, patch),
        **_norm("norm"),
    }
    if kind == "dinov2":
        shapes["pos_embed"] = (1, 17, WIDTH)
    for block in range(DEPTH):
        shapes |= {
            **_block(f"blocks.{block}"),
            f"blocks.{block}.attn.qkv.bias": (3 * WIDTH,),
            **_affine(f"blocks.{block}.mlp.fc1", 4 * WIDTH, WIDTH),
            **_affine(f"blocks.{block}.mlp.fc2", WIDTH, 4 * WIDTH),
        }
    return shapes


def head_shapes(kind):
    """Shapes of the blocks on top."""
    row = "block_list" if kind == "dinov2" else "blocks"
    shapes = _norm("ln_final")
    for block in range(DEPTH):
        shapes |= {
            **_block(f"{row}.{block}"),
            **_affine(f"{row}.{block}.mlp.w1", HEAD_HIDDEN, WIDTH),
            **_affine(f"{row}.{block}.mlp.w2", HEAD_HIDDEN, WIDTH),
            **_affine(f"{row}.{block}.mlp.w3", WIDTH, HEAD_HIDDEN),
        }
    return shapes


def text_shapes():
    """Shapes of the text tower, whose vectors are twice as wide as a patch's."""
    shapes = {
        "backbone.token_embedding.weight": (VOCABULARY, WIDTH),
        "backbone.positional_embedding": (LENGTH, WIDTH),
        **_norm("backbone.ln_final"),
        "head.linear_projection.weight": (2 * WIDTH, WIDTH),
    }
    for block in range(DEPTH):
        name = f"backbone.blocks.{block}"
        shapes |= {
            **_norm(f"{name}.attention_norm"),
            f"{name}.attention.qkv.weight": (3 * WIDTH, WIDTH),
            **_affine(f"{name}.attention.proj", WIDTH, WIDTH),
            **_norm(f"{name}.ffn_norm"),
            **_affine(f"{name}.feed_forward.fc1", 4 * WIDTH, WIDTH),
            **_affine(f"{name}.feed_forward.fc2", WIDTH, 4 * WIDTH),
        }
    return shapes


def _block(name):
    return {
        **_norm(f"{name}.norm1"),
        f"{name}.attn.qkv.weight": (3 * WIDTH, WIDTH),
        **_affine(f"{name}.attn.proj", WIDTH, WIDTH),
        f"{name}.ls1.gamma": (WIDTH,),
        **_norm(f"{name}.norm2"),
        f"{name}.ls2.gamma": (WIDTH,),
    }


def _affine(name, rows, *columns):
    return {f"{name}.weight": (rows, *columns), f"{name}.bias": (rows,)}


def _norm(name):
    return _affine(name, WIDTH)


def _filled(shapes, prefix):
    return {key: fill(prefix + key, shape) for key, shape in shapes.items()}
