"""Checkpoints of others are read right, and nothing that they hold is ever run."""

import argparse
import builtins
import collections
import contextlib
import functools
import importlib
import os
import pickle
import struct
import sys
import tarfile
import types
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.serialization import MAGIC_NUMBER, PROTOCOL_VERSION

from lseg.checkpoints.foreign import read_state_dict
from lseg.errors import CheckpointError

FORMATS = ["zip", "legacy"]


@pytest.fixture(params=FORMATS)
def save(request, tmp_path):
    """Writes a checkpoint in one of PyTorch's two formats."""

    def write(values, name="model.ckpt"):
        path = tmp_path / name
        zipped = request.param == "zip"
        torch.save(values, path, _use_new_zipfile_serialization=zipped)
        assert zipfile.is_zipfile(path) == zipped
        return path

    return write


@pytest.fixture
def weights():
    flat = torch.randn(40)
    return {
        "a.weight": torch.randn(4, 3, 2, 2),
        "a.bias": torch.randn(3, dtype=torch.float64),
        "half": torch.randn(5).half(),
        "count": torch.tensor(7),
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
        "transposed": torch.randn(3, 5).T,
        "view": flat[8:20].view(3, 4),
        "same storage": flat[2:6],
        "empty": torch.zeros(0, 3),
    }


def assert_equal(found, wanted):
    assert list(found) == list(wanted)
    for key, tensor in wanted.items():
        assert found[key].dtype == tensor.dtype, key
        assert not found[key].requires_grad
        assert torch.equal(found[key], tensor), key


def refusal(path, *parts):
    """The message that a file is refused with: one line that has all `parts` in it."""
    with pytest.raises(CheckpointError) as caught:
        read_state_dict(path)
    message = str(caught.value)
    assert "\n" not in message
    assert "\x1b" not in message
    for part in (path, *parts):
        assert str(part) in message
    return message


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        collections.OrderedDict,
        lambda weights: {"state_dict": weights, "epoch": 3, "global_step": 10},
        lambda weights: {"model": weights, "optimizer": {"state": {}, "param_groups": [{"lr": 1}]}},
        lambda weights: {**weights, "epoch": 3, "note": "by hand", "nothing": None},
    ],
    ids=["bare", "ordered", "lightning", "model and optimizer", "with other entries"],
)
def test_tensors_are_found_in_every_usual_layout(save, weights, wrap):
    assert_equal(read_state_dict(save(wrap(weights))), weights)


def test_the_state_dict_of_a_module_with_its_metadata(save):
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    weights = net.state_dict()
    assert weights._metadata  # an attribute, which the pickle sets
    assert_equal(read_state_dict(save(weights)), weights)


def test_safetensors(tmp_path, weights):
    weights = {key: tensor.detach().contiguous().clone() for key, tensor in weights.items()}
    save_file(weights, tmp_path / "model.safetensors")
    found = read_state_dict(tmp_path / "model.safetensors")
    assert_equal({key: found[key] for key in weights}, weights)


class Settings:
    """Stands for a class of the original's code."""

    def __init__(self, **values):
        self.__dict__.update(values)

    def __eq__(self, other):
        return self.__dict__ == other.__dict__

    def __hash__(self):
        return 1


@pytest.fixture
def vanished():
    """A class of a module that is gone when the file is read."""
    module = types.ModuleType("vanished_lseg")
    module.Options = type("Options", (Settings,), {"__module__": module.__name__})
    sys.modules[module.__name__] = module
    yield module.Options
    sys.modules.pop(module.__name__, None)


