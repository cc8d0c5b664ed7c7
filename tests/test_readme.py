"""The README's tour runs as it stands."""

import os
import shutil
import subprocess
import sys

import pages

from lseg.paths import ASSETS


def test_the_five_snippets_of_the_tour_run_one_after_the_other(tmp_path):
    shutil.copy(ASSETS / "photos" / "chelsea.jpg", tmp_path / "photo.jpg")
    (tmp_path / "predictions").mkdir()
    code = [block.text for block in pages.blocks(pages.README) if block.language == "python"]
    assert len(code) == 5
    checks = (
        "assert logits.shape == (2, 300, 451) and best.shape == (2, 300, 451)\n"
        "assert features.shape == (2, model.config.embed_dim, 60, 49)\n"
        "assert similarity.shape == (2, embeddings[0].size)\n"
        "assert result.scores.shape == (2, 300, 451)\n"
        "assert same.config.trunk == model.config.trunk\n"
        "assert same.encode_labels(['cat']).equal(model.encode_labels(['cat']))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(pages.ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*code, checks])],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "predictions" / "photo.overlay.png").is_file()


def test_it_is_a_front_door():
    assert len(pages.README.read_text("utf-8").splitlines()) <= 150
