import pytest
import torch
from torch import nn

from lseg.training.optim import OptimConfig, build_optimizer, build_schedule


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(2, 2)
        self.decoder = nn.Linear(2, 2)


def rates(config, steps):
    network = Network()
    optimizer = build_optimizer(config, network.backbone, network)
    schedule = build_schedule(config, optimizer, steps)
    seen = []
    for _ in range(steps):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return torch.tensor(seen)  # (steps, groups)


def test_decoder_learns_faster_by_its_factor_and_every_parameter_is_in_one_group():
    network = Network()
    optimizer = build_optimizer(OptimConfig(lr=0.1), network.backbone, network)
    backbone, decoder = optimizer.param_groups
    assert (backbone["lr"], decoder["lr"]) == (0.1, pytest.approx(1.0))
    assert backbone["params"] == list(network.backbone.parameters())
    assert decoder["params"] == list(network.decoder.parameters())


def test_frozen_parameters_stay_out():
    network = Network()
    network.backbone.requires_grad_(False)
    (group,) = build_optimizer(OptimConfig(), network.backbone, network).param_groups
    assert group["params"] == list(network.decoder.parameters())


def test_poly_falls_by_its_power():
    steps = torch.arange(10)
    wanted = 0.1 * (1 - steps / 10) ** 0.9
    assert torch.allclose(rates(OptimConfig(lr=0.1, power=0.9), 10)[:, 0], wanted)


def test_warmup_rises_before_the_schedule_falls():
    lr = rates(OptimConfig(lr=0.1, schedule="constant", warmup=0.4), 10)[:, 0]
    assert torch.all(lr[:4].diff() > 0)
    assert torch.allclose(lr[4:], torch.tensor(0.1))


def test_onecycle_peaks_at_the_configured_rates():
    lr = rates(OptimConfig(name="adamw", lr=0.1, schedule="onecycle", warmup=0.2), 50)
    assert torch.allclose(lr.amax(0), torch.tensor([0.1, 1.0]), rtol=1e-3)
    assert lr[-1, 0] < 0.01


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 10, 11, 20])
def test_onecycle_works_for_short_runs(steps):
    lr = rates(OptimConfig(lr=0.1, schedule="onecycle", warmup=0.1), steps)
    assert lr.isfinite().all() and (lr > 0).all()


def test_the_rate_does_not_depend_on_anything_but_the_configuration():
    config = OptimConfig(lr=0.004)
    assert rates(config, 10)[0].tolist() == pytest.approx([0.004, 0.04])
