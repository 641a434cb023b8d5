"""Sizes of coupled solves that do not fit into the memory are refused before anything of such a size exists."""

from __future__ import annotations

import pytest
import torch

from sciml.errors import InputError
from sciml.hcmoe import ChebyshevBasis, ConstraintSettings, ExpertConstraint, Heat, PeriodicConstraint, PeriodicGrid

EXPERTS, FUNCTIONS, ORDERS = 4, 12, 4


def layer(coupling: str = "windows", times: int = 8, places: int = 24, experts: int = EXPERTS) -> ExpertConstraint:
    axes = (torch.linspace(0, 1, count, dtype=torch.float64) for count in (times, places))
    return ExpertConstraint(Heat(), *axes, (1, experts), ConstraintSettings(coupling=coupling))


def basis() -> ChebyshevBasis:
    return ChebyshevBasis(Heat().domain, 1.0, 2, 3)


@pytest.mark.parametrize("coupling", ["windows", "faces", "exact"])
def test_a_solve_fits_if_its_own_arrays_do_and_not_otherwise(monkeypatch, coupling):
    """Terms and Jacobian, and matrices of all unknowns; with a few times as much, the solve goes on."""
    points, unknowns = 8 * 24 // (1 if coupling == "windows" else EXPERTS), EXPERTS * FUNCTIONS
    arrays = 8 * unknowns * ((ORDERS + 1) * points + unknowns)
    monkeypatch.setattr("sciml.hcmoe.memory.memory_limit", lambda: arrays)
    with pytest.raises(InputError, match=r"1 solve for 48 weights of all experts together.* expected at most"):
        layer(coupling)(basis())
    monkeypatch.setattr("sciml.hcmoe.memory.memory_limit", lambda: 3 * arrays)
    assert layer(coupling)(basis()).u.shape == (1, 8, 24)


def test_the_size_is_cubic_in_nothing_for_independent_experts(monkeypatch):
    """As many experts as places: the weights of each are found by themselves."""
    monkeypatch.setattr("sciml.hcmoe.memory.memory_limit", lambda: 2**20)
    assert layer("independent", 16, 64, 8)(basis()).u.shape == (1, 16, 64)
    with pytest.raises(InputError, match="weights of all experts together"):
        layer("windows", 16, 64, 8)(basis())


def test_flows_that_do_not_fit_are_refused(monkeypatch):
    grid = PeriodicGrid((6, 8, 8), duration=1.0)
    start = torch.sin(2 * torch.pi * grid.x)[None, :, None] * torch.cos(2 * torch.pi * grid.y)
    outputs = torch.randn(1, *grid.shape, 3)
    monkeypatch.setattr("sciml.hcmoe.memory.memory_limit", lambda: 2**16)
    with pytest.raises(InputError, match=r"1 solve for 12 weights of all experts together, at 384 points"):
        PeriodicConstraint(grid, experts=(2, 2))(outputs, start, viscosity=1e-3)
    monkeypatch.setattr("sciml.hcmoe.memory.memory_limit", lambda: 2**20)
    assert PeriodicConstraint(grid, experts=(2, 2))(outputs, start, viscosity=1e-3).u.shape == (1, 6, 8, 8)
