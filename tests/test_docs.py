"""What the pages name exists, and their snippets run."""

import ast
import contextlib
import functools
import io
import sys
import tomllib
from unittest import mock

import numpy as np
import pages
import pytest
from PIL import Image

from lseg.cli import main
from lseg.data.sets.shapes import CLASSES, draw
from lseg.training.configs import read_config

# Snippets that are not run, and why; anything else in a page's comment is a mistake.
PARSED_ONLY = {
    "parsed only: needs the Hub": "tests/store/test_hub.py",
    "parsed only: needs a running demo": "tests/demo/test_api.py",
    "parsed only: an export takes long": "tests/export/test_export.py",
    "parsed only: needs transformers": "tests/export/test_transformers_models.py",
}
TRAINING = ("lseg fit", "lseg validate", "lseg test")
each_page = pytest.mark.parametrize("page", pages.PAGES, ids=pages.name_of)


@functools.cache
def help_of(*command):
    """What the command line says of a command, each option on one line."""
    out = io.StringIO()
    with (
        mock.patch.dict("os.environ", COLUMNS="500"),
        mock.patch.object(sys, "argv", ["lseg"]),  # Lightning's command line changes it
        contextlib.redirect_stdout(out),
    ):
        try:
            code = main([*command])
        except SystemExit as ended:
            code = ended.code
    assert code == 0, command
    return out.getvalue()


@functools.cache
def accepted(program):
    """Options of a command or a script; of a training, also those of every data module in use."""
    if program == "scripts/train.sh":
        return accepted("lseg fit")
    if program.startswith(("scripts/", ".ci/")):
        # Scripts hand what they do not know to a command.
        source = (pages.ROOT / program).with_suffix(".py")
        own = set(pages.options(source.read_text("utf-8"))) if source.exists() else set()
        return own | accepted("lseg fewshot") if "fewshot" in program else own
    command = program.split()[1:]
    found = set(pages.options(help_of(*command, "--help")))
    if program in TRAINING:
        for kind in data_modules():
            of_kind = pages.options(help_of(*command, "--data.help", kind))
            found |= {option.replace("--data.", "--data.init_args.") for option in of_kind}
    return found


def data_modules():
    files = (pages.ROOT / "configs").rglob("*.yaml")
    return {read_config(file).get("data", {}).get("class_path") for file in files} - {None}


def known_key(key):
    return any(
        option.startswith(f"--{key}.") or option == f"--{key}" for option in accepted("lseg fit")
    )


@each_page
def test_links_lead_to_files_and_headings(page):
    for path, anchor in pages.links(page):
        assert path.exists(), path
        assert not anchor or anchor in pages.anchors(path), f"{path}#{anchor}"


def test_every_page_is_reachable_from_the_readme():
    reached, waiting = set(), [pages.README]
    while waiting:
        page = waiting.pop().resolve()
        if page not in reached:
            reached.add(page)
            waiting += [path for path, _ in pages.links(page) if path.suffix == ".md"]
    assert {page.resolve() for page in pages.PAGES} <= reached


@each_page
def test_paths_exist(page):
    for path in pages.paths(page):
        assert any(pages.ROOT.glob(path)), path


@each_page
def test_commands_and_their_options_exist(page):
    for program, text in pages.lines(page):
        unknown = set(pages.options(text)) - accepted(program)
        assert not unknown, f"{text}: {unknown}"


@each_page
def test_options_in_the_prose_are_those_of_a_command_on_the_page(page):
    known = set().union(*(accepted(line.program) for line in pages.lines(page)))
    named = {option for span in pages.spans(page) for option in pages.options(span)}
    assert named <= known


@each_page
def test_keys_of_configurations_exist(page):
    for key in pages.keys(page):
        assert known_key(key), key


def test_what_does_not_exist_is_noticed():
    assert "--paint" not in accepted("lseg predict")
    assert not known_key("model.paint")
    assert not known_key("data.init_args.paint")
    with pytest.raises(AssertionError):
        accepted("lseg paint")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with what the snippets read: a drawing and its embeddings."""
    monkeypatch.chdir(tmp_path)
    image, _ = draw(np.random.default_rng([11]), 128, CLASSES, min_objects=4)
    Image.fromarray(image.transpose(1, 2, 0)).save("photo.jpg")
    assert main(["embed", "photo.jpg", "--checkpoint", "tiny", "--out", "DIR"]) == 0


@pytest.mark.parametrize("page", pages.with_snippets(), ids=pages.name_of)
def test_snippets_run_one_after_the_other(page, folder):
    names = {}
    for block in pages.blocks(page):
        if block.language == "python":
            code = compile(block.text, page, "exec")
            if block.marker:
                assert (pages.ROOT / PARSED_ONLY[block.marker]).exists()
            else:
                exec(code, names)


def test_the_walk_of_a_picture_never_climbs():
    """Each file of the walk imports those under it, and lies on no lower floor than they do."""
    (walk,) = (
        b.text for b in pages.blocks(pages.ROOT / "docs/development.md") if b.language == "walk"
    )
    above = []
    for line in walk.splitlines():
        path, depth = line.split()[0], (len(line) - len(line.lstrip())) // 2
        assert depth <= len(above)
        del above[depth:]
        if above:
            assert floor(above[-1]) <= floor(path), f"{above[-1]} -> {path}"
            assert "by name" in line or module(path) in imports(above[-1]), f"{above[-1]} -> {path}"
        above.append(path)


def module(path):
    return path.removesuffix(".py").replace("/", ".")


def imports(path):
    """Modules that a file imports from."""
    tree = ast.parse((pages.ROOT / path).read_text("utf-8"))
    return {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@functools.cache
def floors():
    settings = tomllib.loads((pages.ROOT / "pyproject.toml").read_text("utf-8"))
    house = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return [[room.strip() for room in layer.split(":")] for layer in house]


def floor(path):
    """Number of the floor that a file lies on, from the top."""
    room = module(path).split(".")[1]
    return next(number for number, rooms in enumerate(floors()) if room in rooms)
