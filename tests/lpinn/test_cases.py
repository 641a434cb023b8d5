"""The cases: their exact solutions solve their equations, start where they must, and keep what is conserved."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.lpinn import (
    Convection,
    DeformationalSwirl,
    SolidBodyRotation,
    StandardBurgers,
    TransportProblem,
    VariableConvection,
    ViscousBurgers,
)

CASES: dict[str, TransportProblem] = {
    "convection": Convection(50.0),
    "convection and diffusion": Convection(50.0, 0.1, wave_number=3),
    "variable speed": VariableConvection(),
    "rotation": SolidBodyRotation(),
    "rotation and diffusion": SolidBodyRotation(0.01),
    "swirl": DeformationalSwirl(),
    "burgers": ViscousBurgers(50.0, 0.05, cosines=(0.2,)),
    "burgers without viscosity": ViscousBurgers(2.0, 0.0, duration=0.8),
    "standard burgers": StandardBurgers(0.05),
}
each = pytest.mark.parametrize("name", CASES)


def inside(problem: TransportProblem, count: int = 30) -> Tensor:
    return problem.domain.interior(count, torch.Generator().manual_seed(1), kind="uniform")


def slope(values: list[Tensor], step: float) -> Tensor:
    """Derivative in the middle of nine values."""
    weights = (1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280)
    return sum(w * value for w, value in zip(weights, values, strict=True)) / step


@each
def test_cases_pass_their_own_check(name: str) -> None:
    CASES[name].check()


@each
def test_exact_solutions_begin_at_the_start(name: str) -> None:
    problem = CASES[name]
    x = inside(problem)
    torch.testing.assert_close(problem.exact(x, 0.0), problem.initial(x), rtol=0, atol=1e-12)


@each
def test_exact_solutions_solve_their_equations(name: str) -> None:
    problem = CASES[name]
    x, time = inside(problem, 60), 0.6 * problem.duration
    speed = float(problem.velocity(x, torch.zeros(60, 1).double(), problem.initial(x)).abs().max())
    fine = 0.005
    late = fine / speed
    rate = slope([problem.exact(x, time + k * late) for k in range(-4, 5)], late)
    u = problem.exact(x, time)
    velocity = problem.velocity(x, torch.full_like(u, time), u)
    carried, spread = torch.zeros_like(u), torch.zeros_like(u)
    for axis in torch.eye(problem.domain.dim, dtype=torch.float64):
        around = [problem.exact(x + k * fine * axis, time) for k in range(-4, 5)]
        carried = carried + slope(around, fine) * (velocity * axis).sum(1, keepdim=True)
        bends = (-1 / 560, 8 / 315, -1 / 5, 8 / 5, -205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560)
        spread = spread + sum(w * value for w, value in zip(bends, around, strict=True)) / fine**2
    scale = max(float(rate.abs().max()), 1.0)
    assert float((rate + carried - problem.viscosity * spread).abs().max()) < 1e-6 * scale


@pytest.mark.parametrize("name", ["convection", "burgers", "burgers without viscosity", "standard burgers"])
def test_the_mean_is_conserved_and_is_the_drift(name: str) -> None:
    problem = CASES[name]
    (lower,), (upper,) = problem.domain.lower, problem.domain.upper
    x = torch.linspace(lower, upper, 1025, dtype=torch.float64)[:-1, None]
    start = problem.initial(x).mean()
    for time in (0.3, 0.8):
        assert float((problem.exact(x, time).mean() - start).abs()) < 1e-12 * max(1.0, abs(float(start)))
    if not problem.passive:
        assert float((problem.drift() - start).abs()) < 1e-12 * max(1.0, abs(float(start)))


def test_everything_is_back_after_a_turn_and_a_period() -> None:
    rotation, swirl = SolidBodyRotation(), DeformationalSwirl()
    variable = VariableConvection(duration=2 * math.pi / math.sqrt(0.75))
    for problem in (rotation, swirl, variable):
        x = inside(problem)
        torch.testing.assert_close(problem.exact(x, problem.duration), problem.initial(x), rtol=0, atol=1e-9)
    x = inside(swirl)
    assert float((swirl.exact(x, swirl.duration / 2) - swirl.initial(x)).abs().max()) > 0.1


def test_labels_of_the_rotation_contain_all_that_turns_through_the_domain() -> None:
    problem = SolidBodyRotation()
    x = torch.cartesian_prod(*[torch.linspace(-1, 1, 9, dtype=torch.float64)] * 2)
    for time in (0.1, 0.125, 0.4):
        assert bool(problem.labels.contains(problem.flow.map(x, time, 0.0)).all())


def test_burgers_equation_is_galilean_invariant() -> None:
    x = torch.linspace(0, 6, 50, dtype=torch.float64)[:, None]
    for viscosity, time in ((0.05, 0.7), (0.0, 1.6)):
        moving, resting = ViscousBurgers(50.0, viscosity), ViscousBurgers(0.0, viscosity)
        found = moving.exact(x + 50 * time, time) - 50
        torch.testing.assert_close(found, resting.exact(x, time), rtol=0, atol=1e-10)


def test_without_viscosity_the_front_stands_where_both_sides_are_equally_far() -> None:
    x = math.pi + torch.tensor([[-1e-6], [1e-6]], dtype=torch.float64)
    left, right = ViscousBurgers(0.0, 0.0, duration=2.0).exact(x, 2.0)[:, 0].tolist()
    assert left == pytest.approx(-right, rel=1e-5)
    assert left > 0.9


@pytest.mark.parametrize("problem", [SolidBodyRotation, DeformationalSwirl])
@pytest.mark.parametrize("width", [0.0, -1.0, math.inf])
def test_bumps_without_a_width_are_refused(problem: type, width: float) -> None:
    with pytest.raises(InputError, match=r"the width of the bump is .*, expected a positive number"):
        problem(width=width)
