"""Zero-shot training on the folds of a few-shot benchmark, by the benchmark's own lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lseg.data.base.datamodule import SegmentationDataModule
from lseg.data.base.items import SegmentationData
from lseg.data.base.labels import refuse_repeated
from lseg.data.base.transforms import AugmentConfig, JointTransform
from lseg.data.fewshot.benchmark_labels import read_label_file
from lseg.data.fewshot.benchmarks import Benchmark
from lseg.data.fewshot.folds import Part
from lseg.data.fewshot.sources import Entry, MaskSource
from lseg.data.fewshot.tasks import (
    IGNORE_INDEX,
    BalancedClasses,
    EveryEntry,
    EveryPicture,
    SeenVocabularyData,
    TwoWayData,
    Vocabulary,
)
from lseg.errors import ConfigError
from lseg.paths import resolve_data_path


@dataclass(eq=False, repr=False)
class ZeroShotDataModule(SegmentationDataModule):
    """Train on the seen classes of a fold, asked one at a time (as LSeg) or all at once.

    The training list is the benchmark's: it names seen classes only. HSNet's lists keep pictures in
    which held-out classes occur as well, so that what these pixels teach matters: in the two-way
    task they are `others`, as all that is not asked for; with the whole seen vocabulary they are
    ignored. Either way no held-out class is ever the right answer.

    Validation asks for seen classes, so that stopping early does not look at the classes that the
    benchmark tests: sets "seen/fold<k>" are the test lists of the other folds. A benchmark of one
    fold has none; every tenth picture of its training list is then set aside for "seen". The fold's
    own test list is "unseen", if it is asked for.

    Attributes:
        benchmark: Whose lists are used.
        fold: Which classes to hold out.
        task: `two-way` asks each picture for ["others", one of its classes], as LSeg; `vocabulary`
            asks every picture for others and all seen classes.
        background: Label of all that is not asked for.
        label_file: Text file with a label for each class of the benchmark, in its order; a relative
            path is looked up under LSEG_DATA.
        balanced: In the two-way task, draw a class first (all as likely), then a picture.
        epoch_items: Draws an epoch, if `balanced`; the number of pictures by default.
        validate: Which classes to validate on.
        val_items: Largest number of items of a validation set, taken evenly from its list.
        size: Side of the squares that pictures are brought to; their aspect is not kept.
        scale: Bounds of a random scale factor; what is cropped or padded keeps `size`.
        flip: Probability of mirroring.
        color: Strength of colour jitter, 0 to 1.
    """

    benchmark: Benchmark
    fold: int = 0
    task: Literal["two-way", "vocabulary"] = "two-way"
    background: str = "others"
    label_file: str | Path | None = None
    balanced: bool = False
    epoch_items: int | None = None
    validate: Literal["seen", "unseen", "both"] = "seen"
    val_items: int = 1000
    size: int = 480
    scale: tuple[float, float] = (1.0, 1.0)
    flip: float = 0.5
    color: float = 0.0
    batch_size: int = field(default=6, kw_only=True)
    val_batch_size: int = field(default=6, kw_only=True)

    def __post_init__(self) -> None:
        """Check the options; files are read when they are first needed.

        Raises:
            ConfigError: If a number is out of range.
        """
        super().__post_init__()
        for name in ("val_items", "size", "epoch_items"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"data.{name} is {value}; give 1 or more")
        self.transform = JointTransform(
            AugmentConfig(self.size, self.scale, self.size, flip=self.flip, color=self.color),
            IGNORE_INDEX,
        )

    @property
    def first_counted_label(self) -> int:
        """1: the benchmark's mIoU is the mean over classes, without the background's IoU."""
        return 1

    def make_train_set(self) -> SegmentationData:
        """Build the training set; its list names seen classes only."""
        source = self.benchmark.open(self.fold, Part.TRAIN)
        vocabulary = self._vocabulary(source)
        options = (self.size, self.transform, self.seed)
        entries = [entry for entry in source.entries if not self._set_aside(entry)]
        if self.task == "vocabulary":
            # Asked at once, two classes of one label could not be told apart.
            refuse_repeated(vocabulary.labels, "the labels of the training")
            return SeenVocabularyData(source, vocabulary, EveryPicture(entries), *options)
        if self.balanced:
            sampling = BalancedClasses(entries, self.seed, self.epoch_items)
            return TwoWayData(source, vocabulary, sampling, *options)
        return TwoWayData(source, vocabulary, EveryEntry(entries), *options)

    def make_val_sets(self) -> Mapping[str, SegmentationData]:
        """Build the validation sets: two-way tasks, whatever the training asks."""
        sets: dict[str, SegmentationData] = {}
        if self.validate != "unseen":
            if self._one_fold:
                source = self.benchmark.open(self.fold, Part.TRAIN)
                aside = [entry for entry in source.entries if self._set_aside(entry)]
                sets["seen"] = self._two_way(source, aside)
            for fold in range(len(self.benchmark.folds)):
                if fold != self.fold:
                    source = self.benchmark.open(fold, Part.TEST)
                    sets[f"seen/fold{fold}"] = self._two_way(source, source.entries)
        if self.validate != "seen":
            source = self.benchmark.open(self.fold, Part.TEST)
            sets["unseen"] = self._two_way(source, source.entries)
        return sets

    @property
    def _one_fold(self) -> bool:
        return len(self.benchmark.folds) == 1

    def _set_aside(self, entry: Entry) -> bool:
        return self._one_fold and entry.picture % 10 == 9

    def _vocabulary(self, source: MaskSource) -> Vocabulary:
        names = None
        if self.label_file is not None:
            names = read_label_file(resolve_data_path(self.label_file), source)
        return Vocabulary(source, self.background, names)

    def _two_way(self, source: MaskSource, entries: Sequence[Entry]) -> TwoWayData:
        """At most `val_items` of the entries, evenly from the list, without augmentation."""
        count = min(len(entries), self.val_items)
        some = [entries[position * len(entries) // count] for position in range(count)]
        return TwoWayData(source, self._vocabulary(source), EveryEntry(some), self.size)
