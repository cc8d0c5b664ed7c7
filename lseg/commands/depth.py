"""`lseg depth`: depth maps of pictures, or surface normals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lseg.commands.engine import do_run, model_here, network_settings
from lseg.commands.model import model_from
from lseg.commands.options.depth import DepthOptions
from lseg.commands.output import destination
from lseg.commands.reading import frames_of, picture_reader
from lseg.commands.record import OptionsRecord
from lseg.errors import CheckpointError
from lseg.files import atomic_file, write_json
from lseg.inference.sharding import Shard
from lseg.inference.views import InferenceConfig, resize_short_side, to_tensor
from lseg.models.dpt import DPTDepth, DPTNormals
from lseg.models.network import Network
from lseg.models.upsample import upsample
from lseg.pipeline.loop import end_run
from lseg.pipeline.rows import check_results
from lseg.pipeline.sources import picture_rows
from lseg.pipeline.step import Finish, Source, Step
from lseg.visualize import depth_colours, normal_colours

ENDINGS = (".npy", ".png", ".preview.png", ".json")


def depth(options: DepthOptions) -> None:
    """Writes `<stem>.npy`, `.png` (16 bit, of depth alone), `.preview.png` and `.json`.

    Raises:
        CheckpointError: If the checkpoint is no network for depth or normals.
    """
    InferenceConfig(options.size)  # refuses an impossible one
    rows = picture_rows(options.images, options.keep_folders, frames_of(options))
    out = destination(options.out)
    check_results(rows, ENDINGS, out.folder)
    record = OptionsRecord.in_folder(out.folder, "depth", options)
    model = model_here(options, Network)
    kind = writer_of(model, options.checkpoint).kind
    job = DepthJob(options)
    outcome = do_run(options, rows, out, record, job, job.step(model))
    if Shard.of_process().first and outcome.failed < len(rows):
        print(f"{len(rows) - outcome.failed} map(s) of {kind} in {out}{outcome.note}")
    end_run(outcome.failed, rows)


@dataclass(frozen=True)
class DepthJob:
    """A run of `lseg depth`; picklable."""

    options: DepthOptions

    def step(self, model: Network | None = None) -> Step[np.ndarray]:
        """Decodes, and writes maps.

        Args:
            model: Loaded already, as options say; loaded now by default.
        """
        network = model_from(self.options, Network) if model is None else model
        own = network.config.preprocessing.size
        size = own if self.options.size is None else self.options.size
        return Step(
            picture_reader(self.options, network.device),
            lambda picture: pixel_map(network, picture.image, size),
            writer_of(network, self.options.checkpoint),
            network_settings(self.options, network),
        )


@dataclass(frozen=True)
class MapWriter:
    """Files of a map.

    Attributes:
        kind: What its values are, in words.
        endings: Of the files.
        save: Writes them, by their path without endings.
    """

    kind: str
    endings: Sequence[str]
    save: Callable[[Path, np.ndarray], None]

    def write(self, folder: Path, source: Source, answer: np.ndarray) -> Finish:
        """See `Writer`."""
        name = source.row.name

        def finish() -> Sequence[str]:
            self.save(folder / name, answer)
            return [f"{name}{ending}" for ending in self.endings]

        return finish


def writer_of(model: Network, checkpoint: object) -> MapWriter:
    """What a network's maps are, in words, and what writes one.

    Raises:
        CheckpointError: If it is no network for depth or normals.
    """
    if isinstance(model, DPTNormals):
        return MapWriter("normals", (".npy", ".preview.png", ".json"), save_normals)
    if not isinstance(model, DPTDepth):
        raise CheckpointError(
            f"{checkpoint} is of the kind {type(model).__name__}, and this command takes the kinds "
            "DPTDepth and DPTNormals: give another --checkpoint"
        )
    unit = model.config.unit
    kind = f"depth in {unit}" if unit == "metres" else unit
    return MapWriter(kind, ENDINGS, lambda stem, values: save_depth(stem, values, unit))


@torch.inference_mode()
def pixel_map(model: Network, picture: Image.Image, size: int) -> np.ndarray:
    """The network's answer at the picture's own size, (H, W) or (3, H, W) float32."""
    pixels = resize_short_side(to_tensor(picture), size)
    answer = model(model.normalize(pixels[None].to(model.device)))
    maps = upsample(answer if answer.ndim == 4 else answer[:, None], picture.size[::-1])
    return maps[0, 0 if answer.ndim == 3 else slice(None)].float().cpu().numpy()


def save_depth(stem: Path, values: np.ndarray, unit: str) -> None:
    """The map as floats, as 16-bit PNG from its least (0) to its greatest value (65535), in colour.

    A JSON file says what it is measured in, and what the two ends of the PNG stand for.

    Args:
        stem: Path without a suffix.
        values: (H, W) float32.
        unit: `DepthConfig.unit`.
    """
    low, high = float(values.min()), float(values.max())
    share = (values - low) / (high - low) if high > low else np.zeros_like(values)
    with atomic_file(f"{stem}.npy") as partial:
        np.save(partial, values)
    with atomic_file(f"{stem}.png") as partial:
        Image.fromarray(np.round(65535 * share).astype(np.uint16)).save(partial)
    with atomic_file(f"{stem}.preview.png") as partial:
        Image.fromarray(depth_colours(share)).save(partial)
    facts = {"values": "depth", "unit": unit, "png_0": low, "png_65535": high}
    write_json(f"{stem}.json", facts)


def save_normals(stem: Path, values: np.ndarray) -> None:
    """The vectors as floats, in colour, and a JSON file that says what they are.

    Args:
        stem: Path without a suffix.
        values: (3, H, W) float32.
    """
    values = values / np.maximum(np.linalg.norm(values, axis=0, keepdims=True), 1e-12)
    with atomic_file(f"{stem}.npy") as partial:
        np.save(partial, values)
    with atomic_file(f"{stem}.preview.png") as partial:
        Image.fromarray(normal_colours(values)).save(partial)
    facts = {"values": "normals", "unit": "vectors x, y, z of length 1, (3, H, W)"}
    write_json(f"{stem}.json", facts)
