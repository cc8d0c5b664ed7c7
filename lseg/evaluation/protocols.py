"""How each benchmark is evaluated: the rule of its episodes and the size of its pictures."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from lseg.data.base.orientation import Orientation
from lseg.data.fewshot.benchmarks import (
    Benchmark,
    CocoBenchmark,
    FssBenchmark,
    PairsBenchmark,
    PascalBenchmark,
)
from lseg.data.fewshot.episode_data import EpisodeData
from lseg.data.fewshot.episodes import (
    CyclicEpisodes,
    EpisodeRule,
    SweepEpisodes,
    UniformEpisodes,
    draw_episodes,
)
from lseg.data.fewshot.folds import Part
from lseg.data.fewshot.shapes_benchmark import ShapesBenchmark
from lseg.data.fewshot.sources import MaskSource
from lseg.errors import ConfigError, DataError
from lseg.evaluation.fewshot import FoldData


@dataclass(frozen=True)
class BenchmarkFiles:
    """Where a benchmark lies on this machine.

    Attributes:
        root: Its folder; None for the shapes world, which is drawn.
        splits: Folder of HSNet's lists, if there is one.
        test: Name of the test list of a `pairs` folder.
        ignore_index: Of a `pairs` folder; as its dataset.yaml says if None.
        orientation: What masks lie over; as dataset.yaml says, or `auto`, if None.
    """

    root: str | None = None
    splits: str | None = None
    test: str = "val"
    ignore_index: int | None = None
    orientation: Orientation | None = None

    @property
    def folder(self) -> str:
        """The root.

        Raises:
            DataError: If none was given.
        """
        if self.root is None:
            raise DataError("which folder? Give --data-root")
        return self.root


@dataclass(frozen=True)
class TestProtocol:
    """A benchmark's protocol.

    Attributes:
        benchmark: Makes the benchmark.
        draw: Rule of the episodes.
        size: Side in pixels to which pictures and masks are brought.
        absent_count: Whether classes that no episode asks for count, with an IoU of 0. If not,
            those with one picture are left out where there are supports.
    """

    benchmark: Callable[[BenchmarkFiles], Benchmark]
    draw: EpisodeRule
    size: int = 480
    absent_count: bool = True


TEST_PROTOCOLS: dict[str, TestProtocol] = {
    "pascal5i": TestProtocol(
        lambda files: PascalBenchmark(files.folder, files.splits, files.orientation),
        CyclicEpisodes(),
    ),
    "coco20i": TestProtocol(
        lambda files: CocoBenchmark(files.folder, files.splits, files.orientation),
        UniformEpisodes(),
    ),
    "fss1000": TestProtocol(
        lambda files: FssBenchmark(files.folder, files.splits, files.orientation),
        SweepEpisodes(),
    ),
    "shapes": TestProtocol(lambda files: ShapesBenchmark(), CyclicEpisodes(None), 128),
    "pairs": TestProtocol(
        lambda files: PairsBenchmark(
            files.folder,
            test=files.test,
            ignore_index=files.ignore_index,
            orientation=files.orientation,
        ),
        CyclicEpisodes(None),
        absent_count=False,
    ),
}


@dataclass(frozen=True)
class EpisodeRequest:
    """Which episodes.

    Attributes:
        folds: Fold numbers; all if None.
        shots: Supports an episode.
        episodes: The first ones only; the benchmark's own number if None.
        seed: Of the draws.
        size: In place of the protocol's.
    """

    folds: tuple[int, ...] | None = None
    shots: int = 0
    episodes: int | None = None
    seed: int = 0
    size: int | None = None


def open_folds(
    protocol: TestProtocol,
    files: BenchmarkFiles,
    asked: EpisodeRequest,
    labels: Callable[[MaskSource], list[str]],
) -> list[FoldData]:
    """The folds with their episodes.

    Args:
        protocol: Of the benchmark.
        files: Where it lies.
        asked: Which episodes.
        labels: What to ask for each class of the benchmark.

    Raises:
        ConfigError: If there is no such fold, or a number is out of range.
        DataError: If files are missing or malformed.
    """
    if asked.size is not None and asked.size < 32:
        raise ConfigError(f"size is {asked.size}: pictures must be at least 32 pixels wide")
    benchmark = protocol.benchmark(files)
    found = []
    for fold in range(len(benchmark.folds)) if asked.folds is None else asked.folds:
        held = benchmark.folds.held_out(fold)
        source = benchmark.open(fold, Part.TEST)
        if not protocol.absent_count:
            held = _askable(source, held, 1 if asked.shots == 0 else 2)
        episodes = draw_episodes(
            protocol.draw, source, held, asked.shots, asked.episodes, asked.seed
        )
        if not protocol.absent_count:
            drawn = {episode.class_index for episode in episodes}
            held = tuple(index for index in held if index in drawn)
        names = labels(source)
        data = EpisodeData(source, episodes, asked.size or protocol.size)
        found.append(FoldData(fold, data, held, tuple(names[index] for index in held)))
    return found


def _askable(source: MaskSource, classes: tuple[int, ...], pictures: int) -> tuple[int, ...]:
    """The classes that the list names for so many pictures at least.

    Raises:
        DataError: If there is none.
    """
    counts = Counter(entry.class_index for entry in source.entries)
    found = tuple(index for index in classes if counts[index] >= pictures)
    if not found:
        raise DataError(f"no class of this fold of {source.name} is in {pictures} test picture(s)")
    return found