def test_hyper_parameters_of_arbitrary_classes_are_passed_over(save, weights, vanished):
    counter = collections.Counter("abba")
    values = {
        "state_dict": weights,
        "hyper_parameters": argparse.Namespace(lr=0.1, path=Path("data"), nested=vanished(a=1)),
        "set": {vanished(b=2), "word"},
        "keys": {vanished(c=3): 1},
        "more": [vanished(), counter, collections.defaultdict(list, a=[1]), slice(1, 2), 1j],
        "function": os.path.join,
        "class": argparse.Namespace,
        "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}}],
        "callbacks": {vanished: {"best": torch.tensor(0.5), "path": Path("best.ckpt")}},
    }
    path = save(values)
    del sys.modules["vanished_lseg"]
    with pytest.raises(pickle.UnpicklingError):  # so that it is the second loader's turn
        torch.load(path, weights_only=True)
    assert_equal(read_state_dict(path), weights)


def test_entries_beside_the_tensors_of_a_state_dict_are_passed_over(save, weights, vanished):
    path = save({**weights, "options": vanished(a=1)})
    del sys.modules["vanished_lseg"]
    assert_equal(read_state_dict(path), weights)


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source")
def test_a_module_among_the_hyper_parameters_is_passed_over(save, weights, vanished):
    criterion = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
    path = save(
        {"state_dict": weights, "hyper_parameters": {"criterion": criterion, "o": vanished()}}
    )
    assert_equal(read_state_dict(path), weights)


# ---- what would run code -------------------------------------------------------------------------


class Call:
    """Pickles as a call of `function`; of the result of another one, if it is a `Call`."""

    def __init__(self, function, *arguments, state=None, items=None):
        self.parts = (function, arguments, state, items)

    def __reduce__(self):
        return self.parts

    def __call__(self):
        """Only so that pickle takes it for a function."""


class RunsOnState:
    """Runs when its state is set."""

    def __init__(self, state=None):
        self.state = state

    def __getstate__(self):
        return self.state

    def __setstate__(self, state):
        Path(state).write_text("ran")


class RunsOnItems(list):
    """Runs when items are added."""

    def append(self, item):
        Path(item).write_text("ran")

    def extend(self, items):
        for item in items:
            Path(item).write_text("ran")


def with_state(path):
    return RunsOnState(str(path))


def with_items(path):
    return Call(RunsOnItems, items=iter([str(path)]))


def code(path):
    return f"open({str(path)!r}, 'w').write('ran')"


def shell(path):
    return f"echo ran > '{path}'"


HOSTILE = {
    "os.system": lambda path: Call(os.system, shell(path)),
    "exec": lambda path: Call(builtins.exec, code(path)),
    "eval": lambda path: Call(builtins.eval, code(path)),
    "method": lambda path: Call(Path.write_text, path, "ran"),
    "getattr": lambda path: Call(
        Call(getattr, Call(importlib.import_module, "os"), "system"), shell(path)
    ),
    "partial": lambda path: Call(Call(functools.partial, os.system, shell(path))),
    "dotted name": lambda path: Call(
        Call(torch._utils._import_dotted_name, "os.system"), shell(path)
    ),
    "tensor's argument": lambda path: Call(
        torch._utils._rebuild_tensor_v2, Call(os.system, shell(path)), 0, (1,), (1,), False, {}
    ),
    "parameter's argument": lambda path: Call(
        torch._utils._rebuild_parameter, torch.zeros(1), False, Call(builtins.exec, code(path))
    ),
    "state of a dict": lambda path: Call(
        collections.OrderedDict, state={"items": Call(os.system, shell(path))}
    ),
    "state": with_state,
    "items": with_items,
}
PLACES = {
    "hyper-parameter": lambda weights, evil: {
        "state_dict": weights,
        "hyper_parameters": {"e": evil},
    },
    "value of the state dict": lambda weights, evil: {"state_dict": {**weights, "evil": evil}},
    "nested": lambda weights, evil: {"model": {**weights, "deep": [({"x": (evil,)},)]}},
    "first": lambda weights, evil: {"callbacks": [evil], "state_dict": weights},
}


