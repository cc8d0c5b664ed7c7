"""`lseg evaluate --suite`."""

import json
from pathlib import Path

import pytest
from drawing import save_lseg

from lseg.commands.options.evaluate import SUITE_OPTIONS, EvaluateOptions
from lseg.commands.parser import overridden
from lseg.evaluation.suite import read_suite

SUITES = Path(__file__).parents[2] / "suites"
NAMES = ["sky", "road", "tree", "other"]


@pytest.fixture
def suite(tmp_path, data):
    """Both lists of a pairs folder."""
    path = tmp_path / "suite.yaml"
    path.write_text(
        f"- {{name: First, dataset: pairs, data_root: {data}, size: 48}}\n"
        f"- {{dataset: pairs, data-root: {data}, split: train, scales: 0.75}}\n"
    )
    return path


def test_a_suite_gives_the_figures_of_its_entries(run, suite, data, checkpoint, tmp_path):
    out = tmp_path / "out" / "suite.json"
    code, printed, err = run(
        "evaluate", "--suite", suite, "--checkpoint", checkpoint, "--flip", "--out", out
    )
    assert code == 0, err
    rows = json.loads(out.read_text())["rows"]
    assert [row["name"] for row in rows] == ["First", "data"]
    single = tmp_path / "single.json"
    for row, more in zip(
        rows, (["--size", "48"], ["--split", "train", "--scales", "0.75"]), strict=True
    ):
        run(
            "evaluate", "--dataset", "pairs", "--data-root", data, "--checkpoint", checkpoint,
            "--flip", *more, "--out", single,
        )  # fmt: skip
        wanted = json.loads(single.read_text())
        for key in ("miou", "miou_interval", "pixel_accuracy", "per_class", "pictures", "protocol"):
            assert row[key] == wanted[key], key
    table = out.with_suffix(".md").read_text()
    overview, *classes = table.split("\nIoU of each class of ")
    assert overview in printed
    assert [part.split("\n")[0] for part in classes] == ["First", "data"]
    assert f"| {checkpoint} | {rows[0]['miou']:.1f} | {rows[1]['miou']:.1f} |" in table


def test_several_models_each_have_their_rows(run, suite, checkpoint, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    models = [checkpoint, save_lseg(other, NAMES[::-1])]
    code, _, err = run(
        "evaluate", "--suite", suite, "--models", *models, "--out", tmp_path / "s.json"
    )
    assert code == 0, err
    rows = json.loads((tmp_path / "s.json").read_text())["rows"]
    assert [(row["model"], row["name"]) for row in rows] == [
        (str(model), name) for model in models for name in ("First", "data")
    ]
    assert rows[0]["miou"] != rows[2]["miou"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("{dataset: pairs, data_rot: x}", "the nearest is 'data_root'"),
        ("{dataset: pairs, checkpoint: x}", "there is no option 'checkpoint'"),
        ("{dataset: pears}", "--dataset pears"),
        ("{dataset: pairs, flip: perhaps}", "flip is 'perhaps'"),
    ],
)
def test_a_wrong_entry_is_refused_before_any_model_is_loaded(
    refused, suite, tmp_path, entry, reason
):
    suite.write_text(f"{suite.read_text()}- {entry}\n")
    out = tmp_path / "s.json"
    assert reason in refused("evaluate", "--suite", suite, "--checkpoint", "none", "--out", out)
    assert not out.exists()


def test_an_absent_data_set_is_refused_before_any_model_is_loaded(run, suite):
    suite.write_text(f"{suite.read_text()}- {{dataset: pairs, data_root: nowhere}}\n")
    code, printed, err = run("evaluate", "--suite", suite, "--checkpoint", "none")
    assert (code, printed) == (2, "")
    assert err.startswith("lseg: there is no data folder")
    assert "Traceback" not in err


@pytest.mark.parametrize("path", sorted(SUITES.glob("*.yaml")), ids=lambda path: path.stem)
def test_suites_of_this_repository_can_be_read(path):
    entries = read_suite(path, SUITE_OPTIONS)
    for entry in entries:
        overridden("evaluate", EvaluateOptions(), entry.options, entry.name)
