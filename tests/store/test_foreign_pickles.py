"""Pickles by hand: no opcode reaches a function, no tensor reaches beyond its storage."""

import contextlib
import zipfile

import pytest
import torch
from pickles import (
    DICT,
    FORMATS,
    REBUILD,
    UNKNOWN,
    assert_equal,
    build,
    call,
    group,
    mapping,
    name,
    number,
    persistent,
    refusal,
    shell,
    storage,
    tensor,
    word,
    write_legacy,
    write_zip,
)

from lseg.errors import CheckpointError
from lseg.store.foreign import read_state_dict


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
