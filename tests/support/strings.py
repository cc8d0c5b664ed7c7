"""Ten thousand strings that people, files and accidents give as labels; the same in every run."""

import itertools
import json
import random
import re
from pathlib import Path

from safetensors import safe_open

import lseg

ASSETS = Path(lseg.__file__).parent / "assets"
COUNT = 10_000

ODD = [
    "🐶", "👩‍👩‍👧‍👦 family", "🏳️‍🌈", "e\u0301te\u0301", "ﬁre ﬂy", "Ⅻ ½ ²",
    "ＦＵＬＬ　ｗｉｄｔｈ", "ßẞſ", "İstanbul ıI", "כלב", "قطة", "‏שלום‎ עולם",
    "\u202eright to left\u202c", "مرحبا 🐈 دنيا", "漢字かな交じり文", "한국어", "हिन्दी",
    "ภาษาไทย", "á́́́́́", "�", "\ufeffbom", "a\u200bb\u200dc\u00add",
    "tab\tand\nnew\r\nline\x0b\x0c", "bell\x07null\x00escape\x1b[31mred",
    "\x85next\u2028line\u2029", "  both  ends  ", "&amp; &lt;b&gt; &#39;quoted&#39; &amp;amp;",
    "it's they've I'd we'll you're I'm o'clock", "<|startoftext|> and <|endoftext|>",
    "<pad> <unk> </s> ▁ <0x41>", "C++ / C# @home #1 50% $9.99 (a) [b] {c}",
    "schÃ¶n â€œquotedâ€\x9d", "_under_score-and-dash—and…dots", "\\n \\t {} {0}",
    "0123456789 3.14 1e-5 ٣٤٥",
]  # fmt: skip

SCRIPTS = [
    (0x20, 0x7E), (0xA1, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5FF), (0x600, 0x6FF),
    (0x900, 0x97F), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x1F300, 0x1F6FF),
    (0x0, 0x1F), (0x300, 0x36F), (0x2000, 0x206F), (0xFF01, 0xFF5E),
]  # fmt: skip


def ten_thousand():
    """Names of all data sets, words of tables, and what is odd, long, or made of any characters."""
    chance = random.Random(0)
    found = [*ODD, *known_names()]
    found += [f"{a} and {b}" for a, b in itertools.pairwise(found[:1000])]
    found += [odd * times for odd in ODD for times in (2, 30)]
    found += [" ".join(chance.choices(found[: len(ODD) + 500], k=60)) for _ in range(100)]
    found += [name.upper() for name in found[len(ODD) : len(ODD) + 500]]
    while len(set(found)) < COUNT:
        first, last = chance.choice(SCRIPTS)
        letters = [chr(chance.randint(first, last)) for _ in range(chance.randint(1, 24))]
        for place in range(0, len(letters), 7):
            letters.insert(place, " ")
        found.append("".join(letters))
    return list(dict.fromkeys(found))[:COUNT]


def known_names():
    """What stands between commas in the lists of labels, and the words of the embedded table."""
    texts = [file.read_text("utf-8") for file in sorted((ASSETS / "labels").glob("*.*"))]
    names = [name.strip() for text in texts for name in re.split(r"[,;|\n]", text)]
    with safe_open(ASSETS / "photo" / "labels.safetensors", "pt") as table:
        names += json.loads(table.metadata()["labels"])
    return [name for name in dict.fromkeys(names) if name and not name.startswith("#")]
