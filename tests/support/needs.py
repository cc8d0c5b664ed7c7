"""What a test may lack: a GPU, a browser, Lance, or photographs that may not be shipped.

Nothing else is a reason to skip one; `tests/conftest.py` fails a test that is skipped for another.
"""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

PHOTOS = Path(os.environ.get("LSEG_DATA") or Path(__file__).parents[3] / "shared" / "data")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
GPU, BROWSER, PHOTOGRAPHS = (
    "needs a GPU",
    "needs a browser: no chromium here",
    "needs photographs that may not be shipped",
)
LANCE = "needs Lance: pip install pylance"
REASONS = (GPU, BROWSER, LANCE, PHOTOGRAPHS)

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason=GPU)
needs_lance = pytest.mark.skipif(find_spec("lance") is None, reason=LANCE)
# CI_BROWSER=1 makes the absence of a browser an error.
needs_browser = pytest.mark.skipif(
    CHROMIUM is None and os.environ.get("CI_BROWSER") != "1", reason=BROWSER
)


def needs_photos(name):
    """A mark for tests on the folder `PHOTOS / name`."""
    return pytest.mark.skipif(
        not (PHOTOS / name).is_dir(), reason=f"{PHOTOGRAPHS}: no {PHOTOS / name}"
    )
