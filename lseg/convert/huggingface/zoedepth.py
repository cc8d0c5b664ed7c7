"""Folders of the type "zoedepth": ZoeDepth for rooms (NYU), roads (KITTI), or both.

Bins are those of every published network: unbounded (softplus), drawn to the mean of attractors.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lseg.config import RouterConfig, ZoeDepthConfig
from lseg.convert.huggingface import decoder
from lseg.convert.huggingface.beit import beit_encoder
from lseg.convert.huggingface.content import FolderContent
from lseg.convert.huggingface.fields import (
    check_options,
    read_mapping,
    read_options,
    wrong_option,
)
from lseg.convert.huggingface.weights import merge_attention, read_weights, rename_weights
from lseg.convert.keymap import Conversion, Rule

DEFAULTS: dict[str, Any] = {
    "num_relative_features": 32,
    "bottleneck_features": 256,
    "num_attractors": [16, 8, 4, 1],
    "bin_embedding_dim": 128,
    "min_temp": 0.0212,
    "max_temp": 50.0,
    "add_projection": False,
}
ROUTER_DEFAULTS: dict[str, Any] = {
    "num_patch_transformer_layers": 4,
    "patch_transformer_hidden_size": 128,
    "patch_transformer_intermediate_size": 1024,
    "patch_transformer_num_attention_heads": 4,
}
FIXED: dict[str, Sequence[Any]] = {
    "readout_type": ["project"],
    "head_in_index": [-1, 3],
    "hidden_act": ["gelu"],
    "batch_norm_eps": [1e-5],
    "bin_centers_type": ["softplus"],
    "attractor_kind": ["mean"],
}
FIXED_ROUTER: dict[str, Sequence[Any]] = {
    "num_patch_transformer_layers": [4],  # as many always run
    "patch_transformer_hidden_size": [128],  # the classifier takes no other
}
ANY = "any"
"""Name of the one domain of a network that has one."""
ATTRACTORS = 16
"""Of each fusion block, where there are several domains, whatever their configuration says."""

COMPUTED = "follows from the number of bins"
_HEAD = r"metric_head\."
_LAYERS = {"conv1": 0, "conv2": 2}  # of a perceptron

HEAD_RULES = (
    Rule(rf"{_HEAD}.*\.(?:k_idx|k_minus_1)", None, COMPUTED),
    Rule(r"relative_head\.projection\.(\w+)", r"mix.\1"),
    Rule(r"relative_head\.conv1\.(\w+)", r"narrow.\1"),
    Rule(r"relative_head\.conv2\.(\w+)", r"refine.\1"),
    Rule(r"relative_head\.conv3\.(\w+)", r"depth.\1"),
    Rule(rf"{_HEAD}conv2\.(\w+)", r"bins.entrance.\1"),
)
"""Those that hold for any number of domains."""

ROUTER = "metric_head.patch_transformer.transformer_encoder."
_BLOCK, _OURS = rf"{re.escape(ROUTER)}(\d+)\.", r"router.blocks.\1."
ROUTER_RULES = (
    Rule(rf"{_HEAD}patch_transformer\.embedding_convPxP\.(\w+)", r"router.embed.\1"),
    Rule(rf"{_BLOCK}self_attn\.qkv\.(\w+)", rf"{_OURS}self_attn.in_proj_\2"),
    Rule(rf"{_BLOCK}self_attn\.out_proj\.(\w+)", rf"{_OURS}self_attn.out_proj.\2"),
    Rule(rf"{_BLOCK}(linear\d|norm\d)\.(\w+)", rf"{_OURS}\2.\3"),
    Rule(rf"{_HEAD}mlp_classifier\.linear1\.(\w+)", r"router.classify.0.\1"),
    Rule(rf"{_HEAD}mlp_classifier\.linear2\.(\w+)", r"router.classify.2.\1"),
)


def convert_zoedepth(content: FolderContent) -> Conversion:
    """See `lseg.convert.huggingface.folder.convert_huggingface`."""
    source, options, name = content.source, content.options, content.source.name
    check_options(options, FIXED, name)
    values = read_options(options, DEFAULTS, name)
    backbone = read_mapping(options, "backbone_config", name)
    check_options(backbone, {"model_type": ["beit"]}, f"{name}, backbone_config")
    encoder = beit_encoder(backbone, f"{name}, backbone_config")
    trunk = decoder.decoder_trunk(options, decoder.DEFAULTS, encoder, "double", name)
    if values["bottleneck_features"] != trunk.features:
        wanted = [f"{trunk.features}, as fusion_hidden_size"]
        raise wrong_option(name, "bottleneck_features", values["bottleneck_features"], wanted)
    if len(values["num_attractors"]) != 4:
        raise wrong_option(name, "num_attractors", values["num_attractors"], ["four numbers"])
    domains, bins = read_domains(options, name)
    several = len(domains) > 1
    config = ZoeDepthConfig(
        trunk,
        content.preprocessing,
        mixes=values["add_projection"],
        hidden=values["num_relative_features"],
        domains=domains,
        domain_bins=bins,
        embedding=values["bin_embedding_dim"],
        attractors=(ATTRACTORS,) * 4 if several else tuple(values["num_attractors"]),
        coldest=float(values["min_temp"]),
        hottest=float(values["max_temp"]),
        router=read_router(options, name) if several else RouterConfig(),
    )
    weights = read_weights(content.folder)
    merge_attention(weights, encoder.attentions, encoder.joined, name)
    if several:
        merge_attention(weights, router_attentions(config), ("weight", "bias"), name)
    rest = (*head_rules(domains), *decoder.NECK_RULES)
    parts, dropped, rules = rename_weights(weights, encoder, rest, source)
    return Conversion("ZoeDepth (Hugging Face)", config, parts, None, dropped, rules)


def read_domains(options: Mapping[str, Any], source: str) -> tuple[tuple[str, ...], int]:
    """Names of the domains that `bin_configurations` lists, and the number of bins of each.

    (The least and the greatest depth that it names have no use where bins are unbounded.)

    Raises:
        CheckpointError: If it lists more than two, or they differ in number, or have no names.
    """
    given = options.get("bin_configurations") or [{"n_bins": 64}]
    plain = isinstance(given, list) and all(isinstance(each, dict) for each in given)
    bins = {each.get("n_bins") for each in given} if plain else set()
    names = tuple(each.get("name") for each in given) if plain and len(given) > 1 else (ANY,)
    named = all(isinstance(name, str) and name for name in names) and len(set(names)) == len(names)
    count = bins.pop() if len(bins) == 1 else None
    if len(names) > 2 or not named or type(count) is not int or count < 1:
        accepted = ["one, or two of unlike names, with a number n_bins that they share"]
        raise wrong_option(source, "bin_configurations", given, accepted)
    return names, count


def read_router(options: Mapping[str, Any], source: str) -> RouterConfig:
    """What `config.json` says of the transformer that picks a domain.

    Raises:
        CheckpointError: Naming the first option that networks here do not have.
    """
    check_options(options, FIXED_ROUTER, source)
    values = read_options(options, ROUTER_DEFAULTS, source)
    layers, width, hidden, heads = values.values()
    if width % heads:
        accepted = [f"a divisor of {width}"]
        raise wrong_option(source, "patch_transformer_num_attention_heads", heads, accepted)
    return RouterConfig(width, layers, heads, hidden)


def router_attentions(config: ZoeDepthConfig) -> list[str]:
    """As `Encoder.attentions`, of the router."""
    return [f"{ROUTER}{layer}.self_attn." for layer in range(config.router.layers)]


def head_rules(domains: Sequence[str]) -> list[Rule]:
    """Key map of both heads, and of the router where there are several domains."""
    several = len(domains) > 1
    rules = [*HEAD_RULES, *(ROUTER_RULES if several else ())]
    for layer, index in _LAYERS.items():
        rules += [
            Rule(rf"{_HEAD}seed_projector\.{layer}\.(\w+)", rf"bins.embed_start.{index}.\1"),
            Rule(rf"{_HEAD}projectors\.(\d)\.{layer}\.(\w+)", rf"bins.embed.\1.{index}.\2"),
        ]
    for number, domain in enumerate(domains):
        name, ours = rf"\.{re.escape(domain)}" if several else "", f"bins.domains.{number}."
        seeds = f"seed_bin_regressors{name}" if several else "seed_bin_regressor"
        rules += [
            Rule(
                rf"{_HEAD}conditional_log_binomial{name}\.mlp\.(\d)\.(\w+)",
                rf"{ours}shares.\1.\2",
            ),
            *(
                rule
                for layer, index in _LAYERS.items()
                for rule in (
                    Rule(rf"{_HEAD}{seeds}\.{layer}\.(\w+)", rf"{ours}seeds.{index}.\1"),
                    Rule(
                        rf"{_HEAD}attractors{name}\.(\d)\.{layer}\.(\w+)",
                        rf"{ours}attractors.\1.{index}.\2",
                    ),
                )
            ),
        ]
    return rules
