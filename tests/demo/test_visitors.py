import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from lseg.demo.limits import Limits
from lseg.demo.marks import read_label, read_marks
from lseg.demo.service import Service
from lseg.demo.sweeper import regularly
from lseg.demo.visitors import Visitors
from lseg.errors import ImageError, LabelError
from lseg.inference.memory import Memory
from lseg.inference.segmenter import Segmenter
from lseg.memory.marks import Box, Strokes

LIMITS = Limits(examples=3, memories=2, idle=100, grace=10, points=5, characters=20)


class Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def visitors(model, clock):
    return Visitors(model, model.config.preprocessing.size, LIMITS, clock)


@pytest.fixture
def halves(tmp_path):
    """A picture with a grey half and a green one, mirrored or not, and its path."""

    def draw(mirrored):
        pixels = np.full((128, 128, 3), 120, np.uint8)
        pixels[:, :64] = 20, 160, 60
        path = tmp_path / f"halves{mirrored}.png"
        Image.fromarray(pixels[:, ::-1] if mirrored else pixels).save(path)
        return str(path)

    return draw


def shown(service, path, value, label, taught):
    picture = service.picture(path)
    size = picture.full.image.size
    marks = read_marks(value, size, picture.shown.image.size, service.limits)
    service.teach(picture, marks, label, taught, "picture")
    return picture


def right(segmentation, green):
    """Share of the pixels that are gadget where they are green, and not elsewhere."""
    found = segmentation.label_map == segmentation.labels.index("gadget")
    return (found == green).mean()


def test_what_is_taught_changes_the_answer_and_holds_for_the_next_picture(service, halves):
    text = "background, gadget"
    pictures = [service.picture(halves(mirrored)) for mirrored in (False, True)]
    green = [np.asarray(picture.full.image)[..., 1] > 140 for picture in pictures]
    before = [service.segment(picture.full, text, False) for picture in pictures]
    _, taught = service.visitors.begin()
    shown(service, halves(False), {"strokes": [[[30, 10], [30, 110]]]}, "gadget", taught)
    after = [service.segment(picture.full, text, False, taught) for picture in pictures]
    for one, other, mask in zip(before, after, green, strict=True):
        assert right(other, mask) > max(0.8, right(one, mask))
    ranking = service.ranking(pictures[1], text, False, 105, 60, taught)
    assert ranking.labels[0][0] == "gadget"
    taught.remove("gadget")
    again = service.segment(pictures[1].full, text, False, taught)
    np.testing.assert_array_equal(again.scores, before[1].scores)


def test_a_memory_is_its_visitors_own(service, halves):
    (key, mine), (other_key, others) = service.visitors.begin(), service.visitors.begin()
    picture = shown(service, halves(False), {"points": [[30, 60]]}, "gadget", mine)
    text = "background, gadget"
    plain = service.segment(picture.full, text, False)
    theirs = service.segment(picture.full, text, False, others)
    np.testing.assert_array_equal(theirs.scores, plain.scores)
    assert (mine.counts, others.counts) == ({"gadget": 1}, {})
    assert service.visitors.find(key) is mine
    assert min(len(key), len(other_key)) >= 43  # 256 bits
    assert key != other_key


def test_the_file_gives_a_segmenter_the_same_map(service, model, halves, tmp_path):
    _, taught = service.visitors.begin()
    shown(service, halves(False), {"strokes": [[[30, 10], [30, 110]]]}, "gadget", taught)
    shown(service, halves(False), {"box": [70, 5, 120, 120]}, "wall", taught)
    path = tmp_path / "memory.safetensors"
    path.write_bytes(taught.file())
    segmenter = Segmenter(model, memory=Memory.load(path, model))
    segmenter.set_image(halves(True))
    picture = service.picture(halves(True))
    green = np.asarray(picture.full.image)[..., 1] > 140
    # The last label has no examples: between it and the others text decides.
    for text, least in (("gadget, wall", 0.99), ("gadget, wall, red circle", 0.65)):
        found = service.segment(picture.full, text, False, taught)
        plain = service.segment(picture.full, text, False)
        assert right(found, green) > max(least, right(plain, green) + 0.02)
        np.testing.assert_array_equal(found.label_map, segmenter.segment(text).label_map)


def test_marks_are_in_the_pictures_own_pixels(service, tmp_path):
    pixels = np.full((300, 400, 3), 120, np.uint8)
    pixels[200:, 300:] = 20, 160, 60
    Image.fromarray(pixels).save(tmp_path / "corner.png")
    _, taught = service.visitors.begin()
    picture = shown(
        service, str(tmp_path / "corner.png"), {"box": [300, 200, 400, 300]}, "corner", taught
    )
    assert picture.shown.image.width == 200
    found = service.segment(picture.full, "background, corner", False, taught).label_map == 1
    assert found[220:, 320:].mean() > 0.9
    assert found[:180, :280].mean() < 0.05


