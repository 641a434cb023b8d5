"""Transport problems of a user: what is refused before anything is trained, and what is warned of."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sciml.domains import Box
from sciml.errors import InputError
from sciml.lpinn import (
    Ale,
    Convection,
    DeformationalSwirl,
    Eulerian,
    Frame,
    Lagrangian,
    SolidBodyRotation,
    SpaceTimeSolver,
    TransportProblem,
    VariableConvection,
    ViscousBurgers,
)
from sciml.lpinn.frames.lagrangian import crossing_time
from tests.lpinn.maps import characteristics


class Mine(TransportProblem):
    """A user's problem, any part of which may be changed."""

    passive = True

    def __init__(self, domain: Box | None = None, **parts: Callable[..., Tensor] | float | bool) -> None:
        self.domain = domain or Box([0.0], [2 * math.pi], True)
        for name, part in parts.items():
            setattr(self, name, part)

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return torch.ones_like(x)

    def initial(self, x: Tensor) -> Tensor:
        return torch.cos(x[:, :1])


# ---------------------------------------------------------------------------------------------------------------------
# What is refused


def test_a_problem_of_a_user_is_one_class() -> None:
    problem = Mine(viscosity=0.1, duration=2.0)
    problem.check()
    points = torch.zeros(3, 1, dtype=torch.float64)
    assert problem.source(points, points, points) is None
    assert problem.inflow(points, points) is None
    assert problem.exact(points, 0.5) is None
    assert problem.labels is problem.domain
    assert float(problem.drift()) == 1.0


@pytest.mark.parametrize("viscosity", [-0.1, math.nan, math.inf])
def test_viscosities_below_zero_are_refused(viscosity: float) -> None:
    with pytest.raises(InputError, match=r"the viscosity is .*, expected a number of at least 0"):
        Mine(viscosity=viscosity).check()


@pytest.mark.parametrize("duration", [0.0, -1.0, math.nan, math.inf])
def test_durations_of_nothing_are_refused(duration: float) -> None:
    with pytest.raises(InputError, match=r"the duration is .*, expected a positive number"):
        Mine(duration=duration).check()


def test_a_box_without_length_and_a_speed_that_is_no_number_are_refused() -> None:
    with pytest.raises(InputError, match="lower must be smaller than upper"):
        Box([0.0], [0.0], True)
    with pytest.raises(InputError, match="the speed is nan, expected a finite number"):
        Convection(math.nan)


@pytest.mark.parametrize("name", ["initial", "velocity", "source"])
def test_wrong_shapes_types_and_values_are_named(name: str) -> None:
    def returning(values: Callable[[Tensor], object]) -> Mine:
        return Mine(**{name: lambda x, *_: values(x)})

    shape = r"\(4096, 1\)"
    with pytest.raises(
        InputError, match=rf"{name} returned values of shape \(4096,\) at 4096 points, expected {shape}"
    ):
        returning(lambda x: x[:, 0]).check()
    with pytest.raises(InputError, match=rf"{name} returned torch.float32 at points of torch.float64, expected that"):
        returning(lambda x: x.float()).check()
    with pytest.raises(InputError, match=rf"{name} returned a value of type float, expected a tensor of shape {shape}"):
        returning(lambda x: 1.0).check()
    with pytest.raises(InputError, match=f"{name} is not finite at .* of 4096 points, the first of them"):
        returning(lambda x: torch.log(x - 1)).check()


def test_a_velocity_that_depends_on_u_is_not_passive() -> None:
    problem = Mine(velocity=lambda x, t, u: u)
    with pytest.raises(InputError, match="Mine is passive, but its velocity depends on u; set passive to False"):
        problem.check()
    problem.passive = False
    problem.check()


def test_starts_that_are_not_periodic_on_a_periodic_box_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"periodic along axis 0, but the initial condition differs by 6\.3 between 0 and 6\.28"
    ):
        Mine(initial=lambda x: 1 * x).check()
    # a bell that is cut off: the value is periodic, its slope is not
    with pytest.raises(InputError, match="but the slope of the initial condition differs by"):
        Mine(initial=lambda x: torch.exp(-((x - math.pi) ** 2) / 2)).check()
    Mine(initial=lambda x: torch.exp(-((x - math.pi) ** 2) / 0.2)).check()
    Mine(Box([0.0], [1.0]), initial=lambda x: 1 * x).check()


