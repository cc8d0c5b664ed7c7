"""The memory of a label map does not grow with the labels: 847 of them on 2048 x 1024 pixels."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT = 2e9  # bytes above the model


@pytest.mark.slow  # a large picture, in a process of its own
@pytest.mark.parametrize("rule", ["whole", "windows", "published"])
def test_847_labels_on_two_megapixels_take_less_than_two_gigabytes(rule):
    """All logits would be 7 GB."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, ROOT / "tests/support/memory_of_labels.py", rule],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    above, _ = done.stdout.split()
    assert 2**20 < int(above) < LIMIT
