"""The pages of the documentation, and what they name: links, paths, commands, options, snippets."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"(?:<!-- (.+?) -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
_PATH = re.compile(r"(?<![\w/.~{-])(?:lseg|configs|scripts|tests|demo|docs|\.ci)/[\w./{},*-]*")
_OPTION = re.compile(r"(?<![\w-])--[a-zA-Z][\w.-]*")
_KEY = re.compile(r"(?<![\w./-])(?:model|data|trainer)\.[a-z_]+(?:\.[a-z_]+)*(?![\w(/])")
_FILES = ("model.safetensors", "model.onnx")


class Block(NamedTuple):
    """A fenced block: its language, its text, and the comment before it, if there is one."""

    language: str
    text: str
    marker: str


class Line(NamedTuple):
    """A command line: what is run (`lseg predict`, a script, or nothing known), and its text."""

    program: str
    text: str


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks(page):
    return [Block(*found.group(2, 3), found[1] or "") for found in _FENCE.finditer(_text(page))]


def with_snippets():
    """Pages with code in Python; the README's is a tour of its own."""
    return [page for page in PAGES[1:] if any(block.language == "python" for block in blocks(page))]


def links(page):
    """(path, anchor) of every link that leads to a file of the repository."""
    found = (link.partition("#") for link in _LINK.findall(_text(page)))
    return [(page.parent / path if path else page, anchor) for path, _, anchor in found]


def anchors(page):
    """What GitHub makes of the headings."""
    prose = _FENCE.sub("", _text(page))
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def spans(page):
    """Code in the prose and in tables."""
    prose = _FENCE.sub("", _text(page)).replace(r"\|", "|")
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]


def paths(page):
    """Paths of the repository, by their first folder; in capitals are names to be filled in."""
    code = [*spans(page), *(block.text for block in blocks(page))]
    found = {path.rstrip(".,") for text in code for path in _PATH.findall(text)}
    return sorted(path for path in found if not re.search(r"\b[A-Z]{2,}\b", path))


def lines(page):
    """Command lines: of shell blocks, continued lines joined, and of code in the prose."""
    shell = "".join(block.text for block in blocks(page) if block.language == "bash")
    joined = re.sub(r"\\\n|\n(?=\s+\S)", " ", re.sub(r"\s+# .*", "", shell))
    texts = [*joined.splitlines(), *spans(page)]
    return [Line(program, text) for text in texts if (program := _program(text))]


def options(text):
    return _OPTION.findall(text)


def keys(page):
    """Keys of configurations, such as `model.optim`, in the prose."""
    return sorted({key for span in spans(page) for key in _KEY.findall(span)} - set(_FILES))


def _program(text):
    if found := re.search(
        r"(?:^|\s)lseg (data check|(?:labels|memory) [a-z]+|[a-z]+)",
        text,
    ):
        return f"lseg {found[1]}"
    found = re.search(r"(?:^|(?:bash|python) )((?:scripts|\.ci)/\S+)", text)
    return found[1] if found else ""


def _text(page):
    return page.read_text("utf-8")
