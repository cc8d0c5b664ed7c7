"""`lseg embed`: files of pixel embeddings."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lseg.commands.model import model_from
from lseg.commands.options.embed import EmbedOptions
from lseg.commands.output import output_folder, refuse_overwriting, unique_stems
from lseg.commands.reading import picture_reader
from lseg.commands.record import OptionsRecord
from lseg.data.base.images import list_images
from lseg.embedding.files import new_embeddings
from lseg.embedding.presets import PRESETS, Preset
from lseg.embedding.sidecar import describe_config, describe_model, describe_picture, made_with
from lseg.errors import ConfigError
from lseg.evaluation.report import versions
from lseg.files import clear_partials, whole_file, write_json
from lseg.inference.embed_config import EmbedConfig, StrideGrid, parse_grid
from lseg.inference.pca import PCA, Moments
from lseg.inference.prefetch import Picture, prefetch
from lseg.inference.segmenter import Segmenter
from lseg.inference.sharding import Shard, add_up, together, wait_for_all
from lseg.models.lseg import LSeg
from lseg.paths import user_path

BASIS = "pca.safetensors"
SAMPLES = 8192
"""How many embeddings of a picture principal components are learnt from, at most."""


def embed(options: EmbedOptions) -> None:
    """Writes `<stem>.<format>` and `<stem>.json` for every picture but finished ones."""
    images = unique_stems(list_images(options.images))
    out = output_folder(options.out)
    preset = preset_from(options)
    refuse_overwriting(images, [f"{preset.tail}.{preset.format}", ".json"], out)
    record = OptionsRecord.in_folder(out, "embed", options)
    model = model_from(options, LSeg)
    segmenter = Segmenter(model, preset.config.size)
    config = replace(preset.config, size=segmenter.size)
    if config.long_side is not None:
        config = replace(config, size=None)
    shard = Shard.of_process()
    settings = {
        "format": preset.format,
        "checkpoint": str(options.checkpoint),
        "preset": options.preset,
        "orientation": options.orientation,
        "precision": options.precision,
        "compiled": options.compile,
        **describe_model(model, out),
        **describe_config(config),
        "pca": None,
        "versions": versions(),
    }
    stems = {path.stem for path in shard.take(images)}
    clear_partials(out, stems | {stem + preset.tail for stem in stems})
    if shard.first:
        clear_partials(out, {record.path.stem})
    pca = None
    if options.pca is not None:
        with together(shard):
            pca = basis_for(options.pca, options, out, segmenter, images, config, settings, shard)
        settings["pca"] = describe_basis(pca, out / BASIS)
    read = picture_reader(options, model.device)
    job = Job(segmenter, config, pca, settings, record, f"{preset.tail}.{preset.format}", read)
    done = run(job, shard.take(images), show=shard.first)
    record.write()  # of a run that had nothing left to do
    if shard.first:
        share = f" ({done} done here)" if shard.world > 1 else ""
        print(f"embeddings of {len(images)} picture(s) in {out}{share}")


@dataclass(frozen=True)
class Job:
    """What is to be done with each picture.

    Attributes:
        segmenter: Runs the network.
        config: How embeddings are computed.
        pca: Reduces them.
        settings: What sidecars tell of all pictures.
        record: Of the options; it lies in the folder of the results.
        ending: Of the results' names, after the picture's stem.
        read: Reads a picture.
    """

    segmenter: Segmenter
    config: EmbedConfig
    pca: PCA | None
    settings: dict[str, Any]
    record: OptionsRecord
    ending: str
    read: Callable[[Path], Picture]

    def files(self, path: Path) -> tuple[Path, Path]:
        """Embeddings and sidecar of a picture."""
        out = self.record.path.parent
        return out / f"{path.stem}{self.ending}", out / f"{path.stem}.json"

    def finished(self, path: Path) -> bool:
        """Whether a picture's files are there, made of this very picture in this very way."""
        file, sidecar = self.files(path)
        return file.is_file() and made_with(sidecar, {**self.settings, **source_of(path)})

    def write(self, path: Path, picture: Picture) -> None:
        """Makes a picture's files; the sidecar comes last, so that it vouches for the other."""
        file, sidecar = self.files(path)
        sidecar.unlink(missing_ok=True)
        result = self.segmenter.embed_rows(picture, self.config, self.pca)
        self.record.write()
        dtype, layout = self.config.dtype, self.config.layout
        with new_embeddings(file, result.shape, dtype, layout) as array:
            for start, rows in result.strips():
                array.put(start, rows.cpu().numpy())
        write_json(
            sidecar,
            {**source_of(path), "file": file.name, **describe_picture(result), **self.settings},
        )


