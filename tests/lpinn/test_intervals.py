"""Problems on an interval: exact solutions solve their equations, and have their values at the ends."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.lpinn import BoundaryLayer, Channel, Eulerian, TransportProblem
from sciml.lpinn.frames import residuals
from tests.lpinn.maps import motion_of

PROBLEMS: dict[str, TransportProblem] = {
    "channel": Channel(),
    "channel that widens": Channel(1.5, -1.0, 2.0, 0.5),
    "channel of one width": Channel(2.0, 0.0),
    "layer": BoundaryLayer(),
    "steady layer": BoundaryLayer(2.0, 0.1, amplitude=0.0),
    "fast oscillation": BoundaryLayer(1.0, 0.02, 1.0, 5.0),
}
each = pytest.mark.parametrize("name", PROBLEMS)


@each
def test_exact_solutions_begin_at_the_start(name: str) -> None:
    problem = PROBLEMS[name]
    problem.check()
    x = torch.linspace(0, 1, 33, dtype=torch.float64)[:, None]
    torch.testing.assert_close(problem.exact(x, 0.0), problem.initial(x), rtol=0, atol=1e-13)


@each
def test_exact_solutions_have_the_values_at_the_ends(name: str) -> None:
    problem = PROBLEMS[name]
    for time in (0.1, 0.45, 0.9):
        ends = torch.tensor([[0.0], [1.0]], dtype=torch.float64)[: 2 if problem.viscosity else 1]
        wanted = problem.inflow(ends, torch.full_like(ends, time))
        torch.testing.assert_close(problem.exact(ends, time), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["layer", "steady layer", "fast oscillation"])
def test_layers_solve_their_equation(name: str) -> None:
    problem = PROBLEMS[name]
    points = torch.rand(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def wave(x: Tensor, t: Tensor) -> Tensor:
        values = problem._mode(x, 0.0, math.pi / 2, t)
        return values + problem.amplitude * problem._mode(x, problem.frequency, 0.0, t)

    motion = motion_of(lambda label, t: label + 0 * t, wave, points)
    found = residuals(problem, Eulerian(), torch.zeros(1).double(), motion)["state"]
    assert float(found.abs().max()) < 1e-10 * float(motion.state.second[0].abs().max())
    torch.testing.assert_close(
        wave(points[:, :1], points[:, 1:])[:1], problem.exact(points[:1, :1], float(points[0, 1]))
    )


@pytest.mark.parametrize("name", ["channel", "channel that widens", "channel of one width"])
def test_what_enters_keeps_its_value_along_its_path(name: str) -> None:
    problem, step = PROBLEMS[name], 1e-5
    x = torch.linspace(0.05, 0.95, 37, dtype=torch.float64)[:, None]
    for time in (0.2, 0.7):
        rate = (problem.exact(x, time + step) - problem.exact(x, time - step)) / (2 * step)
        slope = (problem.exact(x + step, time) - problem.exact(x - step, time)) / (2 * step)
        speed = problem.velocity(x, torch.full_like(x, time), x)
        left = (rate + speed * slope).abs()
        jump = float(left.max()) > 100  # on the front itself there is no derivative
        assert float(left.sort(0).values[-2 if jump else -1]) < 1e-5


def test_the_layer_is_as_thick_as_viscosity_over_speed() -> None:
    problem = BoundaryLayer(1.0, 0.05, amplitude=0.0)
    x = torch.tensor([[1 - 0.05]], dtype=torch.float64)
    assert float(problem.exact(x, 0.3)) == pytest.approx(1 - math.exp(-1), rel=1e-6)


def test_flows_that_stand_still_and_layers_of_nothing_are_refused() -> None:
    for arguments in ((0.0,), (-1.0,), (1.0, -1.0), (math.nan,)):
        with pytest.raises(InputError, match=r"expected a .+; the flow is to the right at both ends"):
            Channel(*arguments)
    for arguments in ((0.0,), (1.0, 0.0), (1.0, math.inf)):
        with pytest.raises(InputError, match=r"(in|of) a layer is .+, expected a positive number"):
            BoundaryLayer(*arguments)
