import numpy as np
import pytest
import torch
from random_source import RandomBenchmark

from lseg.data.base.folder import IGNORE
from lseg.data.fewshot.all_classes import AllClassesData
from lseg.errors import LabelError
from lseg.evaluation.generalised import generalised_figures, harmonic_mean
from lseg.evaluation.metrics import SegmentationMetric
from lseg.evaluation.semantic import scores_to_json


def naive(predictions, truths, seen, unseen):
    """Counts pixel by pixel in NumPy."""

    def miou(classes):
        found = []
        for index in classes:
            pairs = [(p[t != 255], t[t != 255]) for p, t in zip(predictions, truths, strict=True)]
            both = sum(((p == index) & (t == index)).sum() for p, t in pairs)
            either = sum(((p == index) | (t == index)).sum() for p, t in pairs)
            found += [both / either] if either else []
        return np.mean(found)

    first, second = miou(seen), miou(unseen)
    return 100 * first, 100 * second, 100 * 2 / (1 / first + 1 / second)


def test_figures_equal_a_naive_count():
    rng = np.random.default_rng(0)
    truths = [rng.choice(6, (20, 15)) for _ in range(3)]  # class 6 occurs nowhere
    predictions = [np.where(rng.random(t.shape) < 0.5, t, rng.choice(6, t.shape)) for t in truths]
    for truth in truths:
        truth[:3] = 255
    metric = SegmentationMetric(7)
    for prediction, truth in zip(predictions, truths, strict=True):
        metric.update(torch.from_numpy(prediction), torch.from_numpy(truth))
    names = ["others", "a", "b", "c", "d", "e", "f"]
    per_class = scores_to_json(metric.compute(), names)["per_class"]
    figures = generalised_figures(per_class, {"b", "e", "f"}, left_out={"others"})
    wanted = naive(predictions, truths, seen=(1, 3, 4), unseen=(2, 5, 6))
    assert [figures[key] for key in ("seen_miou", "unseen_miou", "hiou")] == pytest.approx(wanted)
    assert figures["unseen"] == ["b", "e", "f"]


def test_harmonic_mean_of_nought_is_nought():
    assert harmonic_mean(0.0, 50.0) == 0
    assert harmonic_mean(0.0, 0.0) == 0
    assert harmonic_mean(40.0, 60.0) == pytest.approx(48.0)


def test_without_a_class_that_occurs_there_is_no_figure():
    figures = generalised_figures({"a": 50.0, "b": None}, {"b"})
    assert figures["seen_miou"] == 50
    assert figures["unseen_miou"] is None
    assert figures["hiou"] is None


def test_unseen_classes_must_exist_and_leave_some_seen():
    with pytest.raises(LabelError, match="unseen classes x are none"):
        generalised_figures({"a": 1.0, "b": 1.0}, {"x", "b"})
    for unseen in ((), ("a", "b")):
        with pytest.raises(LabelError, match="some must be, and some not"):
            generalised_figures({"a": 1.0, "b": 1.0, "others": 1.0}, unseen, {"others"})


def test_a_benchmarks_pictures_come_once_with_all_classes():
    benchmark = RandomBenchmark()
    data = AllClassesData(benchmark)
    assert data.labels == ["others", "cat", "dog", "cow", "owl", "pig", "hen"]
    assert len(data) == 8  # the folds list pictures of the same names
    source, picture = data.pictures[3]
    values = torch.from_numpy(source.read(picture).mask)
    item = data[0, 3]
    assert torch.equal(item["mask"] == 255, values == IGNORE)
    kept = values != IGNORE
    assert torch.equal(item["mask"][kept], values[kept].long() + 1)
    assert item["image"].shape == (3, *values.shape)
