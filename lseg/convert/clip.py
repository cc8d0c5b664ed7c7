"""CLIP weights alone, as OpenAI or open_clip save them: their text tower becomes a text encoder."""

from collections.abc import Sequence

from torch import Tensor

from lseg.config import TextConfig
from lseg.convert.keymap import Conversion, Rule, Source, rename_keys, shape_of, take_renamed
from lseg.errors import CheckpointError
from lseg.text.tower import has_custom_text

IMAGE_TOWER = "CLIP's image tower: only label names are encoded with it"
TRAINING = "belongs to CLIP's own training"
FACT = "says how large the network is, which its configuration does"

RULES = (
    Rule(r"visual\..+", None, IMAGE_TOWER),
    Rule(r"logit_(scale|bias)", None, TRAINING),
    Rule(r"input_resolution|context_length|vocab_size", None, FACT),
    Rule(r"(text\.)?attn_mask", None, "is computed"),
    Rule(r"(transformer|token_embedding|ln_final)\.(.+)", r"\1.\2"),
    Rule(r"(positional_embedding|text_projection)", r"\1"),
)
# As open_clip saves models whose text tower is a module of its own.
SEPARATE = (*RULES[:4], Rule(r"text\.(.+)", r"\1"))
# The same, where the architecture's text tower is one (SigLIP's, for example).
CUSTOM = (*RULES[:4], Rule(r"text\.(.+)", r"text.\1"))

# Text towers of OpenAI's CLIP by (width of the label vectors, width of the transformer).
OPENAI_TOWERS = {
    (512, 512): "ViT-B-32-quickgelu",
    (640, 640): "RN50x4-quickgelu",
    (768, 768): "ViT-L-14-quickgelu",
    (1024, 512): "RN50-quickgelu",
    (1024, 1024): "RN50x64-quickgelu",
}


def convert_clip(weights: dict[str, Tensor], source: Source, model: str | None) -> Conversion:
    """A CLIP, of which the text tower is kept. Takes the tensors out of `weights`.

    Args:
        weights: The state dict.
        source: What to call it in errors.
        model: open_clip name of what it is. It may be left out for OpenAI's own weights, which are
            told by their half precision; others do not say which activation they were trained with.

    Raises:
        CheckpointError: If a key is unknown, or a name is needed.
    """
    rules: Sequence[Rule] = RULES
    if any(key.startswith("text.") for key in weights):
        rules = CUSTOM if model is not None and has_custom_text(model) else SEPARATE
    if model is None:
        model = _openai_model(weights, source)
    renaming = rename_keys(weights, rules, source)
    text = take_renamed(weights, renaming.kept)
    config = TextConfig(model)
    return Conversion("CLIP text encoder", config, {}, text, renaming.dropped, rules)


def _openai_model(weights: dict[str, Tensor], source: Source) -> str:
    """The open_clip name of OpenAI's weights."""
    prefix = "text." if "text.ln_final.weight" in weights else ""
    projection = weights.get(f"{prefix}text_projection")
    if projection is not None and projection.dtype.itemsize == 2:
        width = shape_of(weights, f"{prefix}text_projection", source, ndim=2)[1]
        tower = (width, *shape_of(weights, f"{prefix}ln_final.weight", source, ndim=1))
        if tower in OPENAI_TOWERS:
            return OPENAI_TOWERS[tower]
    raise CheckpointError(
        f"{source} is a CLIP that does not say which: give --clip-model, the name of its "
        "architecture in open_clip, such as ViT-B-32, or ViT-B-32-quickgelu for weights "
        "trained with OpenAI's activation"
    )
