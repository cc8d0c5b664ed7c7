"""From a configuration to an image encoder."""

from timm.models import is_model_in_modules
from timm.models.eva import Eva
from timm.models.vision_transformer import Block, VisionTransformer
from torch import nn

from lseg.config import EncoderConfig
from lseg.errors import ConfigError
from lseg.models.aligned.encoder import PatchEncoder
from lseg.models.aligned.headed import HeadedEncoder
from lseg.models.aligned.rotary import RotaryEncoder
from lseg.models.timm_names import create_timm_model, timm_name


def build_encoder(config: EncoderConfig) -> PatchEncoder:
    """The image encoder that a configuration describes, with random weights.

    Raises:
        ConfigError: If timm has no such model, not with these options, or one of another kind.
    """
    name = timm_name(config.backbone)
    rotary = is_model_in_modules(name.partition(".")[0], ["eva"])
    any_size = {"dynamic_img_size": True} if rotary else {}
    vit = create_timm_model(name, {**any_size, **config.backbone_options, "num_classes": 0})
    plain = isinstance(vit, VisionTransformer) and isinstance(vit.blocks[-1], Block)
    if not plain and not isinstance(vit, Eva):
        raise ConfigError(
            f"{name} is no plain vision transformer of timm, and only those are asked for their "
            "patches here: CLIP's, SigLIP's, EVA's, PE's, MobileCLIP2-B's and -L's, TIPSv2's"
        )
    if config.norm_eps is not None:
        for module in vit.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = config.norm_eps
    if config.head.blocks > 0:
        return HeadedEncoder(vit, config)
    return RotaryEncoder(vit, config) if isinstance(vit, Eva) else PatchEncoder(vit, config)
