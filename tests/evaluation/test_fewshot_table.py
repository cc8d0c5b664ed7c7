import json
import subprocess
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


def test_the_script_evaluates_every_fold_with_its_own_checkpoint(tmp_path):
    (tmp_path / "fold0").symlink_to(ROOT / "lseg" / "assets" / "tiny_lseg")
    command = [sys.executable, ROOT / "scripts" / "eval_fewshot.py", "shapes"]
    command += [tmp_path / "fold{fold}", tmp_path / "out", "--shots", "0", "1", "--without-text"]
    command += ["--episodes", "4", "--workers", "0", "--folds"]
    run = subprocess.run([*command, "0"], capture_output=True, text=True, cwd=ROOT, check=True)
    rows = ["zero-shot", "1-shot", "1-shot, supports alone"]
    found = [json.loads((tmp_path / "out" / f"{stem}_fold0.json").read_text()) for stem in
             ("0shot", "1shot", "1shot_visual")]  # fmt: skip
    table = (tmp_path / "out" / "table.md").read_text()
    assert table == fewshot_table("shapes", dict(zip(rows, ([one] for one in found), strict=True)))
    assert table in run.stdout
    assert len({one["miou"] for one in found}) == 3
    missing = subprocess.run([*command, "1"], capture_output=True, text=True, cwd=ROOT)
    assert missing.returncode == 2
    assert "fold1" in missing.stderr
    with pytest.raises(FileNotFoundError):
        (tmp_path / "out" / "0shot_fold1.json").read_text()
