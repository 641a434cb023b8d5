"""What identification, readings and projections refuse in a sentence, and coefficients that nothing determines."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sciml.errors import InputError, SingularSystemError
from sciml.hcmoe import CoupledExperts, Elements, Heat, Projection, Readings, Slabs, SyntheticReadings, identify
from sciml.hcmoe.unknowns import Unknowns, WithCoefficients

X, T = torch.tensor([[0.2, 0.5, 0.8, 0.3], [0.2, 0.4, 0.6, 0.9]], dtype=torch.float64)
U = torch.stack([Heat(0.1).exact(x[None, None], float(t))[0, 0] for x, t in zip(X, T, strict=True)])
START = torch.tensor([-2.0], dtype=torch.float64)


def readings(**changes: object) -> Readings:
    return Readings(**{"x": X, "t": T, "u": U, "deviation": 0.01, **changes})


def experts_of(logarithm: Tensor) -> CoupledExperts:
    return CoupledExperts(WithCoefficients(Heat(), {"diffusivity": logarithm[:1].exp()}), Elements(2, 8), Slabs(2, 5))


@pytest.mark.parametrize(
    "changes",
    [{name: wrong} for name in "xtu" for wrong in (None, [0.1], X.numpy(), X.long(), X[:2, None], X * math.nan, X[:3])]
    + [{"deviation": wrong} for wrong in (None, 0.0, -1.0, math.nan, "a")],
)
def test_readings_are_finite_tensors_of_one_length_with_a_deviation(changes: dict) -> None:
    with pytest.raises(InputError, match="of the readings"):
        readings(**changes)


@pytest.mark.parametrize("changes", [{"x": X + 1}, {"t": T + 1}, {"t": T - 1}])
def test_readings_outside_of_what_is_solved_are_refused(changes: dict) -> None:
    with pytest.raises(InputError, match=r"expected (numbers|a number) from"):
        identify(experts_of, readings(**changes), START)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((experts_of, None, START), "the readings is None, expected Readings"),
        ((experts_of, readings(), None), "the start of the search"),
        ((experts_of, readings(), START[None]), "the start of the search"),
        ((experts_of, readings(), START.float()), "float64"),
        ((experts_of, readings(), START, 3), "settings is 3"),
        ((lambda w: None, readings(), START), "what experts_of returns is None"),
        ((lambda w: experts_of(w.detach()), readings(), START), "does not depend on the coefficients"),
    ],
)
def test_identification_refuses_what_it_cannot_differentiate(given: tuple, says: str) -> None:
    with pytest.raises(InputError, match=says):
        identify(*given)


@pytest.mark.parametrize("combine", [lambda w: w[:1], lambda w: w[:1] + w[1:]])
def test_coefficients_that_the_readings_do_not_determine_are_told(combine) -> None:
    with pytest.raises(SingularSystemError, match="the readings do not determine the coefficients: 1 of 2 columns"):
        identify(lambda w: experts_of(combine(w)), readings(), torch.tensor([-1.0, -1.0], dtype=torch.float64))


def test_synthetic_readings_and_unknowns_have_a_problem() -> None:
    for make in (
        lambda: SyntheticReadings(None),
        lambda: SyntheticReadings(Heat(), 10**9),
        lambda: Unknowns(None, {"diffusivity": "real"}),
        lambda: Unknowns(Heat(), ["diffusivity"]),
    ):
        with pytest.raises(InputError, match=r"problem|number of readings|kinds"):
            make()


def test_projections_refuse_masses_and_instances_that_do_not_fit() -> None:
    times, x = torch.linspace(0, 1, 4, dtype=torch.float64), torch.linspace(0, 1, 5, dtype=torch.float64)
    project = Projection(Heat(), times, x, mass=True)
    for mass in ([0.0] * 4, "a", torch.zeros(3), torch.zeros(3, 4)):
        with pytest.raises(InputError, match="mass"):
            project(torch.rand(2, 4, 5), mass=mass)
    with pytest.raises(InputError, match="'diffusivity' has 3 instances for 2 fields, expected 1 or as many"):
        project(torch.rand(2, 4, 5), {"diffusivity": torch.ones(3, dtype=torch.float64)}, torch.zeros(4))
    with pytest.raises(InputError, match="the problem is None"):
        Projection(None, times, x)
