"""The principal components of `lseg embed --pca`: from a file, an earlier run, or learnt now."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm

from lseg.commands.options.embed import EmbedOptions
from lseg.commands.reading import picture_reader
from lseg.embedding.sidecar import made_with
from lseg.errors import ConfigError
from lseg.files import atomic_file, clear_partial_files, write_json
from lseg.inference.embed_config import EmbedConfig
from lseg.inference.pca import PCA, Moments
from lseg.inference.prefetch import read_ahead
from lseg.inference.segmenter import Segmenter
from lseg.inference.sharding import Shard, sum_over_processes, wait_for_all
from lseg.paths import user_path
from lseg.pipeline.loop import BROKEN
from lseg.pipeline.rows import Row, at_hand

BASIS = "pca.safetensors"
BASIS_SIDECAR = f"{BASIS}.json"

SAMPLES = 8192
"""How many embeddings of a picture principal components are learnt from, at most."""


@dataclass(frozen=True)
class Basis:
    """Principal components that lie in the folder of the results, with a JSON beside them.

    Attributes:
        pca: The components.
        told: What sidecars tell of them, besides where they lie.
    """

    pca: PCA
    told: dict[str, Any]

    @classmethod
    def wanted(
        cls,
        options: EmbedOptions,
        out: Path,
        segmenter: Segmenter,
        rows: Sequence[Row],
        config: EmbedConfig,
        settings: dict[str, Any],
        shard: Shard,
    ) -> Self:
        """What `--pca` asks for; every process of the group must come here.

        Raises:
            ConfigError: If there is no such basis, or the model has fewer channels.
        """
        width = segmenter.model.config.embed_dim
        basis, sidecar = out / BASIS, out / BASIS_SIDECAR
        if shard.first:
            clear_partial_files(out, {basis.stem, sidecar.stem})
        wanted = options.pca or ""
        if not wanted.isdecimal():
            given = user_path(wanted)
            pca = PCA.load(given, width)
            if shard.first and given.resolve() != basis.resolve():
                with atomic_file(basis) as partial_file:
                    shutil.copyfile(given, partial_file)
            wait_for_all()
            return cls._stored(pca, basis)
        count = int(wanted)
        if not 1 <= count <= width:
            raise ConfigError(f"--pca {count}: the model has {width} channels, give 1 to {width}")
        made = {**settings, "components": count, "pictures": options.pca_pictures}
        known = basis.is_file() and made_with(sidecar, made)
        wait_for_all()  # before anyone changes what the others look at
        if not known:
            moments = learn(segmenter, rows, config, options, shard)
            if shard.first:
                moments.basis(count).save(basis)
                write_json(sidecar, made)
            wait_for_all()
        return cls._stored(PCA.load(basis, width), basis)

    @classmethod
    def _stored(cls, pca: PCA, file: Path) -> Self:
        return cls(pca, {
            "components": len(pca.components),
            "explained_variance": pca.explained,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        })  # fmt: skip

    def seen_from(self, row: Row) -> dict[str, Any]:
        """What the sidecar of a picture tells of the basis; the path starts at the sidecar."""
        return {"file": "../" * row.name.count("/") + BASIS, **self.told}


def learn(
    segmenter: Segmenter,
    rows: Sequence[Row],
    config: EmbedConfig,
    options: EmbedOptions,
    shard: Shard,
) -> Moments:
    """Moments of embeddings, of `--pca-pictures` pictures (0: all), evenly over the run.

    Broken ones are left out; the run itself tells of them.
    """
    pictures = options.pca_pictures
    step = max(1, len(rows) // pictures) if pictures else 1
    share = shard.take(rows[::step][: pictures or None])
    moments = Moments(segmenter.model.config.embed_dim)
    read = picture_reader(options, segmenter.model.device)
    bar = tqdm(share, desc="PCA", unit="image", disable=len(share) < 2 or not shard.first)
    for _, picture in read_ahead(bar, lambda row: read(at_hand(row.path))):
        try:
            result = segmenter.embed_rows(picture(), config)
        except BROKEN:
            continue
        every = max(1, result.maps.size[0] * result.maps.size[1] // SAMPLES)
        for _, strip in result.strips():
            moments.add(strip.flatten(1)[:, ::every].T)
    sum_over_processes(moments.values)
    return moments
