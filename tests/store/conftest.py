"""Weights, and files of them as others write them."""

import sys
import types
import zipfile

import pytest
import torch
from pickles import FORMATS
from saved_network import config, model  # noqa: F401


@pytest.fixture(params=FORMATS)
def save(request, tmp_path):
    """Writes a checkpoint in one of PyTorch's two formats."""

    def write(values, name="model.ckpt"):
        path = tmp_path / name
        zipped = request.param == "zip"
        torch.save(values, path, _use_new_zipfile_serialization=zipped)
        assert zipfile.is_zipfile(path) == zipped
        return path

    return write


@pytest.fixture
def weights():
    flat = torch.randn(40)
    return {
        "a.weight": torch.randn(4, 3, 2, 2),
        "a.bias": torch.randn(3, dtype=torch.float64),
        "half": torch.randn(5).half(),
        "count": torch.tensor(7),
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
        "transposed": torch.randn(3, 5).T,
        "view": flat[8:20].view(3, 4),
        "same storage": flat[2:6],
        "empty": torch.zeros(0, 3),
    }


class Settings:
    """Stands for a class of the original's code."""

    def __init__(self, **values):
        self.__dict__.update(values)

    def __eq__(self, other):
        return self.__dict__ == other.__dict__

    def __hash__(self):
        return 1


@pytest.fixture
def vanished():
    """A class of a module that is gone when the file is read."""
    module = types.ModuleType("vanished_lseg")
    module.Options = type("Options", (Settings,), {"__module__": module.__name__})
    sys.modules[module.__name__] = module
    yield module.Options
    sys.modules.pop(module.__name__, None)
