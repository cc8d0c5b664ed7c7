"""Pickles put together opcode by opcode, and the two file formats of PyTorch around them."""

import pickle
import struct
import zipfile

import pytest
import torch
from torch.serialization import MAGIC_NUMBER, PROTOCOL_VERSION

from lseg.errors import CheckpointError
from lseg.store.foreign import read_state_dict


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


FORMATS = ["zip", "legacy"]
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


def shell(path):
    return f"echo ran > '{path}'"


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
