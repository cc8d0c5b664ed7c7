"""What the embeddings of a picture become: files, beside which their sidecar comes to lie."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from lseg.embedding.codes import CodeKind, PictureCodes, codes_of, visible
from lseg.embedding.files import new_embeddings
from lseg.errors import ConfigError
from lseg.inference.embeddings import EmbeddedPicture, stored


def all_present(folder: Path, names: Sequence[str]) -> Sequence[str]:
    """The names, if there are files of all of them below a folder; else none."""
    return names if all((folder / name).is_file() for name in names) else ()


class Written(NamedTuple):
    """What was written of a picture.

    Attributes:
        told: What its sidecar tells of it.
        names: Of its files, below the folder of the results.
        finish: Makes the files appear, whole or not at all; for whatever thread.
    """

    told: dict[str, Any]
    names: Sequence[str]
    finish: Callable[[], None] = lambda: None


class PictureFiles(Protocol):
    """A way to store embeddings; picklable.

    Attributes:
        endings: What follows a picture's name in the names of files beside its sidecar.
        settings: What decides over the files, besides how embeddings are computed; JSON can hold
            it.
    """

    @property
    def endings(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def settings(self) -> dict[str, Any]: ...  # noqa: D102

    def file(self, name: str) -> str:
        """What sidecars name, a file or an array of a store: its path in the results."""
        ...

    def present(self, out: Path, name: str) -> Sequence[str]:
        """The names of a picture's files, if all of them are there; else none."""
        ...

    def write(self, out: Path, name: str, result: EmbeddedPicture) -> Written:
        """Writes the files of a picture, each of them whole or not at all.

        Args:
            out: Folder of the results.
            name: Path of the picture's files below it, without their endings.
            result: Its embeddings.

        Raises:
            ConfigError: If an embedding is too large for float16.
        """
        ...


@dataclass(frozen=True)
class DenseFiles:
    """One array a picture.

    Attributes:
        ending: Of its file; the suffix says the format, one of `lseg.embedding.files.FORMATS`.
    """

    ending: str

    @property
    def endings(self) -> Sequence[str]:
        """See `PictureFiles`."""
        return (self.ending,)

    @property
    def settings(self) -> dict[str, Any]:
        """See `PictureFiles`."""
        return {}

    def file(self, name: str) -> str:
        """See `PictureFiles`."""
        return f"{name}{self.ending}"

    def present(self, out: Path, name: str) -> Sequence[str]:
        """See `PictureFiles`."""
        return all_present(out, [self.file(name)])

    def write(self, out: Path, name: str, result: EmbeddedPicture) -> Written:
        """See `PictureFiles`; memory for a strip of rows."""
        config, path = result.config, out / self.file(name)
        with ExitStack() as opened:
            new = new_embeddings(path, result.shape, config.dtype, config.layout)
            array = opened.enter_context(new)
            for start, rows in result.strips():
                array.put(start, stored(rows, config))
            return Written({}, [self.file(name)], opened.pop_all().close)


@dataclass(frozen=True)
class CodeFiles:
    """Codes in place of embeddings; see `lseg.embedding.codes`.

    Attributes:
        kind: How they are rounded.
        basis: Name of the file of their basis, in the folder of the results.
        sha256: Of its content.
        around: How many rows around a pixel the model's spatial block looks at.
    """

    kind: CodeKind
    basis: str
    sha256: str
    around: int

    endings: ClassVar[Sequence[str]] = (".safetensors",)

    @property
    def settings(self) -> dict[str, Any]:
        """See `PictureFiles`."""
        return {
            "format": "safetensors",
            "dtype": "float32" if self.kind == "exact" else self.kind,
            "normalized": False,
            "code_kind": self.kind,
            "code_basis_sha256": self.sha256,
        }

    def file(self, name: str) -> str:
        """See `PictureFiles`."""
        return f"{name}.safetensors"

    def present(self, out: Path, name: str) -> Sequence[str]:
        """See `PictureFiles`."""
        return all_present(out, [self.file(name)])

    def write(self, out: Path, name: str, result: EmbeddedPicture) -> Written:
        """See `PictureFiles`."""
        if result.padding is None:
            raise ConfigError("codes are of one pass of the network, on its own grid")
        codes = codes_of(result.one_pass)[0]
        grid = (codes.shape[1], codes.shape[2])
        rows, columns = visible(result.sizes.network, result.padding, grid, self.around)
        found = PictureCodes.of(codes[:, :rows, :columns], self.kind)
        found.save(out / self.file(name))
        codes_told = {
            "kind": self.kind,
            "basis": "../" * name.count("/") + self.basis,
            "sha256": self.sha256,
            "grid": list(grid),
            "output": list(result.sizes.output),
        }
        told = {"shape": list(found.values.shape), "codes": codes_told}
        return Written(told, [self.file(name)])
