"""Batches that ask each picture for labels of its own."""

import pytest
import torch
from pytorch_lightning import Trainer
from torch.nn import functional as F

from lseg.data.fewshot.shapes_benchmark import ShapesBenchmark
from lseg.data.fewshot.zeroshot import ZeroShotDataModule
from lseg.training.candidates import candidate_labels, candidate_rows, candidate_text
from lseg.training.module import LSegModule
from lseg.training.objective import AskedSet, LossConfig, batch_loss
from lseg.training.optim import OptimConfig

IGNORED = 65535
QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}


@pytest.fixture
def zeroshot():
    benchmark = ShapesBenchmark(train_length=6, test_length=12, size=32)
    return ZeroShotDataModule(
        benchmark, background="background", size=32, batch_size=4, val_batch_size=2, val_items=4
    )


def test_rows_and_labels_are_inverses_and_labels_not_asked_for_are_ignored():
    batch = {"candidates": torch.tensor([[0, 7], [0, 3]])}
    mask = torch.tensor([[[0, 7], [3, IGNORED]], [[3, 0], [7, 3]]])
    rows = candidate_rows(mask, batch, IGNORED)
    assert rows.tolist() == [[[0, 1], [IGNORED, IGNORED]], [[1, 0], [IGNORED, 1]]]
    predicted = torch.tensor([[[0, 1], [1, 0]], [[1, 0], [0, 1]]])
    assert candidate_labels(predicted, batch).tolist() == [[[0, 7], [7, 0]], [[3, 0], [0, 3]]]
    text = torch.randn(9, 5)
    assert torch.equal(candidate_text(text, batch), torch.stack([text[[0, 7]], text[[0, 3]]]))


def test_without_asked_everything_stays_as_it_is():
    mask, text = torch.randint(0, 9, (2, 4, 4)), torch.randn(9, 5)
    assert candidate_rows(mask, {}, IGNORED) is mask
    assert candidate_labels(mask, {}) is mask
    assert candidate_text(text, {}) is text


@pytest.mark.parametrize("loss_stride", [1, 4])
def test_the_loss_is_two_way_cross_entropy_picture_by_picture(network, zeroshot, loss_stride):
    """At stride 4, against logits computed for the same aligned pixels."""
    module = LSegModule(network, loss_stride=loss_stride)
    asked = AskedSet(module.net.encode_labels(zeroshot.labels))
    module.eval()
    batch = next(iter(zeroshot.train_dataloader()))
    with torch.no_grad():
        found = batch_loss(module.net, [asked], batch, LossConfig(loss_stride, 0.0, IGNORED))
        losses = []
        for image, mask, labels in zip(*batch.values(), strict=True):
            pixels = module.net.normalize(image[None])
            text = asked.text[labels]
            if loss_stride == 1:
                logits = module.net(pixels, text)
            else:
                logits = module.net.coarse_logits(pixels, text)
                where = torch.linspace(0, 31, logits.shape[-1]).round().long()
                mask = mask[where][:, where]
            losses.append(F.cross_entropy(logits, (mask[None] == labels[1]).long()))
    assert found.item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-4)


def test_a_run_learns_and_scores_seen_classes_without_the_background(network, zeroshot):
    torch.manual_seed(0)
    module = LSegModule(network, OptimConfig(name="adamw", lr=1e-3, decoder_factor=1.0))
    trainer = Trainer(**QUIET, max_epochs=1)
    trainer.fit(module, datamodule=zeroshot)
    assert list(module.scores) == ["seen/fold1", "seen/fold2", "seen/fold3"]
    for name, scores in module.scores.items():
        labels = dict(zeroshot.val_sets)[name]
        assert len(scores.iou) == len(labels)
        assert scores.miou == pytest.approx(scores.iou[1:].nanmean().item())
        assert scores.miou != pytest.approx(scores.iou.nanmean().item())
