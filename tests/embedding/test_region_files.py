"""Files of regions, of label maps and of superpixels."""

import dataclasses

import numpy as np
import pytest
import torch
from drawing import draw
from PIL import Image

from lseg.embedding.picture_files import DenseFiles
from lseg.embedding.region_files import LabelMapPieces, RegionFiles, Superpixels
from lseg.embedding.sidecar import Sidecar, describe_config, describe_model, describe_picture
from lseg.embedding.sources import RegionSource
from lseg.errors import DataError
from lseg.files import write_json
from lseg.inference.embed_config import EmbedConfig, PictureGrid
from lseg.inference.segmenter import Segmenter


@pytest.fixture
def result(model):
    return Segmenter(model).embed_rows(
        draw(64, 96), EmbedConfig(grid=PictureGrid(), dtype="float32")
    )


@pytest.fixture
def sidecar(model, result, tmp_path):
    """Of that result, however it is stored."""
    about = {"source": "a.png", "pca": None, "file": "a_f.npy"}
    about |= describe_model(model) | describe_config(result.config) | describe_picture(result)
    write_json(tmp_path / "a.json", about)
    return Sidecar.read(tmp_path / "a.json")


def test_a_level_of_langsplat_has_as_many_regions_as_it_is_to(result, tmp_path):
    """Default, small, middle and large, as SAM names the levels."""
    RegionFiles("langsplat", Superpixels(16)).write(tmp_path, "a", result)
    default, small, middle, large = (
        len(np.unique(level)) for level in np.load(tmp_path / "a_s.npy")
    )
    assert small > 2 * default
    assert default == middle
    assert 1 < large < default / 2


def test_regions_of_another_width_than_the_sidecar_says_are_refused(result, sidecar, tmp_path):
    RegionFiles("langsplat", Superpixels(16)).write(tmp_path, "a", result)
    source = RegionSource.read(tmp_path / "a_f.npy", sidecar, "langsplat")
    assert source.size == (64, 96)
    for change in ({"embed_dim": sidecar.embed_dim + 1}, {"image": (96, 64)}):
        wrong = dataclasses.replace(sidecar, **change)
        with pytest.raises(DataError, match="another picture"):
            RegionSource.read(tmp_path / "a_f.npy", wrong, "langsplat")


def test_files_are_there_when_all_of_them_are(result, tmp_path):
    files = RegionFiles("langsplat", Superpixels(4))
    assert not files.present(tmp_path, "a")
    written = files.write(tmp_path, "a", result)
    assert files.present(tmp_path, "a") == written.names == ["a_f.npy", "a_s.npy"]
    (tmp_path / "a_s.npy").unlink()
    assert not files.present(tmp_path, "a")
    assert not DenseFiles(".npy").present(tmp_path, "a")


def test_pieces_of_a_label_map_are_regions_of_its_own_picture_alone(tmp_path):
    label_map = np.zeros((20, 30), np.uint8)
    label_map[:, 12:] = 3
    (tmp_path / "sub").mkdir()
    Image.fromarray(label_map).save(tmp_path / "sub" / "a.png")
    maker = LabelMapPieces(tmp_path)
    first, second = maker.levels("sub/a", torch.zeros(3, 20, 30), (1, 4))
    assert np.array_equal(first, label_map > 0)
    assert np.array_equal(second, first)
    with pytest.raises(DataError, match="20 x 30, its picture 30 x 20"):
        maker.levels("sub/a", torch.zeros(3, 30, 20), (1,))
