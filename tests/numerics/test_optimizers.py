"""Optimisers by name."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from sciml.errors import ConfigError, InputError, MissingExtraError
from sciml.numerics.optimizers import make_optimizer


def quadratic(name: str, steps: int, rate: float, **options: object) -> float:
    """Distance to the minimum of an ill-conditioned quadratic function, a matrix of weights."""
    weights = nn.Parameter(torch.ones(3, 4, dtype=torch.float64))
    curvature = torch.logspace(0, 2, 12, dtype=torch.float64).view(3, 4)
    optimizer = make_optimizer(name, [weights], rate, options=options)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (curvature * weights.square()).sum() / 2
        loss.backward()
        return loss

    for _ in range(steps):
        if name == "least_squares":
            optimizer.step(closure, residuals=lambda: curvature.sqrt() * weights)
        else:
            optimizer.step(closure)
    return float(weights.detach().norm())


@pytest.mark.parametrize(
    ("name", "steps", "rate", "distance"),
    [
        ("adam", 300, 0.05, 1e-3),
        ("adamw", 300, 0.05, 1e-3),
        ("adamax", 400, 0.05, 1e-3),
        ("soap", 500, 0.05, 1e-2),
        ("lbfgs", 4, 1.0, 1e-6),
        ("least_squares", 8, 1.0, 1e-6),
    ],
)
def test_each_reaches_the_minimum(name: str, steps: int, rate: float, distance: float) -> None:
    assert quadratic(name, steps, rate) < distance


def test_weight_decay_of_adamw_shrinks_what_the_loss_leaves_alone() -> None:
    weights = nn.Parameter(torch.ones(1))
    optimizer = make_optimizer("adamw", [weights], 0.1, weight_decay=0.5)
    weights.grad = torch.zeros(1)
    optimizer.step()
    assert float(weights.detach()) == pytest.approx(1 - 0.1 * 0.5)


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(ConfigError, match=r"adam does not take the options.*momentun"):
        make_optimizer("adam", [nn.Parameter(torch.ones(1))], 0.1, options={"momentun": 0.9})
    with pytest.raises(InputError, match="expected one of adam"):
        make_optimizer("sgd", [nn.Parameter(torch.ones(1))], 0.1)


def test_soap_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    with pytest.raises(MissingExtraError, match="pytorch-optimizer"):
        make_optimizer("soap", [nn.Parameter(torch.ones(1))], 0.1)
