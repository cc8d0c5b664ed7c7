"""Pictures of any size are read, up to a limit that an option names; what is not exact is said."""

import numpy as np
import pytest
from drawing import draw, names
from PIL import Image


@pytest.mark.parametrize("command", ["predict", "embed", "depth"])
def test_the_limit_on_pixels_is_the_options(
    run, checkpoint, depth_folder, tmp_path, command, monkeypatch
):
    Image.fromarray(draw(1100, 1000)).save(tmp_path / "a.png")
    model = depth_folder if command == "depth" else checkpoint
    more = ["--labels", "sky,road"] if command == "predict" else []
    words = [command, tmp_path / "a.png", "--checkpoint", model, "--size", "32", *more]
    code, _, err = run(*words, "--out", tmp_path / "none", "--max-megapixels", "1")
    assert code == 2
    assert "a.png has 1000x1100 pixels, 1.1 megapixels, more than the limit of 1: raise" in err
    assert "--max-megapixels" in err
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's, which stays as it is
    code, _, err = run(*words, "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert len(names(tmp_path / "out")) >= 2
    code, _, err = run(*words, "--out", tmp_path / "none", "--max-megapixels", "0")
    assert code == 2
    assert "give 1 or more" in err


def test_what_was_made_of_12_bits_is_said_once(run, checkpoint, tmp_path):
    for name in ("a", "b", "c"):
        Image.fromarray(draw(40, 56)[..., 0].astype(np.uint16) * 16).save(tmp_path / f"{name}.png")
    code, _, err = run(
        "predict", tmp_path / "*.png", "--labels", "sky,road", "--checkpoint", checkpoint,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert code == 0
    assert err.count("lseg: note: 16-bit pictures without a value above 4095 are read as 12") == 1
