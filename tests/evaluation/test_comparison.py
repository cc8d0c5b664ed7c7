import json

import numpy as np
import pytest
from label_worlds import count, predictions, world

from lseg.errors import DataError
from lseg.evaluation.comparison import compare, read_table
from lseg.evaluation.figures import Protocol, table_to_json
from lseg.files import write_json

PROTOCOL = Protocol("pairs", "val", 255)


@pytest.fixture
def save(tmp_path):
    """Writes a table of maps and reads it."""

    def call(name, data, maps, protocol=PROTOCOL):
        path = tmp_path / f"{name}.json"
        write_json(path, table_to_json(count(data, maps), data.classes, protocol))
        return read_table(path)

    return call


def test_the_difference_is_paired(save):
    data = world(pictures=30)
    rng = np.random.default_rng(0)
    worse = [
        predictions(data, right)[index]
        for index, right in enumerate(rng.uniform(0.2, 0.9, 30))
    ]  # fmt: skip
    better = []
    for truth, values in zip(data.truths, worse, strict=True):
        mended = (rng.random(truth.shape) < 0.1) & (truth != 255)
        better.append(np.where(mended, truth, values))
    first, second = save("better", data, better), save("worse", data, worse)
    found = compare(first, second)
    mious = [100 * table.areas.pooled().scores().miou for table in (first, second)]
    assert [found.first, found.second] == mious
    assert found.difference == mious[0] - mious[1] > 0
    low, high = found.interval
    assert 0 < low < found.difference < high
    assert found.pictures == 30
    # Pictures differ among themselves by far more than the two tables do.
    one = json.loads(json.dumps(table_to_json(first.areas, data.classes, PROTOCOL)))
    assert high - low < (one["miou_interval"][1] - one["miou_interval"][0]) / 2


def test_the_other_way_round_the_sign_changes_and_nothing_else(save):
    data = world(pictures=6)
    tables = [save(str(right), data, predictions(data, right)) for right in (0.4, 0.6)]
    found, back = compare(*tables), compare(*tables[::-1])
    assert back.difference == -found.difference
    assert back.interval == pytest.approx((-found.interval.high, -found.interval.low))
    assert back.per_class == {name: -point for name, point in found.per_class.items()}


def test_a_table_against_itself_differs_by_nothing_whatever_its_order(save):
    data = world(pictures=5)
    maps = predictions(data, 0.5)
    table = save("a", data, maps)
    for part in (data.truths, data.names, maps):
        part.reverse()
    found = compare(table, save("b", data, maps))
    assert found.difference == 0
    assert found.interval == (0, 0)
    assert "no clear winner" in found.sentence("A", "B")


def test_the_sentence_says_which_is_better_and_how_sure_that_is(save):
    data = world(pictures=20)
    tables = [save(str(right), data, predictions(data, right)) for right in (0.3, 0.8)]
    found = compare(*tables)
    said = found.sentence("A.json", "B.json")
    assert f"A.json {found.first:.2f}, B.json {found.second:.2f} mIoU over 20 pictures" in said
    assert f"A.json - B.json = {found.difference:+.2f}" in said
    assert "leaves out 0" in said
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("protocol", "reason"),
    [
        (Protocol("voc21", "val", 255), "their dataset is 'pairs' and 'voc21'"),
        (Protocol("pairs", "test", 255), "their split is 'val' and 'test'"),
        (Protocol("pairs", "val", 0), "their ignore_index is 255 and 0"),
        (Protocol("pairs", "val", 255, first=1), "their first is 0 and 1"),
    ],
)
def test_another_protocol_is_refused(save, protocol, reason):
    data = world(pictures=3)
    maps = predictions(data, 0.5)
    with pytest.raises(DataError, match=f"cannot be compared: {reason}") as caught:
        compare(save("a", data, maps), save("b", data, maps, protocol))
    assert "\n" not in str(caught.value)


def test_other_labels_pictures_or_truths_are_refused(save):
    data = world(pictures=4)
    maps = predictions(data, 0.5)
    table = save("a", data, maps)
    other = world(pictures=4)
    other.classes = ["sky", "road", "bush", *other.classes[3:]]
    with pytest.raises(DataError, match="labels differ, number 2 is 'tree' and 'bush'"):
        compare(table, save("b", other, maps))
    fewer = world(pictures=3)
    with pytest.raises(DataError, match=r"pictures differ \(4 and 3\); only one of them has p3"):
        compare(table, save("b", fewer, maps[:3]))
    changed = world(pictures=4)
    changed.truths[2][:5] = 255
    with pytest.raises(DataError, match=r"the truth of 1 picture\(s\) differs.*p2"):
        compare(table, save("b", changed, maps))


def test_more_labels_are_refused(save):
    data, wider = world(pictures=2, classes=4), world(pictures=2, classes=4)
    maps = predictions(data, 0.5)
    wider.classes = [*wider.classes, "more"]
    with pytest.raises(DataError, match="4 and 5 of them"):
        compare(save("a", data, maps), save("b", wider, maps))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read"),
        ("[]", "has no protocol, classes, areas"),
        ('{"miou": 3}', "that `lseg evaluate --out` of this version has written"),
        ('{"protocol": {}, "classes": [], "areas": {}}', "dataset, split, ignore_index, first"),
    ],
)
def test_other_files_are_refused(tmp_path, text, reason):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError, match=reason):
        read_table(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "nowhere.json")
