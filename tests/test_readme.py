"""The README's tour runs as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lseg.data.sets.shapes import CLASSES, draw

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def snippets():
    tour = re.search(r"^## Quick tour$(.*?)^## ", README, re.DOTALL | re.MULTILINE)
    return re.findall(r"```python\n(.*?)```", tour[1], re.DOTALL)


def test_the_five_snippets_of_the_tour_run_one_after_the_other(tmp_path):
    image, _ = draw(np.random.default_rng([11]), 128, CLASSES, min_objects=4)
    Image.fromarray(image.transpose(1, 2, 0)).save(tmp_path / "photo.jpg")
    (tmp_path / "predictions").mkdir()
    code = snippets()
    assert len(code) == 5
    checks = (
        "assert logits.shape == (2, 128, 128) and best.shape == (2, 128, 128)\n"
        "assert features.shape == (2, model.config.embed_dim, 60, 49)\n"
        "assert similarity.shape == (2, embeddings[0].size)\n"
        "assert result.scores.shape == (2, 128, 128)\n"
        "assert same.config == model.config\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*code, checks])],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "predictions" / "photo.overlay.png").is_file()


@pytest.mark.parametrize("path", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_links_of_the_readme_lead_to_files(path):
    assert (ROOT / path).exists()
