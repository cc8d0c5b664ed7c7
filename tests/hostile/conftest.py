"""One tiny network, loaded once, and the command line in this process."""

import json
import re

import pytest
from drawing import save_lseg
from hostile import bounded, check_message
from safetensors.torch import load_file

from lseg.cli import main
from lseg.inference.segmenter import Segmenter

NAMES = ["sky", "road", "tree", "other"]
NO_ERROR = re.compile(r"lseg: note: |\s*$|\s*\d+%\|")
"""What may stand before the line: notes, and how far the work was."""


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    return save_lseg(tmp_path_factory.mktemp("model"), NAMES)


@pytest.fixture(scope="session")
def config(model_folder):
    return json.loads((model_folder / "config.json").read_text())


@pytest.fixture(scope="session")
def weights(model_folder):
    return load_file(model_folder / "model.safetensors")


@pytest.fixture(scope="session")
def segmenter(model_folder):
    return Segmenter.from_pretrained(model_folder)


@pytest.fixture
def look(segmenter):
    """Height and width of the label map of a picture."""

    def call(picture):
        segmenter.set_image(picture)
        return segmenter.segment(["sky", "road"]).label_map.shape

    return call


@pytest.fixture
def command(capsys):
    """Runs `lseg`: None where it does what it was asked for, else the line it ends with.

    A refusal is one line, nothing on standard output, and the exit code 2.
    """

    def call(*arguments):
        capsys.readouterr()
        with bounded(seconds=90):
            code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        if code == 0:
            return None
        assert (code, out) == (2, ""), (code, out, err)
        told = [line for line in err.splitlines() if not NO_ERROR.match(line)]
        text = "\n".join(told)
        assert text.startswith("lseg: "), err
        check_message(text)
        return text

    return call
