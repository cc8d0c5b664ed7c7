"""A benchmark's test pictures with all of its classes at once, for generalised evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as TF

from lseg.data.base.fingerprint import File
from lseg.data.base.folder import label_mask
from lseg.data.base.items import ItemKey, split_key
from lseg.data.base.mask_values import ignore_value
from lseg.data.fewshot.benchmarks import Benchmark
from lseg.data.fewshot.folds import Part
from lseg.data.fewshot.sources import MaskSource


class AllClassesData(Dataset[dict[str, Tensor]]):
    """The test pictures of every fold, each once, at their own size.

    An item is {"image": (3, H, W) uint8, "mask": (H, W) int64}: 0 is the background, i + 1 class i.

    Attributes:
        classes: The background's name, then the benchmark's.
        labels: What to ask for, in the same order.
        folds: Which classes each fold holds out.
        ignore_index: Mask value of pixels without a label.
        names: The benchmark's name of each picture.
    """

    def __init__(
        self, benchmark: Benchmark, background: str = "others", labels: Sequence[str] | None = None
    ) -> None:
        """Open the lists.

        Args:
            benchmark: Whose test lists are joined.
            background: Label of all that is no class.
            labels: A label a class; the classes' own names by default.

        Raises:
            DataError: If files are missing or malformed.
        """
        self.folds = benchmark.folds
        self.pictures: list[tuple[MaskSource, int]] = []
        stems: set[str] = set()
        for fold in range(len(benchmark.folds)):
            source = benchmark.open(fold, Part.TEST)
            listed = sorted({entry.picture for entry in source.entries})
            new = [picture for picture in listed if source.stem(picture) not in stems]
            self.pictures += [(source, picture) for picture in new]
            stems.update(source.stem(picture) for picture in new)
        self.names = [source.stem(picture) for source, picture in self.pictures]
        self.classes = [background, *source.classes]
        self.labels = [background, *(source.classes if labels is None else labels)]
        self.ignore_index = ignore_value(len(self.labels))

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.pictures)

    def files(self) -> Iterator[File]:
        """Return what the pictures and masks are read from."""
        for source, picture in self.pictures:
            yield from source.files(picture)

    def __getitem__(self, key: ItemKey) -> dict[str, Tensor]:
        """Return a picture and its mask.

        Raises:
            DataError, ImageError: If a file is missing or unreadable.
        """
        _, index = split_key(key)
        source, picture = self.pictures[index]
        image, mask = source.read(picture)
        labels = label_mask(mask, self.ignore_index, background=True)
        return {"image": TF.pil_to_tensor(image), "mask": labels}