def test_each_axis_is_looked_at() -> None:
    half = Box([0.0, -1.0], [2 * math.pi, 1.0], [True, False])
    Mine(half, initial=lambda x: torch.sin(x[:, :1]) * x[:, 1:]).check()
    with pytest.raises(InputError, match="periodic along axis 1, but the initial condition differs by"):
        Mine(Box(half.lower, half.upper, True), initial=lambda x: torch.sin(x[:, :1]) * x[:, 1:]).check()


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
def test_large_means_and_sizes_are_no_fault(size: float) -> None:
    Mine(initial=lambda x: 50 * size + size * torch.sin(x)).check()
    with pytest.raises(InputError, match="the initial condition differs"):
        Mine(initial=lambda x: 50 * size + size * torch.sin(0.999 * x)).check()


def test_a_start_that_is_the_same_everywhere_is_no_fault() -> None:
    Mine(initial=lambda x: 3 + 0 * x).check()


# ---------------------------------------------------------------------------------------------------------------------
# What is warned of


def test_the_time_of_crossing_is_minus_one_over_the_steepest_descent() -> None:
    assert crossing_time(ViscousBurgers(50.0, 0.0)) == pytest.approx(1.0, rel=1e-6)
    assert crossing_time(ViscousBurgers(0.0, 0.0, sines=(0.0, -3.0))) == pytest.approx(1 / 6, rel=1e-5)
    assert crossing_time(Convection(50.0)) == math.inf
    assert crossing_time(SolidBodyRotation()) == math.inf  # complex eigenvalues: it turns
    plane = Mine(
        Box([0.0, 0.0], [2 * math.pi, 2 * math.pi], True),
        velocity=lambda x, t, u: torch.cat([u, 2 * u], 1),
        initial=lambda x: torch.sin(x[:, :1] + x[:, 1:]),
    )
    assert crossing_time(plane) == pytest.approx(1 / 3, rel=1e-3)


def test_crossing_is_told_before_training_where_there_is_no_viscosity() -> None:
    problem = ViscousBurgers(0.0, 0.0, duration=1.5)
    (sentence,) = Lagrangian().cautions(problem)
    assert "characteristics of ViscousBurgers cross at t = 1, within its duration 1.5" in sentence
    made = characteristics(problem, Lagrangian(), 1)
    with pytest.warns(UserWarning, match="cross at t = 1, within its duration 1.5.*least-action") as caught:
        SpaceTimeSolver(made)
    assert caught[0].filename == __file__  # not in the name of the package


def test_diffusion_by_label_is_told_to_be_another_equation() -> None:
    made = characteristics(ViscousBurgers(50.0, 0.01), Lagrangian("label"), 2)
    with pytest.warns(UserWarning, match="off by 1 to 5 % for Burgers' equation, which no training removes"):
        SpaceTimeSolver(made)
    varying = VariableConvection()
    varying.viscosity = 0.1
    assert "varies in space" in Lagrangian("label").cautions(varying)[0]


@pytest.mark.parametrize(
    ("problem", "frame"),
    [
        (ViscousBurgers(0.0, 0.0, duration=0.9), Lagrangian()),
        (ViscousBurgers(0.0, 0.0, duration=1.5), Eulerian()),
        (ViscousBurgers(0.0, 0.01), Lagrangian()),
        (ViscousBurgers(0.0, 0.01), Ale()),
        (VariableConvection(), Lagrangian()),
        (DeformationalSwirl(), Lagrangian("label")),
        (Convection(50.0, 0.1), Lagrangian("label")),
        (SolidBodyRotation(0.1), Lagrangian("label")),
    ],
)
def test_there_is_no_warning_of_what_is_right(problem: TransportProblem, frame: Frame) -> None:
    moving = problem.domain.dim * frame.moves
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SpaceTimeSolver(characteristics(problem, frame, moving + 1))
