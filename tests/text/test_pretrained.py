"""Weights of open_clip's tags: kept here, on a Hub that answers, and on one that never does."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import open_clip
import pytest
import torch
from hub_server import Hub
from safetensors.torch import save, save_file

from lseg.text.clip import OpenClipText
from lseg.text.pretrained import PROBE_SECONDS

ROOT = Path(__file__).parents[2]
AT_ONCE = 3.0
"""Seconds of waiting, and not of a busy machine: see `waited` below. The client of the Hub itself
waits ten for each of its questions, several times."""

# The client reads its address when it is imported, so it runs in a process of its own.
ASK = """
import json, sys, time
from pathlib import Path
import torch
from lseg.errors import LabelError
from lseg.text.words import TableWords

def waited():
    "Seconds that this thread neither computed nor stood in line for a processor."
    computed, in_line, _ = map(int, Path("/proc/thread-self/schedstat").read_text().split())
    return time.monotonic() - (computed + in_line) / 1e9

table, configs, *asked = sys.argv[1:]
if configs:
    import open_clip
    open_clip.add_model_config(configs)
    tag = {"hf_hub": "user/tiny-clip/", "mean": (0, 0, 0), "std": (1, 1, 1)}
    open_clip.pretrained._PRETRAINED["tiny-text-test"] = {"made_up": tag}
import huggingface_hub.utils
words = TableWords(Path(table))
for word in asked:
    start = waited()
    try:
        answer = words.answer(word)
        told = {"vector": words.encode([answer.prompt], torch.device("cpu"))[0].tolist()}
    except LabelError as error:
        told = {"error": str(error)}
    seconds = waited() - start
    print(json.dumps({**told, "seconds": seconds, "loaded": "open_clip" in sys.modules}))
"""


class Silent:
    """A server that takes connections and never says a word."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(64)
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def connections(self):
        """How many there have been."""
        self.socket.setblocking(False)
        count = 0
        try:
            while True:
                self.socket.accept()[0].close()
                count += 1
        except BlockingIOError:
            return count


@pytest.fixture
def silent():
    server = Silent()
    yield server
    server.socket.close()


@pytest.fixture
def ask(tmp_path):
    """Asks a table for words in a process with this Hub."""

    def call(address, table, *words, configs="", **variables):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        own = {"HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "HF_ENDPOINT": address}
        environment = {**kept, **own, "HF_HUB_DISABLE_XET": "1", **variables}
        command = [sys.executable, "-c", ASK, str(table), str(configs), *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return call


@pytest.fixture
def openai_table(tmp_path):
    path = tmp_path / "openai.safetensors"
    told = {"model": "ViT-B-16", "pretrained": "openai", "template": "a photo of a {}"}
    save_file({"embeddings": torch.eye(3)}, path, {**told, "labels": '["sky", "car", "dog"]'})
    return path


def test_a_silent_hub_is_asked_once_and_not_waited_for(ask, silent, openai_table):
    assert PROBE_SECONDS <= 0.5
    first, second, known = ask(silent.address, openai_table, "unicorn", "griffin", "Cars")
    for answer in (first, second):
        assert f"{silent.address} does not answer at once" in answer["error"]
        assert answer["seconds"] < AT_ONCE
        assert not answer["loaded"]  # open_clip takes a second to import
    assert known["vector"] == [0, 1, 0]
    assert silent.connections() == 1


def test_a_hub_that_is_not_there_and_one_that_is_forbidden(ask, silent, openai_table):
    (gone,) = ask("http://127.0.0.1:9", openai_table, "unicorn")
    assert "does not answer at once" in gone["error"]
    (forbidden,) = ask(silent.address, openai_table, "unicorn", HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE forbids" in forbidden["error"]
    assert max(gone["seconds"], forbidden["seconds"]) < AT_ONCE
    assert silent.connections() == 0


def test_weights_are_fetched_once_and_then_kept(ask, silent, plain_clip, tmp_path):
    net = open_clip.create_model(plain_clip)
    save_file(net.state_dict(), tmp_path / "whole.safetensors")
    source = OpenClipText(plain_clip, str(tmp_path / "whole.safetensors"))
    expected = source.encode(["unicorn"], torch.device("cpu"))[0]
    table = tmp_path / "table.safetensors"
    save_file(
        {"embeddings": source.encode(["sky", "car"], torch.device("cpu"))}, table,
        {
            "model": plain_clip, "pretrained": "made_up", "template": "{}",
            "labels": '["sky", "car"]',
        },
    )  # fmt: skip
    hub = Hub()
    hub.repositories["user/tiny-clip"] = {
        "main": {"open_clip_model.safetensors": save(net.state_dict())}
    }
    try:
        fetched = ask(hub.address, table, "unicorn", configs=tmp_path / "configs")
    finally:
        hub.close()
    kept = ask(silent.address, table, "unicorn", configs=tmp_path / "configs")
    for (answer,) in (fetched, kept):
        torch.testing.assert_close(torch.tensor(answer["vector"]), expected, atol=1e-6, rtol=0)
    assert silent.connections() == 0
