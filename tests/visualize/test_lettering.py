"""Labels in legends: whole, in order, and no two alike."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, features

from lseg.visualize import fonts, palette, with_legend
from lseg.visualize.lettering import LONGEST, set_lines, visual_order

ALEF, BET, GIMEL, DALET, HE = "\u05d0\u05d1\u05d2\u05d3\u05d4"


def legend(*labels):
    """The pixels of a legend below a picture."""
    picture = np.zeros((8, 400, 3), np.uint8)
    return np.asarray(with_legend(picture, labels, palette(len(labels))))[8:]


@pytest.fixture
def bare(monkeypatch):
    """A machine without fonts of its own."""
    monkeypatch.setattr(fonts, "COMMON", ())
    monkeypatch.setattr(fonts.shutil, "which", lambda name: None)
    fonts._matching.cache_clear()
    yield
    fonts._matching.cache_clear()


def test_every_letter_of_latin_greek_and_cyrillic_is_drawn(bare):
    font = ImageFont.truetype(fonts.SHIPPED, 20)
    for text in ("Straße", "naïve café", "dağ", "Łódź", "δρόμος", "дорога"):
        (line,) = set_lines([text], 20)
        assert line.text == text
        assert line.width >= font.getlength(text)
        for position in range(len(text)):  # each letter takes room, and changes the picture
            fewer = text[:position] + text[position + 1 :]
            assert set_lines([fewer], 20)[0].width < line.width
            assert not np.array_equal(legend(fewer), legend(text))


def test_letters_with_marks_of_their_own_are_drawn_as_one():
    assert np.array_equal(legend("cafe\u0301"), legend("caf\u00e9"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u4e2d", "\u6587"),
        ("\u0e41\u0e21\u0e27", "\u0e2b\u0e21\u0e32"),
        ("\U0001f436", "\U0001f431"),
    ],
)
def test_labels_of_any_script_look_different(one, other):
    assert not np.array_equal(legend(one), legend(other))
    assert not np.array_equal(legend("sky", one), legend("sky", other))


def test_what_no_font_has_is_drawn_as_its_number(bare):
    lines = set_lines(["sky", "\u4e2d\u6587", "a \u4e2d b", "\u0007", "\U0001f9ff"], 20)
    texts = [line.text for line in lines]
    assert texts == ["sky", "[U+4E2D U+6587]", "a [U+4E2D] b", "[U+0007]", "[U+1F9FF]"]


def test_fonts_of_the_system_are_taken(monkeypatch, tmp_path):
    """The shipped font plays one of the system; Pillow's own has ASCII alone."""
    file = tmp_path / "system.ttf"
    file.write_bytes(fonts.SHIPPED.read_bytes())
    default = fonts.built_in(20)[0]
    monkeypatch.setattr("lseg.visualize.lettering.built_in", lambda size: (default,))
    monkeypatch.setattr(fonts.shutil, "which", lambda name: None)
    fonts._matching.cache_clear()
    monkeypatch.setattr(fonts, "COMMON", ("there is none such.ttf",))
    assert set_lines(["Straße"], 20)[0].text == "Stra[U+00DF]e"
    monkeypatch.setattr(fonts, "COMMON", ("there is none such.ttf", str(file)))
    (line,) = set_lines(["Straße"], 20)
    assert line.text == "Straße"
    assert line.font.path == str(file)
    fonts._matching.cache_clear()


def test_a_legend_is_in_one_font_if_one_has_all():
    assert len({line.font.getname() for line in set_lines(["sky", "Straße", "road"], 20)}) == 1


def test_lines_that_would_look_alike_are_numbered():
    long = "x" * LONGEST
    texts = [line.text for line in set_lines([long + "a" + long, long + "b" + long, "sky"], 12)]
    assert texts[0].endswith(" #0")
    assert texts[1].endswith(" #1")
    assert texts[2] == "sky"
    assert len(texts[0]) < LONGEST + 10


def test_a_label_of_several_lines_stays_on_its_line():
    assert np.array_equal(legend("a\nb"), legend("a b"))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("sky (blue)", "sky (blue)"),
        (ALEF + BET, BET + ALEF),
        (f"{ALEF}{BET} {GIMEL}", f"{GIMEL} {BET}{ALEF}"),
        (f"{ALEF} 12 {BET}", f"{BET} 12 {ALEF}"),
        (f"12 {ALEF}{BET}", f"{BET}{ALEF} 12"),
        (f"{ALEF} sky {BET}", f"{BET} sky {ALEF}"),
        (f"sky {ALEF}{BET} road", f"sky {BET}{ALEF} road"),
        (f"{ALEF}({BET})", f"({BET}){ALEF}"),
        (f"{ALEF}\u05b8{BET}", f"{BET}{ALEF}\u05b8"),  # a vowel stays under its letter
    ],
)
def test_right_to_left_text_is_in_order(text, seen):
    assert visual_order(text) == seen


@pytest.mark.parametrize("text", [f"{ALEF}{BET}{GIMEL} {DALET}{HE}", f"{ALEF}{BET} 12"])
def test_it_is_the_order_of_raqm_which_draws_where_it_is_there(text, monkeypatch):
    def ink(layout, text):
        """Of each column, blurred: shaping moves letters by a pixel."""
        font = ImageFont.truetype(fonts.SHIPPED, 20, layout_engine=layout)
        canvas = Image.new("L", (120, 40))
        ImageDraw.Draw(canvas).text((2, 2), text, 255, font)
        return np.convolve(np.asarray(canvas).sum(0), np.ones(5), "same")

    monkeypatch.setattr(features, "check", lambda name: False)
    assert set_lines([text], 20)[0].text == visual_order(text)
    monkeypatch.undo()
    if not features.check("raqm"):
        return  # there is no other order to compare with
    assert set_lines([text], 20)[0].text == text
    shaped = ink(ImageFont.Layout.RAQM, text)
    ours, unordered = (
        np.abs(shaped - ink(ImageFont.Layout.BASIC, line)).sum()
        for line in (visual_order(text), text)
    )
    assert ours < unordered / 2
