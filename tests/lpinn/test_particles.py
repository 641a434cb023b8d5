"""Paths of particles for pictures: they move with the velocity of the problem, in whatever frame it was solved."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sciml.lpinn import (
    Ale,
    BoundaryLayer,
    Channel,
    Characteristics,
    Eulerian,
    Rezoned,
    VariableConvection,
    ViscousBurgers,
    field_of,
)
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.readout import paths
from sciml.lpinn.readout.particles import PATHS, integrated
from sciml.mesh import Field
from sciml.nets import FourierNetwork
from sciml.numerics.flat import FlatModule
from sciml.numerics.random import seeded


def written(problem: TransportProblem, times: np.ndarray, nodes: int = 512) -> Field:
    """The exact solution as a run writes it."""
    grid = problem.domain.lattice(nodes)
    x = torch.from_numpy(grid.axes()[0])[:, None]
    return Field("u", np.stack([problem.exact(x, float(time))[:, 0].numpy() for time in times]), grid, times=times)


@pytest.mark.parametrize("frame", [Eulerian(), Rezoned(), Ale()])
def test_paths_follow_the_velocity_where_labels_do_not(frame):
    times = np.linspace(0.0, 1.0, 41)
    problem = ViscousBurgers(mean=20.0, viscosity=0.05)  # three laps with a front, half a unit between two times
    with seeded(0):
        network = FourierNetwork(2, 1 + frame.moves, width=4, modes=2, box=[[0, 0], [2 * math.pi, 1]],
                                 periodic=[True, False]).double()  # fmt: skip
    characteristics = Characteristics(problem, frame, FlatModule(network), 1)
    found = paths(field_of(characteristics, characteristics.network.vector()[None]), written(problem, times))
    assert found.shape == (PATHS // 2, 41) and np.isfinite(found).all()
    assert np.abs(found - found[:, :1] - 20.0 * times).max() > 0.5, "labels that drift would be straight lines"
    for number in range(1, 40):
        middle = torch.tensor(found[:, number] % (2 * math.pi))[:, None]
        u = problem.exact(middle, float(times[number]))[:, 0].numpy()
        assert (found[:, number + 1] - found[:, number - 1]) / (times[2] - times[0]) == pytest.approx(u, abs=0.05)


def test_paths_in_a_given_flow_are_those_of_its_map():
    problem = VariableConvection(duration=1.0)
    found = integrated(problem, written(problem, np.linspace(0.0, 1.0, 21)))
    exact = problem.flow.map(torch.tensor(found[:, :1]), 0.0, 1.0)[:, 0].numpy()
    assert found[:, -1] == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("problem", [Channel(), BoundaryLayer()])
def test_particles_enter_with_the_flow_and_leave_with_it(problem):
    times = np.linspace(0.0, problem.duration, 41)
    grid = problem.domain.lattice(101)
    found = integrated(problem, Field("u", np.zeros((41, 101)), grid, times=times))
    (lower,), (upper,) = problem.domain.lower, problem.domain.upper
    there = np.isfinite(found)
    assert np.nanmin(found) >= lower and np.nanmax(found) <= upper
    entered = found[~there[:, 0] & there.any(1)]
    begins = [row[np.isfinite(row)][0] for row in entered]
    assert begins and set(np.round(begins, 9)) <= {lower, upper}
    assert (~there[:PATHS, -1]).any(), "the first ones have left"
    for row in found:
        inside = np.flatnonzero(np.isfinite(row))
        assert not len(inside) or np.array_equal(inside, np.arange(inside[0], inside[-1] + 1)), "nobody comes back"
