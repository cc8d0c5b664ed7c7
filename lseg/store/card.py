"""The model card that goes to the Hub with a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lseg
from lseg.config import (
    AlignedConfig,
    LSegConfig,
    NetworkConfig,
    SegmentationConfig,
    TextConfig,
    ZoeDepthConfig,
)
from lseg.text.location import TRANSFORMERS, scheme_of

FIGURES = {"miou": "mIoU, %", "pixel_accuracy": "pixel accuracy, %", "fb_iou": "FB-IoU, %"}


def model_card(
    config: NetworkConfig,
    hub_id: str,
    figures: Mapping[str, Any] | None = None,
    licence: str | None = None,
) -> str:
    """Markdown with the Hub's front matter.

    Args:
        config: Of the network.
        hub_id: `user/model`.
        figures: What a `result.json` holds; its means are shown, whatever they are of.
        licence: The Hub's name of a licence; left out where None.
    """
    if licence is None and isinstance(config, AlignedConfig):
        licence = config.licence or None
    task = "image-segmentation" if isinstance(config, LSegConfig | SegmentationConfig) else None
    head = ["---", "library_name: lseg"]
    head += [f"pipeline_tag: {task or 'depth-estimation'}"]
    head += [f"license: {licence}"] if licence else []
    head += ["tags:", "- lseg", "- dpt", "---"]
    name = hub_id.split("/")[-1]
    parts = [
        "\n".join(head),
        f"# {name}",
        _about(config),
        "## Use\n\n```python\nimport lseg\n\n" + _use(config, hub_id) + "\n```",
        "## Preprocessing\n\n" + _preprocessing(config),
    ]
    if isinstance(config, LSegConfig):
        parts.append("## Text encoder\n\n" + _text(config.text))
    labels = config.labels if isinstance(config, LSegConfig | SegmentationConfig) else ()
    if labels:
        parts.append(f"## Labels of the training ({len(labels)})\n\n" + ", ".join(labels))
    parts.append("## Figures\n\n" + _figures(figures or {}))
    parts.append("## Licence\n\n" + (licence or "Not stated by whoever uploaded this model."))
    return "\n\n".join(parts) + f"\n\nMade with lseg {lseg.__version__}.\n"


def _about(config: NetworkConfig) -> str:
    trunk = config.trunk
    if isinstance(config, AlignedConfig):
        return (
            "An image encoder whose patches are compared with the vectors of any labels "
            f"(timm `{config.encoder.backbone}`, no decoder).\n\n{config.description}"
        )
    if isinstance(config, LSegConfig):
        text = (
            "Language-driven semantic segmentation (LSeg, Li et al., ICLR 2022): a DPT with a "
            f"`{trunk.backbone}` backbone gives every pixel an embedding {config.embed_dim} wide, "
            "which is compared with the vectors of any labels."
        )
        return f"{text}\n\n{config.description}" if config.description else text
    if isinstance(config, ZoeDepthConfig):
        return (
            "ZoeDepth (Bhat et al., arXiv:2302.12288): depth in metres by bins on a DPT with a "
            f"`{trunk.backbone}` backbone."
        )
    what = config.architecture.removeprefix("dpt-")
    return f"DPT for {what} (Ranftl et al., ICCV 2021) with a `{trunk.backbone}` backbone."


def _use(config: NetworkConfig, hub_id: str) -> str:
    if isinstance(config, LSegConfig):
        return (
            f'seg = lseg.Segmenter.from_pretrained("{hub_id}")\n'
            'seg.set_image("photo.jpg")\n'
            'seg.segment(["sky", "road", "other"]).save("photo")'
        )
    return f'model = lseg.load_model("{hub_id}")'


def _preprocessing(config: NetworkConfig) -> str:
    values = config.preprocessing
    return (
        f"RGB in [0, 1], less mean {values.mean}, by deviation {values.std}; the shorter side at "
        f"{values.size} pixels. `Segmenter` does it."
    )


def _text(config: TextConfig) -> str:
    if config.table is not None:
        return f"A table of label vectors, `{config.table}`."
    name = config.model.removeprefix(TRANSFORMERS)
    if name != config.model and Path(name).name != "text":
        return f"transformers `{name}`; prompts: {', '.join(config.templates)}."
    if scheme_of(config.model) is not None:
        return f"In the folder `text`; prompts: {', '.join(config.templates)}."
    weights = f", weights `{config.pretrained}`" if config.pretrained else ""
    return f"open_clip `{config.model}`{weights}; prompts: {', '.join(config.templates)}."


def _figures(figures: Mapping[str, Any]) -> str:
    """Means of a `result.json`: `miou`, or with the name of a group before it."""
    rows = [
        f"| {f'{group}: ' if group else ''}{title} | {value:.1f} |"
        for key, value in figures.items()
        for figure, title in FIGURES.items()
        if key.endswith(figure) and isinstance(value, int | float)
        for group in [key.removesuffix(figure).strip("_")]
    ]
    if not rows:
        return "None were given."
    return "\n".join(["| figure | value |", "| --- | --- |", *rows])
