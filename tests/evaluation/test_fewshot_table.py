import json
import runpy
import sys
from pathlib import Path

import pytest

from lseg.evaluation.fewshot_table import fewshot_table

ROOT = Path(__file__).parents[2]


def figures(fold, miou, fb_iou):
    return {"folds": [{"fold": fold}], "miou": miou, "fb_iou": fb_iou}


def test_rows_have_the_folds_and_their_means_beside_the_published_ones():
    folds = [figures(0, 50.0, 70.0), figures(2, 40.04, 61.0)]
    lines = fewshot_table("pascal5i", {"zero-shot": folds, "1-shot": folds[::-1]}).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["pascal5i", "fold 0", "fold 2", "mIoU", "FB-IoU"]
    assert cells[2] == ["zero-shot", "50.0", "40.0", "45.0", "65.5"]
    assert cells[3] == ["1-shot", "40.0", "50.0", "45.0", "65.5"]
    assert cells[4] == ["LSeg ResNet-101, zero-shot, published", "52.8", "44.4", "47.4", "64.1†"]
    assert cells[6] == ["SAZS ViT-L, zero-shot, published", "-", "-", "59.5", "-"]


def test_the_script_evaluates_every_fold_with_its_own_checkpoint(tmp_path, monkeypatch, capsys):
    (tmp_path / "fold0").symlink_to(ROOT / "lseg" / "assets" / "tiny_lseg")

    def script(*folds):
        more = ["--shots", "0", "1", "--without-text", "--episodes", "3", "--workers", "0"]
        out = [str(tmp_path / "fold{fold}"), str(tmp_path / "out")]
        monkeypatch.setattr(sys, "argv", ["eval_fewshot.py", "shapes", *out, *more, *folds])
        runpy.run_path(str(ROOT / "scripts" / "eval_fewshot.py"), run_name="__main__")

    script("--folds", "0")
    rows = {"zero-shot": "0shot", "1-shot": "1shot", "1-shot, supports alone": "1shot_visual"}
    found = {
        row: [json.loads((tmp_path / "out" / f"{stem}_fold0.json").read_text())]
        for row, stem in rows.items()
    }
    table = (tmp_path / "out" / "table.md").read_text()
    assert table == fewshot_table("shapes", found)
    assert table in capsys.readouterr().out
    assert len({one["miou"] for (one,) in found.values()}) == 3
    with pytest.raises(SystemExit) as stopped:
        script("--folds", "1")
    assert stopped.value.code == 2
    assert "fold1" in capsys.readouterr().err
