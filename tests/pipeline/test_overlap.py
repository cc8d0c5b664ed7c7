"""The network does a picture while the files of the one before are ended."""

import threading
from itertools import count

import pytest
from drawing import save_frames

from lseg.errors import OutputError
from lseg.inference.prefetch import read_picture
from lseg.inference.sharding import Shard
from lseg.pipeline.local import LocalEngine
from lseg.pipeline.loop import Patience
from lseg.pipeline.rows import Row
from lseg.pipeline.run import PictureRun
from lseg.pipeline.step import Step
from lseg.pipeline.worker import Place, Worker


class Texts:
    """Files that need something done before they are ended."""

    endings = (".txt",)

    def __init__(self, end):
        self.end = end

    def write(self, folder, source, answer):
        def finish():
            self.end(answer)
            (folder / f"{source.row.name}.txt").write_text(str(answer))
            return [f"{source.row.name}.txt"]

        return finish


@pytest.fixture
def rows(tmp_path):
    frames = save_frames(tmp_path / "frames", 4, broken=(2,))
    return [Row.of(path) for path in sorted(frames.iterdir())]


def by_loop(rows, place, step):
    done = []
    run = PictureRun(rows, place, None, (".txt",), Patience(), {}, done.append)
    outcome = LocalEngine(step, Shard()).run(run)
    assert (outcome.failed, outcome.kept) == (1, 0)
    return [entry.id for entry in done]


def by_actor(rows, place, step):
    found = list(Worker(place, step, {}).entries((row, None) for row in rows))
    assert [(entry.id, entry.error is None) for entry, _ in found] == [
        ("0", True), ("1", True), ("2", False), ("3", True)
    ]  # fmt: skip
    assert not any(kept for _, kept in found)
    return [entry.id for entry, _ in found if entry.error is None]


@pytest.mark.parametrize("run", [by_loop, by_actor])
def test_files_are_ended_while_the_network_does_the_next_picture(rows, tmp_path, run):
    numbers, second = count(), threading.Event()

    def answer(_):
        number = next(numbers)
        if number == 1:
            second.set()
        return number

    def end(number):
        assert number > 0 or second.wait(60)

    place = Place(tmp_path / "out", "test")
    place.folder.mkdir()
    assert run(rows, place, Step(read_picture, answer, Texts(end), {})) == ["0", "1", "3"]
    assert [(place.folder / f"{name}.txt").read_text() for name in "013"] == ["0", "1", "2"]


def test_an_error_at_the_end_of_files_names_their_picture_and_ends_the_run(rows, tmp_path):
    def end(number):
        if number == 1:
            raise OutputError("no room")

    place, numbers = Place(tmp_path / "out", "test"), count()
    place.folder.mkdir()
    step = Step(read_picture, lambda _: next(numbers), Texts(end), {})
    with pytest.raises(OutputError, match=r"1\.png: no room"):
        by_loop(rows, place, step)
    assert [entry.id for entry in place.index.entries() if entry.error is None] == ["0"]
    assert (place.folder / "0.txt").is_file()
    assert not (place.folder / "1.txt").exists()
