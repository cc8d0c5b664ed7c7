"""Figures are the same whoever counts the pictures: this process, others, or actors of Ray."""

import json
import os
import signal
import threading
import time

import psutil
import pytest
from fewshot_trees import voc_tree

from lseg.data.sets.class_names import PASCAL

RAY = ["--engine", "ray", "--actors"]  # each of which costs seconds to start
NAMES_THE_RUN = {"engine", "actors", "devices", "out"}

with_interpreters = [pytest.mark.slow, pytest.mark.timeout(1800)]  # they start, on a busy machine


@pytest.fixture
def table(run, checkpoint, tmp_path):
    """Runs a command of figures: what it writes, but for what names the run; and its pictures."""

    def call(*words):
        out = tmp_path / f"out{len(list(tmp_path.glob('out*')))}" / "table.json"
        code, _, err = run(*words, "--checkpoint", checkpoint, "--device", "cpu", "--out", out)
        assert code == 0, err
        figures = json.loads(out.read_text())
        assert set(figures["options"]) >= NAMES_THE_RUN
        for key in NAMES_THE_RUN:
            del figures["options"][key]
        return figures, {path.name: path.read_bytes() for path in out.parent.rglob("*.png")}

    return call


@pytest.fixture
def suite(five, tmp_path):
    """Two lists of one folder, shown to the network in different ways."""
    path = tmp_path / "suite.yaml"
    path.write_text(
        f"- {{name: Val, dataset: pairs, data_root: {five}, flip: true, window: 32}}\n"
        f"- {{dataset: pairs, data_root: {five}, split: train, size: 48, unseen: '1'}}\n"
    )
    return path


@pytest.fixture
def episodes(tmp_path):
    """Words of a command about a fold of 24 pictures, asked for by labels that the model knows."""
    voc_tree(tmp_path / "voc", count=24)
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(["sky", "road", "tree"][index % 3] for index in range(len(PASCAL))))
    return [
        "fewshot", "--benchmark", "pascal5i", "--data-root", tmp_path / "voc", "--fold", "1",
        "--splits", tmp_path / "voc" / "splits", "--label-file", labels, "--size", "64",
        "--background-label", "other",
    ]  # fmt: skip


class TestActors:
    pytestmark = with_interpreters

    def test_a_data_set_has_the_table_of_the_plain_loop(self, cluster, table, five):
        words = ["evaluate", "--dataset", "pairs", "--data-root", five, "--unseen", "1"]
        plain, _ = table(*words)
        assert table(*words, *RAY, "2")[0] == plain
        assert plain["miou_interval"] is not None
        assert len(plain["areas"]) == 5

    def test_every_row_of_a_suite_is_that_of_the_plain_loop(self, cluster, table, suite):
        plain, _ = table("evaluate", "--suite", suite)
        assert table("evaluate", "--suite", suite, *RAY, "2")[0] == plain
        assert [row["pictures"] for row in plain["rows"]] == [5, 1]

    def test_examples_are_drawn_once_and_asked_everywhere(self, cluster, table, five):
        words = [
            "evaluate", "--dataset", "pairs", "--data-root", five, "--examples", five,
            "--shots", "1", "--seeds", "2",
        ]  # fmt: skip
        plain, _ = table(*words)
        assert table(*words, *RAY, "1")[0] == plain

    def test_episodes_have_the_figures_and_pictures_of_the_plain_loop(
        self, cluster, table, episodes
    ):
        words = [*episodes, "--shots", "5", "--episodes", "21", "--save-pictures", "3"]
        plain, pictures = table(*words)
        assert table(*words, *RAY, "2") == (plain, pictures)
        assert len(pictures) == 3

    def test_an_actor_that_is_killed_changes_nothing(self, cluster, table, episodes, tmp_path):
        words = [*episodes, "--shots", "1", "--episodes", "60", "--save-pictures", "60"]
        plain = table(*words)
        ended = []
        thread = threading.Thread(target=lambda: ended.append(table(*words, *RAY, "2")))
        thread.start()
        while not list(tmp_path.glob("out1/*/*.png")) and thread.is_alive():
            time.sleep(0.01)
        actors = [
            process for process in psutil.Process().children(recursive=True)
            if "MapWorker" in " ".join(process.cmdline())
        ]  # fmt: skip
        os.kill(actors[0].pid, signal.SIGKILL)
        thread.join()
        assert ended == [plain]

    def test_what_is_wrong_with_a_picture_is_told_as_by_the_plain_loop(
        self, cluster, run, five, checkpoint
    ):
        (five / "sub/a.mask.png").write_bytes(b"\x89PNG")
        told = []
        for more in ([], [*RAY, "1"]):
            words = ["--dataset", "pairs", "--data-root", five, "--checkpoint", checkpoint]
            code, _, err = run("evaluate", *words, "--device", "cpu", *more)
            assert code == 2
            told.append(err.replace("\r", "\n").splitlines()[-1])
        assert told[0] == told[1]
        assert "a.mask.png" in told[0]


def test_half_a_picture_of_a_killed_process_does_not_stay(run, checkpoint, episodes, tmp_path):
    words = [*episodes, "--episodes", "2", "--save-pictures", "2", "--checkpoint", checkpoint]
    folder = tmp_path / "table_pictures"
    run(*words, "--out", tmp_path / "table.json")
    whole = sorted(path.name for path in folder.iterdir())
    (folder / f".{whole[0].removesuffix('.png')}.0123abcd.partial.png").write_bytes(b"half")
    code, _, _ = run(*words, "--out", tmp_path / "table.json")
    assert code == 0
    assert sorted(path.name for path in folder.iterdir()) == whole
