"""A saved tiny network, drawn pictures and masks, and the command line in this process."""

import re

import numpy as np
import pytest
import torch
from drawing import LABELS, draw, save_depth_net, save_lseg
from networks import CONV
from PIL import Image

from lseg.cli import main
from lseg.config import Preprocessing, SegmentationConfig
from lseg.models.dpt import DPTSegmentation

WIDTH = 16
NAMES = ["sky", "road", "tree", "other"]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    return save_lseg(tmp_path_factory.mktemp("model"), NAMES)


@pytest.fixture
def pictures(tmp_path):
    """Two pictures, `a.png` (64 x 48) and `b.jpg` (41 x 37)."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(draw(48, 64)).save(folder / "a.png")
    Image.fromarray(draw(37, 41, seed=1)).save(folder / "b.jpg")
    return folder


@pytest.fixture
def data(tmp_path):
    """A data set of two pictures with masks of the first three labels."""
    root = tmp_path / "data"
    root.mkdir()
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        Image.fromarray(draw(40, 56, seed=len(name))).save(root / f"{name}.png")
        mask = rng.integers(0, 3, (40, 56), dtype=np.uint8)
        mask[:5] = 255
        Image.fromarray(mask).save(root / f"{name}.mask.png")
    (root / "classes.txt").write_text("\n".join(NAMES[:3]))
    (root / "val.txt").write_text("one.png one.mask.png\ntwo.png two.mask.png\n")
    (root / "train.txt").write_text("two.png two.mask.png\n")
    return root


@pytest.fixture
def five(data):
    """Five pictures of other sizes, two of the same name, with pixels without a label."""
    rng = np.random.default_rng(3)
    lines = []
    for index, place in enumerate(("a", "b", "sub/a", "c", "d")):
        size = (40 + index, 56 - index)
        (data / place).parent.mkdir(exist_ok=True)
        Image.fromarray(draw(*size, seed=index)).save(data / f"{place}.png")
        mask = rng.integers(0, 3, size, dtype=np.uint8)
        mask[:5] = 255
        Image.fromarray(mask).save(data / f"{place}.mask.png")
        lines.append(f"{place}.png {place}.mask.png")
    (data / "val.txt").write_text("\n".join(lines))
    return data


@pytest.fixture
def run(capsys):
    """Runs `lseg` with these arguments: exit code, standard output, standard error."""

    def call(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="module")
def cluster():
    """Ray on this machine, started once for the tests of a file."""
    from lseg.pipeline import ray_actors  # an extra

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_local_fs_capacity_threshold", "1")  # else it tells of a disk 95 % full
        with ray_actors.cluster():
            yield


@pytest.fixture(scope="session")
def depth_folder(tmp_path_factory):
    return save_depth_net(tmp_path_factory.mktemp("depth"))


@pytest.fixture(scope="session")
def classes_folder(tmp_path_factory):
    """A network with classes of its own, each of which wins some pixels."""
    torch.manual_seed(0)
    config = SegmentationConfig(CONV, Preprocessing(size=64), LABELS)
    model = DPTSegmentation(config).eval()
    with torch.no_grad():
        pixels = torch.from_numpy(draw(48, 64)).permute(2, 0, 1)[None]
        model.classify.bias -= model(model.normalize(pixels)).mean((0, 2, 3))
    folder = tmp_path_factory.mktemp("classes")
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def refused(run):
    """The one line on standard error that a command ends with; it exits with 2."""

    def call(*arguments):
        code, out, err = run(*arguments)
        assert code == 2, (out, err)
        assert out == ""
        err = re.sub("^waiting for .+ \\.\\.\\.\n", "", err)  # told on a slow machine
        assert err.startswith("lseg: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        return err

    return call


@pytest.fixture(autouse=True)
def without_accelerators(monkeypatch):
    """`--device auto` is the processor, for what these tests compare with is computed there."""
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=True: None)
