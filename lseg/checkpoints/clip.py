"""CLIP weights alone, as OpenAI or open_clip save them: their text tower becomes a text encoder."""

from torch import Tensor

from lseg.checkpoints.keymap import Conversion, Rule, rename, take
from lseg.config import TextConfig
from lseg.errors import CheckpointError

IMAGE_TOWER = "CLIP's image tower: only label names are encoded with it"
TRAINING = "belongs to CLIP's own training"
FACT = "says how large the network is, which its configuration does"

RULES = (
    Rule(r"visual\..+", None, IMAGE_TOWER),
    Rule(r"logit_(scale|bias)", None, TRAINING),
    Rule(r"input_resolution|context_length|vocab_size", None, FACT),
    Rule(r"attn_mask", None, "is computed"),
    Rule(
        r"((transformer|token_embedding|ln_final)\..+|positional_embedding|text_projection)", r"\1"
    ),
)

# Text towers of OpenAI's CLIP by (width of the label vectors, width of the transformer).
OPENAI_TOWERS = {
    (512, 512): "ViT-B-32-quickgelu",
    (640, 640): "RN50x4-quickgelu",
    (768, 768): "ViT-L-14-quickgelu",
    (1024, 512): "RN50-quickgelu",
    (1024, 1024): "RN50x64-quickgelu",
}


def is_clip(keys: set[str]) -> bool:
    """Whether the keys are those of a CLIP of OpenAI's kind."""
    return {"token_embedding.weight", "text_projection", "ln_final.weight"} <= keys


def convert_clip(weights: dict[str, Tensor], source: str, model: str | None) -> Conversion:
    """A CLIP, of which the text tower is kept. Takes the tensors out of `weights`.

    Args:
        weights: The state dict.
        source: What to call it in errors.
        model: open_clip name of what it is. It may be left out for OpenAI's own weights, which are
            told by their half precision; others do not say which activation they were trained with.

    Raises:
        CheckpointError: If a key is unknown, or a name is needed.
    """
    projection = weights["text_projection"]
    if model is None:
        towers = (projection.shape[-1], len(weights["ln_final.weight"]))
        if projection.dtype.itemsize != 2 or towers not in OPENAI_TOWERS:
            raise CheckpointError(
                f"{source} is a CLIP that does not say which: give --clip-model, the name of its "
                "architecture in open_clip, such as ViT-B-32, or ViT-B-32-quickgelu for weights "
                "trained with OpenAI's activation"
            )
        model = OPENAI_TOWERS[towers]
    renaming = rename(weights, RULES, source)
    text = take(weights, renaming.kept)
    return Conversion("CLIP text encoder", TextConfig(model), {}, text, renaming.dropped)
