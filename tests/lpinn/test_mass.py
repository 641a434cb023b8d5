"""Density from the map alone: mass is conserved to rounding by every map, and the density is right by a fitted one."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.lpinn import (
    Ale,
    Characteristics,
    CollocationPoints,
    DeformationalSwirl,
    Lagrangian,
    SpaceTimeField,
    SpaceTimeSolver,
    VariableConvection,
    ViscousBurgers,
)
from sciml.lpinn.networks import start_at_zero
from sciml.lpinn.readout.mass import density
from sciml.nets import FourierNetwork
from sciml.numerics.flat import FlatModule
from sciml.numerics.random import seeded
from tests.lpinn.maps import characteristics, random_weights

COUNT = 512  # of a trapezoidal rule on the circle, exact to rounding for what is as smooth as here
CIRCLE = 2 * math.pi / COUNT * torch.arange(COUNT, dtype=torch.float64)[:, None]


def heap(x: Tensor) -> Tensor:
    return 1.5 + torch.cos(x - 1)


def mass(values: Tensor) -> float:
    return float(values.sum()) * 2 * math.pi / COUNT


@pytest.fixture(scope="module")
def carried() -> SpaceTimeField:
    """One unit of time on a circle with a speed that varies, in two slabs."""
    with seeded(0):
        network = FourierNetwork(2, 1, 10, modes=2, box=[[0, 0], [2 * math.pi, 1]], periodic=[True, False]).double()
    start_at_zero(network)
    made = Characteristics(VariableConvection(duration=1.0), Lagrangian(), FlatModule(network), slabs=2)
    *_, (state, _) = SpaceTimeSolver(made, rounds=1, points=CollocationPoints(300)).run()
    return SpaceTimeField(made, state.weights)


@pytest.mark.parametrize("time", [0.0, 0.3, 0.5, 1.0])
def test_mass_is_conserved_at_a_speed_that_varies(carried: SpaceTimeField, time: float) -> None:
    assert abs(mass(density(carried, CIRCLE, time, heap)) - 3 * math.pi) < 1e-10


def test_the_density_solves_the_conservative_equation(carried: SpaceTimeField) -> None:
    """In a steady flow on a line J is the ratio of the speeds at both ends of a path."""
    flow, time = carried.problem.flow, 0.8
    feet = flow.map(CIRCLE, time, 0.0)
    exact = heap(feet) * flow.velocity(feet, 0.0) / flow.velocity(CIRCLE, 0.0)
    assert float((density(carried, CIRCLE, time, heap) - exact).abs().max()) < 2e-4


def test_without_a_start_it_is_that_of_the_problem(carried: SpaceTimeField) -> None:
    found = density(carried, CIRCLE, 0.4)
    assert torch.equal(found, density(carried, CIRCLE, 0.4, carried.problem.initial))
    assert abs(mass(found)) < 1e-10


@pytest.mark.parametrize("slabs", [1, 3])
def test_mass_is_conserved_by_maps_that_were_never_fitted(slabs: int) -> None:
    made = characteristics(VariableConvection(duration=1.0), Lagrangian(), 1, slabs)
    field = SpaceTimeField(made, random_weights(made, 0.1))
    assert abs(mass(density(field, CIRCLE, 0.9, heap)) - 3 * math.pi) < 1e-10


def test_mass_is_conserved_where_labels_go_on_from_slab_to_slab() -> None:
    """With a state of their own, labels do not begin anew, and J is that since the start."""
    made = characteristics(ViscousBurgers(0.5, 0.05, duration=0.2), Lagrangian(), 2, slabs=2)
    field = SpaceTimeField(made, random_weights(made, 0.05))
    assert abs(mass(density(field, CIRCLE, 0.2, heap)) - 3 * math.pi) < 1e-10


def test_a_map_without_stretch_keeps_the_density_on_a_label() -> None:
    """Weights of 0 leave the drift, and with it the value that u has."""
    made = characteristics(DeformationalSwirl(duration=0.1), Lagrangian(), 2, slabs=2)
    field = SpaceTimeField(made, torch.zeros(2, made.network.count, dtype=torch.float64))
    points = field.problem.probes()[::64]
    assert torch.allclose(density(field, points, 0.1), field(points, 0.1), rtol=1e-12)


def test_other_frames_do_not_know_the_density() -> None:
    made = characteristics(ViscousBurgers(0.0, 0.1), Ale(), 1)
    with pytest.raises(InputError, match="frame Ale"):
        density(SpaceTimeField(made, random_weights(made)), CIRCLE, 0.5)


def test_wrong_shapes_and_points_are_refused(carried: SpaceTimeField) -> None:
    with pytest.raises(InputError, match="initial density has shape"):
        density(carried, CIRCLE, 0.5, lambda x: heap(x)[:, 0])
    with pytest.raises(InputError, match="shape of the points"):
        density(carried, CIRCLE[:, 0], 0.5)
