"""Models to and from a server with the Hub's interface, with the real client."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from dpt_family import depth_anything, save_peer
from hub_server import Hub

from lseg.checkpoints.load import load_model
from lseg.errors import CheckpointError

ROOT = Path(__file__).parents[2]

# The client reads its address when it is imported, so it runs in a process of its own.
PUSH_AND_LOAD = """
import sys, torch, lseg
from lseg.errors import CheckpointError
folder, card = sys.argv[1:]
model = lseg.load_model(folder)
print(model.push_to_hub("user/tiny", figures={"unseen_miou": 81.25}, licence="mit"))
again = lseg.LSeg.from_pretrained("user/tiny")
assert again.config == model.config
for key, tensor in model.state_dict().items():
    assert torch.equal(again.state_dict()[key], tensor), key
assert lseg.load_model("user/tiny", revision="main").config == model.config
for hub_id, revision in [("user/tiny", "v9"), ("user/none", None), ("user/no..ne", None)]:
    try:
        lseg.load_model(hub_id, revision=revision)
    except CheckpointError as error:
        print(error)
"""


@pytest.fixture
def hub():
    hub = Hub()
    yield hub
    hub.close()


def environment(tmp_path, address):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    home = {"HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_secret", "PYTHONPATH": str(ROOT)}
    return {**kept, **home, "HF_ENDPOINT": address, "HF_HUB_DISABLE_XET": "1"}


def run(code, arguments, variables):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)


def test_a_model_is_pushed_and_loaded_again(hub, model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    hub.repositories["user/tiny"] = {"main": {"pytorch_model.bin": b"a pickle"}}
    done = run(PUSH_AND_LOAD, [tmp_path / "model", ""], environment(tmp_path, hub.address))
    assert done.returncode == 0, done.stderr
    url, *errors = done.stdout.splitlines()
    assert url.startswith(f"{hub.address}/user/tiny/commit/")
    assert len(errors) == 3
    assert "no such revision" in errors[0]
    assert "user/none" in errors[1]
    assert "no such model" in errors[1]
    files = hub.repositories["user/tiny"]["main"]
    assert sorted(files) == ["README.md", "config.json", "model.safetensors", "pytorch_model.bin"]
    fetched = {path.name for path in (tmp_path / "home").rglob("snapshots/*/*")}
    assert fetched == {"config.json", "model.safetensors"}  # pickles are not even downloaded
    assert files["model.safetensors"] == (tmp_path / "model" / "model.safetensors").read_bytes()
    assert json.loads(files["config.json"])["architecture"] == "lseg"
    assert "unseen: mIoU, % | 81.2 |" in files["README.md"].decode()


UNREACHABLE = """
import lseg
from lseg.errors import CheckpointError
try:
    lseg.load_model("user/tiny")
except CheckpointError as error:
    print(error)
"""


def test_a_hub_that_cannot_be_reached_is_told_in_one_line(tmp_path):
    done = run(UNREACHABLE, [], environment(tmp_path, "http://127.0.0.1:9"))
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert "user/tiny" in line
    assert "cannot be reached" in line
    assert "model folder" in line


def test_offline_mode_is_told_in_one_line():
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE") as caught:
        load_model("user/there-is-none")
    assert "\n" not in str(caught.value)


def test_a_local_folder_has_no_revisions(model, tmp_path):
    model.save_pretrained(tmp_path)
    assert torch.equal(load_model(tmp_path).project.bias, model.project.bias)
    with pytest.raises(CheckpointError, match="revision"):
        load_model(tmp_path, revision="main")


class Silent:
    """A server that takes connections and never says a word."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(64)
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"


@pytest.fixture
def silent():
    server = Silent()
    yield server
    server.socket.close()


ASK = """
import sys, time, lseg
from lseg.errors import CheckpointError
import huggingface_hub
start = time.monotonic()
try:
    print(type(lseg.load_model("user/tiny")).__name__)
except CheckpointError as error:
    print(error)
print(time.monotonic() - start)
"""


def test_a_hub_that_never_answers_is_waited_for_five_seconds_and_told(silent, tmp_path):
    done = run(ASK, [], environment(tmp_path, silent.address))
    assert done.returncode == 0, done.stderr
    line, seconds = done.stdout.splitlines()
    assert "cannot be reached" in line
    assert 4 < float(seconds) < 60  # it was for ever
    assert f"waiting for {silent.address} (user/tiny)" in done.stderr


def test_a_kept_copy_serves_where_the_hub_is_gone(hub, silent, model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    files = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    hub.repositories["user/tiny"] = {"main": files}
    for address in (hub.address, silent.address):
        done = run(ASK, [], environment(tmp_path, address))
        assert done.stdout.splitlines()[0] == "LSeg", done.stdout + done.stderr
    offline = {**environment(tmp_path, silent.address), "HF_HUB_OFFLINE": "1"}
    done = run(ASK, [], offline)
    assert done.stdout.splitlines()[0] == "LSeg", done.stdout + done.stderr
    assert "waiting" not in done.stderr


PUSH = """
import sys, lseg
from lseg.errors import CheckpointError
try:
    lseg.load_model(sys.argv[1]).push_to_hub("user/tiny")
except CheckpointError as error:
    print(error)
"""


def test_a_push_to_nowhere_is_told_in_one_line(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    done = run(PUSH, [tmp_path / "model"], environment(tmp_path, "http://127.0.0.1:9"))
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert "cannot be reached" in line


def test_a_model_of_another_kind_is_refused_before_its_weights_are_fetched(hub, tmp_path):
    config = json.dumps({"model_type": "segformer"})
    weights = b"must not be fetched"
    hub.repositories["user/dpt"] = {
        "main": {"config.json": config.encode(), "model.safetensors": weights}
    }
    code = ASK.replace("user/tiny", "user/dpt")
    done = run(code, [], environment(tmp_path, hub.address))
    line = done.stdout.splitlines()[0]
    assert "'segformer', which is not supported" in line
    assert "`hf download user/dpt --local-dir dpt`" in line
    fetched = {path.name for path in (tmp_path / "home").rglob("snapshots/*/*")}
    assert fetched == {"config.json"}


def test_a_depth_anything_is_loaded_by_its_name_and_kept(hub, tmp_path):
    save_peer(depth_anything("metric"), tmp_path / "peer")
    files = {path.name: path.read_bytes() for path in (tmp_path / "peer").iterdir()}
    hub.repositories["user/tiny"] = {"main": {**files, "pytorch_model.bin": b"a pickle"}}
    done = run(ASK, [], environment(tmp_path, hub.address))
    assert done.stdout.splitlines()[0] == "DPTDepth", done.stderr
    fetched = {path.name for path in (tmp_path / "home").rglob("snapshots/*/*")}
    assert fetched == set(files)
    offline = environment(tmp_path, "http://127.0.0.1:9") | {"HF_HUB_OFFLINE": "1"}
    assert run(ASK, [], offline).stdout.splitlines()[0] == "DPTDepth"
