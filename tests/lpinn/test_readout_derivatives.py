"""Derivatives of the read-out: those of the implicit function, in every frame, against finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import grad, gradcheck, gradgradcheck

from sciml.lpinn import (
    Ale,
    BoundaryLayer,
    Channel,
    ConvexLaw,
    Eulerian,
    Lagrangian,
    Rezoned,
    SolidBodyRotation,
    VariableConvection,
    ViscousBurgers,
    field_of,
)
from sciml.lpinn.readout import SpaceTimeField
from sciml.numerics.random import generator
from tests.lpinn.maps import characteristics, random_weights

CASES = {
    "labels reset in every slab": (VariableConvection(), Lagrangian(), 1, 3),
    "labels kept, with a state": (ViscousBurgers(viscosity=0.1, duration=0.4), Ale(relaxation=1.0), 2, 2),
    "labels that drift": (ViscousBurgers(viscosity=0.1, duration=0.4), Ale(), 1, 2),
    "labels redistributed in every slab": (ViscousBurgers(viscosity=0.1, duration=0.4), Rezoned(), 1, 3),
    "values on the faces": (BoundaryLayer(), Eulerian(), 1, 2),
    "labels of what flows in": (Channel(), Lagrangian(), 1, 3),
    "a plane": (SolidBodyRotation(viscosity=0.01, duration=0.25), Lagrangian(), 3, 2),
    "past a shock": (ConvexLaw(duration=1.5), Lagrangian(), 1, 1),
}
SCALE = 0.03  # of the weights: maps without folds


def field_for(case: str) -> SpaceTimeField:
    problem, frame, outputs, slabs = CASES[case]
    made = characteristics(problem, frame, outputs, slabs)
    return field_of(made, SCALE * random_weights(made))


def at(field: SpaceTimeField, count: int = 4) -> tuple[Tensor, Tensor]:
    """Points away from the faces, and a time after the first slab at which they come from labels that exist."""
    box = field.problem.domain
    lower, upper = torch.tensor(box.lower).double(), torch.tensor(box.upper).double()
    points = lower + (upper - lower) * (0.2 + 0.6 * torch.rand(count, box.dim, generator=generator(5)).double())
    times = torch.full(
        (count, 1), (0.4 if isinstance(field.problem, Channel) else 0.9) * field.problem.duration, dtype=torch.float64
    )
    return points.requires_grad_(), times.requires_grad_()


@pytest.mark.parametrize("case", CASES)
def test_first_and_second_derivatives_by_points_are_those_of_differences(case: str) -> None:
    field = field_for(case)
    points, times = at(field)
    time = times[0].item()
    assert gradcheck(lambda points: field(points, time), points, rtol=1e-5, atol=1e-7)
    assert gradgradcheck(lambda points: field(points, time), points, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_the_derivative_by_time_is_that_of_differences(case: str) -> None:
    field = field_for(case)
    points, times = at(field)
    (slope,) = grad(field(points, times).sum(), times)
    step = 1e-4 * field.problem.duration
    time = times[0].item()
    ahead, back = (field(points.detach(), time + side * step) for side in (1, -1))
    torch.testing.assert_close(slope, (ahead - back) / (2 * step), rtol=1e-5, atol=1e-6)
