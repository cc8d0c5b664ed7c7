"""Pictures and masks in tar archives, for sets that one disk, or one folder, does not hold."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lseg.data.base.dataset import FolderDataset
from lseg.data.base.folder_data import FolderDataModule
from lseg.data.base.formats import IMAGE_SUFFIXES
from lseg.data.base.orientation import Orientation
from lseg.data.base.tar import TarMember, read_index
from lseg.data.sets.described import DescribedFolder
from lseg.errors import DataError
from lseg.paths import expanded

MASK = ".mask"
LAYOUT = """
  <root>/classes.txt, dataset.yaml   as in a pairs folder
  <root>/<split>-*.tar               plain tar archives; of each picture <key>.jpg (or .png, ...)
                                     and <key>.mask.png (or .tif), as webdataset has them"""


class ShardsFolder(DescribedFolder):
    """The pictures of some archives. A stem is the archive's name without suffix, and the key.

    Attributes:
        archives: The archives, in the order in which they are named.
    """

    name = "shards"
    layout = LAYOUT

    def __init__(
        self,
        root: str | Path,
        split: str,
        archives: Sequence[str | Path] = (),
        ignore_index: int | None = None,
        orientation: Orientation | None = None,
    ) -> None:
        """Find the files; see `DescribedFolder` for the other arguments.

        Args:
            root: The folder of what describes the set.
            split: Archives are called `<split>-*.tar`.
            archives: Archives or patterns, wherever they lie, in place of those in the folder;
                relative ones are looked up from there.
            ignore_index: See `DescribedFolder`.
            orientation: See `DescribedFolder`.

        Raises:
            DataError: If there is no archive, one cannot be read, or a picture has no mask.
        """
        super().__init__(root, ignore_index, orientation)
        self.archives = self._find(archives or [f"{split}-*.tar"])
        self._files: dict[str, tuple[TarMember, TarMember]] = {}
        for archive in self.archives:
            for key, image, mask in _pairs(read_index(archive), archive):
                stem = f"{archive.stem}/{key}"
                if stem in self._files:
                    raise DataError(f"{archive} has {key} twice, or two archives have its name")
                self._files[stem] = image, mask

    @property
    def stems(self) -> list[str]:
        """In the order of the archives."""
        return list(self._files)

    def image_file(self, stem: str) -> TarMember:
        """See `AnnotatedFolder`."""
        return self._files[stem][0]

    def mask_file(self, stem: str) -> TarMember:
        """See `AnnotatedFolder`."""
        return self._files[stem][1]

    def image_path(self, stem: str) -> Path:
        """The member, as if the archive were a folder."""
        return Path(str(self.image_file(stem)))

    def mask_path(self, stem: str) -> Path:
        """As `image_path`."""
        return Path(str(self.mask_file(stem)))

    def _find(self, patterns: Sequence[str | Path]) -> list[Path]:
        """Archives by their patterns, each once."""
        found: dict[Path, None] = {}
        for pattern in patterns:
            matches = sorted(glob.glob(str(self.root / expanded(pattern))))
            if not matches:
                raise DataError(
                    f"there is no archive {self.root / expanded(pattern)}.\nExpected: {LAYOUT}"
                )
            found.update(dict.fromkeys(map(Path, matches)))
        return list(found)


def _pairs(
    members: Sequence[TarMember], archive: Path
) -> Iterator[tuple[str, TarMember, TarMember]]:
    """The key, picture and mask of each picture of an archive, in its order.

    Raises:
        DataError: If one is without the other, or there is none.
    """
    images: dict[str, TarMember] = {}
    masks: dict[str, TarMember] = {}
    for member in members:
        key = member.member.removeprefix("./").removesuffix(member.suffix)
        if member.name.startswith(".") or member.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        kind = masks if key.endswith(MASK) else images
        kind[key.removesuffix(MASK)] = member
    if alone := sorted(images.keys() ^ masks.keys()):
        lacks = f"no mask {alone[0]}{MASK}.png" if alone[0] in images else "no picture"
        raise DataError(f"{archive}: {alone[0]} has {lacks}.\nExpected: {LAYOUT}")
    if not images:
        raise DataError(f"{archive} holds no picture.\nExpected: {LAYOUT}")
    yield from ((key, image, masks[key]) for key, image in images.items())


@dataclass(eq=False, repr=False)
class ShardsDataModule(FolderDataModule):
    """Train and validate on pictures and masks in tar archives.

    Attributes:
        root: Folder of classes.txt, dataset.yaml, and `<split>-*.tar`; a relative path is looked up
            under LSEG_DATA.
        archives: {split: archives or patterns}, for splits whose archives lie elsewhere.
        prompts: {class name: prompt}, or a JSON file that holds it, looked up as `root` is.
    """

    root: str | Path
    archives: dict[str, list[str]] = field(default_factory=dict)
    prompts: str | Path | dict[str, str] | None = None

    @property
    def source(self) -> str:
        """See `TrainingFacts`."""
        return str(self.root)

    def open_split(self, name: str) -> FolderDataset:
        """See `FolderDataModule`."""
        folder = ShardsFolder(self.root, name, self.archives.get(name, ()))
        return FolderDataset(folder, folder.labels(self.prompts), seed=self.seed)
