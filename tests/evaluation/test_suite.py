import json

import pytest

from lseg.errors import ConfigError
from lseg.evaluation.published_semantic import TRAINING_FREE_SETS
from lseg.evaluation.suite import SuiteEntry, SuiteRow, read_suite
from lseg.evaluation.suite_table import class_tables, suite_table, suite_to_json

KNOWN = ("dataset", "data_root", "split", "prompts", "ignore_index")


@pytest.fixture
def suite(tmp_path):
    def call(text):
        path = tmp_path / "suite.yaml"
        path.write_text(text)
        return read_suite(path, KNOWN)

    return call


def test_entries_have_the_names_of_evaluate_s_options(suite):
    entries = suite("""
- {name: CamVid, dataset: pairs, data_root: data/camvid11, ignore-index: 11}
- dataset: ade20k
  split: val
- {dataset: pairs, data_root: data/voc_aug21}
- {dataset: ade20k, split: train}
""")
    assert [entry.name for entry in entries] == ["CamVid", "ade20k", "voc_aug21", "ade20k (2)"]
    assert entries[0].options == {
        "dataset": "pairs", "data_root": "data/camvid11", "ignore_index": 11,
    }  # fmt: skip
    assert entries[1].dataset == "ade20k"


def test_files_of_labels_are_looked_for_beside_the_suite(suite, tmp_path):
    (tmp_path / "words.json").write_text("{}")
    beside, elsewhere = suite("""
- {dataset: ade20k, prompts: words.json}
- {dataset: ade20k, split: train, prompts: clip_text/words.json}
""")
    assert beside.options["prompts"] == str(tmp_path.resolve() / "words.json")
    assert elsewhere.options["prompts"] == "clip_text/words.json"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- {dataset: ade20k, data_rot: x}", "no option 'data_rot', the nearest is 'data_root'"),
        ("- {name: x, split: val}", "entry 1 names no `dataset`"),
        ("- {dataset: a}\n- ade20k", "entry 2 is 'ade20k'"),
        ("dataset: ade20k", "holds no list"),
        ("", "holds no list"),
        ("- {dataset: [", "cannot be read"),
        ("- {name: x, dataset: a}\n- {name: x, dataset: b}", "two entries are called 'x'"),
        ("- {dataset: a, data_root: x, data-root: y}", "'data_root' is given twice"),
    ],
)
def test_a_wrong_suite_is_one_clear_error(suite, text, reason):
    with pytest.raises(ConfigError, match=reason) as caught:
        suite(text)
    assert "\n" not in str(caught.value)


def test_an_absent_suite_is_one_clear_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_suite(tmp_path / "nowhere.yaml", KNOWN)


def figures(miou, **more):
    return {
        "miou": miou, "pixel_accuracy": 80.0, "mean_accuracy": 60.0, "fw_iou": 70.0,
        "miou_interval": [miou - 1, miou + 1], "per_class": {"sky": miou}, "pictures": 10,
        "areas": {"p": "0 1 1 1"}, **more,
    }  # fmt: skip


def run(datasets, models, **more):
    """Rows with mIoU 10, 20, 30 ..."""
    pairs = [(model, name) for model in models for name in datasets]
    return [
        SuiteRow(SuiteEntry(name.upper(), {"dataset": name}), model, figures(10.0 * number, **more))
        for number, (model, name) in enumerate(pairs, start=1)
    ]


def cells(table, first):
    return next(
        [cell.strip() for cell in line.strip("|\n ").split("|")]
        for line in table.splitlines()
        if line.startswith(f"| {first} |")
    )


def test_json_rows_have_name_and_figures_without_those_of_pictures():
    rows = run(["a", "ade20k"], ["small"])
    found = json.loads(json.dumps(suite_to_json(rows)))
    assert [row["name"] for row in found["rows"]] == ["A", "ADE20K"]
    assert found["rows"][1]["miou"] == 20
    assert found["rows"][0]["per_class"] == {"sky": 10}
    assert "areas" not in found["rows"][0]
    assert any(row["method"] == "CAT-Seg L/14" for row in found["published"])


def test_the_table_has_a_line_a_model_and_all_figures_of_each_row():
    rows = run(["a", "b"], ["small", "large|x"])
    table = suite_table(rows)
    assert cells(table, "small") == ["small", "10.0", "20.0", "15.0", "this run"]
    assert cells(table, "large/x") == ["large/x", "30.0", "40.0", "35.0", "this run"]
    assert cells(table, "B") == [
        "B", "small", "20.00", "19.00–21.00", "80.00", "60.00", "70.00", "10",
    ]  # fmt: skip
    assert "seen" not in table
    assert "◊" not in table


def test_every_class_has_a_line_with_the_iou_of_each_model():
    tables = class_tables(run(["a", "b"], ["small", "large"]))
    first, second = tables.split("IoU of each class of B")
    assert "IoU of each class of A\n\n| class | small | large |\n" in first
    assert cells(first, "sky") == ["sky", "10.0", "30.0"]
    assert cells(second, "sky") == ["sky", "20.0", "40.0"]


def test_seen_and_unseen_stand_in_the_table_where_the_labels_told():
    rows = run(["a"], ["m"], seen_miou=33.0, unseen_miou=11.0)
    assert cells(suite_table(rows), "A")[-3:] == ["33.00", "11.00", "10"]


def test_published_rows_of_the_same_sets_stand_beside_ours_with_their_source():
    rows = run(["ade20k", "cityscapes"], ["ours"])
    table = suite_table(rows)
    assert cells(table, "CAT-Seg L/14") == ["CAT-Seg L/14", "37.9", "-", "-", "its README"]
    dino = cells(table, "DINOv3 dino.txt, frozen")
    assert dino == ["DINOv3 dino.txt, frozen", "24.7", "36.9", "-", "DINOv3's table ◊"]
    assert "◊ from notes on the paper" in table
    assert "CorrCLIP" not in table


def test_means_of_the_eight_sets_stand_only_beside_those_eight():
    rows = run(sorted(TRAINING_FREE_SETS), ["ours"])
    assert cells(suite_table(rows), "CorrCLIP L")[-2] == "55.4"
    rows = run(sorted(TRAINING_FREE_SETS)[:7], ["ours"])
    assert "CorrCLIP" not in suite_table(rows)


def test_a_model_without_a_figure_on_a_set_has_no_mean():
    rows = run(["a", "b"], ["m"])
    rows[1] = SuiteRow(rows[1].entry, "m", figures(20) | {"miou": None, "miou_interval": None})
    assert cells(suite_table(rows), "m") == ["m", "10.0", "-", "-", "this run"]
