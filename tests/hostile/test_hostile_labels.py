"""Labels that nobody means: a label map, or one line; what was asked stands in the answer."""

import json

import pytest
import torch
from drawing import draw
from hostile import bounded, outcome, refusal

from lseg.data.base.labels import parse_labels
from lseg.errors import LabelError
from lseg.inference.segmenter import Segmenter

LONG = " ".join(["very"] * 200) + " red circle"
ODD = {
    "right to left": "שמיים",
    "overridden": "\u202eyks\u202c a",
    "Chinese": "天空",
    "emoji": "🙂",
    "family": "👨\u200d👩\u200d👧",
    "combining": "e\u0301",
    "HTML": "<script>alert(1)</script>",
    "an image that loads": '"><img src=x onerror=alert(1)>',
    "shell": "$(touch /tmp/witness); `id` && rm -rf /",
    "template": "{} {0} {name} %s %n",
    "SQL": "'; DROP TABLE labels; --",
    "path": "../../../../etc/passwd",
    "absolute": "/etc/passwd",
    "URL": "file:///etc/passwd",
    "null": "a\0b",
    "escape": "\x1b[2J\x1b[31mred",
    "bell": "a\ab",
    "number": "1e400",
    "NaN": "NaN",
    "None": "None",
    "over 77 tokens": LONG,
    "10,000 characters": "x" * 10_000,
    "one long word": "ab" * 3000,
    "zalgo": "a" + "\u0301" * 500,
    "private": "\ue000",
    "no character": "\uffff",
    "quotes": "\"'`",
    "markdown": "[a](javascript:alert(1))",
    "newlines": "a\r\nb\u2028c",
    "many synonyms": "|".join(f"word {number}" for number in range(300)),
    "empty synonyms": "|a||b|",
}
NO_LABELS = {
    "nothing": "",
    "blanks": " , ,\n\t, ",
    "no width": "\u200b,\ufeff",
    "only bars": "|,||",
    "comments": "# sky, road",
    "twice": "sky,sky",
    "twice, another spelling": "sky, sky\u200b ",
    "twice, composed": "é,e\u0301",
    "a file that is none": "none.txt",
    "a lone surrogate": "sky,\ud800",
    "an empty list": [],
    "blanks in a list": ["", " "],
    "numbers": [1, 2],
    "None in a list": ["sky", None],
    "a list in a list": [["sky"]],
    "a number": 5,
    "bytes": b"sky",
    "a mapping": {"sky": 1},
    "a thing": object(),
    "True": True,
}


@pytest.fixture(scope="module")
def asked():
    """The embedded model, whose text encoder takes any text, with a picture."""
    found = Segmenter.from_pretrained("tiny", size=64)
    found.set_image(draw(33, 40))
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ODD)
def test_a_label_of_any_text(asked, tmp_path, name):
    with bounded(seconds=60):
        result = asked.segment([ODD[name], "red circle"])
    assert result.label_map.shape == (33, 40)
    assert set(result.label_map.flat) <= {0, 1}
    result.save(tmp_path / "a.png")
    told = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert told["labels"][1]["label"] == "red circle"
    assert told["labels"][0]["label"] == parse_labels([ODD[name]])[0]
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a.json", "a.overlay.png"}


@pytest.mark.parametrize("name", ODD)
def test_a_label_that_a_table_lacks(segmenter, name):
    segmenter.set_image(draw(33, 40))
    text = refusal(lambda: segmenter.segment([ODD[name], "sky"]))
    assert "sky" in text  # which it has


@pytest.mark.parametrize("name", NO_LABELS)
def test_no_labels(segmenter, name):
    segmenter.set_image(draw(33, 40))
    assert refusal(lambda: segmenter.segment(NO_LABELS[name]))


def test_ten_thousand_labels(segmenter):
    names = parse_labels(", ".join(f"thing {number}" for number in range(10_000)))
    assert len(names) == 10_000
    segmenter.set_image(draw(33, 40))
    with bounded(seconds=120):
        result = segmenter.segment(torch.randn(10_000, 16), names)
    assert result.label_map.shape == (33, 40)


@pytest.mark.filterwarnings("ignore")
def test_a_label_that_is_too_long_to_be_read_is_told(asked):
    result = asked.segment([LONG, "blue square"])
    assert any("longer than the text encoder reads" in note for note in result.notes)


def test_two_labels_that_differ_only_behind_what_is_read_are_refused(asked):
    both = [f"{LONG} and a blue square", f"{LONG} and a green star"]
    assert isinstance(outcome(lambda: asked.segment(both)), LabelError)
