import pytest
import torch
from random_source import RandomBenchmark, RandomSource

from lseg.data.fewshot.shapes_benchmark import SHAPES_FOLDS, ShapesBenchmark
from lseg.data.fewshot.tasks import IGNORE_INDEX
from lseg.data.fewshot.zeroshot import ZeroShotDataModule
from lseg.data.sets.shapes import CLASSES
from lseg.errors import ConfigError


def module(benchmark=None, **options):
    options = {"size": 32, "batch_size": 4, "val_batch_size": 2, "flip": 0.0, **options}
    return ZeroShotDataModule(benchmark or RandomBenchmark(), **options)


@pytest.mark.parametrize("fold", [0, 1, 2])
@pytest.mark.parametrize(
    "options", [{}, {"balanced": True, "epoch_items": 48}, {"task": "vocabulary"}]
)
def test_no_held_out_class_is_ever_a_positive_target(fold, options):
    """The red channel tells the true class of a pixel; the mask tells what the loss wants there."""
    benchmark = RandomBenchmark()
    data = module(benchmark, fold=fold, size=40, **options)  # as high as the masks: nothing blurs
    names = [RandomSource.classes[index] for index in benchmark.folds.held_out(fold)]
    assert not set(names) & set(data.labels)
    held, positives = 0, set()
    for batch in data.train_dataloader():
        values = batch["image"][:, 0] // 20 - 2
        for index in benchmark.folds.held_out(fold):
            targets = batch["mask"][values == index]
            held += len(targets)
            assert ((targets == 0) | (targets == IGNORE_INDEX)).all()
        positives |= set(batch["mask"].unique().tolist())
    assert held > 1000
    assert positives == {0, *range(1, len(data.labels)), IGNORE_INDEX}


@pytest.mark.parametrize("fold", range(4))
def test_shapes_training_never_shows_or_asks_a_held_out_class(fold):
    data = module(ShapesBenchmark(train_length=24, size=32), fold=fold)
    held = [CLASSES[index] for index in SHAPES_FOLDS.held_out(fold)]
    assert len(data.labels) > 15
    assert not set(held) & set(data.labels)
    for batch in data.train_dataloader():
        assert (batch["candidates"][:, 1] > 0).all()
        asked = batch["candidates"][:, 1, None, None]
        assert ((batch["mask"] == 0) | (batch["mask"] == asked)).all()


def test_validation_asks_for_seen_classes_unless_told_otherwise():
    names = {kind: [name for name, _ in module(fold=1, validate=kind).val_sets] for kind in
             ("seen", "unseen", "both")}  # fmt: skip
    assert names == {
        "seen": ["seen/fold0", "seen/fold2"],
        "unseen": ["unseen"],
        "both": ["seen/fold0", "seen/fold2", "unseen"],
    }
    sets = dict(module(fold=1, validate="both").val_sets)
    assert sets["seen/fold0"] == ["others", "cat", "owl"]
    assert sets["unseen"] == ["others", "dog", "pig"]


def test_label_file_names_every_class_in_the_benchmarks_order(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("kitten\npuppy\ncattle\nbarn owl\npiglet\nchicken\n")
    data = module(fold=1, label_file=path, validate="unseen")
    assert data.labels == ["others", "kitten", "cattle", "barn owl", "chicken"]
    assert data.val_sets == [("unseen", ["others", "puppy", "piglet"])]


def test_a_benchmark_of_one_fold_sets_pictures_aside():
    data = module(RandomBenchmark(folds=1))
    data.benchmark.open = lambda fold, part: RandomSource((0, 1, 2), length=20)
    assert [name for name, _ in data.val_sets] == ["seen"]
    assert len(data.make_train_set()) == 18 * 3
    assert len(data.make_val_sets()["seen"]) == 2 * 3


def test_validation_takes_its_items_evenly_from_the_list():
    (data,) = module(val_items=5, validate="unseen").make_val_sets().values()
    pictures = [data.sampling(0, index).picture for index in range(len(data))]
    assert len(pictures) == 5
    assert pictures[0] == 0
    assert pictures[-1] >= 6


def test_batches_hold_what_each_picture_is_asked_for():
    batch = next(iter(module().train_dataloader()))
    assert batch["candidates"].shape == (4, 2)
    assert torch.equal(batch["candidates"][:, 0], torch.zeros(4).long())
    assert (batch["candidates"][:, 1] > 0).all()


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="fold 3"):
        module(fold=3).make_train_set()
    with pytest.raises(ConfigError, match="val_items is 0"):
        module(val_items=0)
