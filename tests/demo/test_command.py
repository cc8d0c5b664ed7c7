import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import replace

import pytest
from safetensors.torch import save_file

from lseg.cli import main
from lseg.commands.demo import about
from lseg.config import TextConfig
from lseg.demo.examples import PHOTOGRAPHS
from lseg.models.lseg import LSeg
from lseg.text.encoder import LabelEncoder

PATIENCE = 240  # seconds, on a machine that is busy with other things
SHAPES = {"shapes1.png", "shapes2.png", "shapes3.png"}


def offered(url):
    """What the page is made of."""
    with urllib.request.urlopen(f"{url}config", timeout=PATIENCE) as config:
        return config.read().decode()


def test_lseg_demo_serves_until_it_is_terminated_and_leaves_no_file(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "lseg", "demo", "--max-upload", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        line = process.stdout.readline()
        url = re.search(r"serving photo at (http://127\.0\.0\.1:\d+/)", line).group(1)
        with urllib.request.urlopen(url, timeout=PATIENCE) as page:
            assert b"LSeg" in page.read()
        assert all(name in offered(url) for name in PHOTOGRAPHS)
        found = {path.name for path in tmp_path.glob("lseg-demo-*/*.[jp][pn]g")}
        assert found == set(PHOTOGRAPHS)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_model_of_shapes_offers_shapes_and_no_photographs(url):
    page = offered(url)
    assert all(name in page for name in SHAPES)
    assert not any(name in page for name in PHOTOGRAPHS)


def test_a_port_that_is_taken_is_an_error_of_one_line(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["demo", "--port", str(port)]) == 2
    error = capsys.readouterr().err
    assert f"cannot listen at 127.0.0.1, port {port}" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("option", ["--max-upload", "--max-megapixels", "--cache", "--max-queue"])
def test_limits_of_nothing_are_refused(option, capsys):
    assert main(["demo", option, "0"]) == 2
    assert "must be 1 or more" in capsys.readouterr().err


def test_a_checkpoint_that_is_none(tmp_path, capsys):
    assert main(["demo", "--checkpoint", str(tmp_path)]) == 2
    assert "has no config.json" in capsys.readouterr().err


def test_the_embedded_model_says_what_it_knows(model):
    assert "shapes world" in about("tiny", model)
    assert "not photographs" in about("tiny", model)


def test_other_models_are_named_without_their_folder(tmp_path, model):
    names = ["red circle", "blue star"]
    table = tmp_path / "table.safetensors"
    save_file({"embeddings": model.encode_labels(names)}, table, {"labels": json.dumps(names)})
    config = replace(model.config, description="")
    other = LSeg(config)
    assert about("/home/me/runs/mine/model", other) == "Model: mine/model. Labels are free text."
    other.text = LabelEncoder(TextConfig(table=str(table)), config.embed_dim)
    assert "the 2 names of a table" in about("user/model", other)
