"""Labels of a benchmark's classes from a file of one a line."""

from dataclasses import dataclass

import pytest

from lseg.data.fewshot.benchmark_labels import LabelChoice, read_label_file
from lseg.errors import LabelError


@dataclass
class Source:
    """As much of a benchmark as its labels are about."""

    offset: int
    name: str = "fss1000"
    classes: tuple[str, ...] = ("wall", "melon", "zebra")


@pytest.fixture
def labels(tmp_path):
    def write(count):
        path = tmp_path / "labels.txt"
        path.write_text("\n".join(f"label {line}" for line in range(count)))
        return path

    return write


@pytest.mark.parametrize(("offset", "lines", "first"), [(0, 3, 0), (4, 3, 0), (4, 7, 4),
                                                        (4, 1000, 4)])  # fmt: skip
def test_a_line_for_each_class_or_for_each_number(labels, offset, lines, first):
    wanted = [f"label {first + line}" for line in range(3)]
    assert read_label_file(labels(lines), Source(offset)) == wanted


@pytest.mark.parametrize(("offset", "lines", "wanted"), [(0, 2, "3"), (0, 7, "3"),
                                                         (4, 6, "3 or at least 7")])  # fmt: skip
def test_another_number_of_lines_is_refused_with_how_many_are_wanted(labels, offset, lines, wanted):
    with pytest.raises(LabelError, match=f"has {lines} labels.*3 classes: give {wanted} lines"):
        read_label_file(labels(lines), Source(offset))


@pytest.mark.parametrize(("natural", "first"), [(False, "pottedplant"), (True, "potted plant")])
def test_names_are_the_benchmarks_own_unless_natural_ones_are_wanted(natural, first):
    source = Source(0, classes=("pottedplant", "bus"))
    assert LabelChoice(natural=natural).labels(source) == [first, "bus"]
