import pytest
import torch

from lseg.memory.fitting import BIAS, Rows, fit, surprise


def penalised(rows, taught, weight, bias, ridge):
    """The objective, as it is written: what a fit makes as large as it can."""
    scores = rows.offsets.clone()
    for place, (row, shift) in zip(taught.tolist(), zip(weight, bias, strict=True), strict=True):
        scores[:, place] += rows.vectors @ row + shift
    chances = scores.softmax(1)
    share = rows.weights / rows.weights.sum()
    believed = (rows.offsets.softmax(1) * chances.log()).sum(1)
    known = (chances * rows.allowed).sum(1).log()
    likelihood = (share * torch.where(rows.known, known, believed)).sum()
    return likelihood - ridge / 2 * (weight.square().sum() + BIAS * bias.square().sum())


@pytest.fixture
def rows():
    """Three classes; of the last rows nothing is known, of those before only what they are not."""
    vectors = torch.randn(60, 5, dtype=torch.float64)
    classes = torch.arange(60) % 3
    vectors[:, :3] += 2 * torch.nn.functional.one_hot(classes, 3)
    allowed = torch.nn.functional.one_hot(classes, 3).bool()
    allowed[40:] = torch.tensor([False, True, True])
    offsets = torch.randn(60, 3, dtype=torch.float64)
    return Rows(vectors, offsets, allowed, torch.rand(60) + 0.5, torch.arange(60) < 50)


@pytest.mark.parametrize("taught", [[0, 1, 2], [0, 2], [1]])
def test_a_fit_is_the_maximum_that_any_optimiser_finds(rows, taught):
    taught, ridge = torch.tensor(taught), 0.01
    found = fit(rows, taught, ridge, steps=500)
    weight = torch.zeros(len(taught), 5, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(taught), dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([weight, bias], max_iter=500, tolerance_grad=1e-9)

    def step():
        search.zero_grad()
        loss = -penalised(rows, taught, weight, bias, ridge)
        loss.backward()
        return loss

    search.step(step)
    torch.testing.assert_close(found.weight.double(), weight.detach(), atol=2e-3, rtol=0)
    torch.testing.assert_close(found.bias.double(), bias.detach(), atol=2e-3, rtol=0)


def test_every_step_makes_the_examples_more_probable(rows):
    taught = torch.arange(3)
    values = []
    for steps in range(8):
        found = fit(rows, taught, 0.01, steps)
        weight, bias = found.weight.double(), found.bias.double()
        values.append(penalised(rows, taught, weight, bias, 0.01).item())
    assert values == sorted(values)
    assert values[-1] > values[0] + 0.1


def test_where_text_is_right_and_sure_nothing_is_learnt(rows):
    sure = rows._replace(offsets=100 * rows.allowed.double())
    found = fit(sure, torch.arange(3), 0.01)
    assert found.weight.abs().max() < 1e-3
    assert found.bias.abs().max() < 1e-3


def test_the_scale_of_the_weights_does_not_matter(rows):
    once, thrice = (
        fit(rows._replace(weights=k * rows.weights), torch.arange(3), 0.01) for k in (1, 3)
    )
    torch.testing.assert_close(once.weight, thrice.weight)


def test_surprise_is_the_cross_entropy_of_text_where_a_class_is_known(rows):
    offsets = rows.offsets + 2 * rows.allowed
    some = rows._replace(offsets=offsets, weights=(torch.arange(60) < 40).double())
    wanted = torch.nn.functional.cross_entropy(offsets[:40], torch.arange(40) % 3)
    assert surprise(some) == pytest.approx(wanted.item())


def test_surprise_counts_what_is_known_not_to_be_and_nothing_that_is_not_known(rows):
    some = rows._replace(weights=(torch.arange(60) >= 40).double())
    told = rows.offsets[40:50].softmax(1)[:, 1:].sum(1)  # which two classes they may be of
    assert surprise(some) == pytest.approx(-told.log().mean().item())


def test_no_text_surprises_more_than_one_that_says_nothing(rows):
    classes = rows._replace(weights=(torch.arange(60) < 40).double())
    wrong, nothing = (classes._replace(offsets=k * rows.allowed.double()) for k in (-100, 0))
    assert surprise(wrong) == pytest.approx(surprise(nothing))
