import resource
import subprocess
import sys

import pytest

import lseg
from lseg.cli import main

HEAVY = {"torch", "timm", "open_clip", "pytorch_lightning", "torchvision", "numpy", "PIL"}


def python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("arguments", [["--help"], ["predict", "--help"], ["--version"]])
def test_help_is_immediate_because_nothing_heavy_is_imported(arguments):
    before = processor_seconds()
    done = python("-X", "importtime", "-m", "lseg", *arguments)
    assert processor_seconds() - before < 2
    assert done.returncode == 0
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "lseg.cli" in imported
    assert imported & HEAVY == set()
    if arguments == ["--help"]:
        for command in ("fit", "validate", "test", "predict", "embed", "evaluate", "data"):
            assert command in done.stdout
    if arguments == ["--version"]:
        assert done.stdout.split() == ["lseg", lseg.__version__]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        ["predict"],
        ["predict", "a.png", "--labels", "sky"],
        ["embed", "a.png", "--out", "o", "--format", "xml"],
        ["embed", "a.png", "--out", "o", "--size", "-1"],
        ["evaluate", "--dataset", "none", "--data-root", "o"],
        ["data"],
    ],
)
def test_a_wrong_command_line_exits_with_2_and_says_how_it_is_used(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: lseg" in capsys.readouterr().err


def test_the_package_s_names_are_imported_when_they_are_used():
    code = "import sys, lseg; assert 'torch' not in sys.modules; lseg.LSegConfig; print(lseg.nope)"
    done = python("-c", code)
    assert "AttributeError: module 'lseg' has no attribute 'nope'" in done.stderr
