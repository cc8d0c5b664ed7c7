"""Data sets, in three rooms: what all share, the sets, and few-shot benchmarks made of them.

The names here are what configurations write, such as `class_path: lseg.data.PairsDataModule`. Their
modules are imported when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lseg.data.base.datamodule import SegmentationDataModule
    from lseg.data.base.mixture import MixedDataModule, MixedSet
    from lseg.data.fewshot.benchmarks import (
        CocoBenchmark,
        FssBenchmark,
        PairsBenchmark,
        PascalBenchmark,
    )
    from lseg.data.fewshot.shapes_benchmark import ShapesBenchmark
    from lseg.data.fewshot.zeroshot import ZeroShotDataModule
    from lseg.data.sets.pairs import PairsDataModule
    from lseg.data.sets.published_data import PublishedDataModule
    from lseg.data.sets.shapes_data import ShapesDataModule
    from lseg.data.sets.shards import ShardsDataModule

__all__ = [
    "CocoBenchmark",
    "FssBenchmark",
    "MixedDataModule",
    "MixedSet",
    "PairsBenchmark",
    "PairsDataModule",
    "PascalBenchmark",
    "PublishedDataModule",
    "SegmentationDataModule",
    "ShapesBenchmark",
    "ShapesDataModule",
    "ShardsDataModule",
    "ZeroShotDataModule",
]

_HOMES = {
    "CocoBenchmark": "lseg.data.fewshot.benchmarks",
    "FssBenchmark": "lseg.data.fewshot.benchmarks",
    "MixedDataModule": "lseg.data.base.mixture",
    "MixedSet": "lseg.data.base.mixture",
    "PairsBenchmark": "lseg.data.fewshot.benchmarks",
    "PairsDataModule": "lseg.data.sets.pairs",
    "PascalBenchmark": "lseg.data.fewshot.benchmarks",
    "PublishedDataModule": "lseg.data.sets.published_data",
    "SegmentationDataModule": "lseg.data.base.datamodule",
    "ShapesBenchmark": "lseg.data.fewshot.shapes_benchmark",
    "ShapesDataModule": "lseg.data.sets.shapes_data",
    "ShardsDataModule": "lseg.data.sets.shards",
    "ZeroShotDataModule": "lseg.data.fewshot.zeroshot",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
