"""Scalar problems: their rates beside the time derivatives of exact solutions, and what they conserve."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import hessian, jacfwd, vmap

from sciml.domains import BoundaryPoints, Box
from sciml.errors import InputError
from sciml.insr import Advection, FitPoints, Heat, LeastSquaresFit, PeriodicBurgers, RungeKutta, TimeStepper
from sciml.insr.problems import (
    ArapVolume,
    ElasticBody,
    EvolutionProblem,
    Motion,
    Smoke,
    Sphere,
    TaylorGreenPrimitive,
)
from sciml.nets.coordinate import FourierNetwork, TanhNetwork
from sciml.numerics.derivatives import Jet
from sciml.numerics.least_squares import LevenbergMarquardt
from sciml.numerics.random import generator, seeded

Field = Callable[[Tensor, Tensor | float], Tensor]


def jet_of(field: Callable[[Tensor], Tensor], points: Tensor, directions: Tensor | None) -> Jet:
    """The jet of order 2 of a function ``(n, dim) -> (n, 1)``, by automatic differentiation."""

    def at_a_point(x: Tensor) -> Tensor:
        return field(x[None])[0]

    along = torch.eye(points.shape[1], dtype=points.dtype) if directions is None else directions
    first = torch.einsum("ncd,kd->knc", vmap(jacfwd(at_a_point))(points), along)
    second = torch.einsum("ncde,kd,ke->knc", vmap(hessian(at_a_point))(points), along, along)
    return Jet(torch.cat([field(points)[None], first, second]), 2)


def in_time(problem: EvolutionProblem, points: Tensor, time: float, order: int) -> Tensor:
    """A time derivative of the exact solution by central differences of fourth and sixth order."""
    weights, step = {
        1: ({-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}, 1e-3),
        2: ({-2: -1 / 12, -1: 4 / 3, 0: -5 / 2, 1: 4 / 3, 2: -1 / 12}, 4e-3),
    }[order]
    return sum(w * problem.exact(points, time + k * step) for k, w in weights.items()) / step**order


class ColeHopf(PeriodicBurgers):
    """Burgers' equation by ``1 + a exp(-v t) cos x``, which solves the heat equation: its logarithmic derivative."""

    def __init__(self, viscosity: float = 0.3, amplitude: float = 0.7) -> None:
        super().__init__(viscosity)
        self.amplitude = amplitude

    def initial(self, points: Tensor) -> Tensor:
        return self.exact(points, 0.0)

    def exact(self, points: Tensor, time: float) -> Tensor:
        a = self.amplitude * math.exp(-self.viscosity * time)
        return 2 * self.viscosity * a * torch.sin(points) / (1 + a * torch.cos(points))


