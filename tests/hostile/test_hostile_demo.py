"""What visitors of the demo may send in the place of marks, names and numbers."""

import math

import pytest
from fuzzing import VALUE, changed, fuzzed
from hostile import VALUES, outcome
from hypothesis import given

from lseg.demo.api import parse_number
from lseg.demo.limits import Limits
from lseg.demo.marks import read_label, read_marks
from lseg.demo.uploads import uploaded_path
from lseg.errors import LSegError
from lseg.memory.marks import Box, Strokes

SIZE, PAINTED = (400, 300), (200, 150)
LIMITS = Limits()
MARKS = {
    "points": {"points": [[1, 2], [3.5, 4]], "width": 9},
    "strokes": {"strokes": [[[1, 2], [3, 4]], [[5, 6]]]},
    "box": {"box": [1, 2, 30, 40]},
}


@pytest.mark.parametrize("kind", MARKS)
def test_marks(kind):
    @fuzzed
    @given(changed(MARKS[kind]))
    def check(value):
        found = outcome(lambda: read_marks(value, SIZE, PAINTED, LIMITS))
        assert isinstance(found, LSegError | Box | Strokes)

    assert isinstance(read_marks(MARKS[kind], SIZE, PAINTED, LIMITS), Box | Strokes)
    check()


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:30])
def test_any_value(value):
    found = outcome(lambda: read_label(value, LIMITS))
    assert isinstance(found, LSegError) or 0 < len(found) <= LIMITS.characters
    number = outcome(lambda: parse_number(value, "height"))
    assert isinstance(number, LSegError) or math.isfinite(number)
    assert isinstance(outcome(lambda: read_marks(value, SIZE, PAINTED, LIMITS)), LSegError)


@fuzzed
@given(VALUE)
def test_no_path_but_an_upload(value):
    assert isinstance(outcome(lambda: uploaded_path({"path": value})), LSegError)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../etc/passwd", "~/x", "\0", "x" * 5000, "", "."]
)
def test_no_file_of_the_server(path):
    assert isinstance(outcome(lambda: uploaded_path({"path": path})), LSegError)
