from datetime import timedelta

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing

from lseg.evaluation.metrics import SegmentationMetric, scores_from_confusion

IGNORED = 255


def naive_scores(predictions, truths, classes, ignored=IGNORED):
    """mIoU, pixel accuracy and IoU by pooled counting, class by class."""
    right = labelled = 0
    intersection, union = np.zeros(classes), np.zeros(classes)
    for prediction, truth in zip(predictions, truths, strict=True):
        valid = truth != ignored
        right += ((prediction == truth) & valid).sum()
        labelled += valid.sum()
        for index in range(classes):
            in_both = (prediction == index) & (truth == index) & valid
            in_either = ((prediction == index) | (truth == index)) & valid
            intersection[index] += in_both.sum()
            union[index] += in_either.sum()
    iou = [i / u if u else np.nan for i, u in zip(intersection, union, strict=True)]
    return np.nanmean(iou), right / labelled, np.array(iou)


def random_maps(seed, classes, count=4, absent=()):
    """Predictions that are right in about two thirds of the pixels, and truths."""
    rng = np.random.default_rng(seed)
    present = [index for index in range(classes) if index not in absent]
    predictions, truths = [], []
    for _ in range(count):
        size = tuple(rng.integers(5, 30, size=2))
        truth = rng.choice(present, size)
        prediction = np.where(rng.random(size) < 0.6, truth, rng.choice(present, size))
        truth[rng.random(size) < 0.1] = IGNORED
        predictions.append(prediction)
        truths.append(truth)
    return predictions, truths


def update(metric, predictions, truths):
    for prediction, truth in zip(predictions, truths, strict=True):
        metric.update(torch.from_numpy(prediction)[None], torch.from_numpy(truth)[None])


def check(scores, wanted):
    miou, accuracy, iou = wanted
    assert scores.miou == pytest.approx(miou, abs=1e-12)
    assert scores.pixel_accuracy == pytest.approx(accuracy, abs=1e-12)
    np.testing.assert_allclose(scores.iou.numpy(), iou, atol=1e-12)


@pytest.mark.parametrize("absent", [(), (0, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_naive_pooled_counting(seed, absent):
    predictions, truths = random_maps(seed, 6, absent=absent)
    metric = SegmentationMetric(6, IGNORED)
    update(metric, predictions, truths)
    check(metric.compute(), naive_scores(predictions, truths, 6))


def test_scores_are_those_of_everything_since_the_reset():
    metric = SegmentationMetric(5)
    update(metric, *random_maps(0, 5))
    metric.compute()
    metric.reset()
    predictions, truths = random_maps(1, 5)
    update(metric, predictions[:2], truths[:2])
    metric.compute()
    update(metric, predictions[2:], truths[2:])
    check(metric.compute(), naive_scores(predictions, truths, 5))


def test_an_ignore_index_below_the_number_of_classes_is_honoured():
    predictions, truths = random_maps(2, 4)
    truths = [np.where(truth == IGNORED, 0, truth) for truth in truths]
    metric = SegmentationMetric(4, ignore_index=0)
    update(metric, predictions, truths)
    check(metric.compute(), naive_scores(predictions, truths, 4, ignored=0))


def test_without_an_ignore_index_every_pixel_counts():
    predictions, truths = random_maps(3, 4)
    truths = [np.where(truth == IGNORED, 1, truth) for truth in truths]
    metric = SegmentationMetric(4, ignore_index=None)
    update(metric, predictions, truths)
    check(metric.compute(), naive_scores(predictions, truths, 4))


def test_a_class_in_neither_truth_nor_prediction_has_no_iou_and_no_weight():
    scores = scores_from_confusion(torch.tensor([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    assert scores.iou[:2].tolist() == [3 / 4, 4 / 5]
    assert scores.iou[2].isnan()
    assert scores.miou == pytest.approx((3 / 4 + 4 / 5) / 2)


def test_a_class_that_is_only_predicted_counts_zero():
    scores = scores_from_confusion(torch.tensor([[3, 1], [0, 0]]))
    assert scores.iou.tolist() == [3 / 4, 0]
    assert scores.miou == 3 / 8


def test_rows_are_truth_and_iou_does_not_depend_on_the_side_of_an_error():
    confusion = torch.tensor([[5, 2], [1, 7]])
    metric = SegmentationMetric(2)
    truth = torch.tensor([[0] * 7 + [1] * 8])
    prediction = torch.tensor([[0] * 5 + [1] * 2 + [0] + [1] * 7])
    metric.update(prediction, truth)
    assert torch.equal(metric.confmat, confusion)
    assert metric.compute().iou.tolist() == [5 / 8, 7 / 10]


def test_iou_is_pooled_and_not_averaged_over_pictures():
    small = np.array([[0, 1]]), np.array([[1, 0]])  # all wrong
    large = np.repeat([[0, 1]], 50, axis=1), np.repeat([[0, 1]], 50, axis=1)  # all right
    metric = SegmentationMetric(2)
    update(metric, *zip(small, large, strict=True))
    pooled = metric.compute().miou
    assert pooled == pytest.approx(50 / 52)
    each = [naive_scores([prediction], [truth], 2)[0] for prediction, truth in (small, large)]
    assert np.mean(each) == 0.5


def test_counts_beyond_the_precision_of_float32_stay_exact():
    confusion = torch.tensor([[2**24 + 1, 0], [1, 2**24]])
    scores = scores_from_confusion(confusion)
    assert scores.iou[0].item() == (2**24 + 1) / (2**24 + 2)
    assert scores.pixel_accuracy == (2**25 + 1) / (2**25 + 2)


def one_rank(rank, folder):
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        f"file://{folder}/rendezvous",
        timeout=timedelta(seconds=300),  # the other's imports take long on a busy machine
        rank=rank,
        world_size=2,
    )
    try:
        predictions, truths = random_maps(7, 5, count=5)
        metric = SegmentationMetric(5)
        update(metric, predictions[rank::2], truths[rank::2])  # three pictures and two
        torch.save(tuple(metric.compute()), f"{folder}/{rank}.pt")
    finally:
        distributed.destroy_process_group()


def test_two_processes_each_compute_the_scores_of_one(tmp_path):
    """This process is the first."""
    spawning = multiprocessing.get_context("spawn")  # a fork may wait for ever for a lock
    second = spawning.Process(target=one_rank, args=(1, tmp_path), daemon=True)
    second.start()
    one_rank(0, tmp_path)
    second.join()
    assert second.exitcode == 0
    wanted = naive_scores(*random_maps(7, 5, count=5), 5)
    for rank in range(2):
        miou, accuracy, _, _, iou = torch.load(tmp_path / f"{rank}.pt")
        assert (miou, accuracy) == pytest.approx(wanted[:2], abs=1e-12)
        np.testing.assert_allclose(iou.numpy(), wanted[2], atol=1e-12)
