"""`lseg evaluate` in several processes: each picture once, and the table of one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drawing import draw
from PIL import Image

from lseg.checkpoints.load import load_model
from lseg.data.sets.pairs import PairsDataset
from lseg.evaluation import semantic
from lseg.evaluation.picture_areas import PictureAreas
from lseg.evaluation.semantic import evaluate_pictures
from lseg.inference.sharding import Shard
from lseg.inference.views import InferenceConfig

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


@pytest.fixture
def five(data):
    """Five pictures of other sizes, two of which have the same name."""
    rng = np.random.default_rng(3)
    lines = []
    for index, place in enumerate(("a", "b", "sub/a", "c", "d")):
        size = (40 + index, 56 - index)
        (data / place).parent.mkdir(exist_ok=True)
        Image.fromarray(draw(*size, seed=index)).save(data / f"{place}.png")
        Image.fromarray(rng.integers(0, 3, size, dtype=np.uint8)).save(data / f"{place}.mask.png")
        lines.append(f"{place}.png {place}.mask.png")
    (data / "val.txt").write_text("\n".join(lines))
    return data


@pytest.mark.parametrize("world", [2, 3, 7])
def test_every_picture_is_counted_once_whatever_the_number_of_processes(
    five, checkpoint, world, monkeypatch
):
    model, data = load_model(checkpoint), PairsDataset(five, "val")
    config = InferenceConfig()
    wanted = evaluate_pictures(model, data, config)
    shares = []
    monkeypatch.setattr(semantic, "gathered", lambda areas: shares.append(areas) or [areas])
    for rank in range(world):
        evaluate_pictures(model, data, config, shard=Shard(rank, world))
    assert sum(map(len, shares)) == len(data)
    found = PictureAreas.dealt(shares)
    assert found.names == wanted.names
    assert found.to_json() == wanted.to_json()


def table(path):
    """What a file says but for what names the run."""
    figures = json.loads(path.read_text())
    for key in ("devices", "out"):
        del figures["options"][key]
    return figures


@pytest.mark.slow  # four more interpreters start
def test_two_processes_write_the_table_of_one(five, checkpoint, tmp_path):
    environment = {
        **os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"
    }  # fmt: skip
    asked = [
        "-m", "lseg", "evaluate", "--dataset", "pairs", "--data-root", five, "--device", "cpu",
        "--checkpoint", checkpoint, "--window", "32", "--flip", "--unseen", "1",
    ]  # fmt: skip
    runs = {"one": [], "torchrun": TORCHRUN, "devices": []}
    for name, launch in runs.items():
        out = tmp_path / f"{name}.json"
        more = ["--devices", "2"] if name == "devices" else []
        done = subprocess.run(
            [sys.executable, *launch, *asked, *more, "--out", out],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("pixel accuracy") == 1
        assert done.stdout.count("written to") == 1
    one, *others = (table(tmp_path / f"{name}.json") for name in runs)
    assert len(one["areas"]) == one["pictures"] == 5
    assert one["miou_interval"] is not None
    for other in others:
        assert other == one


@pytest.mark.slow  # two more interpreters start
def test_a_suite_in_two_processes_has_the_rows_of_one(run, five, checkpoint, tmp_path):
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        f"- {{name: Val, dataset: pairs, data_root: {five}, size: 48}}\n"
        f"- {{dataset: pairs, data_root: {five}, split: train}}\n"
    )
    rows = []
    for devices in ("1", "2"):
        out = tmp_path / f"{devices}.json"
        options = ["--checkpoint", checkpoint, "--devices", devices, "--out", out]
        code, _, err = run("evaluate", "--suite", suite, *options)
        assert code == 0, err
        rows.append(json.loads(out.read_text())["rows"])
        assert "| Val |" in out.with_suffix(".md").read_text()
    one, two = rows
    assert [row["pictures"] for row in one] == [5, 1]
    assert two == one
