"""Experts that go on after the times of training: what they rest on, how well, and that the past stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.hcmoe import ConstraintSettings, SorptionFamily
from sciml.hcmoe.bases import GridBasis, proper_orthogonal_modes
from sciml.hcmoe.families.grid_experts import GridExperts, slabs
from sciml.hcmoe.layer import ConstraintOutput
from sciml.numerics.random import generator
from sciml.reference.diffusion_sorption import Sorption, extrapolated

FINER = 3  # cells of the solutions over those of the grid
STARTS = np.linspace(0.06, 0.2, 7)


def family(until: float, coupling: str = "windows", start: str = "grid") -> SorptionFamily:
    settings = ConstraintSettings(start=start, coupling=coupling)
    return SorptionFamily("paper", times=21, cells=24, experts=(1, 2), constraint=settings, trained_until=until)


def solved(given: SorptionFamily, starts: np.ndarray) -> torch.Tensor:
    times, cells = given.problem.seconds * given.s.numpy() ** 2, FINER * given.shape[1]
    found = [extrapolated(float(start), cells, times)[:, FINER // 2 :: FINER] for start in starts]
    return torch.from_numpy(np.stack(found))


def instances(given: SorptionFamily, starts: np.ndarray) -> dict[str, torch.Tensor]:
    numbers = {"diffusivity": Sorption.diffusivity, "coefficient": Sorption.coefficient}
    numbers |= {"exponent": Sorption.exponent, "left": Sorption.left}
    start = torch.from_numpy(starts)[:, None].expand(-1, given.shape[1])
    return {"start": start, **{name: torch.full((len(starts),), each).double() for name, each in numbers.items()}}


def modes(given: SorptionFamily, beyond: float) -> torch.Tensor:
    """Return modes of solutions until the last trained time, and numbers without meaning after it."""
    changes = solved(given, STARTS)[:, : given.seen]
    changes = changes - changes[:, :1]
    s = given.s[: given.seen]
    basis = proper_orthogonal_modes(changes, 5, s, given.y).derivatives([(0, 0)], s, given.y)[0, 0]
    draws = torch.randn(len(given.s) - given.seen, *basis.shape[1:], dtype=torch.float64, generator=generator(3))
    return torch.cat([basis, beyond * draws])[None].expand(2, -1, -1, -1)


def combined(given: SorptionFamily, outputs: torch.Tensor, unseen: dict[str, torch.Tensor]) -> torch.Tensor:
    objective = given.objective(experts=True)
    experts, beside = objective.fields
    return objective(outputs, unseen, generator(0), torch.ones(1, experts, 5 + beside, dtype=torch.float64)).u


@pytest.mark.parametrize(("until", "coupling", "most"), [(400, "windows", 1e-3), (200, "windows", 1.2e-2),
                                                         (400, "faces", 1e-3)])  # fmt: skip
def test_experts_go_on_from_a_solution_without_a_basis_after_the_training(monkeypatch, until, coupling, most):
    """From the solution until then, and outputs that mean nothing after it."""
    given, starts = family(until, coupling), np.array([0.09, 0.17])
    expected, unseen = solved(given, starts), instances(given, starts)
    trained = given.seen
    known = ConstraintOutput(expected[:, :trained], torch.zeros(0), None)
    monkeypatch.setattr(GridExperts, "forward", lambda self, *_: known)
    with torch.no_grad():
        u, other = (combined(given, modes(given, beyond), unseen) for beyond in (1.0, 100.0))
    assert torch.equal(u, other)
    assert torch.equal(u[:, :trained], expected[:, :trained])
    error = (u - expected)[:, trained:].norm() / expected[:, trained:].norm()
    still = (expected[:, trained - 1 : trained] - expected[:, trained:]).norm() / expected[:, trained:].norm()
    assert float(error) < most < float(still) / 15


def test_what_comes_later_does_not_change_the_field_until_then():
    starts = np.array([0.1])
    shorter, unseen = family(400.0), instances(family(400.0), starts)
    outputs = modes(shorter, 1.0)[:1]
    with torch.no_grad():
        objective = shorter.objective(experts=True, training=True)
        objective.layer.settings = shorter.settings
        until = objective(outputs, unseen, generator(0), torch.ones(1, 2, 6, dtype=torch.float64)).u
        assert torch.equal(combined(shorter, outputs, unseen)[:, : shorter.seen], until)


def test_the_field_after_the_training_has_derivatives_by_the_outputs():
    given, starts = family(300.0), np.array([0.1])
    unseen, outputs = instances(given, starts), modes(given, 0.0)[:1].clone().requires_grad_()
    direction = torch.randn(outputs.shape, dtype=torch.float64, generator=generator(1))
    step = 1e-6
    derivative = (torch.autograd.grad(combined(given, outputs, unseen)[:, -1].sum(), outputs)[0] * direction).sum()
    with torch.no_grad():
        after, before = (
            combined(given, outputs + sign * step * direction, unseen)[:, -1].sum() for sign in (1.0, -1.0)
        )
    assert abs(float(derivative)) > 0.01
    assert float(derivative) == pytest.approx(float(after - before) / (2 * step), rel=1e-4)


def test_fields_after_known_times_vanish_at_them_and_the_known_values_are_held():
    s, x = torch.linspace(0, 1, 7, dtype=torch.float64), torch.linspace(0, 1, 6, dtype=torch.float64)
    values, known = torch.randn(1, 7, 6, 2, dtype=torch.float64), torch.randn(3, 4, 6, dtype=torch.float64)
    found = GridBasis(values, s, x).after(known).derivatives([(0, 0)], s, x)[:, 0]
    assert found.shape == (3, 7, 6, 3)
    assert not found[:, :4, :, :2].any() and torch.equal(found[:, 4:, :, :2], values[:, 4:].expand(3, -1, -1, -1))
    assert torch.equal(found[:, :4, :, 2], known)
    assert torch.equal(found[:, 4:, :, 2], known[:, 3:].expand(-1, 3, -1))


@pytest.mark.parametrize(("first", "times", "most"), [(6, 26, 4), (23, 26, 4), (7, 8, 2), (9, 20, 6)])
def test_slabs_cover_all_later_times_and_none_is_too_long(first, times, most):
    lengths = np.diff([first, *slabs(first, times, most)])
    assert lengths.sum() == times - first
    assert lengths.max() <= most and lengths.max() - lengths.min() <= 1
