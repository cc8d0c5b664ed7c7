"""What `lseg embed` makes of a picture."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from lseg.commands.embed_basis import Basis
from lseg.commands.model import model_from
from lseg.commands.options.embed import EmbedOptions
from lseg.commands.reading import picture_reader
from lseg.embedding.picture_files import PictureFiles
from lseg.embedding.presets import Preset
from lseg.embedding.sidecar import (
    describe_config,
    describe_model,
    describe_picture,
    describe_text,
    made_with,
)
from lseg.evaluation.report import versions
from lseg.files import write_json
from lseg.inference.embeddings import EmbeddedPicture
from lseg.inference.segmenter import Segmenter
from lseg.models.lseg import LSeg
from lseg.pipeline.step import Finish, Source, Step


def described(
    options: EmbedOptions, preset: Preset, files: PictureFiles, model: LSeg, out: Path
) -> dict[str, Any]:
    """What sidecars in `out` tell of all pictures."""
    return {
        "format": preset.format,
        "checkpoint": str(options.checkpoint),
        "preset": options.preset,
        "orientation": options.orientation,
        "precision": options.precision,
        "compiled": options.compile,
        **describe_model(model, out),
        **describe_config(preset.config),
        **files.settings,
        "pca": None,
        "versions": versions(),
    }


@dataclass(frozen=True)
class EmbedJob:
    """A run of `lseg embed`; picklable.

    Attributes:
        options: Of the command.
        preset: With the options that were given beside it.
        files: What embeddings become.
        out: Folder of the results.
        basis: Reduces the embeddings.
    """

    options: EmbedOptions
    preset: Preset
    files: PictureFiles
    out: Path
    basis: Basis | None

    def step(self, model: LSeg | None = None) -> Step[EmbeddedPicture]:
        """Decodes, embeds, and writes embeddings.

        Args:
            model: Loaded already, as options say; loaded now by default.
        """
        network = model_from(self.options, LSeg) if model is None else model
        segmenter = Segmenter(network, self.preset.config.size)
        pca = None if self.basis is None else self.basis.pca
        told = described(self.options, self.preset, self.files, network, self.out)
        writer = EmbeddingWriter(
            self.out, self.files, told, self.basis, cache(partial(describe_text, network))
        )
        return Step(
            picture_reader(self.options, network.device),
            lambda picture: segmenter.embed_rows(picture, self.preset.config, pca),
            writer,
            writer.settings,
            writer.finished,
        )


@dataclass(frozen=True)
class EmbeddingWriter:
    """Embeddings and the sidecar that vouches for them.

    Attributes:
        out: Folder of the results.
        files: What embeddings become.
        told: What sidecars tell of all pictures.
        basis: Reduces them.
        text_from: What sidecars in a folder tell of the source of label vectors.
    """

    out: Path
    files: PictureFiles
    told: dict[str, Any]
    basis: Basis | None
    text_from: Callable[[Path], dict[str, Any]]

    @property
    def endings(self) -> tuple[str, ...]:
        """Of embeddings and sidecar."""
        return (*self.files.endings, ".json")

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides over the files, but for the picture and what may be moved."""
        told = {key: value for key, value in self.told.items() if key not in ("text", "checkpoint")}
        return told | {"pca": None if self.basis is None else self.basis.told}

    def finished(self, folder: Path, source: Source) -> Sequence[str] | None:
        """The files of a picture, if its sidecar says they were made in this very way."""
        sidecar = f"{source.row.name}.json"
        names = self.files.present(folder, source.row.name)
        if names and made_with(folder / sidecar, self._told(source)):
            return [*names, sidecar]
        return None

    def write(self, folder: Path, source: Source, answer: EmbeddedPicture) -> Finish:
        """See `Writer`.

        Raises:
            ConfigError: If an embedding is too large for float16.
        """
        name = source.row.name
        sidecar = folder / f"{name}.json"
        sidecar.unlink(missing_ok=True)
        written = self.files.write(folder, name, answer)
        file = os.path.relpath(folder / self.files.file(name), sidecar.parent)
        told = {**self._told(source), "file": Path(file).as_posix(), **describe_picture(answer)}

        def finish() -> Sequence[str]:
            written.finish()
            write_json(sidecar, told | written.told)
            return [*written.names, f"{name}.json"]

        return finish

    def _told(self, source: Source) -> dict[str, Any]:
        row = source.row
        told = {
            "source": row.source,
            "source_bytes": source.bytes,
            "source_sha256": source.sha256,
            **self.told,
            "text": self.text_from((self.out / f"{row.name}.json").parent),
        }
        return told if self.basis is None else told | {"pca": self.basis.seen_from(row)}
