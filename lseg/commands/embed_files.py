"""What the options of `lseg embed` say of how embeddings are stored."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lseg.commands.embed_basis import BASIS, BASIS_SIDECAR
from lseg.commands.options.embed import EmbedOptions
from lseg.embedding.codes import BASIS as CODE_BASIS
from lseg.embedding.codes import CodeBasis
from lseg.embedding.files import hdf5
from lseg.embedding.picture_files import CodeFiles, DenseFiles, PictureFiles
from lseg.embedding.presets import Preset
from lseg.embedding.region_files import (
    LAYOUTS,
    LabelMapPieces,
    RegionFiles,
    RegionMaker,
    Superpixels,
)
from lseg.embedding.zarr_store import STORE, ZarrArrays, prepare_store, zarr
from lseg.errors import ConfigError
from lseg.inference.sharding import Shard, wait_for_all
from lseg.models.embeddings import merge_projections
from lseg.models.lseg import LSeg
from lseg.models.regularization import halo
from lseg.paths import user_path

NOT_WITH_CODES = (
    "preset", "regions", "format", "dtype", "layout", "output_size", "stride", "normalize",
    "scales", "flip", "window", "pca",
)  # fmt: skip
NOT_WITH_REGIONS = ("format", "layout", "output_size", "stride", "normalize", "pca")
SUPERPIXELS = 256


class Names(NamedTuple):
    """Names of files, known before anything is loaded.

    Attributes:
        endings: What follows a picture's name in the names of its files, but for the sidecar.
        own: What the run writes besides.
    """

    endings: Sequence[str]
    own: Sequence[str]


def names_of(options: EmbedOptions, preset: Preset) -> Names:
    """The names of what a run writes.

    Raises:
        ConfigError: If options contradict each other.
    """
    if options.codes is not None:
        refuse(options, NOT_WITH_CODES, "--codes stores one pass of the network as it is")
        return Names(CodeFiles.endings, (CODE_BASIS,))
    if preset.regions is not None:
        refuse(options, NOT_WITH_REGIONS, f"--preset {options.preset} stores a vector a region")
        return Names(LAYOUTS[preset.regions].endings, ())
    if options.regions is not None:
        raise ConfigError("--regions is for --preset langsplat and scenesplat: give one of them")
    own = () if options.pca is None else (BASIS, BASIS_SIDECAR)
    if preset.format == "zarr":
        zarr()
        return Names((), (*own, STORE))
    if preset.format == "h5":
        hdf5()
    return Names((f"{preset.tail}.{preset.format}",), own)


def refuse(options: EmbedOptions, names: Sequence[str], why: str) -> None:
    """Refuses options that say how dense embeddings are made.

    Raises:
        ConfigError: If one is given.
    """
    for name in names:
        if getattr(options, name) is not None:
            flag = name.replace("_", "-")
            raise ConfigError(f"{why}, and --{flag} is of dense embeddings: leave one of them out")


def files_of(
    options: EmbedOptions, preset: Preset, model: LSeg, out: Path, shard: Shard
) -> PictureFiles:
    """How pictures are stored; every process of the group must come here.

    What all of a run's files need is written now.
    """
    if preset.regions is not None:
        return RegionFiles(preset.regions, region_maker(options))
    if preset.format == "zarr":
        if shard.first:
            prepare_store(out)
        wait_for_all()
        return ZarrArrays()
    if options.codes is None:
        return DenseFiles(f"{preset.tail}.{preset.format}")
    if model.cells:
        raise ConfigError("--codes needs a network with LSeg's decoder: this one has another head")
    basis = out / CODE_BASIS
    if shard.first:
        CodeBasis.of(merge_projections(model.trunk.project, model.project)).settle(basis)
    wait_for_all()
    sha256 = hashlib.sha256(basis.read_bytes()).hexdigest()
    return CodeFiles(options.codes, CODE_BASIS, sha256, halo(model.spatial_block))


def region_maker(options: EmbedOptions) -> RegionMaker:
    """What `--regions` says.

    Raises:
        ConfigError: If it is neither a number from 1 up nor a folder.
    """
    given = options.regions or str(SUPERPIXELS)
    if given.isdecimal() and int(given) > 0:
        return Superpixels(int(given))
    folder = user_path(given)
    if not folder.is_dir():
        raise ConfigError(
            f"--regions {given}: give a number of superpixels, or the folder of label maps that "
            "`lseg predict` made of these pictures"
        )
    return LabelMapPieces(folder)