def test_a_visitor_has_room_for_so_much(model, halves):
    service = Service(model, LIMITS)
    _, taught = service.visitors.begin()
    for x in (10, 20, 30):
        shown(service, halves(False), {"points": [[x, 60]]}, "gadget", taught)
    with pytest.raises(LabelError, match="3 examples, as many as are kept here"):
        shown(service, halves(False), {"points": [[40, 60]]}, "gadget", taught)
    taught.remove("gadget")
    assert taught.counts == {}
    narrow = Service(model, dataclasses.replace(LIMITS, memory_bytes=10_000))
    _, taught = narrow.visitors.begin()
    for x in (10, 20, 30):
        shown(narrow, halves(False), {"box": [x, 10, 60, 100]}, "gadget", taught)
    assert taught.counts == {"gadget": 3}
    assert len(taught.file()) < 10_000 + 4000  # names beside the vectors


def test_idle_memories_are_forgotten(visitors, clock):
    key, taught = visitors.begin()
    clock.seconds = 99
    assert visitors.find(key) is taught
    clock.seconds = 198
    assert visitors.find(key) is taught
    clock.seconds = 298
    assert visitors.find(key) is None
    assert len(visitors) == 0
    assert visitors.find_or_begin(key)[0] != key  # nobody chooses a key


def test_a_page_that_was_left_has_not_much_longer(visitors, clock):
    (mine, _), (others, _) = visitors.begin("a"), visitors.begin("b")
    visitors.leave("a")
    clock.seconds = 5
    assert visitors.find(mine)  # from the camera back to the page
    visitors.leave("a")
    clock.seconds = 16
    assert visitors.find(mine) is None
    assert visitors.find(others)


def test_who_was_away_longest_is_forgotten_first(visitors):
    keys = [visitors.begin()[0] for _ in "ab"]
    assert visitors.find(keys[0])
    last, _ = visitors.begin()
    assert [visitors.find(key) is not None for key in (*keys, last)] == [True, False, True]


def test_memories_are_forgotten_though_nobody_comes(visitors, clock):
    visitors.begin()
    clock.seconds = 1000
    with regularly(0.01, visitors.sweep):
        for _ in range(500):
            if len(visitors) == 0:
                break
            time.sleep(0.01)
    assert len(visitors) == 0


def test_threads_of_one_visitor(service, halves):
    """Teaching, forgetting and asking at once: every answer is of some state of the memory."""
    _, taught = service.visitors.begin()
    path = halves(False)
    picture = service.picture(path)

    def work(number):
        shown(service, path, {"points": [[5 + number, 60]]}, f"thing {number}", taught)
        found = service.segment(picture.shown, f"background, thing {number}", False, taught)
        taught.remove(f"thing {number}")
        return found.label_map[60, 5 + number]

    with ThreadPoolExecutor(8) as pool:
        assert all(value == 1 for value in pool.map(work, range(24)))
    assert taught.counts == {}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing is marked"),
        ({}, "no points are marked: mark 1 to 5"),
        ({"points": [[1, 2]] * 6}, "6 points are marked"),
        ({"points": "x"}, "cannot be read"),
        ({"strokes": [[[1, 2]], 3]}, "cannot be read"),
        ({"points": [[1, "2"]]}, "give 2 number"),
        ({"points": [[1, float("nan")]]}, "give 2 number"),
        ({"points": [[1, 2]], "width": "5"}, "give 1 number"),
        ({"box": [1, 2, 3]}, "give 4 number"),
    ],
)
def test_marks_that_are_none(value, words):
    with pytest.raises(ImageError, match=words):
        read_marks(value, (100, 50), (100, 50), LIMITS)


def test_marks_are_scaled_and_a_brush_is_bounded():
    size, painted = (400, 200), (100, 50)
    box = read_marks({"box": [0, 20, 400, 200]}, size, painted, LIMITS)
    assert box == Box(0, 5, 100, 50)
    found = read_marks({"points": [[8, 4]], "strokes": [[[0, 0], [40, 80]]]}, size, painted, LIMITS)
    assert found == Strokes([[(2, 1)], [(0, 0), (10, 20)]], 2)
    wide = read_marks({"points": [[8, 4]], "width": 1e5}, size, painted, LIMITS)
    assert wide.width == 25
    with pytest.raises(ImageError, match="the point"):
        read_marks({"points": [[401, 4]]}, size, painted, LIMITS).paint(50, 100)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (None, "no name"),
        (" \n", "no name"),
        ("a,b", "one thing"),
        ("a|b", "one thing"),
        ("Other", "one thing"),
        ("a" * 21, "21 characters"),
    ],
)
def test_names_that_could_not_be_asked_for(name, words):
    with pytest.raises(LabelError, match=words):
        read_label(name, LIMITS)
