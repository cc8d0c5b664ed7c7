"""`preprocessor_config.json` and the names of classes."""

from collections.abc import Mapping, Sequence
from typing import Any

from lseg.config import Preprocessing
from lseg.convert.huggingface.fields import check_options, is_list_of, read_options, wrong_option
from lseg.errors import CheckpointError

DEFAULTS: dict[str, Any] = {
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "size": 384,
    "do_normalize": True,
    "do_rescale": True,
}
FIXED: dict[str, Sequence[Any]] = {"rescale_factor": [1 / 255]}

SIZE_OF_ANY = 480
"""Shorter side where pictures are left as they are, as by DINOv2's depth networks: that of NYU."""


def preprocessing_config(options: Mapping[str, Any], source: str) -> Preprocessing:
    """What `preprocessor_config.json` says about mean, standard deviation and size.

    Raises:
        CheckpointError: Naming the first option that `Preprocessing` does not have.
    """
    check_options(options, FIXED, source)
    size = options.get("size")
    if isinstance(size, dict):
        sides = [size[name] for name in ("shortest_edge", "height", "width") if name in size]
        options = {**options, "size": min(sides) if sides and is_list_of(sides, {int}) else size}
    values = read_options(options, DEFAULTS, source)
    for name in ("image_mean", "image_std"):
        if len(values[name]) != 3:
            raise wrong_option(source, name, values[name], ["three numbers"])
    side = values["size"] if options.get("do_resize", True) else SIZE_OF_ANY
    mean, std = tuple(values["image_mean"]), tuple(values["image_std"])
    if not values["do_rescale"]:  # then they are of pixels in [0, 255]
        if not values["do_normalize"] or min(std) <= 1:
            raise wrong_option(source, "do_rescale", False, [True])
        mean, std = (tuple(value / 255 for value in each) for each in (mean, std))
    if not values["do_normalize"]:
        return Preprocessing((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), side)
    return Preprocessing(mean, std, side)


def label_names(options: Mapping[str, Any], classes: int, source: str) -> tuple[str, ...]:
    """Class names in the order of the logits; numbered where `config.json` has none.

    Raises:
        CheckpointError: If `id2label` does not name every class once.
    """
    names = options.get("id2label")
    if not names:
        return tuple(f"class {index}" for index in range(classes))
    keys = [str(index) for index in range(classes)]
    if not isinstance(names, dict) or set(names) != set(keys):
        raise CheckpointError(f"{source}: id2label does not name the classes 0 to {classes - 1}")
    return tuple(str(names[key]) for key in keys)
