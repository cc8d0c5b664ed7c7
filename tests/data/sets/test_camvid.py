"""CamVid as published, and as others share it."""

import numpy as np
import pytest
from needs import PHOTOS, needs_photos
from published_trees import CAMVID, COLOURS, TREES

from lseg.data.sets.pairs import PairsFolder
from lseg.data.sets.published import refuse_missing_files
from lseg.data.sets.registry import open_set
from lseg.errors import DataError


def test_the_published_camvid_has_a_split_of_all_pictures(tmp_path):
    tree = TREES["camvid32, as published"]
    expected = tree.draw(tmp_path)
    (tmp_path / tree.home / "val.txt").unlink()
    folder = open_set("camvid32", tmp_path, "all")
    assert list(folder.stems) == list(expected)


@pytest.mark.parametrize("name", ["camvid32", "camvid32, as published"])
def test_the_colours_are_those_of_the_folders_own_table(name, tmp_path):
    tree = TREES[name]
    expected = tree.draw(tmp_path)
    path = next((tmp_path / tree.home).glob("*l*_*.[tc][xs][tv]"))
    path.write_text(path.read_text().replace("Animal", "Wombat"))
    with pytest.raises(DataError, match="other names than CamVid's 32: Animal, Wombat"):
        open_set(tree.dataset, tmp_path, tree.split)
    # two names exchange their colours
    text = path.read_text().replace("Wombat", "Train*").replace("Train", "Animal", 2)
    swapped = text.replace("Animal*", "Train")
    path.write_text(swapped)
    mask = open_set(tree.dataset, tmp_path, tree.split).mask(tree.names[0])
    drawn = expected[tree.names[0]]
    animal, train = 0, 25
    assert np.array_equal(mask == animal, drawn == train)
    assert np.array_equal(mask == train, drawn == animal)
    path.write_text("Animal,64,128\n")
    with pytest.raises(DataError, match="no name with red, green and blue"):
        open_set(tree.dataset, tmp_path, tree.split)
    path.unlink()
    assert np.array_equal(open_set(tree.dataset, tmp_path, tree.split).mask(tree.names[0]), drawn)


def test_the_trees_colours_are_camvids():
    assert len(COLOURS) == len(CAMVID.splitlines()) == len(set(COLOURS)) == 32


@needs_photos("camvid11")
def test_a_real_camvid_is_read_as_its_list_says():
    folder = open_set("camvid11", PHOTOS)
    listed = PairsFolder(PHOTOS / "camvid11", "val", 11)
    assert len(folder.stems) == len(listed.stems) == 101
    refuse_missing_files(folder)
    assert folder.classes == listed.classes
    for stem, pair in list(zip(folder.stems, listed.stems, strict=True))[::25]:
        assert np.array_equal(folder.mask(stem), listed.mask(pair))
