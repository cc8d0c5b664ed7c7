import resource
import subprocess
import sys

import pytest

import lseg

HEAVY = {
    "torch", "torchvision", "timm", "open_clip", "numpy", "PIL", "gradio", "lightning",
    "pytorch_lightning", "lightning_fabric",
}  # fmt: skip


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


def test_neither_help_nor_a_wrong_option_of_any_command_imports_anything_heavy():
    code = """
import sys
from lseg.cli import main
from lseg.commands.table import COMMANDS

for command in COMMANDS:
    words = command.name.split()
    assert main([*words, "--nonsense"]) == 2
    try:
        main([*words, "--help"])
    except SystemExit as stopped:
        assert stopped.code == 0
print("imported:", *{name.partition(".")[0] for name in sys.modules})
"""
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()[-1].split()) & HEAVY == set()


def test_the_package_s_names_are_imported_when_they_are_used():
    code = "import sys, lseg; assert 'torch' not in sys.modules; lseg.LSegConfig; print(lseg.nope)"
    done = python("-c", code)
    assert "AttributeError: module 'lseg' has no attribute 'nope'" in done.stderr
