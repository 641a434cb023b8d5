"""Coupled experts: what holds by construction, how fast they converge, and independence of instances."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from sciml.domains import Box
from sciml.errors import InputError
from sciml.hcmoe import (
    Burgers,
    CoupledExperts,
    Elements,
    EndCondition,
    Heat,
    Points,
    Slabs,
    SlabState,
    SpaceTimeProblem,
)
from sciml.hcmoe.elements import ElementBasis
from sciml.hcmoe.end_conditions import conditions_of, start_of
from sciml.hcmoe.problems.base import instances_of
from sciml.hcmoe.slab import Slab
from sciml.numerics.derivatives import jet_of
from sciml.numerics.polynomials import from_zero
from sciml.numerics.random import generator


class Manufactured(SpaceTimeProblem):
    """Heat with u = cos(x) e^-t + x^2 t: a flux that changes in time on the left, a mixed condition on the right."""

    def __init__(self, factor: float | Sequence[float] = 1.0) -> None:
        self.domain, self.duration = Box([0.0], [2.0]), 1.0
        self._coefficients = instances_of(factor=factor)

    @property
    def coefficients(self) -> dict[str, Tensor]:
        return self._coefficients

    def residual(self, terms: Sequence[Tensor], at: Points) -> Tensor:
        _, u_t, _, u_xx = terms
        return u_t - u_xx - at["factor"] * (at.x**2 - 2 * at.t)

    def initial(self, at: Points) -> Tensor:
        return at["factor"] * torch.cos(at.x)

    def ends(self, at: Points) -> tuple[EndCondition, EndCondition]:
        decay = torch.exp(-at.t)
        right = 2 * (math.cos(2.0) * decay + 4 * at.t) - math.sin(2.0) * decay + 4 * at.t
        return EndCondition(0.0, 1.0, 0.0 * at.t), EndCondition(2.0, 1.0, at["factor"] * right)

    def exact(self, points: Tensor, time: float) -> Tensor:
        return float(self._coefficients["factor"][0]) * (torch.cos(points) * math.exp(-time) + points**2 * time)


def solved(experts: CoupledExperts) -> list:
    return [state for state, _ in experts.run()]


def worst_error(experts: CoupledExperts, states: list) -> float:
    (lower,), (upper,) = experts.problem.domain.lower, experts.problem.domain.upper
    x, worst = torch.linspace(lower, upper, 101, dtype=torch.float64), 0.0
    for state in states:
        for time in (0.5 * sum(experts.times[state.number - 1 : state.number + 1]), experts.times[state.number]):
            exact = experts.problem.exact(x[:, None], time)[:, 0]
            worst = max(worst, float((experts.values(state, x, time)[0] - exact).abs().max()))
    return worst


def jumps(experts: CoupledExperts, state, time: float) -> tuple[float, float]:
    """Return the largest jumps of u and u_x at inner faces, from the polynomials of both elements."""
    faces, worst = experts.basis.face_points, []
    for order in (0, 1):
        left = experts.basis.tables(torch.ones(1, dtype=torch.float64), order)[order][:-1, 0]
        right = experts.basis.tables(-torch.ones(1, dtype=torch.float64), order)[order][1:, 0]
        begin, end = experts.times[state.number - 1 : state.number + 1]
        share = (time - begin) / (end - begin)
        now = from_zero(torch.tensor([2 * share - 1], dtype=torch.float64), experts.slabs.degree)[0, 0]
        u = (state.start + state.change @ now)[0]
        worst.append(float(((left * u[:-1]).sum(1) - (right * u[1:]).sum(1)).abs().max()))
    assert len(faces) > 2
    return worst[0], worst[1]


def test_values_slopes_starts_and_ends_hold_by_construction_before_anything_is_solved():
    problem = Burgers(0.02)
    basis = ElementBasis(Elements(6, 7, [0.0], 0.1).faces(-1, 1), 7)
    slab = Slab(problem, basis, 4, 0.0, 0.1, start_of(problem, basis))
    w = torch.randn(1, slab.unknowns.count, dtype=torch.float64, generator=generator(0))
    experts = CoupledExperts(problem, Elements(6, 7, [0.0], 0.1), Slabs(10, 4))
    change = slab.coefficients(w)
    state = SlabState(1, slab.start, change, slab.end_state(change))
    assert max(jumps(experts, state, 0.037)) < 1e-11  # slopes are of size 100
    x = torch.linspace(-1, 1, 33, dtype=torch.float64)
    still = SlabState(1, slab.start, 0 * change, slab.start)
    assert torch.allclose(experts.values(state, x, 0.0), experts.values(still, x, 0.05))
    assert experts.values(state, x[[0, -1]], 0.05).abs().max() < 1e-13
    assert experts.values(state, x, 0.05).abs().max() > 0.5


def test_heat_converges_with_the_degree_until_rounding():
    errors = []
    for degree in (6, 8, 10, 12):
        experts = CoupledExperts(Heat(), Elements(3, degree), Slabs(4, degree))
        errors.append(worst_error(experts, solved(experts)))
    assert all(after < before / 10 for before, after in itertools.pairwise(errors)), errors
    assert errors[-1] < 1e-9


def test_the_front_of_burgers_converges_with_the_number_of_experts():
    errors = []
    for count in (2, 4, 8, 16):
        experts = CoupledExperts(Burgers(0.02), Elements(count, 8, [0.0], 2 / count**1.5), Slabs(10, 6))
        errors.append(worst_error(experts, solved(experts)))
    assert all(after < before / 3 for before, after in itertools.pairwise(errors)), errors
    assert errors[-1] < 1e-5


def test_fluxes_and_mixed_conditions_that_change_in_time_are_met():
    experts = CoupledExperts(Manufactured(), Elements(2, 10), Slabs(2, 9))
    states = solved(experts)
    assert worst_error(experts, states) < 1e-9
    for state in states:
        time = experts.times[state.number]
        x = torch.tensor([0.0, 2.0], dtype=torch.float64, requires_grad=True)
        u = experts.values(state, x, time)[0]
        (slope,) = torch.autograd.grad(u.sum(), x)
        decay = math.exp(-time)
        target = 2 * (math.cos(2.0) * decay + 4 * time) - math.sin(2.0) * decay + 4 * time
        assert float(slope[0]) == pytest.approx(0.0, abs=1e-12)
        assert float(2 * u[1].detach() + slope[1]) == pytest.approx(target, rel=1e-9)


def test_instances_are_solved_together_as_each_is_alone():
    viscosities = [0.3, 0.05, 0.02]
    settings = (Elements(4, 8, [0.0], 0.2), Slabs(3, 5))
    together = solved(CoupledExperts(Burgers(viscosities), *settings))
    for number, viscosity in enumerate(viscosities):
        alone = solved(CoupledExperts(Burgers(viscosity), *settings))
        for one, many in zip(alone, together, strict=True):
            assert torch.allclose(one.end[0], many.end[number], atol=1e-9)
    assert (together[-1].end[0] - together[-1].end[2]).abs().max() > 0.1


def test_derivatives_of_the_field_satisfy_the_equation():
    experts = CoupledExperts(Burgers(0.1), Elements(8, 10), Slabs(2, 8))
    state = solved(experts)[0]
    x = torch.linspace(-0.97, 0.97, 40, dtype=torch.float64)
    t = torch.full_like(x, 0.4).requires_grad_()
    jet = jet_of(lambda points: experts.values(state, points[:, 0], 0.4)[0][:, None], x[:, None], 2)
    (u_t,) = torch.autograd.grad(experts.values(state, x, t).sum(), t)
    residual = u_t + jet.value[:, 0] * jet.first[0, :, 0] - 0.1 * jet.second[0, :, 0]
    assert residual.abs().max() < 1e-3 * u_t.abs().max()


def test_a_start_that_contradicts_an_end_gives_way_within_the_first_element():
    class Cold(Heat):
        def ends(self, at: Points) -> tuple[EndCondition, EndCondition]:
            return EndCondition(1.0, 0.0, 1.0), EndCondition(1.0, 0.5, 0.0)

        def initial(self, at: Points) -> Tensor:
            return torch.zeros_like(at.x)

    experts = CoupledExperts(Cold(), Elements(8, 6, [0.0], 0.01), Slabs(2, 4))
    state = SlabState(1, experts.start, experts.start[..., None].expand(-1, -1, -1, 4) * 0, experts.start)
    x = torch.linspace(0, 1, 201, dtype=torch.float64)
    u = experts.values(state, x, 0.0)[0]
    assert float(u[0]) == pytest.approx(1.0, abs=1e-14)
    assert u[x > 0.0101].abs().max() < 1e-14
    conditions = conditions_of(experts.problem, experts.basis, torch.zeros(1, dtype=torch.float64))
    assert torch.allclose(conditions[1].normal.norm(dim=1), torch.ones(1, dtype=torch.float64))


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ({"count": 7, "towards": [0.0], "smallest": 0.1}, "7 elements for 2 sides"),
        ({"towards": [2.0], "smallest": 0.1}, "from -1 to 1"),
        ({"towards": [0.0]}, "expected both or neither"),
        ({"towards": [0.0], "smallest": 0.9}, "smallest element is 0.9"),
        ({"degree": 3}, "degree of the elements"),
    ],
)
def test_elements_that_do_not_suit_the_interval_are_refused(elements, said):
    with pytest.raises(InputError, match=said):
        CoupledExperts(Burgers(), Elements(**elements))


def test_problems_that_are_not_well_stated_are_refused():
    class Flat(Heat):
        def residual(self, terms: Sequence[Tensor], at: Points) -> Tensor:
            return super().residual(terms, at).flatten()

    class Free(Heat):
        def ends(self, at: Points) -> tuple[EndCondition, EndCondition]:
            return EndCondition(0.0, 0.0, 1.0), EndCondition(1.0, 0.0, 0.0)

    class Fourth(Heat):
        orders = ((1, 0), (0, 4))

    shape, end, order = "Flat.residual returned the shape", "lower end of Free", "orders of Fourth"
    for problem, said in ((Flat(), shape), (Free(), end), (Fourth(), order)):
        with pytest.raises(InputError, match=said):
            solved(CoupledExperts(problem, Elements(2, 5), Slabs(1, 3)))
    with pytest.raises(InputError, match="viscosity"):
        Burgers(viscosity=[0.1, -0.1])
    with pytest.raises(InputError, match="different numbers of values"):
        instances_of(one=[1.0, 2.0], other=[1.0, 2.0, 3.0])


class Tracked(Burgers):
    """Burgers' equation whose start has coefficients too, all of them tensors that may require gradients."""

    def __init__(self, viscosity: Tensor, wave: Tensor, left: Tensor) -> None:
        super().__init__(0.1)
        self._coefficients = {"viscosity": viscosity, "wave": wave, "left": left}

    def initial(self, at: Points) -> Tensor:
        return super().initial(at) + at["wave"] * torch.sin(2 * torch.pi * at.x) + at["left"] * 0.5 * (1 - at.x)

    def ends(self, at: Points) -> tuple[EndCondition, EndCondition]:
        return EndCondition(1.0, 0.0, at["left"] * (1 + at.t)), EndCondition(1.0, 0.0, 0.0)