def runs(path, witness):
    """Whether PyTorch's unsafe loader runs what the file holds."""
    with contextlib.suppress(Exception):  # it may well fail after it has run
        torch.load(path, weights_only=False)
    ran = witness.exists()
    witness.unlink(missing_ok=True)
    return ran


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_pickle_never_runs(save, tmp_path, attack, place):
    witness = tmp_path / "witness"
    weights = {"w": torch.arange(4.0)}
    path = save(PLACES[place](weights, HOSTILE[attack](witness)))
    witness.unlink(missing_ok=True)
    try:
        found = read_state_dict(path)
    except CheckpointError as error:
        assert "argument" in attack, error  # no tensor to be had
        found = weights
    assert not witness.exists()
    assert torch.equal(found["w"], weights["w"])
    if attack != "state of a dict" or place == "first":
        assert runs(path, witness)


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_pickle_in_place_of_everything_never_runs(save, tmp_path, attack):
    witness = tmp_path / "witness"
    path = save(HOSTILE[attack](witness))
    refusal(path)
    assert not witness.exists()


def test_a_bare_pickle_never_runs(tmp_path):
    path, witness = tmp_path / "model.pth", tmp_path / "witness"
    path.write_bytes(pickle.dumps({"w": torch.zeros(2), "x": Call(os.system, shell(witness))}))
    refusal(path)
    assert not witness.exists()


@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_archive_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    torch.jit.trace(torch.nn.ReLU(), torch.zeros(1)).save(path)
    refusal(path)


def test_the_tar_format_of_old_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    (tmp_path / "storages").write_bytes(pickle.dumps(0))
    with tarfile.open(path, "w") as file:
        for name in ("storages", "tensors", "pickle"):
            file.add(tmp_path / "storages", name)
    refusal(path)


# ---- pickles by hand -----------------------------------------------------------------------------


def word(text):
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value):
    return pickle.dumps(value, protocol=2)[2:-1]


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def group(*parts):
    return b"(" + b"".join(parts) + b"t"


def mapping(*parts):
    return b"(" + b"".join(parts) + b"d"


def call(function, *parts):
    return function + group(*parts) + b"R"


def build(target, state):
    return target + state + b"b"


def persistent(*parts):
    return group(*parts) + b"Q"


REBUILD = name("torch._utils", "_rebuild_tensor_v2")
DICT = name("collections", "OrderedDict")
UNKNOWN = name("vanished", "Thing") + b")R"  # sends the file on to the second loader
DATA = struct.pack("<4f", 1, 2, 3, 4)


def storage(legacy, key="0", numel=4, kind="FloatStorage"):
    view = [b"N"] if legacy else []
    parts = [word("storage"), name("torch", kind), word(key), word("cpu"), number(numel)]
    return persistent(*parts, *view)


def tensor(source, offset=0, size=(4,), stride=(1,)):
    arguments = [source, number(offset), number(size), number(stride), b"\x89", DICT + b")R"]
    return call(REBUILD, *arguments)


def write_zip(path, body, data=DATA):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model/data.pkl", b"\x80\x02" + body + b".")
        file.writestr("model/byteorder", "little")
        file.writestr("model/version", "3\n")
        file.writestr("model/data/0", data)
    return path


