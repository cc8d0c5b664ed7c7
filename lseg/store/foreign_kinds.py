"""Kinds of foreign checkpoint, told by their keys, and what to do with each."""

import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from lseg.errors import CheckpointError
from lseg.files import read_json
from lseg.store.foreign import read_state_dict

PREFIXES = ("module.", "_orig_mod.", "net.")  # of DDP, torch.compile, and LSeg's Lightning module
NATIVE = ("trunk.", "project.")
DPT_FAMILY = ("dpt", "depth_anything", "tipsv2_dpt", "zoedepth")
"""Types of transformers' models that `lseg convert` and `load_model` take."""
PROGRAMS = {".onnx": "onnxruntime", ".pt2": "torch.export.load"}


def is_official_lseg(keys: Collection[str]) -> bool:
    """Whether the keys, without `net.`, are those of an LSeg of isl-org/lang-seg."""
    return "scratch.head1.weight" in keys


def is_official_dpt(keys: Collection[str]) -> bool:
    """Whether the keys are those of a DPT of isl-org/DPT, for depth or segmentation."""
    return "scratch.output_conv.0.weight" in keys and "scratch.layer1_rn.weight" in keys


def is_clip(keys: Collection[str]) -> bool:
    """Whether the keys are those of a CLIP, OpenAI's or one of open_clip's."""
    return any(
        f"{prefix}token_embedding.weight" in keys and f"{prefix}ln_final.weight" in keys
        for prefix in ("", "text.")
    )


def strip_prefixes(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """The weights without what wrappers put before all of their names, and what that was.

    A prefix that most of them have is taken off; those without it are then unknown weights.
    """
    found, weights = "", dict(weights)
    while prefix := next((p for p in PREFIXES if _has_most(weights, p)), None):
        weights = {key.removeprefix(prefix): value for key, value in weights.items()}
        found += prefix
    return weights, found


def _has_most(weights: Mapping[str, Tensor], prefix: str) -> bool:
    return 2 * sum(key.startswith(prefix) for key in weights) > len(weights)


def describe_file(path: Path) -> str | None:
    """What a file is that is no checkpoint of this project, and what to do with it, in a sentence.

    Returns:
        None if it is of no known kind.
    """
    if path.suffix in PROGRAMS:
        return (
            f"{path} is an exported program, to be run by {PROGRAMS[path.suffix]}; give the model "
            "that it was made of"
        )
    try:
        weights, _ = strip_prefixes(read_state_dict(path))
    except CheckpointError as error:
        return str(error) if "TorchScript" in str(error) else None
    if is_official_lseg(weights):
        return f"{path} is an LSeg of isl-org/lang-seg: convert it by `{convert_command(path)}`"
    if is_official_dpt(weights):
        return f"{path} is a DPT of isl-org/DPT: convert it by `{convert_command(path)}`"
    if is_clip(weights):
        return (
            f"{path} holds the weights of a CLIP, which is no segmentation network: "
            f"`{convert_command(path)}` makes a text encoder of it, for --text-table"
        )
    if set(weights) == {"embeddings"}:
        return f"{path} is a table of label vectors: give it as --text-table"
    if any(key.startswith(("dpt.", "neck.")) for key in weights):
        return (
            f"{path} holds the weights of a Hugging Face DPT: convert its folder, which has a "
            f"config.json, by `{convert_command(path.parent)}`"
        )
    if any(key.startswith(NATIVE) for key in weights) and path.suffix == ".safetensors":
        return f"{path} holds weights alone: give its folder, {path.parent}, with the config.json"
    return None


def describe_folder(folder: Path, called: str | None = None) -> str | None:
    """As `describe_file`, for a folder, which may be called otherwise in what is said."""
    name = Path(called or folder)
    if (folder / "model_index.json").is_file():
        return f"{name} is a pipeline of diffusers, which is neither an LSeg nor a DPT"
    if (folder / "adapter_config.json").is_file():
        return f"{name} holds an adapter of the peft library, which is no network by itself"
    if (folder / "open_clip_config.json").is_file():
        names = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
        weights = next((name / file for file in names if (folder / file).is_file()), name)
        return (
            f"{name} is a CLIP of open_clip, which is no segmentation network: "
            f"`{convert_command(weights)}` makes a text encoder of it, for --text-table"
        )
    options = _options(folder / "config.json")
    kind = options.get("model_type")
    if is_radio(options):
        return (
            f"{name} is a C-RADIO: transformers has its image encoder without the adaptor to the "
            "text of SigLIP 2, and code of a repository is never run here; take SigLIP 2 itself, "
            "such as google/siglip2-base-patch16-224, or google/tipsv2-b14"
        )
    if kind in DPT_FAMILY:
        return (
            f"{name} is a Hugging Face model of type {kind!r}, which is not of the kind wanted "
            f"here: lseg.load_model opens it, `{convert_command(name)}` converts it"
        )
    if kind is not None:
        return (
            f"{name} is a transformers model of type {kind!r}, which is not supported: of those "
            f"only {', '.join(map(repr, DPT_FAMILY))} are"
        )
    if "_class_name" in options:
        return f"{name} is a {options['_class_name']} of diffusers, which is neither LSeg nor DPT"
    return None


def is_radio(options: Mapping[str, Any]) -> bool:
    """Whether a configuration is that of a (C-)RADIO, by itself or in the library's own form."""
    return options.get("model_type") == "radio" or "adaptor_names" in options


def convert_command(source: Path) -> str:
    """The command that converts a checkpoint."""
    return shlex.join(["lseg", "convert", str(source), f"{source.stem or source.name}-lseg"])


def _options(file: Path) -> dict[str, Any]:
    try:
        return read_json(file)
    except CheckpointError:
        return {}