PROBLEMS: dict[str, EvolutionProblem] = {
    "advection": Advection(velocity=(0.5,), width=0.3, centre=-0.4),
    "advection 2-D": Advection(velocity=(0.5, -0.3), width=0.4, centre=0.0),
    "advection 5-D": Advection(velocity=(0.5, -0.3, 0.1, 0.2, 0.4), width=0.4, centre=0.0, boundary="zero"),
    "heat": Heat(diffusivity=0.2, modes=(2,)),
    "heat 3-D": Heat((-1.0, 0.0, 1.0), (1.0, 2.0, 1.5), 0.02, (2, 1, 3)),
    "burgers": ColeHopf(),
}


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_the_rate_of_an_exact_solution_is_its_time_derivative(name: str) -> None:
    problem, time = PROBLEMS[name], 0.3
    points = problem.domain.interior(40, generator(0), kind="uniform")
    jet = jet_of(lambda x: problem.exact(x, time), points, problem.directions(points))
    expected = in_time(problem, points, time, 1)
    assert float(expected.abs().max()) > 1e-3
    torch.testing.assert_close(problem.rate(points, jet, time), expected, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(problem.initial(points), problem.exact(points, 0.0))
    torch.testing.assert_close(problem.exact_field("u", points, time), problem.exact(points, time))
    torch.testing.assert_close(problem.initial_field("u", points), problem.initial(points))


@pytest.mark.parametrize("name", [name for name in sorted(PROBLEMS) if "advection" in name])
def test_the_rate_of_the_rate_is_the_second_time_derivative(name: str) -> None:
    problem = PROBLEMS[name]
    points = problem.domain.interior(40, generator(0), kind="uniform")
    directions = problem.directions(points)
    twice = problem.rate_of_rate(points, jet_of(lambda x: problem.exact(x, 0.3), points, directions))
    torch.testing.assert_close(twice, in_time(problem, points, 0.3, 2), rtol=1e-5, atol=1e-5)

    def once(x: Tensor) -> Tensor:
        """The rate, as a field that has derivatives itself."""
        slopes = vmap(jacfwd(lambda y: problem.exact(y[None], 0.3)[0]))(x)
        return -(slopes @ directions[0])

    torch.testing.assert_close(
        twice, problem.rate(points, jet_of(once, points, directions), 0.3), rtol=1e-10, atol=1e-10
    )


@given(k=st.integers(1, 4), phase=st.floats(0, 6), time=st.floats(0, 2))
@settings(max_examples=20, deadline=None)
def test_the_rate_of_burgers_of_any_wave_is_that_of_the_formula(k: int, phase: float, time: float) -> None:
    problem = PeriodicBurgers(0.07)
    points = problem.domain.interior(20, generator(0))
    argument = k * points + phase
    jet = jet_of(lambda x: torch.sin(k * x + phase) + 2, points, None)
    expected = -(torch.sin(argument) + 2) * k * torch.cos(argument) - 0.07 * k**2 * torch.sin(argument)
    torch.testing.assert_close(problem.rate(points, jet, time), expected, rtol=1e-11, atol=1e-11)


# ---------------------------------------------------------------------------------------------------------------------
# Advection


def test_a_periodic_pulse_comes_back_and_one_in_a_box_leaves() -> None:
    points = torch.linspace(-2, 2, 81, dtype=torch.float64)[:, None]
    ring, box = Advection(), Advection(boundary="zero")
    torch.testing.assert_close(ring.exact(points, 16.0), ring.initial(points))  # 4 / 0.25 is once around
    assert float(box.exact(points, 20.0).max()) < 1e-15
    # The pulse of the paper moves to 1.5 within 12 time units.
    torch.testing.assert_close(box.exact(points, 12.0), torch.exp(-((points - 1.5) ** 2) / 0.02), atol=1e-12, rtol=0)


def test_the_mass_of_a_pulse_is_its_integral_at_any_time() -> None:
    for problem in (Advection(), Advection(velocity=(0.2, 0.1), width=0.2, centre=0.0)):
        width, dim = problem.width, problem.domain.dim
        for time in (0.0, 2.0):

            def fields(name: str, points: Tensor, problem=problem, time=time) -> Tensor:
                return problem.exact(points, time)

            mass = problem.quantities(fields, time)["mass"]
            assert mass == pytest.approx((2 * math.pi) ** (dim / 2) * width**dim, rel=0.01)


def test_the_width_grows_with_the_root_of_the_dimension() -> None:
    assert Advection(velocity=(1.0,) * 4, width=0.1).width == pytest.approx(0.2)
    at_the_centre = torch.full((1, 4), -1.5, dtype=torch.float64)
    assert float(Advection(velocity=(1.0,) * 4).initial(at_the_centre)) == 1.0


def test_points_are_proposed_around_the_pulse_and_jets_need_one_direction_in_any_dimension() -> None:
    problem = Advection(velocity=(0.5, -0.3, 0.1, 0.2, 0.4), centre=0.0, width=0.1)
    points = problem.propose("u", 500, generator(0))
    assert points.shape == (500, 5)
    anywhere = problem.domain.interior(500, generator(0), kind="uniform")
    assert float(problem.initial(points).mean()) > 10 * float(problem.initial(anywhere).mean())
    assert problem.directions(points).tolist() == [[0.5, -0.3, 0.1, 0.2, 0.4]]
    velocity = problem.velocity_at(lambda name, x: x, points, 0.0)
    assert velocity.shape == (500, 5) and bool((velocity == problem.directions(points)).all())


def test_conditions_on_the_boundary_are_there_where_the_box_is_not_periodic() -> None:
    at = BoundaryPoints(torch.ones(2, 1).double(), torch.ones(2, 1).double())
    jet = Jet(torch.tensor([[[3.0], [4.0]], [[0.0], [0.0]]], dtype=torch.float64), 1)
    assert Advection().boundary("u", at, jet, 0.0) is None
    assert torch.equal(Advection(boundary="zero").boundary("u", at, jet, 0.0), jet.value)
    assert torch.equal(Heat().boundary("u", at, jet, 0.0), jet.value)
    assert PeriodicBurgers().boundary("u", at, jet, 0.0) is None


def test_at_an_inflow_the_pulse_comes_in_from_free_space_and_leaves_freely_at_the_outflow() -> None:
    problem = Advection(boundary="inflow", centre=-3.0, width=0.5)
    ends = BoundaryPoints(*(torch.tensor([[-a], [a]], dtype=torch.float64) for a in (2.0, 1.0)))
    jet = Jet(torch.full((2, 2, 1), 0.25, dtype=torch.float64), 1)
    left = problem.boundary("u", ends, jet, 4.0)  # the centre is at the inflow
    assert left[:, 0].tolist() == pytest.approx([0.25 - 1.0, 0.0])


# ---------------------------------------------------------------------------------------------------------------------
# Heat and Burgers, solved


def test_modes_of_heat_vanish_on_the_boundary_and_decay_as_they_must() -> None:
    problem = PROBLEMS["heat 3-D"]
    at = problem.domain.boundary(60, generator(0)).points
    assert float(problem.exact(at, 0.4).abs().max()) < 1e-14
    points = problem.domain.interior(50, generator(0))
    waves = math.pi**2 * ((2 / 2) ** 2 + (1 / 2) ** 2 + (3 / 0.5) ** 2)
    torch.testing.assert_close(problem.exact(points, 0.4), math.exp(-0.02 * 0.4 * waves) * problem.initial(points))


FITTING = LeastSquaresFit(
    LevenbergMarquardt(tolerance=1e-7, max_solves=10, damping=1e-8),
    LevenbergMarquardt(tolerance=1e-6, max_solves=80, damping=1e-2, patience=10),
)


def test_a_network_of_heat_decays_at_the_right_rate() -> None:
    problem = Heat(diffusivity=0.3)
    with seeded(0):
        network = TanhNetwork(1, width=8).double()
    stepper = TimeStepper(problem, {"u": network}, RungeKutta("sdirk3"), 0.25, fitting=FITTING, points=FitPoints(200))
    state, _ = list(stepper.run(4))[-1]
    x = torch.linspace(-1, 1, 200, dtype=torch.float64)[:, None]
    u = stepper.fields(state.weights)("u", x)
    expected = math.exp(-0.3 * math.pi**2 / 4) * torch.cos(math.pi * x / 2)
    assert float((u - expected).abs().max()) < 1e-3


def test_a_network_solves_burgers_equation_as_cole_and_hopf_do() -> None:
    problem = ColeHopf()
    with seeded(1):
        network = FourierNetwork(1, width=8, modes=2, box=[[0.0], [2 * math.pi]]).double()
    stepper = TimeStepper(problem, {"u": network}, RungeKutta("sdirk3"), 0.1, fitting=FITTING, points=FitPoints(200))
    reports = list(stepper.run(5))
    state = reports[-1][0]
    x = torch.linspace(0, 2 * math.pi, 200, dtype=torch.float64)[:, None]
    error = (stepper.fields(state.weights)("u", x) - problem.exact(x, state.time)).abs().max()
    assert float(error) < 1e-4
    energies = [report.quantities["energy"] for _, report in reports]
    assert all(b < a for a, b in pairwise(energies))
    assert all(abs(report.quantities["mass"]) < 1e-4 for _, report in reports)


# ---------------------------------------------------------------------------------------------------------------------
# Bad input


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Advection(velocity=()), r"the velocity is \[\], expected one number per dimension, not all 0"),
        (lambda: Advection(velocity=(0.0, 0.0)), r"the velocity is \[0.0, 0.0\]"),
        (lambda: Advection(velocity=(math.nan,)), r"a component of the velocity is nan"),
        (lambda: Advection(width=0.0), "the width of the pulse is 0.0, expected a positive number"),
        (lambda: Advection(boundary="wall"), "no boundary 'wall' of advection, expected periodic, zero or inflow"),
        (lambda: Advection(lower=1.0, upper=-1.0), "lower must be smaller than upper"),
        (lambda: Heat(diffusivity=-1.0), "the diffusivity is -1.0, expected a positive number"),
        (lambda: Heat(diffusivity=math.nan), "the diffusivity is nan"),
        (lambda: Heat(modes=(1, 2)), r"the modes are \[1, 2\], expected a positive whole number for each axis"),
        (lambda: Heat(modes=(0,)), r"the number of half periods is 0"),
        (lambda: Heat((0.0, 0.0), (1.0,)), "lower and upper of a box need one coordinate per axis each"),
        (lambda: PeriodicBurgers(0.0), "the viscosity is 0.0, expected a positive number"),
    ],
)
def test_problems_that_make_no_sense_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("wrong", [True, math.nan, "1", 0.0, math.inf])
@pytest.mark.parametrize(
    "make",
    [
        lambda value: Advection(width=value),
        lambda value: Heat(diffusivity=value),
        lambda value: PeriodicBurgers(viscosity=value),
        lambda value: Smoke(width=value),
        lambda value: TaylorGreenPrimitive(boundary_weight=value),
        lambda value: Motion(time_step=value),
        lambda value: ElasticBody(Box([0.0, 0.0], [1.0, 1.0]), Motion(0.1), density=value),
        lambda value: ArapVolume(stiffness=value),
        lambda value: Sphere([0.0, 0.0], value, 1.0),
    ],
)
def test_numbers_of_problems_that_are_not_positive_are_refused(make, wrong) -> None:
    with pytest.raises(InputError, match="expected a positive number"):
        make(wrong)