def write_legacy(path, body, system=b"}", data=DATA):
    head = b"".join(pickle.dumps(value, protocol=2) for value in (MAGIC_NUMBER, PROTOCOL_VERSION))
    pickles = b"".join(b"\x80\x02" + part + b"." for part in (system, body))
    keys = pickle.dumps(["0"], protocol=2) + struct.pack("<q", len(data) // 4)
    path.write_bytes(head + pickles + keys + data)
    return path


@pytest.fixture(params=FORMATS)
def craft(request, tmp_path):
    """Writes {"w": a tensor of four, "x": an unknown class, "y": `more`} in one of both formats."""
    legacy = request.param == "legacy"

    def write(more=b"N", key="0", numel=4, kind="FloatStorage", **options):
        source = storage(legacy, key, numel, kind)
        body = mapping(
            word("w"), tensor(source, **options), word("x"), UNKNOWN, word("y"), more
        )  # fmt: skip
        return (write_legacy if legacy else write_zip)(tmp_path / "crafted.pt", body)

    return write


def test_a_pickle_by_hand_is_read(craft):
    assert_equal(read_state_dict(craft()), {"w": torch.tensor([1.0, 2.0, 3.0, 4.0])})


OPCODES = {
    "GLOBAL": lambda line: call(name("os", "system"), word(line)),
    "GLOBAL, python 2": lambda line: call(name("__builtin__", "eval"), word(line)),
    "STACK_GLOBAL": lambda line: call(word("os") + word("system") + b"\x93", word(line)),
    "dotted STACK_GLOBAL": lambda line: call(
        word("torch._utils") + word("_rebuild_tensor_v2.__globals__.__getitem__") + b"\x93",
        word("sys"),
    ),
    "dotted module": lambda line: call(
        word("torch.serialization.os") + word("system") + b"\x93", word(line)
    ),
    "Storage in the name": lambda line: call(name("os", "systemStorage.x"), word(line)),
    "INST": lambda line: b"(" + word(line) + b"ios\nsystem\n",
    "OBJ": lambda line: b"(" + name("os", "system") + word(line) + b"o",
    "NEWOBJ": lambda line: name("subprocess", "Popen") + group(word(line)) + b"\x81",
    "NEWOBJ_EX": lambda line: name("os", "system") + group(word(line)) + b"}\x92",
    "EXT1": lambda line: call(b"\x82\x01", word(line)),
}


@pytest.mark.parametrize("opcode", OPCODES)
def test_no_opcode_reaches_a_function(craft, tmp_path, opcode):
    witness = tmp_path / "witness"
    path = craft(OPCODES[opcode](shell(witness)))
    if opcode == "EXT1":
        refusal(path)
    else:
        assert list(read_state_dict(path)) == ["w"]
    assert not witness.exists()


def test_what_a_file_may_call_cannot_be_changed_by_it(craft):
    function = torch._utils._rebuild_tensor_v2
    state = group(
        mapping(word("mark"), b"\x88"), mapping(word("__defaults__"), group(word("changed")))
    )
    path = craft(build(REBUILD, state))
    before = function.__defaults__
    try:
        read_state_dict(path)
        assert function.__defaults__ == before
        assert not hasattr(function, "mark")
    finally:
        function.__defaults__ = before
        vars(function).clear()


def test_classes_of_torch_cannot_be_changed_by_a_file(tmp_path):
    state = group(b"N", mapping(word("mark"), b"\x88"))
    body = mapping(word("w"), tensor(storage(legacy=True)), word("x"), UNKNOWN)
    system = build(name("torch", "FloatStorage"), state)
    path = write_legacy(tmp_path / "crafted.pt", body, system)
    try:
        with contextlib.suppress(CheckpointError):
            read_state_dict(path)
        assert not hasattr(torch.FloatStorage, "mark")
    finally:
        if hasattr(torch.FloatStorage, "mark"):
            del torch.FloatStorage.mark


def test_no_file_is_written_as_a_patch_of_a_class_that_changed(craft, tmp_path):
    """PyTorch's legacy format compares sources of classes, and may write the difference."""
    function = torch._utils._rebuild_tensor_v2
    before = function.__name__
    target = tmp_path / "written"
    state = group(
        mapping(word("dump_patches"), b"\x88"), mapping(word("__name__"), word(str(target)))
    )
    path = craft(persistent(word("module"), build(REBUILD, state), word("net.py"), word("any")))
    try:
        read_state_dict(path)
    except CheckpointError:
        pass  # refused is as good as passed over
    finally:
        function.__name__ = before
        vars(function).clear()
    assert not target.with_name("written.patch").exists()


@pytest.mark.parametrize("method", ["items", "values", "get", "keys"])
@pytest.mark.parametrize("shadow", [UNKNOWN, number(3)], ids=["object", "number"])
def test_methods_of_a_dict_that_a_file_hides(tmp_path, method, shadow):
    filled = DICT + b"]" + group(word("w"), tensor(storage(legacy=False))) + b"a\x85R"
    path = write_zip(tmp_path / "crafted.pt", build(filled, mapping(word(method), shadow)))
    assert list(read_state_dict(path)) == ["w"]


HUGE = 1 << 50


@pytest.mark.parametrize(
    "options",
    [
        {"size": (1000,)},
        {"size": (HUGE,)},
        {"size": (1 << 62, 4), "stride": (4, 1)},
        {"size": (-4,)},
        {"stride": (-1,)},
        {"size": (2,), "stride": (HUGE,)},
        {"offset": -1},
        {"offset": 1},
        {"offset": (1 << 63) - 1},
        {"numel": -4},
        {"numel": 3},
        {"kind": "XStorage"},
        {"key": "1"},
    ],
    ids=str,
)
def test_tensors_beyond_their_storage_are_refused(craft, options):
    path = craft(**options)
    if options == {"numel": 3} and not zipfile.is_zipfile(path):
        assert len(read_state_dict(path)["w"]) == 4  # the storage grew before it was read
    else:
        refusal(path)


@pytest.mark.parametrize("numel", [1 << 20, HUGE])
def test_a_storage_that_claims_more_than_the_file_has(craft, numel):
    path = craft(numel=numel)
    if zipfile.is_zipfile(path):
        found = read_state_dict(path)["w"]
        assert found.untyped_storage().nbytes() <= path.stat().st_size
        assert found.tolist() == [1, 2, 3, 4]
    else:
        refusal(path)


# ---- what is no checkpoint -----------------------------------------------------------------------


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.6, 0.95, 0.9999])
def test_a_truncated_file_is_refused(save, weights, share):
    path = save({"state_dict": weights, "hyper_parameters": {"lr": 0.1}})
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    refusal(path)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9999])
def test_a_truncated_file_with_unknown_classes_is_refused(save, weights, vanished, share):
    path = save({"hyper_parameters": vanished(), "state_dict": weights, "last": vanished(a=1)})
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    refusal(path)


