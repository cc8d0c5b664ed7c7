"""A linear classifier of examples on top of what text says: closed-form steps, no tuning.

With z the text logits of N classes at a vector x, the classes' probabilities are modelled as

    p(c | x) = softmax_c(z_c + w_c . x + b_c),

multinomial logistic regression with z as an offset: where text is right, nothing is left to learn,
and w = 0 is text alone. Only classes with examples have w and b. What is known of an example is the
set of classes that it may be of: its own; or, beside a thing, all classes but that one. Its
likelihood is the sum of their probabilities. Of a vector of which nothing is known, text is
believed: it counts for each class by its text probability. The penalised maximum is found by
Newton's steps with the bound of Böhning and Lindsay (1988) on the Hessian,

    H = X' diag(weight) X / 2 + penalty,

which is factorised once and is the same for all classes, so that a step costs two products. Each
step can only raise the likelihood. All sums run in the order of the rows.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

STEPS = 12
"""On their way to the maximum: the first ones learn what most examples have in common, the last
what single ones have. With 30, photographs are answered no better."""

BIAS = 0.1
"""Penalty on squared biases beside that on weights: how often a class is to be named is learnt
from fewer examples than what it looks like, and where text is mostly wrong it is most of what is
to be learnt."""


class Rows(NamedTuple):
    """What is known of P vectors.

    Attributes:
        vectors: (P, D).
        offsets: (P, N) text logits.
        allowed: (P, N) bool: which classes each may be of.
        weights: (P,) of any sum above 0.
        known: (P,) bool: whether anything is; otherwise `allowed` does not count.
    """

    vectors: Tensor
    offsets: Tensor
    allowed: Tensor
    weights: Tensor
    known: Tensor


@dataclass(frozen=True)
class Linear:
    """Scores of T classes: weight (T, D) and bias (T)."""

    weight: Tensor
    bias: Tensor


def surprise(rows: Rows) -> float:
    """How far text is from saying what is known of the rows: its cross entropy in nats.

    At least 0, and at most log N: of what is wrong and sure, no more is to be learnt than of what
    says nothing.
    """
    weights = rows.weights * rows.known
    said = (rows.offsets.log_softmax(1) + _closed(rows)).logsumexp(1)
    return min((-weights @ said / weights.sum()).item(), math.log(rows.offsets.shape[1]))


def fit(rows: Rows, taught: Tensor, ridge: float, steps: int = STEPS) -> Linear:
    """What is to be added to the text logits of the classes with examples.

    Args:
        rows: At least one.
        taught: (T,) which of the N classes these are.
        ridge: Penalty on squared weights, relative to examples of weight 1 in all.
        steps: Newton's, from w = 0.
    """
    vectors, offsets = rows.vectors, rows.offsets
    weights = (rows.weights / rows.weights.sum()).to(vectors)
    design = torch.cat([vectors, torch.ones_like(vectors[:, :1])], dim=1)
    weighted = design * weights[:, None]
    penalty = torch.full_like(design[0], ridge)
    penalty[-1] *= BIAS
    factor = torch.linalg.cholesky(weighted.T @ design / 2 + penalty.diag())
    # Few classes as rows: with them as columns these products take four times as long on a CPU.
    found = design.new_zeros(len(taught), design.shape[1])
    closed = _closed(rows)
    believed = offsets.softmax(1)
    for _ in range(steps):
        logits = offsets.index_add(1, taught, (found @ design.T).T)
        said = logits.softmax(1)
        wanted = torch.where(rows.known[:, None], (logits + closed).softmax(1), believed)
        gradient = (wanted - said)[:, taught].T @ weighted - penalty * found
        found = found + torch.cholesky_solve(gradient.T, factor).T
    return Linear(found[:, :-1], found[:, -1])


def _closed(rows: Rows) -> Tensor:
    """(P, N), to be added to logits: minus infinity where a vector cannot be of a class."""
    return torch.zeros_like(rows.offsets).masked_fill_(~rows.allowed, -torch.inf)
