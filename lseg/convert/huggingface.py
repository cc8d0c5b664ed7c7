"""Hugging Face's DPT folders: `config.json` with the model type "dpt", and the weights.

Intel/dpt-large, Intel/dpt-large-ade and Intel/dpt-hybrid-midas are such folders, and so is what
transformers 5 saves today: the names of the weights have not changed since.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from lseg.config import DepthConfig, NetworkConfig, SegmentationConfig
from lseg.convert.huggingface_options import label_names, preprocessing_config, trunk_config
from lseg.convert.keymap import Conversion, Rule, Source, rename_keys, take_renamed
from lseg.errors import CheckpointError
from lseg.files import read_json
from lseg.store.folder import CONFIG_FILE, WEIGHTS_FILE
from lseg.store.foreign import read_state_dict

PICKLE_FILE = "pytorch_model.bin"
PREPROCESSOR_FILE = "preprocessor_config.json"
CLASSIFIER = "head.head.4.weight"

UNUSED_TOP = "the transformer's final norm and pooler: levels are taken before them"
UNUSED_UNIT = "the coarsest fusion block has no skip, so this unit never runs"
UNUSED_BLOCK = "a transformer block after the last level"
AUXILIARY = "auxiliary head of the training"

BLOCK, STEM = r"dpt\.encoder\.layer\.(\d+)\.", r"dpt\.embeddings\.backbone\.bit\."
VIT, OUR_BLOCK = r"trunk.backbone.vit.", r"trunk.backbone.vit.blocks.\1."

TRUNK_RULES = (
    Rule(r"dpt\.(layernorm|pooler\.dense)\.\w+", None, UNUSED_TOP),
    Rule(r"neck\.fusion_stage\.layers\.0\.residual_layer1\..+", None, UNUSED_UNIT),
    Rule(r"dpt\.embeddings\.cls_token", f"{VIT}cls_token"),
    Rule(r"dpt\.embeddings\.position_embeddings", f"{VIT}pos_embed"),
    Rule(
        r"dpt\.embeddings\.(?:patch_embeddings\.)?projection\.(\w+)", rf"{VIT}patch_embed.proj.\1"
    ),
    Rule(rf"{STEM}embedder\.convolution\.(\w+)", r"trunk.backbone.stem.stem.conv.\1"),
    Rule(rf"{STEM}embedder\.norm\.(\w+)", r"trunk.backbone.stem.stem.norm.\1"),
    Rule(
        rf"{STEM}encoder\.stages\.(\d+)\.layers\.(\d+)\.(.+)",
        r"trunk.backbone.stem.stages.\1.blocks.\2.\3",
    ),
    Rule(rf"{BLOCK}layernorm_before\.(\w+)", rf"{OUR_BLOCK}norm1.\2"),
    Rule(rf"{BLOCK}layernorm_after\.(\w+)", rf"{OUR_BLOCK}norm2.\2"),
    Rule(rf"{BLOCK}attention\.attention\.qkv\.(\w+)", rf"{OUR_BLOCK}attn.qkv.\2"),
    Rule(rf"{BLOCK}attention\.output\.dense\.(\w+)", rf"{OUR_BLOCK}attn.proj.\2"),
    Rule(rf"{BLOCK}intermediate\.dense\.(\w+)", rf"{OUR_BLOCK}mlp.fc1.\2"),
    Rule(rf"{BLOCK}output\.dense\.(\w+)", rf"{OUR_BLOCK}mlp.fc2.\2"),
    Rule(
        r"neck\.reassemble_stage\.readout_projects\.(\d)\.0\.(\w+)",
        r"trunk.reassemble.\1.read.linear.\2",
    ),
    Rule(
        r"neck\.reassemble_stage\.layers\.(\d)\.projection\.(\w+)",
        r"trunk.reassemble.\1.project.\2",
    ),
    Rule(
        r"neck\.reassemble_stage\.layers\.(\d)\.resize\.(\w+)", r"trunk.reassemble.\1.resample.\2"
    ),
    Rule(r"neck\.convs\.(\d)\.(\w+)", r"trunk.fusion.level_convs.\1.\2"),
    *(
        Rule(
            rf"neck\.fusion_stage\.layers\.{3 - block}\.{theirs}",  # theirs: coarsest first
            rf"trunk.fusion.blocks.{block}.{ours}",
        )
        for block in range(4)
        for theirs, ours in (
            (r"projection\.(\w+)", r"project.\1"),
            (r"residual_layer1\.convolution(\d)\.(\w+)", r"skip_unit.conv\1.\2"),
            (r"residual_layer1\.batch_norm(\d)\.(\w+)", r"skip_unit.norm\1.\2"),
            (r"residual_layer2\.convolution(\d)\.(\w+)", r"unit.conv\1.\2"),
            (r"residual_layer2\.batch_norm(\d)\.(\w+)", r"unit.norm\1.\2"),
        )
    ),
)
DEPTH_RULES = (
    Rule(r"head\.head\.0\.(\w+)", r"narrow.\1"),
    Rule(r"head\.head\.2\.(\w+)", r"refine.\1"),
    Rule(r"head\.head\.4\.(\w+)", r"depth.\1"),
)
SEGMENTATION_RULES = (
    Rule(r"auxiliary_head\..+", None, AUXILIARY),
    Rule(r"head\.head\.0\.(\w+)", r"mix.\1"),
    Rule(r"head\.head\.1\.(\w+)", r"norm.\1"),
    Rule(r"head\.head\.4\.(\w+)", r"classify.\1"),
)
KINDS = {
    "DPTForDepthEstimation": ("depth", DEPTH_RULES),
    "DPTForSemanticSegmentation": ("segmentation", SEGMENTATION_RULES),
}


def is_huggingface(folder: Path) -> bool:
    """Whether `config.json` is one of the transformers library, of any kind of model."""
    file = folder / CONFIG_FILE
    try:
        return file.is_file() and "model_type" in read_json(file)
    except CheckpointError:
        return False


def convert_huggingface(folder: Path) -> Conversion:
    """A DPT for depth or segmentation, plain ViT or hybrid, that transformers can load.

    Args:
        folder: Holds `config.json` and `model.safetensors` or `pytorch_model.bin`, whole or in
            shards with an index, and perhaps `preprocessor_config.json`.

    Raises:
        CheckpointError: If a file is missing or broken, the model is no DPT, has an option that
            networks here do not have, or a weight with an unknown name; it names the first.
    """
    source, options = Source(str(folder)), read_json(folder / CONFIG_FILE)
    if options.get("model_type") != "dpt":
        raise CheckpointError(
            f"{source} holds a model of type {options.get('model_type')!r}: only 'dpt' is converted"
        )
    named = options.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else "network without a head"
    if architecture not in KINDS:
        raise CheckpointError(
            f"{source} holds a {architecture}: only {' and '.join(KINDS)} are converted"
        )
    kind, head_rules = KINDS[architecture]
    trunk = trunk_config(options, source.name)
    preprocessor = folder / PREPROCESSOR_FILE
    preprocessing = preprocessing_config(
        read_json(preprocessor) if preprocessor.is_file() else {}, str(preprocessor)
    )
    weights = _read_weights(folder)
    merge_attention(weights, trunk.levels[-1] + 1, source.name)
    rules = [*_unused_blocks(weights, trunk.levels[-1]), *head_rules, *TRUNK_RULES]
    renaming = rename_keys(weights, rules, source)
    config: NetworkConfig
    if kind == "depth":
        config = DepthConfig(trunk, preprocessing)
    else:
        if CLASSIFIER not in weights:
            raise CheckpointError(f"{source} lacks the weight {CLASSIFIER!r}")
        labels = label_names(options, len(weights[CLASSIFIER]), source.name)
        config = SegmentationConfig(trunk, preprocessing, labels)
    parts = take_renamed(weights, renaming.kept)
    kind = f"DPT for {kind} (Hugging Face)"
    return Conversion(kind, config, parts, None, renaming.dropped, rules)


def merge_attention(weights: dict[str, Tensor], blocks: int, source: str) -> None:
    """Stacks query, key and value of each of the first `blocks` blocks to timm's one `qkv`.

    Done in place, under Hugging Face's names: three (D, D) become one (3 * D, D), and so do biases.

    Raises:
        CheckpointError: If one of the three is missing, or they differ in shape.
    """
    for block in range(blocks):
        for leaf in ("weight", "bias"):
            key = f"dpt.encoder.layer.{block}.attention.attention.#.{leaf}"
            names = [key.replace("#", part) for part in ("query", "key", "value")]
            missing = [name for name in names if name not in weights]
            if len(missing) == 3 and leaf == "bias":
                continue  # without qkv_bias there is none
            if missing:
                raise CheckpointError(f"{source} lacks the weight {missing[0]!r}")
            parts = [weights.pop(name) for name in names]
            for name, part in zip(names, parts, strict=True):
                if part.shape != parts[0].shape:
                    raise CheckpointError(
                        f"{source}: weight {name!r} has shape {tuple(part.shape)}, its query "
                        f"{tuple(parts[0].shape)}"
                    )
            weights[key.replace("#", "qkv")] = torch.cat(parts)


def _unused_blocks(keys: Iterable[str], last: int) -> list[Rule]:
    """Rules that drop the transformer blocks after block `last`."""
    found = {int(match[1]) for key in keys if (match := re.match(BLOCK, key))}
    return [
        Rule(rf"dpt\.encoder\.layer\.{index}\..+", None, UNUSED_BLOCK)
        for index in sorted(found)
        if index > last
    ]


def _read_weights(folder: Path) -> dict[str, Tensor]:
    """All weights of a folder; safetensors are preferred."""
    for name in (WEIGHTS_FILE, PICKLE_FILE):
        file, index = folder / name, folder / f"{name}.index.json"
        if file.is_file():
            return read_state_dict(file)
        if index.is_file():
            return _read_shards(index)
    raise CheckpointError(f"{folder} has neither {WEIGHTS_FILE} nor {PICKLE_FILE}, nor their index")


def _read_shards(index: Path) -> dict[str, Tensor]:
    """The shards that an index lists, all of them with all of their weights."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(
        isinstance(name, str) and Path(name).name == name for name in places.values()
    ):
        raise CheckpointError(f"{index} has no weight_map from weights to files beside it")
    weights: dict[str, Tensor] = {}
    for name in sorted(set(places.values())):
        weights.update(read_state_dict(index.parent / name))
    for key, name in places.items():
        if key not in weights:
            raise CheckpointError(f"{index.parent / name} lacks the weight {key!r}")
    return weights
