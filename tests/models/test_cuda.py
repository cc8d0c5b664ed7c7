"""What a GPU computes beside what the processor does."""

import copy

import pytest
import torch
from needs import needs_gpu
from torch.nn import functional as F

from lseg.models.acceleration import accelerate, prepare_training, round_float32
from lseg.models.loss import strip_cross_entropy
from lseg.models.lseg import LSeg
from lseg.models.strips import label_map, top_labels

pytestmark = needs_gpu


@pytest.fixture(params=["vit", "conv"])
def model(request, tiny_vit_config, tiny_conv_config):
    return LSeg({"vit": tiny_vit_config, "conv": tiny_conv_config}[request.param])


@pytest.fixture
def pixels():
    return torch.randn(2, 3, 70, 96)


@pytest.fixture
def text():
    return F.normalize(torch.randn(300, 24), dim=-1)


def on_gpu(model, precision="fp32", compiled=False):
    copied = copy.deepcopy(model).cuda()
    accelerate(copied, precision, compiled)
    return copied


@torch.inference_mode()
def test_float32_logits_and_labels_are_those_of_the_processor(model, pixels, text):
    model.eval()
    gpu = on_gpu(model)
    wanted = model(pixels, text)
    torch.testing.assert_close(gpu(pixels.cuda(), text.cuda()).cpu(), wanted, atol=1e-4, rtol=0)
    found = top_labels(gpu.logits(pixels.cuda(), text.cuda()), 3).logits.cpu()
    torch.testing.assert_close(found, wanted.topk(3, dim=1).values, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("precision", "bound"), [("tf32", 0.01), ("bf16", 0.05)])
@torch.inference_mode()
def test_rounded_products_stay_near_float32(model, pixels, text, precision, bound):
    wanted = model.eval()(pixels, text)
    found = on_gpu(model, precision)(pixels.cuda(), text.cuda())
    assert found.dtype == torch.float32
    assert 0 < (found.cpu() - wanted).abs().max() < bound * wanted.abs().max()


@torch.inference_mode()
def test_compiled_bf16_gives_nearly_the_labels_of_eager_bf16(model, pixels, text):
    model.eval()
    maps = [
        label_map(on_gpu(model, "bf16", compiled).logits(pixels.cuda(), text[:5].cuda()))
        for compiled in (False, True)
    ]
    assert (maps[0] == maps[1]).float().mean() > 0.98


def loss_and_gradients(model, pixels, text, mask):
    loss = strip_cross_entropy(model.logits(pixels, text), mask, 255)
    loss.backward()
    return loss.item(), {n: p.grad.cpu() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("compiled", [False, True])
def test_loss_and_gradients_are_those_of_the_processor(model, pixels, text, compiled):
    gpu = copy.deepcopy(model).cuda()
    prepare_training(gpu, "fp32", compiled)
    mask = torch.randint(0, 300, (2, 70, 96))
    wanted, gradients = loss_and_gradients(model, pixels, text, mask)
    found, others = loss_and_gradients(gpu, pixels.cuda(), text.cuda(), mask.cuda())
    assert found == pytest.approx(wanted, rel=1e-4)
    assert others.keys() == gradients.keys()
    for name, gradient in gradients.items():
        error = (others[name] - gradient).norm()
        assert error <= 2e-3 * gradient.norm() + 1e-6, name


def test_tf32_is_for_those_who_ask():
    round_float32(True)
    a = torch.randn(512, 512, device="cuda")
    wanted = (a.double() @ a.double()).float()
    rounded = (a @ a - wanted).norm() / wanted.norm()
    round_float32(False)
    exact = (a @ a - wanted).norm() / wanted.norm()
    assert exact < 1e-6 < 1e-5 < rounded
