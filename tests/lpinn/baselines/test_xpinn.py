"""Parts of space and time, and conditions on their interfaces."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sciml.errors import InputError
from sciml.lpinn import Convection, TransportProblem, ViscousBurgers, relative_error
from sciml.lpinn.baselines import Budget, Xpinn
from sciml.lpinn.baselines.standard import SoftPinn
from sciml.lpinn.baselines.subdomains import SubdomainPinns, Subdomains
from sciml.numerics.derivatives import Jet, jet_of
from sciml.numerics.flat import FlatModule
from sciml.numerics.random import generator
from tests.lpinn.baselines.flows import Channel, Torus


class Exact(nn.Module):
    """A field as a network with one weight, its amplitude."""

    def __init__(self, problem: TransportProblem, amplitude: float = 1.0) -> None:
        super().__init__()
        self.amplitude = nn.Parameter(torch.tensor([amplitude], dtype=torch.float64))
        self.problem = problem

    def forward(self, points: Tensor, order: int) -> Jet:
        made = SoftPinn(self.problem, None)

        def field(at: Tensor) -> Tensor:
            x, t = at[:, :-1], at[:, -1:]
            if isinstance(self.problem, Channel):
                return (self.problem.wave(x, t) - made.mean) / made.size
            speed = self.problem.velocity(x, t, t)
            decay = torch.exp(-self.problem.viscosity * t)
            return (decay * self.problem.initial(x - speed * t) - made.mean) / made.size

        jet = jet_of(field, points, order)
        return Jet(self.amplitude * jet.rows, jet.order)


def inserted(problem: TransportProblem, baseline: Xpinn, off: float = 0.0) -> dict[str, Tensor]:
    """All residuals with exact networks, the first of which is off."""
    cut = baseline.cut(problem)
    pieces = SubdomainPinns(cut, [SoftPinn(problem, FlatModule(Exact(problem))) for _ in cut.boxes])
    weights = torch.ones(len(cut.boxes), dtype=torch.float64)
    weights[0] += off
    return {group.name: group(weights) for group in baseline.groups(pieces, weights, generator(0))}


@pytest.mark.parametrize(
    ("problem", "parts"),
    [
        (Convection(3.0, viscosity=0.1), (1,)),
        (Convection(3.0), (3,)),
        (Channel(growth=0.5, viscosity=0.1), (2,)),
        (Torus(0.1), (2, 1)),
    ],
)
def test_all_residuals_vanish_for_the_exact_solution(problem: TransportProblem, parts: tuple[int, ...]) -> None:
    found = inserted(problem, Xpinn(times=2, parts=parts))
    assert max(float(values.abs().max()) for values in found.values()) < 1e-12
    assert any(name.startswith("interface") for name in found)


def test_on_interfaces_the_average_is_missed_by_half_of_the_jump_from_either_side() -> None:
    problem, baseline = Convection(3.0), Xpinn(times=2, weight=8.0)
    jump = inserted(problem, baseline, off=0.1)["interface 0 1 1"]
    assert float(jump[:, 0].abs().max()) == pytest.approx(0.1 * (8 / 2) ** 0.5, rel=2e-2)
    assert float(jump[:, 1].abs().max()) < 1e-12  # another amplitude fulfils the equation too


def test_parts_fill_the_box_and_know_their_points() -> None:
    problem = Torus()
    cut = Subdomains(problem, [2, 3, 4])
    assert sum(box.measure for box in cut.boxes) == pytest.approx(problem.domain.measure * problem.duration)
    for number, box in enumerate(cut.boxes):
        assert bool((cut.which(box.interior(20, generator(0))) == number).all())
    ends = torch.tensor([[cut.upper[0], cut.upper[1], cut.upper[2]]], dtype=torch.float64)
    assert int(cut.which(ends)) == len(cut.boxes) - 1


def test_interfaces_are_those_of_neighbours_across_periods_too() -> None:
    assert Subdomains(Convection(), [1, 3]).interfaces() == [(0, 1, 1), (1, 2, 1)]
    around = Subdomains(Convection(), [3, 1]).interfaces()
    assert around == [(0, 1, 0), (1, 2, 0), (2, 0, 0)]
    assert Subdomains(Channel(), [3, 1]).interfaces() == around[:2]


def test_each_point_is_read_from_the_network_of_its_part() -> None:
    problem = Convection(3.0)
    cut = Subdomains(problem, [1, 2])
    pieces = SubdomainPinns(cut, [SoftPinn(problem, FlatModule(Exact(problem))) for _ in cut.boxes])
    points = torch.tensor([[0.5, 0.2], [0.5, 0.7]], dtype=torch.float64)
    values = pieces.read(torch.tensor([1.0, 5.0], dtype=torch.float64), points)
    expected = torch.sin(points[:, :1] - 3 * points[:, 1:]) * torch.tensor([[1.0], [5.0]])
    assert torch.allclose(values, expected, atol=1e-12)


def test_cuts_in_space_are_solved() -> None:
    problem = ViscousBurgers(viscosity=0.1, duration=0.5)
    solution = Xpinn(times=1, parts=(2,), width=8, points=150, known=60, interface=40)(problem, Budget(1000.0, 25))
    assert relative_error(solution, [0.25, 0.5], problem.probes()[::8]) < 3e-2


def test_parts_of_another_dimension_are_refused() -> None:
    with pytest.raises(InputError, match="each of 2 axes"):
        Xpinn(parts=(2,))(Torus(), Budget(1.0))


def test_there_are_as_many_parts_of_time_as_the_speed_asks_for_and_at_least_two() -> None:
    assert Xpinn(radians=5.0).cut(Convection(20.0)).cuts == (1, 4)
    assert Xpinn(radians=5.0).cut(Torus()).cuts == (1, 1, 2)
    assert Xpinn(times=3, parts=(2, 1)).cut(Torus()).cuts == (2, 1, 3)
