import json

import numpy as np
import pytest
import torch
from PIL import Image

from lseg.data.sets.pairs import PairsDataset
from lseg.evaluation.metrics import Scores, SegmentationMetric
from lseg.evaluation.semantic import evaluate_pictures, scores_to_json
from lseg.inference.views import InferenceConfig, image_logits

CLASSES = ["sky", "road", "tree", "car"]
SIZES = [(64, 96), (64, 64), (37, 51)]


@pytest.fixture
def data(tmp_path, picture):
    """Three pictures; a tenth of the pixels is ignored, and no mask has class 3."""
    root = tmp_path / "data"
    root.mkdir()
    rng = np.random.default_rng(1)
    lines = []
    for number, (height, width) in enumerate(SIZES):
        Image.fromarray(picture(height, width).permute(1, 2, 0).numpy()).save(
            root / f"{number}.png"
        )
        mask = rng.integers(0, 3, (height, width), dtype=np.uint8)
        mask[rng.random(mask.shape) < 0.1] = 255
        Image.fromarray(mask).save(root / f"{number}.mask.png")
        lines.append(f"{number}.png {number}.mask.png")
    (root / "classes.txt").write_text("\n".join(CLASSES))
    (root / "val.txt").write_text("\n".join(lines))
    return PairsDataset(root, "val")


def naive(model, data, labels):
    """Scores from the network's own logits, pixel by pixel over the whole set."""
    truths, predictions = [], []
    for item in data:
        with torch.no_grad():
            logits = model(model.normalize(item["image"][None]), labels)[0]
        predictions.append(logits.argmax(0).numpy().ravel())
        truths.append(item["mask"].numpy().ravel())
    truth, prediction = np.concatenate(truths), np.concatenate(predictions)
    truth, prediction = truth[truth != 255], prediction[truth != 255]
    iou = []
    for index in range(len(labels)):
        union = ((truth == index) | (prediction == index)).sum()
        both = ((truth == index) & (prediction == index)).sum()
        iou.append(both / union if union else np.nan)
    return iou, (truth == prediction).mean()


@pytest.mark.parametrize("labels", [None, ["road", "sky", "other", "tree"]])
def test_scores_equal_those_of_the_network_s_own_argmax(model, data, labels):
    scores = evaluate_pictures(model, data, InferenceConfig(size=0), labels).pooled().scores()
    iou, accuracy = naive(model, data, labels or CLASSES)
    np.testing.assert_allclose(scores.iou.numpy(), iou, atol=1e-12)
    assert scores.miou == pytest.approx(np.nanmean(iou))
    assert scores.pixel_accuracy == pytest.approx(accuracy)
    assert sum(value > 0 for value in iou) > 1  # the network does not always say the same


def test_one_class_alone_is_a_list_of_one(model, data):
    root = data.folder.root
    (root / "classes.txt").write_text("sky")
    for number, (height, width) in enumerate(SIZES):
        Image.fromarray(np.zeros((height, width), np.uint8)).save(root / f"{number}.mask.png")
    areas = evaluate_pictures(model, PairsDataset(root, "val"), InferenceConfig(size=0))
    scores = areas.pooled().scores()
    assert scores.iou.tolist() == [1.0]
    assert scores_to_json(scores, ["sky"])["per_class"] == {"sky": 100.0}


def test_figures_are_in_percent_and_json_can_hold_them():
    scores = Scores(0.25, 0.5, 0.4, 0.3, torch.tensor([0.5, 0.0, torch.nan], dtype=torch.double))
    figures = scores_to_json(scores, ["sky", "person|people", "car"])
    assert figures["miou"] == 25
    assert figures["pixel_accuracy"] == 50
    assert list(figures["per_class"].values()) == [50, 0, None]
    assert list(figures["per_class"])[::2] == ["sky", "car"]
    json.dumps(figures, allow_nan=False)


def test_a_set_without_labelled_pixels_has_no_figures_rather_than_invalid_json():
    nothing = torch.full((2,), torch.nan, dtype=torch.double)
    figures = scores_to_json(Scores(*[float("nan")] * 4, nothing), ["sky", "road"])
    json.dumps(figures, allow_nan=False)


def test_classes_whose_display_names_agree_keep_a_figure_each():
    scores = Scores(0.5, 0.5, 0.5, 0.5, torch.tensor([0.2, 0.8], dtype=torch.double))
    figures = scores_to_json(scores, ["bat|animal", "bat|club"])
    assert list(figures["per_class"].values()) == [20, 80]


def test_areas_of_pictures_pool_to_exactly_the_scores_of_the_metric_of_a_training(model, data):
    areas = evaluate_pictures(model, data, InferenceConfig())
    metric = SegmentationMetric(len(CLASSES), data.ignore_index)
    text = model.encode_labels(data.labels)
    for item in data:
        logits = image_logits(model, item["image"], text)
        metric.update(logits.argmax(0)[None], item["mask"][None])
    scores, pooled = metric.compute(), areas.pooled().scores()
    assert areas.names == ("0", "1", "2")
    assert pooled[:4] == scores[:4]
    assert pooled.iou.nan_to_num(-1).equal(scores.iou.nan_to_num(-1))
