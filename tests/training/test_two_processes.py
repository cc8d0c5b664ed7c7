"""Two processes train together (gloo): each picture once an epoch, and one network in the end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from networks import save_table
from PIL import Image

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "support" / "fit_in_a_group.py"
SECONDS = 400  # on a busy machine the processes' imports alone take a minute
PICTURES = 8


@pytest.fixture
def folder(tmp_path):
    lines = []
    for number in range(PICTURES):
        Image.fromarray(np.full((32, 32, 3), number, np.uint8)).save(tmp_path / f"{number}.png")
        mask = np.random.default_rng(number).integers(0, 2, (32, 32), np.uint8)
        Image.fromarray(mask).save(tmp_path / f"{number}_mask.png")
        lines.append(f"{number}.png {number}_mask.png")
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    for split in ("train", "val"):
        (tmp_path / f"{split}.txt").write_text("\n".join(lines))
    save_table(tmp_path / "table.safetensors", ["sky", "road"])
    return tmp_path


def run(folder, processes):
    """Under torchrun, which finds a port that is free; all processes end with the test."""
    paths = os.pathsep.join((str(ROOT), str(SCRIPT.parent)))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = ["torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    arguments = [sys.executable, "-m", *command, str(SCRIPT), str(folder), "ddp"]
    process = subprocess.Popen(
        arguments, env=environment, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, output[-3000:]
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(processes)]


@pytest.mark.slow
def test_each_picture_is_seen_once_an_epoch_and_the_weights_are_one(folder):
    first, second = run(folder, 2)
    for epoch in range(2):
        assert sorted(first["seen"][epoch] + second["seen"][epoch]) == list(range(PICTURES))
        assert len(first["seen"][epoch]) == PICTURES / 2
    assert first["seen"][0] != first["seen"][1]
    assert first["before"] == second["before"]
    assert first["after"] == second["after"] != first["before"]
    assert first["miou"] == second["miou"]
