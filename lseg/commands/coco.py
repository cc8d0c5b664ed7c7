"""One COCO instances file for the pictures of a run."""

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import lseg
from lseg.data.base.labels import display_name, display_names
from lseg.files import atomic_file
from lseg.inference.segmentation import Segmentation
from lseg.inference.sharding import Shard, wait_for_all
from lseg.visualize import BACKGROUND_NAMES

NAME = "instances.json"


class InstancesFile:
    """COCO's instances format: one annotation a label and picture, with an RLE mask.

    Pictures are written as they come to a file of each process, and put together at the end, so
    memory does not grow with their number. The result does not depend on the number of processes.
    There is none if there was no picture.
    """

    def __init__(
        self, folder: Path, labels: Sequence[str], shard: Shard, without_other: bool = False
    ) -> None:
        """Takes annotations of `labels`; without those that mean no class, if asked for."""
        self.path = folder / NAME
        self.labels = list(labels)
        self.shard = shard
        self.left_out = BACKGROUND_NAMES if without_other else set()
        folder.mkdir(parents=True, exist_ok=True)
        self._part = self._part_of(shard.rank)
        self._file: TextIO = self._part.open("w", encoding="utf-8")

    def add(self, source: str, result: Segmentation) -> None:
        """Writes the annotations of a picture, by what it shall be called."""
        height, width = result.label_map.shape
        line = {
            "image": {"file_name": source, "width": width, "height": height},
            "annotations": [
                {"category_id": self.labels.index(entry.pop("label")) + 1, **entry, "iscrowd": 0}
                for entry in result.to_coco_rle()
                if display_name(entry["label"]).lower() not in self.left_out
            ],
        }
        self._file.write(json.dumps(line) + "\n")

    def skip(self) -> None:
        """Leaves out this process's next picture, without a gap in the numbers of the others."""
        self._file.write("null\n")

    def finish(self) -> None:
        """Puts the parts of all processes together, in the order of the pictures."""
        self.close()
        wait_for_all()
        if self.shard.first:
            self.merge()
        wait_for_all()

    def close(self) -> None:
        """Ends this process's part."""
        self._file.close()

    def merge(self) -> None:
        """Writes the file, once all parts are closed."""
        if next(self._lines(), None) is None:
            return
        with atomic_file(self.path) as partial, partial.open("w", encoding="utf-8") as file:
            self._write(file)

    def discard(self) -> None:
        """Deletes this process's part."""
        self.close()
        self._part.unlink(missing_ok=True)

    def _write(self, file: TextIO) -> None:
        info = {"description": f"label maps of lseg {lseg.__version__}"}
        file.write(f'{{"info": {json.dumps(info)}, "licenses": [],\n"categories": [')
        _write_list(file, self._categories())
        file.write('],\n"images": [')
        _write_list(file, ({"id": index, **line["image"]} for index, line in self._lines()))
        file.write('],\n"annotations": [')
        found = (
            {"image_id": index, **entry}
            for index, line in self._lines()
            for entry in line["annotations"]
        )
        _write_list(file, ({"id": index, **entry} for index, entry in enumerate(found, start=1)))
        file.write("]}\n")

    def _categories(self) -> list[dict[str, Any]]:
        return [
            {"id": index, "name": name, "supercategory": ""}
            for index, name in enumerate(display_names(self.labels), start=1)
            if name.lower() not in self.left_out
        ]

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Every picture with its number: the processes took turns."""
        parts = [self._part_of(rank).open(encoding="utf-8") for rank in range(self.shard.world)]
        try:
            rounds = itertools.zip_longest(*parts)
            lines = (json.loads(line) for turn in rounds for line in turn if line is not None)
            yield from enumerate((line for line in lines if line is not None), start=1)
        finally:
            for part in parts:
                part.close()

    def _part_of(self, rank: int) -> Path:
        return self.path.with_name(f".instances.{rank}of{self.shard.world}.partial.jsonl")


def _write_list(file: TextIO, entries: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
    for index, entry in enumerate(entries):
        file.write(",\n" if index else "\n")
        json.dump(entry, file)
