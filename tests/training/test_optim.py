import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

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


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("warmup", [0.0, 0.1])
@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_onecycle_is_that_of_pytorch(steps, warmup, name):
    config = OptimConfig(name, lr=0.1, schedule="onecycle", warmup=warmup)
    ours, theirs = (build_optimizer(config, *_parts()) for _ in range(2))
    schedule = build_schedule(config, ours, steps)
    peaks = [group["lr"] for group in theirs.param_groups]
    rise = max(warmup or 0.3, min(0.9, 2 / steps))
    wanted = OneCycleLR(theirs, peaks, total_steps=steps, pct_start=rise)
    for _ in range(steps):
        for one, two in zip(ours.param_groups, theirs.param_groups, strict=True):
            assert one["lr"] == pytest.approx(two["lr"], rel=1e-12)
            momentum = "betas" if name == "adamw" else "momentum"
            assert one[momentum] == pytest.approx(two[momentum], rel=1e-12)
        for stepped in (ours, theirs, schedule, wanted):
            stepped.step()


def test_poly_is_that_of_the_published_recipe_at_the_start_of_each_epoch():
    """lang-seg steps LambdaLR(pow(1 - epoch / epochs, 0.9)) once an epoch, 240 of them."""
    epochs, batches = 240, 5
    lr = rates(OptimConfig(lr=0.004), epochs * batches)[:, 0]
    published = 0.004 * (1 - torch.arange(epochs) / epochs) ** 0.9
    assert torch.allclose(lr[::batches], published, rtol=1e-5)
    assert lr[0] == pytest.approx(0.004)
    assert 0 < lr[-1] < published[-1]


@pytest.mark.parametrize("kind", ["poly", "onecycle", "constant"])
def test_a_longer_run_goes_on_at_its_own_rates(kind):
    """After the last of 10 steps, to 25: the rate of its 11th, not that of an end."""
    config = OptimConfig("adamw", lr=0.1, schedule=kind)
    ended = build_optimizer(config, *_parts())
    schedule = build_schedule(config, ended, 10)
    for _ in range(10):
        ended.step()
        schedule.step()
    longer = build_optimizer(config, *_parts())
    resumed = build_schedule(config, longer, 25)
    longer.load_state_dict(ended.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    wanted = rates(config, 25)[10:]
    for rate in wanted:
        assert [group["lr"] for group in longer.param_groups] == pytest.approx(rate.tolist())
        longer.step()
        resumed.step()


def test_a_resumed_run_takes_the_rate_of_its_own_configuration():
    before = build_optimizer(OptimConfig(lr=0.1), *_parts())
    state = build_schedule(OptimConfig(lr=0.1), before, 10).state_dict()
    after = build_optimizer(OptimConfig(lr=0.01), *_parts())
    schedule = build_schedule(OptimConfig(lr=0.01), after, 10)
    after.load_state_dict(before.state_dict())
    schedule.load_state_dict(state)
    assert after.param_groups[0]["lr"] == 0.01


def _parts():
    network = Network()
    return network.backbone, network