def test_derivatives_by_coefficients_starts_and_boundary_values_are_those_of_differences():
    x, weights = torch.tensor([[-0.6, 0.1, 0.4], [1.0, -2.0, 0.5]], dtype=torch.float64)

    def loss(*coefficients: Tensor) -> Tensor:
        experts = CoupledExperts(Tracked(*coefficients), Elements(4, 12), Slabs(3, 9))
        *_, (state, _) = experts.run()
        return (experts.values(state, x, 1.0) * weights).sum(1)

    point = [torch.tensor(pair, dtype=torch.float64) for pair in ([0.1, 0.3], [0.2, -0.1], [0.3, 0.05])]
    tracked = [values.clone().requires_grad_() for values in point]
    found = torch.autograd.grad(loss(*tracked).sum(), tracked)
    for number, gradient in enumerate(found):
        slopes = []
        for step in (1e-3, -1e-3, 5e-4, -5e-4):
            moved = [values + step * (number == other) for other, values in enumerate(point)]
            slopes.append(loss(*moved))
        coarse, fine = (slopes[0] - slopes[1]) / 2e-3, (slopes[2] - slopes[3]) / 1e-3
        expected = fine + (fine - coarse) / 3
        assert torch.allclose(gradient, expected, rtol=1e-6, atol=1e-8)
        assert gradient.abs().min() > 1e-3
