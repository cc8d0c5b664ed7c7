import pytest
import torch
from random_source import RandomSource

from lseg.data.base.transforms import AugmentConfig, JointTransform
from lseg.data.fewshot.episode_data import resize_mask
from lseg.data.fewshot.sources import Entry
from lseg.data.fewshot.tasks import (
    IGNORE_INDEX,
    BalancedClasses,
    EveryEntry,
    EveryPicture,
    SeenVocabularyData,
    TwoWayData,
    Vocabulary,
)
from lseg.errors import LabelError

SEEN = (0, 2, 5)  # cat, cow and hen; dog, owl and pig are held out


@pytest.fixture
def source():
    return RandomSource(SEEN)


def test_vocabulary_has_the_classes_of_the_list_and_no_other(source):
    vocabulary = Vocabulary(source)
    assert vocabulary.labels == ["others", "cat", "cow", "hen"]
    assert [vocabulary.label(kind) for kind in SEEN] == [1, 2, 3]
    names = ["kitten", "puppy", "cattle", "barn owl", "piglet", "chicken"]
    assert Vocabulary(source, "other", names).labels == ["other", "kitten", "cattle", "chicken"]
    with pytest.raises(LabelError, match="2 labels for the 6 classes"):
        Vocabulary(source, names=["a", "b"])


def test_two_way_targets_are_the_asked_class_and_nothing_else(source):
    data = TwoWayData(source, Vocabulary(source), EveryEntry(source.entries), size=40)
    assert len(data) == 8 * 3
    for index, (picture, kind) in enumerate(source.entries):
        item = data[0, index]
        truth = resize_mask(source.read(picture).mask, 40)
        label = 1 + SEEN.index(kind)
        wanted = torch.where(truth == kind, label, 0).where(truth != -2, IGNORE_INDEX)
        assert torch.equal(item["mask"], wanted)
        assert item["candidates"].tolist() == [0, label]
        assert (wanted == IGNORE_INDEX).any()


def test_vocabulary_targets_leave_held_out_pixels_out(source):
    data = SeenVocabularyData(source, Vocabulary(source), EveryPicture(source.entries), size=40)
    assert len(data) == 8
    for index in range(8):
        item = data[index]
        truth = resize_mask(source.read(index).mask, 40)
        table = {-2: IGNORE_INDEX, -1: 0, 0: 1, 2: 2, 5: 3}
        wanted = torch.tensor(
            [table.get(value, IGNORE_INDEX) for value in truth.flatten().tolist()]
        )
        assert torch.equal(item["mask"], wanted.view(40, 40))
        assert "candidates" not in item


def test_image_and_mask_are_transformed_alike(source):
    transform = JointTransform(AugmentConfig(40, (0.5, 2.0), 40, flip=0.5), IGNORE_INDEX)
    options = (source, Vocabulary(source), EveryEntry(source.entries))
    data = TwoWayData(*options, 40, transform, seed=3)
    first, again = data[1, 5], TwoWayData(*options, 40, transform, seed=3)[1, 5]
    assert torch.equal(first["mask"], again["mask"])
    assert not torch.equal(first["image"], data[2, 5]["image"])
    kind = source.entries[5].class_index
    inside = first["mask"] == first["candidates"][1]
    assert inside.any()
    # stripes are blurred at their borders; inside, the red channel tells the class
    near = (first["image"][0].int() - (kind + 2) * 20).abs() <= 10
    assert near[inside].float().mean() > 0.7


def test_every_picture_is_read_once():
    entries = [Entry(4, 1), Entry(2, 0), Entry(4, 3), Entry(2, 0), Entry(3, 2)]
    sampling = EveryPicture(entries)
    assert [sampling(7, index) for index in range(len(sampling))] == [(2, 0), (3, 2), (4, 1)]


def test_balanced_draws_take_classes_as_often_as_each_other():
    entries = [Entry(picture, 0) for picture in range(50)] + [Entry(3, 1), Entry(60, 4)]
    draws = BalancedClasses(entries, seed=1, items=600)
    drawn = [draws(0, index) for index in range(len(draws))]
    counts = [sum(entry.class_index == kind for entry in drawn) for kind in (0, 1, 4)]
    assert min(counts) > 150
    assert set(drawn) <= set(entries)
    assert len({entry.picture for entry in drawn}) > 40
    assert drawn == [BalancedClasses(entries, 1, 600)(0, index) for index in range(600)]
    assert drawn != [draws(1, index) for index in range(600)]
    assert len(BalancedClasses(entries)) == 51
