"""`lseg convert`: published checkpoints to native folders."""

from collections import Counter

from lseg.commands.options.convert import ConvertOptions
from lseg.commands.record import OptionsRecord
from lseg.convert.checkpoint import ConvertOptions as Unsaid
from lseg.convert.checkpoint import convert as convert_checkpoint
from lseg.convert.official import SpatialBlockOptions
from lseg.data.base.labels import parse_labels


def convert(options: ConvertOptions) -> None:
    """Writes the native folder, and says what was kept and what was left out."""
    labels = () if options.labels is None else tuple(parse_labels(options.labels))
    depth = {"scale": options.scale, "shift": options.shift, "invert": options.invert}
    if depth == {"scale": 1.0, "shift": 0.0, "invert": False}:
        depth = {}
    block = SpatialBlockOptions(options.block, options.block_depth, options.block_activation)
    wanted = Unsaid(block, labels, options.size, depth, options.clip_model, options.task)
    conversion = convert_checkpoint(options.source, options.destination, wanted)
    OptionsRecord.in_folder(options.destination, "convert", options).write()
    weights = conversion.weights or conversion.text or {}
    print(f"{conversion.source}: {len(weights)} weights in {options.destination}")
    if conversion.weights and conversion.text is not None:
        print(f"with its text encoder, {len(conversion.text)} weights")
    for reason, count in Counter(conversion.dropped.values()).items():
        print(f"left out {count}: {reason}")
