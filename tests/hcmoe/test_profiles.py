"""Coefficients that are fields over the interval: starts and conductivities in layers, experts and projections."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sciml.domains import Box
from sciml.errors import InputError
from sciml.hcmoe import (
    ChebyshevBasis,
    ConstraintSettings,
    CoupledExperts,
    Elements,
    EndCondition,
    ExpertConstraint,
    GridBasis,
    Profile,
    Projection,
    Slabs,
    SpaceTimeProblem,
)
from sciml.hcmoe.problems.base import instances_of
from sciml.numerics.random import generator

FINE = torch.linspace(0, 1, 257, dtype=torch.float64)
ORDERS = [1.0, 2.0]  # instance i has the solution exp(-t) sin(i pi x)
TIMES, PLACES = torch.linspace(0, 1, 12, dtype=torch.float64), torch.linspace(0, 1, 24, dtype=torch.float64)


class Slab(SpaceTimeProblem):
    """Heat with given start, conductivity and source: u_t = conductivity(x) u_xx + source(x) exp(-t)."""

    linear = True

    def __init__(self, **fields: Profile) -> None:
        self.domain, self.duration = Box([0.0], [1.0]), 1.0
        self._coefficients = instances_of(**fields)

    @property
    def coefficients(self):
        return self._coefficients

    def residual(self, terms, at):
        _, u_t, _, u_xx = terms
        return u_t - at["conductivity"] * u_xx - at["source"] * torch.exp(-at.t)

    def initial(self, at):
        return at["start"]

    def ends(self, at):
        return EndCondition(1.0, 0.0, 0.0), EndCondition(1.0, 0.0, 0.0)


class Reacting(Slab):
    """The same with a reaction, which makes it nonlinear."""

    linear = False

    def residual(self, terms, at):
        return super().residual(terms, at) + 0.1 * terms[0] ** 2


def fields(x: Tensor = FINE, orders=tuple(ORDERS)) -> dict[str, Profile]:
    """Return start, conductivity and source of exp(-t) sin(i pi x)."""
    waves = torch.stack([torch.sin(order * math.pi * x) for order in orders])
    conductivity = (1 + x) / math.pi**2
    squares = torch.tensor(orders, dtype=torch.float64)[:, None] ** 2
    source = (squares * (1 + x) - 1) * waves
    return {"start": Profile(waves, x), "conductivity": Profile(conductivity[None], x), "source": Profile(source, x)}


def exact(times: Tensor, x: Tensor) -> Tensor:
    return torch.stack([torch.exp(-times)[:, None] * torch.sin(order * math.pi * x) for order in ORDERS])


class Waves:
    """The two solutions, and two fields that are none."""

    def derivatives(self, orders, times, x):
        found = []
        for by_time, by_place in orders:
            columns = []
            for order in (*ORDERS, 3.0):
                phase = order * math.pi * x + by_place * math.pi / 2
                size = (-1) ** by_time * (order * math.pi) ** by_place
                columns.append(size * torch.exp(-times)[:, None] * torch.sin(phase))
            columns.append((times[:, None] if by_time == 0 else 1.0) * torch.ones(len(times), len(x)) * (by_place == 0))
            found.append(torch.stack(columns, -1))
        return torch.stack(found)[None].double()


@pytest.mark.parametrize("experts", [(1, 1), (2, 3)])
@pytest.mark.parametrize("settings", [{}, {"coupling": "independent"}, {"start": "lift"}, {"points": 20}], ids=str)
def test_the_solution_of_each_instance_is_found_by_every_arrangement_of_experts(experts, settings):
    layer = ExpertConstraint(Slab(**fields()), TIMES, PLACES, experts, ConstraintSettings(**settings))
    output = layer(Waves(), generator=generator(0))
    if settings.get("start") == "lift":  # exp(-t) is no product of t and a field of this basis
        torch.testing.assert_close(output.u[:, 0], exact(TIMES, PLACES)[:, 0], rtol=0, atol=1e-8)
        return
    torch.testing.assert_close(output.u, exact(TIMES, PLACES), rtol=0, atol=1e-7)


def test_each_instance_of_a_batch_is_what_it_is_alone():
    basis = ChebyshevBasis(Box([0.0], [1.0]), 1.0, 3, 6)
    together = ExpertConstraint(Slab(**fields()), TIMES, PLACES, (1, 2))(basis).u
    for number, order in enumerate(ORDERS):
        alone = ExpertConstraint(Slab(**fields(orders=(order,))), TIMES, PLACES, (1, 2))(basis).u
        torch.testing.assert_close(alone[0], together[number], rtol=0, atol=1e-9)
    assert float((together[0] - together[1]).abs().max()) > 0.5


@pytest.mark.parametrize("start", ["rows", "lift"])
def test_gradients_in_fields_through_the_layer_are_those_of_differences(start):
    x = torch.linspace(0, 1, 6, dtype=torch.float64)
    given = fields(x)
    settings = ConstraintSettings(start=start, ridge=1e-2)
    layer = ExpertConstraint(Reacting(**given), TIMES[::3], PLACES[::3], (1, 2), settings)
    values = torch.sin(torch.randn(2, 4, 8, 3, dtype=torch.float64, generator=generator(1)))

    def solved(*profiles: Tensor) -> Tensor:
        coefficients = {name: Profile(each, x) for name, each in zip(given, profiles, strict=True)}
        return layer(GridBasis(values, TIMES[::3], PLACES[::3]), coefficients).u

    arguments = [each.values.expand(2, -1).clone().requires_grad_() for each in given.values()]
    assert torch.autograd.gradcheck(solved, arguments, eps=1e-6, atol=1e-5, rtol=1e-4, fast_mode=True)
    gradients = torch.autograd.grad(solved(*arguments).square().sum(), arguments)
    assert min(float(each.abs().amax(1).min()) for each in gradients) > 1e-4  # every field of every instance


def test_coupled_experts_start_from_fields_and_their_gradients_are_those_of_differences():
    def end_of(start: Tensor) -> Tensor:
        problem = Slab(**{**fields(), "start": Profile(start, FINE)})
        *_, (state, _) = CoupledExperts(problem, Elements(4, degree=10), Slabs(4, degree=6)).run()
        return experts.values(state, PLACES, 1.0)

    experts = CoupledExperts(Slab(**fields()), Elements(4, degree=10), Slabs(4, degree=6))
    start = fields()["start"].values.clone().requires_grad_()
    found = end_of(start)
    torch.testing.assert_close(found, exact(TIMES, PLACES)[:, -1], rtol=0, atol=1e-8)
    hill = torch.sin(math.pi * FINE) ** 2
    slope = float((torch.autograd.grad(found[0].sum(), start)[0][0] * hill).sum())
    shifted = [end_of((start + sign * hill).detach())[0].sum() for sign in (1e-3, -1e-3)]
    assert slope == pytest.approx(float(shifted[0] - shifted[1]) / 2e-3, rel=1e-6)
    assert slope > 1e-3


def test_a_projection_starts_from_the_field_and_passes_its_gradient():
    projection = Projection(Slab(**fields()), TIMES, PLACES)
    start = fields()["start"].values.clone().requires_grad_()
    u = projection(torch.rand(2, 12, 24), {**fields(), "start": Profile(start, FINE)})
    torch.testing.assert_close(u[:, 0], exact(TIMES, PLACES)[:, 0], rtol=0, atol=1e-7)
    gradient = torch.autograd.grad(u[:, 0].sum(), start)[0]
    assert float(gradient.sum()) == pytest.approx(48.0, rel=1e-9)  # a constant added to the start is added to u


def test_fields_that_do_not_fit_are_refused_in_a_sentence():
    values, problem = torch.ones(2, 9, dtype=torch.float64), Slab(**fields())
    for x, held, words in [
        (FINE[:9], values, "the coefficient 'start' of Slab is known from 0 to 0.03125, expected places that reach 0"),
        (PLACES[:9], values[0], "the shape of the values of a profile"),
        (PLACES[:9], values.where(PLACES[:9] > 0, torch.inf), "2 of 18 values of a profile are not finite"),
        (PLACES[:9].flip(0), values, "the places of a profile are"),
        (PLACES[:1], values[:, :1], "the places of a profile are 1, expected from two to 4096"),
        (PLACES[:9], values.long(), "the type of the values of a profile is torch.int64"),
    ]:
        with pytest.raises(InputError, match=words):
            ExpertConstraint(problem, TIMES, PLACES)(Waves(), {**fields(), "start": Profile(held, x)})
    with pytest.raises(InputError, match="in float64"):
        Slab(**{**fields(), "start": Profile(values[:, :9].float(), torch.linspace(0, 1, 9))}).check()
    with pytest.raises(InputError, match=r"different numbers of values \(start: 3, source: 2\)"):
        Slab(**{**fields(), "start": Profile(values[:1].expand(3, -1), torch.linspace(0, 1, 9))})
    assert "fields on 257 places, from -1 to 1" in repr(problem)
