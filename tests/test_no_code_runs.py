"""Nothing here evaluates text, starts a shell, or unpickles: a walk through the syntax trees."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for name in ("lseg", "scripts", "demo") for path in (ROOT / name).rglob("*.py"))

ALLOWED = {
    ("lseg/store/foreign.py", "torch.load"): "the restricted reader: its own unpickler builds "
    "tensors and containers, and nothing else",
    ("lseg/pipeline/ray_actors.py", "pickle.loads"): "what actors of this run hand to one another, "
    "as Ray itself does",
}

FORBIDDEN = {
    "eval", "exec", "compile", "__import__", "execfile", "breakpoint",
    "os.system", "os.popen", "os.startfile", "pty.spawn", "subprocess.getoutput",
    "subprocess.getstatusoutput", "commands.getoutput",
    "pickle.load", "pickle.loads", "pickle.Unpickler", "cPickle.load", "cPickle.loads",
    "marshal.load", "marshal.loads", "shelve.open", "dill.load", "dill.loads", "joblib.load",
    "cloudpickle.load", "cloudpickle.loads", "pandas.read_pickle", "torch.jit.load",
    "torch.hub.load", "runpy.run_path", "runpy.run_module", "tempfile.mktemp",
    "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "yaml.unsafe_load_all",
    "yaml.full_load_all", "yaml.Loader", "yaml.UnsafeLoader", "yaml.FullLoader",
}  # fmt: skip
WEIGHTS_ONLY = {"torch.load", "timm.models.load_state_dict", "timm.models.load_checkpoint"}
"""Readers of PyTorch's files, which must be told each time that there are weights alone."""


def dotted(node):
    """`a.b.c` of an expression; "" where it is none."""
    if isinstance(node, ast.Attribute):
        above = dotted(node.value)
        return f"{above}.{node.attr}" if above else ""
    return node.id if isinstance(node, ast.Name) else ""


def full_names(tree):
    """What each imported name stands for, wherever in the file it is imported."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                top = one.name.partition(".")[0]
                found[one.asname or top] = one.name if one.asname else top
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return found


def is_true(call, option):
    given = [word.value for word in call.keywords if word.arg == option]
    return bool(given) and isinstance(given[0], ast.Constant) and given[0].value is True


def faults(source):
    """The forbidden calls in a text of Python, each by its name and line."""
    tree = ast.parse(source)
    names = full_names(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        first, _, rest = dotted(node.func).partition(".")
        name = f"{names.get(first, first)}.{rest}".rstrip(".")
        options = {word.arg: word.value for word in node.keywords}
        shell = options.get("shell")
        for given in node.args:  # as to `map`
            top, _, more = dotted(given).partition(".")
            if (handed := f"{names.get(top, top)}.{more}".rstrip(".")) in FORBIDDEN:
                yield handed, node.lineno
        unsafe = name in WEIGHTS_ONLY and not is_true(node, "weights_only")
        started = name.startswith(("os.exec", "os.spawn"))
        if name in FORBIDDEN or started or unsafe:
            yield name, node.lineno
        elif shell is not None and not (isinstance(shell, ast.Constant) and shell.value is False):
            yield f"{name}(shell)", node.lineno
        elif is_true(node, "trust_remote_code") or is_true(node, "allow_pickle"):
            yield name, node.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_call_runs_what_a_file_or_a_text_holds(path):
    name = path.relative_to(ROOT).as_posix()
    found = [fault for fault in faults(path.read_text("utf-8")) if (name, fault[0]) not in ALLOWED]
    assert not found


@pytest.mark.parametrize(("name", "call"), ALLOWED)
def test_what_is_allowed_is_there(name, call):
    assert call in [fault for fault, _ in faults((ROOT / name).read_text("utf-8"))]


@pytest.mark.parametrize(
    "source",
    [
        "eval(x)",
        "exec('a')",
        "import os\nos.system(x)",
        "from os import system as s\ns(x)",
        "import os as o\no.execv(x)",
        "import subprocess\nsubprocess.run(x, shell=True)",
        "import subprocess\nsubprocess.run(x, shell=y)",
        "import pickle\npickle.load(f)",
        "import pickle\nlist(map(pickle.loads, x))",
        "from pickle import loads\nloads(f)",
        "def f():\n    import pickle as p\n    p.Unpickler(f).load()",
        "import torch\ntorch.load(f)",
        "import torch\ntorch.load(f, weights_only=False)",
        "from torch import load\nload(f)",
        "from timm.models import load_state_dict\nload_state_dict(f)",
        "import numpy as np\nnp.load(f, allow_pickle=True)",
        "import yaml\nyaml.load(f)",
        "import yaml\nyaml.unsafe_load(f)",
        "from transformers import AutoModel\nAutoModel.from_pretrained(x, trust_remote_code=True)",
    ],
)
def test_every_such_call_would_be_found(source):
    assert list(faults(source))


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "import torch\ntorch.load(f, weights_only=True)",
        "import re\nre.compile(x)",
        "import json\njson.loads(x)",
        "import subprocess\nsubprocess.run([x], shell=False)",
        "network.load_state_dict(w)",
    ],
)
def test_harmless_calls_are_none(source):
    assert not list(faults(source))
