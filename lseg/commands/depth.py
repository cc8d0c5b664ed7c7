"""`lseg depth`: depth maps of pictures."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lseg.commands.model import model_from
from lseg.commands.options.depth import DepthOptions
from lseg.commands.output import output_folder
from lseg.commands.reading import picture_reader
from lseg.commands.record import OptionsRecord
from lseg.commands.rows import Row, check_results, picture_rows
from lseg.commands.run import end_run, run_rows
from lseg.files import atomic_file
from lseg.inference.prefetch import Picture
from lseg.inference.sharding import Shard, process_group
from lseg.inference.views import InferenceConfig, resize_short_side, to_tensor
from lseg.models.dpt import DPTDepth
from lseg.models.upsample import upsample
from lseg.visualize import depth_colours

ENDINGS = (".npy", ".png", ".preview.png")


def depth(options: DepthOptions) -> None:
    """Writes `<stem>.npy`, `<stem>.png` (16 bit) and `<stem>.preview.png` for every picture."""
    InferenceConfig(options.size)  # refuses an impossible one
    rows = picture_rows(options.images, options.keep_folders)
    out = output_folder(options.out)
    check_results(rows, ENDINGS, out)
    record = OptionsRecord.in_folder(out, "depth", options)
    model = model_from(options, DPTDepth)
    size = model.config.preprocessing.size if options.size is None else options.size
    shard = Shard.of_process()

    read = picture_reader(options, model.device)

    def work(row: Row, picture: Picture) -> None:
        values = depth_map(model, picture.image, size)
        record.write()
        save_depth(out / row.name, values)

    with process_group(shard, needed=False):
        failed = run_rows(rows, lambda row: read(row.path), work, shard, options.strict)
    kind = "depth in metres" if model.config.invert else "inverse depth"
    if shard.first and failed < len(rows):
        print(f"{len(rows) - failed} map(s) of {kind} in {out}")
    end_run(failed, rows)


@torch.inference_mode()
def depth_map(model: DPTDepth, picture: Image.Image, size: int) -> np.ndarray:
    """The network's answer at the picture's own size, (H, W) float32; see `DPTDepth.forward`."""
    pixels = resize_short_side(to_tensor(picture), size)
    answer = model(model.normalize(pixels[None].to(model.device)))
    return upsample(answer[:, None], (picture.height, picture.width))[0, 0].float().cpu().numpy()


def save_depth(stem: Path, values: np.ndarray) -> None:
    """The map as floats, as 16-bit PNG from its least (0) to its greatest value (65535), in colour.

    Args:
        stem: Path without a suffix.
        values: (H, W) float32.
    """
    low, high = float(values.min()), float(values.max())
    share = (values - low) / (high - low) if high > low else np.zeros_like(values)
    with atomic_file(f"{stem}.npy") as partial:
        np.save(partial, values)
    with atomic_file(f"{stem}.png") as partial:
        Image.fromarray(np.round(65535 * share).astype(np.uint16)).save(partial)
    with atomic_file(f"{stem}.preview.png") as partial:
        Image.fromarray(depth_colours(share)).save(partial)
