"""Networks here as models of the transformers library, in its pipelines.

For those that it has no class for; the others become its own by `lseg export --format
transformers`. Importing this module registers the two classes with its Auto classes. (Pipelines
still print that they do not know them, and work.)

```python
from transformers import pipeline
from lseg.export.transformers_models import LSegForSemanticSegmentation, image_processor

model = LSegForSemanticSegmentation.around(lseg.load_model("photo"), ["sky", "road", "other"])
segment = pipeline("image-segmentation", model=model, image_processor=image_processor(model))
```
"""

from typing import Any, Self

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForDepthEstimation,
    AutoModelForSemanticSegmentation,
    DPTImageProcessor,
    DPTImageProcessorPil,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import DepthEstimatorOutput, SemanticSegmenterOutput

from lseg.errors import CheckpointError
from lseg.models.architectures import NETWORKS, build_network
from lseg.models.dpt import DPTDepth, DPTSegmentation
from lseg.models.lseg import LSeg
from lseg.models.network import Network


class WrappedConfig(PreTrainedConfig):
    """A network's own configuration, inside of one of transformers.

    Attributes:
        architecture: Name of the network's kind, as in a native folder.
        network: Its configuration, as in a native folder.
    """

    model_type = "lseg"

    architecture: str = ""
    network: dict[str, Any] | None = None


class Wrapped(PreTrainedModel):
    """Base: a network here under the interface of transformers."""

    config_class = WrappedConfig
    main_input_name = "pixel_values"
    network: Network

    def __init__(self, config: WrappedConfig) -> None:
        """Random weights; `around` and `from_pretrained` give others.

        Raises:
            CheckpointError: If the configuration is of no network here.
            ConfigError: If it does not fit together.
        """
        super().__init__(config)
        kind = NETWORKS.get(config.architecture)
        if kind is None:
            raise CheckpointError(
                f"the configuration names a network {config.architecture!r}: known are "
                f"{', '.join(NETWORKS)}"
            )
        self.network = build_network(kind.config_type.from_dict(config.network or {}))
        self.post_init()

    def _init_weights(self, module: torch.nn.Module) -> None:
        """Nothing: networks initialise themselves."""

    @classmethod
    def _holding(cls, network: Network, **options: Any) -> Self:
        own = network.config
        config = WrappedConfig(architecture=own.architecture, network=own.to_dict(), **options)
        with torch.device("meta"):
            wrapped = cls(config)
        wrapped.network = network
        return wrapped.eval()


class LSegForSemanticSegmentation(Wrapped):
    """An `LSeg` asked for fixed labels, or a `DPTSegmentation`."""

    label_vectors: Tensor

    def __init__(self, config: WrappedConfig) -> None:
        """See `Wrapped`."""
        super().__init__(config)
        width = (config.network or {}).get("embed_dim", 0)
        count = len(config.id2label or {}) if width else 0
        self.register_buffer("label_vectors", torch.zeros(count, width))

    @classmethod
    def around(cls, network: LSeg | DPTSegmentation, labels: list[str] | None = None) -> Self:
        """A network, whose weights it shares.

        Args:
            network: In eval mode.
            labels: What to ask an LSeg for; they are encoded here, once. A `DPTSegmentation` has
                its own.
        """
        names, vectors = labels or [], None
        if isinstance(network, LSeg):
            vectors = network.encode_labels(names)
        else:
            names = network.labels
        wrapped = cls._holding(
            network,
            id2label=dict(enumerate(names)),
            label2id={name: index for index, name in enumerate(names)},
        )
        wrapped.label_vectors = torch.zeros(0, 0) if vectors is None else vectors
        return wrapped

    def forward(self, pixel_values: Tensor) -> SemanticSegmenterOutput:
        """Normalised pixels (B, 3, H, W) to logits (B, N, H, W)."""
        if isinstance(self.network, LSeg):
            return SemanticSegmenterOutput(logits=self.network(pixel_values, self.label_vectors))
        return SemanticSegmenterOutput(logits=self.network(pixel_values))


class LSegForDepthEstimation(Wrapped):
    """A `DPTDepth` of any kind."""

    @classmethod
    def around(cls, network: DPTDepth) -> Self:
        """A network in eval mode, whose weights it shares."""
        return cls._holding(network)

    def forward(self, pixel_values: Tensor) -> DepthEstimatorOutput:
        """Normalised pixels (B, 3, H, W) to depth (B, H, W), in the network's unit."""
        return DepthEstimatorOutput(predicted_depth=self.network(pixel_values))


def image_processor(model: Wrapped) -> DPTImageProcessor:
    """What prepares pictures for a wrapped network; to be saved beside it."""
    values = model.network.config.preprocessing
    return DPTImageProcessor(
        size={"height": values.size, "width": values.size},
        keep_aspect_ratio=True,
        ensure_multiple_of=model.network.trunk.multiple,
        resample=2,  # bilinear
        image_mean=list(values.mean),
        image_std=list(values.std),
    )


AutoConfig.register(WrappedConfig.model_type, WrappedConfig, exist_ok=True)
AutoModelForSemanticSegmentation.register(WrappedConfig, LSegForSemanticSegmentation, exist_ok=True)
AutoModelForDepthEstimation.register(WrappedConfig, LSegForDepthEstimation, exist_ok=True)
AutoImageProcessor.register(
    WrappedConfig,
    image_processor_classes={"torchvision": DPTImageProcessor, "pil": DPTImageProcessorPil},
    exist_ok=True,
)