def run(job: Job, images: Sequence[Path], show: bool) -> int:
    """Does what is not finished; returns how many pictures that were."""
    left = [path for path in images if not job.finished(path)]
    hidden = len(images) < 2 or not show
    with tqdm(
        total=len(images), initial=len(images) - len(left), unit="image", disable=hidden
    ) as progress:
        for path, picture in prefetch(left, job.read):
            job.write(path, picture)
            progress.update()
    return len(left)


def source_of(path: Path) -> dict[str, Any]:
    """What sidecars tell of a picture's file."""
    return {"source": path.name, "source_bytes": path.stat().st_size}


def preset_from(options: EmbedOptions) -> Preset:
    """The preset that is named, or none, changed by every option that was given.

    Raises:
        ConfigError: If options contradict each other.
    """
    if options.size is not None and options.long_side is not None:
        raise ConfigError("--size and --long-side exclude each other: give one of them")
    if options.output_size is not None and options.stride is not None:
        raise ConfigError("--output-size and --stride exclude each other: give one of them")
    preset = PRESETS[options.preset] if options.preset else Preset(EmbedConfig(), "npy", "", "")
    names = ("size", "long_side", "scales", "flip", "window", "dtype", "layout", "normalize")
    changes = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if "scales" in changes:
        changes["scales"] = tuple(changes["scales"])
    if "size" in changes:
        changes["long_side"] = None
    if options.window == 0:
        changes["window"] = None
    if options.output_size is not None:
        changes["grid"] = parse_grid(options.output_size)
    if options.stride is not None:
        changes["grid"] = StrideGrid(options.stride)
    changed = preset.given(changes)
    return replace(changed, format=options.format or preset.format)


def basis_for(
    wanted: str,
    options: EmbedOptions,
    out: Path,
    segmenter: Segmenter,
    images: Sequence[Path],
    config: EmbedConfig,
    settings: dict[str, Any],
    shard: Shard,
) -> PCA:
    """The basis of `--pca`: from a file, from this folder's earlier run, or learnt now.

    It lies in the folder of the results, with a JSON beside it.
    """
    width = segmenter.model.config.embed_dim
    basis, sidecar = out / BASIS, out / f"{BASIS}.json"
    if shard.first:
        clear_partials(out, {basis.stem, sidecar.stem})
    if not wanted.isdecimal():
        given = user_path(wanted)
        pca = PCA.load(given, width)
        if shard.first and given.resolve() != basis.resolve():
            with whole_file(basis) as partial_file:
                shutil.copyfile(given, partial_file)
        wait_for_all()
        return pca
    count = int(wanted)
    if not 1 <= count <= width:
        raise ConfigError(f"--pca {count}: the model has {width} channels, give 1 to {width}")
    made = {**settings, "components": count, "pictures": options.pca_pictures}
    known = basis.is_file() and made_with(sidecar, made)
    wait_for_all()  # before anyone changes what the others look at
    if not known:
        moments = learn(segmenter, images, config, options, shard)
        if shard.first:
            moments.basis(count).save(basis)
        if shard.first:
            write_json(sidecar, made)
        wait_for_all()
    return PCA.load(basis, width)


def learn(
    segmenter: Segmenter,
    images: Sequence[Path],
    config: EmbedConfig,
    options: EmbedOptions,
    shard: Shard,
) -> Moments:
    """Moments of embeddings, of `--pca-pictures` pictures (0: all), evenly over the run."""
    pictures = options.pca_pictures
    step = max(1, len(images) // pictures) if pictures else 1
    chosen = images[::step][: pictures or None]
    moments = Moments(segmenter.model.config.embed_dim)
    read = picture_reader(options, segmenter.model.device)
    share = shard.take(chosen)
    bar = tqdm(share, desc="PCA", unit="image", disable=len(share) < 2 or not shard.first)
    for _, picture in prefetch(bar, read):
        result = segmenter.embed_rows(picture, config)
        every = max(1, result.maps.size[0] * result.maps.size[1] // SAMPLES)
        for _, rows in result.strips():
            moments.add(rows.flatten(1)[:, ::every].T)
    add_up(moments.values)
    return moments


def describe_basis(pca: PCA, file: Path) -> dict[str, Any]:
    """What sidecars tell of a reduction."""
    return {
        "file": file.name,
        "components": len(pca.components),
        "explained_variance": pca.explained,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