@pytest.mark.parametrize("share", [0, 0.05, 0.5, 0.99])
def test_a_truncated_safetensors_file_is_refused(tmp_path, share):
    path = tmp_path / "model.safetensors"
    save_file({"w": torch.randn(1000)}, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    refusal(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello\n" * 1000,
        b"PK",
        b"PK are the first letters of a text",
        b"<!DOCTYPE html><html></html>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        b"\xff\xd8\xff\xe0" + bytes(1000),
        pickle.dumps([1, 2]),
        pickle.dumps({"w": 3}),
        b"\x80\x02.",
        b"\x80\x02" + b"(" * 1000,
        "ünïcode".encode(),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    refusal(path)


def test_a_zip_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("word/document.xml", "<xml/>")
    refusal(path)


def test_a_missing_file_is_named(tmp_path):
    refusal(tmp_path / "nowhere.pt", "no such file")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"epoch": 3},
        {"state_dict": {}},
        {"state_dict": {"w": 3}},
        {"model": {"name": "lseg"}, "w": torch.zeros(2)},
        [torch.zeros(2)],
        torch.zeros(2),
        "lseg",
        None,
    ],
    ids=repr,
)
def test_a_file_without_a_dict_of_tensors_is_refused(save, values):
    refusal(save(values), "no state dict")


def test_a_pickled_module_in_place_of_its_state_dict_is_refused(save):
    with warnings.catch_warnings(action="ignore"):
        path = save(torch.nn.Linear(2, 2))
    refusal(path)


def test_a_safetensors_file_without_tensors_is_refused(tmp_path):
    save_file({}, tmp_path / "model.safetensors")
    refusal(tmp_path / "model.safetensors")
