"""Flows in a periodic square for an operator: instances without solutions, their terms, and bases that obey better."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.hcmoe.families.vorticity import Vorticity
from sciml.hcmoe.periodic import PeriodicSettings
from sciml.nets.time_polynomials import PolynomialsInTime
from sciml.numerics.random import generator, seeded

SHAPE = [8, 16, 16]


def flows() -> Vorticity:
    return Vorticity(SHAPE, duration=1.0, viscosity=5e-3, resolution=32)


def network(outputs: int) -> PolynomialsInTime:
    with seeded(0):
        return PolynomialsInTime(Vorticity.channels, outputs, modes=[4, 4], widths=[8, 8, 8], degree=4, head=16)


def outputs_of(net: PolynomialsInTime, family: Vorticity, instances: dict[str, Tensor]) -> Tensor:
    return net(family.inputs(instances).float())


def residual(family: Vorticity, u: Tensor, instances: dict[str, Tensor]) -> float:
    return float(family.terms(u, instances)["residual"])


def test_instances_are_starts_of_mean_zero_and_no_solutions() -> None:
    drawn = flows().sample(3, generator(1))
    assert set(drawn) == {"start"}
    assert drawn["start"].shape == (3, 16, 16)
    assert drawn["start"].mean((1, 2)).abs().max() < 1e-14
    assert torch.equal(drawn["start"], flows().sample(3, generator(1))["start"])
    assert not torch.allclose(drawn["start"][0], drawn["start"][1], atol=0.1)


def test_cases_are_the_solutions_of_the_instances_that_the_same_generator_draws() -> None:
    family = flows()
    instances, u = family.cases(2, generator(1))
    assert torch.allclose(instances["start"], family.sample(2, generator(1))["start"], atol=1e-12)
    assert torch.equal(u[:, 0], instances["start"])
    kept = (u - u[:, :1]).flatten(1).norm(dim=1) / u[:, :1].flatten(1).norm(dim=1)
    assert kept.min() > 0.3  # the flow moves
    still = residual(family, u[:, :1].expand_as(u), instances)
    assert residual(family, u, instances) < 0.02 * still


def test_the_third_input_is_the_rate_at_the_start() -> None:
    family = flows()
    instances, u = family.cases(1, generator(2))
    seen = family.inputs(instances)
    assert seen.shape == (1, *SHAPE, family.channels)
    assert torch.equal(seen[0, 3, ..., 1], instances["start"][0])
    rate = family.grid.time_derivative(u)[0, 0]
    assert (seen[0, 5, ..., 2] - rate).norm() < 0.05 * rate.norm()
    assert torch.allclose(seen[0, :, 0, 0, 0], family.grid.t)


def test_fields_start_exactly_whatever_the_outputs_are() -> None:
    family = flows()
    instances = family.sample(2, generator(3))
    u = family.unconstrained(torch.randn(2, *SHAPE, 3, generator=generator(4)), instances)
    assert torch.allclose(u[:, 0], instances["start"], atol=1e-15)
    assert u.mean((2, 3)).abs().max() < 1e-13


def test_hard_constraints_leave_less_residual_than_the_sum_and_experts_less_than_one() -> None:
    family, net = flows(), network(4)
    instances = family.sample(2, generator(5))
    with torch.no_grad():
        outputs = outputs_of(net, family, instances)
        fields = [family.unconstrained(outputs, instances)]
        fields += [family.constrained(outputs, instances, experts) for experts in ((1, 1), (2, 2))]
    soft, hard, experts = (residual(family, u, instances) for u in fields)
    assert experts < 0.98 * hard
    assert hard < 0.95 * soft


@pytest.mark.parametrize("experts", [None, (1, 1), (2, 2)])
def test_an_operator_learns_without_solutions(experts: tuple[int, int] | None) -> None:
    family, net = flows(), network(3)
    held_out, u = family.cases(2, generator(7))
    optimizer, draws = torch.optim.Adam(net.parameters(), lr=1e-2), generator(8)

    def field(instances: dict[str, Tensor]) -> Tensor:
        outputs = outputs_of(net, family, instances)
        if experts is None:
            return family.unconstrained(outputs, instances)
        return family.constrained(outputs, instances, experts, PeriodicSettings(times=4, gradient="fixed"), draws)

    def error() -> float:
        with torch.no_grad():
            return float((field(held_out) - u).norm() / u.norm())

    before = error()
    for _ in range(30):
        instances = family.sample(2, draws)
        loss = family.terms(field(instances), instances)["residual"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert error() < 0.85 * before


def test_grids_that_do_not_resolve_the_starts_or_the_reference_are_refused() -> None:
    with pytest.raises(InputError, match="16 and 18 places along x and y, expected equal numbers of at least 15"):
        Vorticity([8, 16, 18])
    with pytest.raises(InputError, match="8 and 8 places"):
        Vorticity([8, 8, 8])
    with pytest.raises(InputError, match="the resolution of the reference is 40, expected a multiple of 16"):
        Vorticity(SHAPE, resolution=40)
    with pytest.raises(InputError, match="the viscosity"):
        Vorticity(SHAPE, viscosity=0.0)
