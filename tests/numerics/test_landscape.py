"""Spectra and landscapes beside numpy's, and beside parabolas where residuals are linear."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sciml.errors import InputError
from sciml.numerics import landscape as module
from sciml.numerics.flat import FlatModule
from sciml.numerics.landscape import Landscape, filter_normalised, gauss_newton, landscape
from sciml.numerics.linearisation import Residuals
from sciml.numerics.random import generator

COLUMNS = 6


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed, *shape))


def linear_groups(points: int = 20) -> list[Residuals]:
    """Two groups that are linear in the parameters."""
    return [
        Residuals("inside", lambda w, x, y: x @ w - y, (normal(points, COLUMNS), normal(points, seed=1)), 2.0),
        Residuals("ends", lambda w, x: x @ w[:3], (normal(4, 3),), 0.1),
    ]


def stacked(points: int = 20) -> np.ndarray:
    """The Jacobian of the linear groups, scaled as the loss is."""
    ends = np.concatenate([normal(4, 3).numpy(), np.zeros((4, 3))], 1)
    return np.concatenate([math.sqrt(2 / points) * normal(points, COLUMNS).numpy(), math.sqrt(0.1 / 4) * ends])


def loss_of(groups: list[Residuals], parameters: Tensor) -> float:
    return float(sum(group.loss(parameters) for group in groups))


def bent(weights: Tensor, x: Tensor) -> Tensor:
    return torch.sin(3 * weights[0] * x) + weights[1] ** 2


def test_the_spectrum_is_that_of_the_dense_matrix():
    found, jacobian = gauss_newton(linear_groups(), normal(COLUMNS)), stacked()
    values, vectors = np.linalg.eigh(jacobian.T @ jacobian)
    assert found.values.numpy() == pytest.approx(values[::-1], rel=1e-10)
    assert np.abs(found.vectors.numpy().T @ vectors[:, ::-1]) == pytest.approx(np.eye(COLUMNS), abs=1e-10)
    assert found.rank == COLUMNS and found.condition == pytest.approx(np.linalg.cond(jacobian) ** 2, rel=1e-8)
    assert (found.vectors.max(0).values == found.vectors.abs().max(0).values).all()


def test_fewer_residuals_than_parameters_leave_zeros():
    group = Residuals("few", lambda w, x: x @ w, (normal(2, COLUMNS),))
    found = gauss_newton([group], normal(COLUMNS), 1)
    assert found.rank == 2 and found.values.shape == (COLUMNS,) and not found.values[2:].any()
    assert found.vectors.shape == (COLUMNS, 1)
    assert found.condition == pytest.approx(np.linalg.cond(normal(2, COLUMNS).numpy()) ** 2)


def test_nothing_that_depends_on_the_parameters_has_no_rank():
    found = gauss_newton([Residuals("none", lambda w, x: x + 0 * w[:1], (normal(3),))], normal(COLUMNS))
    assert found.rank == 0 and found.condition == math.inf


def test_small_eigenvalues_are_not_lost_in_rounding():
    """Forming J^T J would lose all below 1e-16 of the largest."""
    sizes = 10.0 ** -torch.arange(COLUMNS, dtype=torch.float64) * 1e-2 ** torch.arange(COLUMNS)
    rotation = torch.linalg.qr(normal(COLUMNS, COLUMNS))[0]
    rows = (rotation * sizes) @ torch.linalg.qr(normal(COLUMNS, COLUMNS, seed=1))[0]
    group = Residuals("graded", lambda w, x: x @ w, (rows[:5],))
    kept = gauss_newton([group], normal(COLUMNS)).values[:4]
    assert kept[-1] < 1e-17 * kept[0]
    assert (kept * 5).numpy() == pytest.approx(np.linalg.svd(rows[:5].numpy())[1][:4] ** 2, rel=1e-3)


def test_along_eigenvectors_the_loss_of_linear_residuals_rises_with_the_eigenvalues():
    groups, jacobian = linear_groups(), stacked()
    target = np.concatenate([math.sqrt(2 / 20) * normal(20, seed=1).numpy(), np.zeros(4)])
    best = torch.from_numpy(np.linalg.lstsq(jacobian, target, rcond=None)[0])
    spectrum = gauss_newton(groups, best, 2)
    found = landscape(groups, best, spectrum.vectors, 2.0, 9)
    assert found.loss[4, 4].item() == pytest.approx(loss_of(groups, best), rel=1e-12)
    first, second = (found.steps.square() * value for value in spectrum.values[:2])
    assert torch.allclose(found.loss, found.loss[4, 4] + first[:, None] + second, rtol=1e-10)
    assert torch.allclose(found.loss, found.loss.flip(0, 1), rtol=1e-10)
    assert found.roughness < 1e-12 and found.minima == 1
    assert found.steps[[0, 4, 8]].tolist() == [-2, 0, 2]


def test_a_landscape_has_the_losses_of_its_points_however_many_are_evaluated_together(monkeypatch):
    groups = [Residuals("bent", bent, (normal(7),))]
    centre, directions = normal(COLUMNS), normal(COLUMNS, 2, seed=3)
    found = landscape(groups, centre, directions, 0.5, 5)
    for i, j in ((0, 0), (1, 4), (3, 2)):
        moved = centre + directions @ torch.stack([found.steps[i], found.steps[j]])
        assert found.loss[i, j].item() == pytest.approx(loss_of(groups, moved), rel=1e-12)
    monkeypatch.setattr(module, "AT_ONCE", 1)
    assert torch.allclose(landscape(groups, centre, directions, 0.5, 5).loss, found.loss, rtol=1e-12)


def test_waves_are_rough_and_have_several_minima():
    groups, axes = [Residuals("bent", bent, (torch.ones(1, dtype=torch.float64),))], torch.eye(COLUMNS)[:, :2].double()
    found = landscape(groups, torch.zeros(COLUMNS, dtype=torch.float64), axes, 3.0, 31)
    assert found.roughness > 0.02
    waves = torch.linspace(-3, 3, 31, dtype=torch.float64)
    valleys = Landscape(waves, (1 - torch.cos(2 * math.pi * waves))[:, None] + waves.square())
    assert valleys.minima == 5  # at -2, -1, 0, 1, 2; those at both ends are not inside
    flat = torch.full((31, 31), 0.1, dtype=torch.float64)
    assert Landscape(waves, flat).roughness == 0 and Landscape(waves, flat).minima == 0
    bowl = (waves[:, None] - 2 * waves).square()
    bowl[0, 0], bowl[30, 2] = torch.inf, torch.nan
    assert Landscape(waves, bowl).roughness < 1e-12


def test_a_loss_of_zero_has_a_logarithm():
    steps = torch.linspace(-1, 1, 3, dtype=torch.float64)
    shown = Landscape(steps, torch.tensor([[0.0, 1.0, 10.0]] * 3, dtype=torch.float64)).log10
    assert shown[0].tolist() == pytest.approx([2 * math.log10(2.0**-52), 0, 1])


def test_a_random_direction_is_as_long_as_the_weights_of_each_unit():
    network = FlatModule(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double())
    weights = network.vector()
    views = network.views(weights)
    views["2.weight"][1] = 0
    drawn = network.views(filter_normalised(network, weights, generator(0)))
    for name, part in drawn.items():
        if part.ndim == 1:
            assert not part.any()
        else:
            assert torch.allclose(part.norm(dim=1), views[name].norm(dim=1), rtol=1e-12)
    again = filter_normalised(network, weights, generator(0))
    assert torch.equal(torch.cat([part.flatten() for part in drawn.values()]), again)


def test_what_does_not_suit_is_a_sentence():
    groups, at = linear_groups(), normal(COLUMNS)
    with pytest.raises(InputError, match=r"24 residuals by 6 parameters takes .* GiB, .* take fewer points"):
        gauss_newton(groups, at, memory=1000)
    with pytest.raises(InputError, match="the Jacobian is not finite"):
        gauss_newton([Residuals("root", lambda w, x: torch.sqrt(w[:1] * x), (normal(3).abs(),))], torch.zeros_like(at))
    directions = normal(COLUMNS, 2)
    for arguments, sentence in (
        ((directions.T, 1.0, 3), r"directions is \(2, 6\), expected \(6, 2\)"),
        ((directions, 0.0, 3), "the span of a landscape is 0.0, expected a positive number"),
        ((directions, 1.0, 4), "the count of a landscape is 4, expected an odd number"),
        ((directions, 1.0, 1), "the count of a landscape is 1"),
    ):
        with pytest.raises(InputError, match=sentence):
            landscape(groups, at, *arguments)
