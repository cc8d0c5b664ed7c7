"""Pipes, sockets and devices in place of files: refused in a line, neither read nor replaced."""

import os
import socket
import stat

import pytest
from drawing import draw
from hostile import bounded, check_message
from PIL import Image

from lseg.checkpoints.load import load_model
from lseg.convert.checkpoint import convert
from lseg.data.base.images import list_images, load_image, load_mask
from lseg.data.base.labels import load_prompts, parse_labels, read_label_lines
from lseg.data.fewshot.splits import read_pickle
from lseg.data.sets.coco_file import CocoFile
from lseg.embedding.stored import open_embeddings
from lseg.errors import LSegError
from lseg.evaluation.suite import read_suite
from lseg.files import read_json, write_json
from lseg.memory.file import read_examples
from lseg.paths import user_path
from lseg.text.table import LabelTable
from lseg.training.configs import read_config, with_bases

KINDS = {"pipe": stat.S_ISFIFO, "socket": stat.S_ISSOCK, "device": stat.S_ISCHR}
READERS = {
    "checkpoint": load_model,
    "foreign checkpoint": lambda path: convert(path, path.with_name("converted")),
    "picture": load_image,
    "mask": load_mask,
    "pictures": list_images,
    "label set": lambda path: parse_labels(f"{path}"),
    "label set, as a path": parse_labels,
    "labels of classes": read_label_lines,
    "prompts": lambda path: load_prompts(path, ["sky"]),
    "table of labels": LabelTable,
    "COCO JSON": CocoFile,
    "list of a split": read_pickle,
    "embeddings": open_embeddings,
    "memory": lambda path: read_examples(user_path(path)),
    "configuration of a training": read_config,
    "configuration of a command": lambda path: with_bases(["--config", f"{path}"]),
    "suite": lambda path: read_suite(path, ()),
    "figures": read_json,
    "result": lambda path: write_json(path, {}),
}


@pytest.fixture(params=KINDS)
def special(request, tmp_path, monkeypatch):
    """A path to something special, whose name is that of a picture."""
    path = tmp_path / "it.png"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    else:
        monkeypatch.chdir(tmp_path)  # the address of a socket has a hundred characters at most
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    yield path
    assert KINDS[request.param](path.stat().st_mode)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_reader_refuses_it_in_a_line(special, read):
    with bounded(seconds=30, gigabytes=0.5), pytest.raises(LSegError) as caught:
        read(special)
    check_message(str(caught.value))
    assert "no file or folder: write what comes out of it into a file" in str(caught.value)


@pytest.mark.parametrize("option", ["picture", "--labels", "--checkpoint", "--config", "--out",
                                    "--text-table", "--templates"])  # fmt: skip
def test_a_command_refuses_it_in_a_line(command, special, model_folder, tmp_path, option):
    picture = tmp_path / "photo.png"
    Image.fromarray(draw(33, 40)).save(picture)
    words = {"--labels": "sky,road", "--checkpoint": model_folder, "--out": tmp_path / "out"}
    words |= {option: special}
    words.pop("picture", None)
    told = command(
        "predict",
        special if option == "picture" else picture,
        *(word for pair in words.items() for word in pair),
    )
    assert "no file or folder" in told or "is a file, give another folder" in told
