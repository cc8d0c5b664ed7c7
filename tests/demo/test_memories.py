"""Memories that visitors bring along."""

import contextlib
import dataclasses
import json

import numpy as np
import pytest
import torch
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from safetensors.torch import load, save

from lseg.demo.limits import Limits
from lseg.demo.marks import read_marks
from lseg.demo.memories import read_memory
from lseg.errors import CheckpointError, LabelError, LSegError

LIMITS = Limits(examples=3, memory_bytes=2**20)
BOX = {"box": [0, 0, 64, 64]}


def taught(service, path, *labels):
    """The file of a memory with an example of each label."""
    _, memory = service.visitors.begin()
    picture = service.picture(str(path))
    for label in labels:
        size = picture.full.image.size
        service.teach(picture, read_marks(BOX, size, size, LIMITS), label, memory, "a.png")
    return memory.file()


@pytest.fixture
def owner(service):
    return service.visitors.owner


@pytest.fixture
def read(owner, tmp_path):
    def read(data, limits=LIMITS):
        path = tmp_path / "memory.safetensors"
        path.write_bytes(data)
        return read_memory(str(path), owner, limits)

    return read


@pytest.fixture
def good(service, shapes):
    return taught(service, shapes(1)[0], "gadget", "my mug")


def changed(data, change):
    """The file with something else in it: `change` gets the tensors and what is told of them."""
    told = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["memory"]
    tensors, told = load(data), json.loads(told)
    change(tensors, told)
    return save(tensors, {"memory": json.dumps(told)})


def test_what_was_downloaded_is_read_again(read, good):
    assert [example.label for example in read(good)] == ["gadget", "my mug"]


def in_row(name, value):
    def change(tensors, told):
        told["examples"][0][name] = value

    return change


def in_told(name, value):
    return lambda tensors, told: told.update({name: value})


def in_model(name, value):
    return lambda tensors, told: told["model"].update({name: value})


def in_tensor(kind, change):
    def changing(tensors, told):
        name = f"shown.{kind}"
        tensors[name] = change(tensors[name]).contiguous()

    return changing


@pytest.mark.parametrize(
    "change",
    [
        in_row("label", 3), in_row("label", None), in_row("label", ["a"]),
        in_row("source", 3), in_row("source", "a" * 1000), in_row("key", {}), in_row("key", []),
        in_row("area", float("nan")), in_row("area", -1), in_row("area", "x"), in_row("area", None),
        in_row("sure", "yes"), in_row("shown", -1), in_row("shown", 10**9), in_row("shown", "x"),
        in_row("rest", 2.5), in_row("shown", 0),
        in_told("examples", {}), in_told("examples", [3]), in_told("examples", [[]]),
        in_told("format", "x"), in_told("model", None), in_told("limit", "x"), in_told("limit", 0),
        in_model("fingerprint", 3), in_model("levels", ["a"]), in_model("levels", 3),
        in_model("embed_dim", "x"), in_model("embed_dim", 1.5),
        in_tensor("embeddings", lambda part: part.float()),
        in_tensor("embeddings", lambda part: part * float("nan")),
        in_tensor("embeddings", lambda part: part[:, :5]),
        in_tensor("levels", lambda part: part[:-1]),
        in_tensor("levels", lambda part: part.flatten()),
        in_tensor("levels", lambda part: part / 0),
        in_tensor("levels", lambda part: part.to(torch.float8_e4m3fn)),
    ],
)  # fmt: skip
def test_a_file_that_does_not_add_up_is_refused(read, good, change):
    with pytest.raises(LSegError, match=r"memory|name") as caught:
        read(changed(good, change))
    assert "safetensors" not in str(caught.value)  # nor where it lies


@pytest.mark.parametrize("label", ["a,b", "a|b", "other", "", "a" * 1000, "two  spaces"])
def test_a_label_that_could_not_be_asked_for_is_refused(read, good, label):
    with pytest.raises((LabelError, CheckpointError)):  # no file of `lseg memory` has an empty one
        read(changed(good, in_row("label", label)))


def nested(depth):
    told = '{"examples": ' + "[" * depth + "]" * depth + "}"
    return save({"a": torch.zeros(1)}, {"memory": told})


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"\xff" * 100, b"PK\x03\x04" + bytes(100), save({}), nested(100_000)],
    ids=["empty", "one byte", "noise", "zip", "no memory", "nested"],
)
def test_what_is_no_memory_at_all(read, data):
    with pytest.raises(CheckpointError, match="no memory of examples"):
        read(data)


def test_truncated_and_flipped_files(read, good):
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(good), 60):
        flipped = bytearray(good)
        flipped[place] ^= 1 << int(rng.integers(8))
        for data in (good[:place], bytes(flipped)):
            with contextlib.suppress(LSegError):  # any other error fails
                read(data)


def test_a_memory_of_another_model_is_refused(read, good):
    with pytest.raises(CheckpointError, match="the memory was made with other weights"):
        read(changed(good, in_model("fingerprint", "0" * 64)))
    with pytest.raises(CheckpointError, match="no memory of examples"):
        read(changed(good, in_model("embed_dim", 7)))


def test_a_memory_that_is_too_large_is_refused(read, good):
    many = changed(good, in_told("examples", [{}] * 100_000))
    with pytest.raises(LabelError, match="has 100000 examples: up to 3"):
        read(many, dataclasses.replace(LIMITS, memory_bytes=2**24))
    with pytest.raises(CheckpointError, match="larger than 1 MB"):
        read(bytes(3 * 2**20), dataclasses.replace(LIMITS, memory_bytes=1))


def test_a_file_joins_what_was_taught_or_nothing_does(service, shapes, tmp_path):
    path, _ = shapes(1)
    file = tmp_path / "memory.safetensors"
    file.write_bytes(taught(service, path, "gadget", "my mug"))
    key, mine = service.load(str(file), "")
    assert mine.counts == {"gadget": 1, "my mug": 1}
    assert service.load(str(file), key) == (key, mine)
    assert mine.counts == {"gadget": 1, "my mug": 1}  # the same again
    service.load(str(file), "not a key")
    mine._most = 3
    file.write_bytes(taught(service, path, "one", "two"))
    with pytest.raises(LabelError, match="there would be 4 examples, 3 are kept here"):
        service.load(str(file), key)
    assert mine.counts == {"gadget": 1, "my mug": 1}


def test_another_client_goes_on_where_one_has_ended(url, service, shapes, tmp_path):
    (path, labels), (second, _) = shapes(1), shapes(2)
    client = Client(url, verbose=False, httpx_kwargs={"timeout": 120})
    key, _ = client.predict(handle_file(path), "gadget", BOX, "", api_name="/teach")
    file = client.predict(key, api_name="/memory")
    other, counts = client.predict(handle_file(file), "", api_name="/load")
    assert counts == {"gadget": 1}
    assert other != key
    question = handle_file(second), f"{labels[0]}, gadget", False, 0.5
    answers = [client.predict(*question, each, api_name="/segment")[2] for each in (key, other, "")]
    assert answers[0]["masks"] == answers[1]["masks"] != answers[2]["masks"]
    with pytest.raises(AppError, match="no memory of examples"):
        client.predict(handle_file(path), "", api_name="/load")
    with pytest.raises(AppError, match="no such memory"):
        client.predict(handle_file(file), "mine", api_name="/load")
    client.close()
