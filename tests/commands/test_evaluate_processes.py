"""`lseg evaluate` in several processes: each picture once, and the table of one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lseg.checkpoints.load import load_model
from lseg.data.sets.pairs import PairsDataset
from lseg.evaluation.semantic import AskedData, PictureCounter, evaluate_pictures, question_of
from lseg.inference.sharding import Shard
from lseg.inference.views import InferenceConfig
from lseg.pipeline import counting
from lseg.pipeline.counting import LocalCounting

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


@pytest.mark.parametrize("world", [2, 3, 7])
def test_every_picture_is_counted_once_whatever_the_number_of_processes(
    five, checkpoint, world, monkeypatch
):
    model, data = load_model(checkpoint), PairsDataset(five, "val")
    config = InferenceConfig()
    wanted = evaluate_pictures(model, data, config)
    asked = AskedData(data, config, (question_of(model, data.labels),))
    counter, shares = PictureCounter(model, [asked]), []

    def gathered(own):
        """All that have come here; the last of the processes knows them all."""
        shares.append(own)
        return shares

    monkeypatch.setattr(counting, "gathered", gathered)
    for rank in range(world):
        (counts,) = LocalCounting(counter, Shard(rank, world)).counts([asked.part])
    assert sum(map(len, shares)) == len(data)
    (found,) = asked.areas(counts)
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
