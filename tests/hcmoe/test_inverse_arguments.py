"""What identification, readings and projections refuse in a sentence, and coefficients that nothing determines."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sciml.errors import InputError, SingularSystemError
from sciml.hcmoe import (
    BurgersWaves,
    CoupledExperts,
    Elements,
    Heat,
    InverseExperts,
    Projection,
    Readings,
    ReadingsSource,
    Slabs,
    SyntheticReadings,
    VariedSorption,
    identify,
)
from sciml.hcmoe.problems import Profile
from sciml.hcmoe.unknowns import Unknowns, WithCoefficients
from sciml.training.settings import Phase, Training

X, T = torch.tensor([[0.2, 0.5, 0.8, 0.3], [0.2, 0.4, 0.6, 0.9]], dtype=torch.float64)
U = torch.stack([Heat(0.1).exact(x[None, None], float(t))[0, 0] for x, t in zip(X, T, strict=True)])
START = torch.tensor([-2.0], dtype=torch.float64)


def readings(**changes: object) -> Readings:
    return Readings(**{"x": X, "t": T, "u": U, "deviation": 0.01, **changes})


def experts_of(logarithm: Tensor) -> CoupledExperts:
    return CoupledExperts(WithCoefficients(Heat(), {"diffusivity": logarithm[:1].exp()}), Elements(2, 8), Slabs(2, 5))


@pytest.mark.parametrize(
    "changes",
    [{name: wrong} for name in "xtu" for wrong in (None, [0.1], X + 0j, "a", X[:2, None], X * math.nan, X[:3])]
    + [{"deviation": wrong} for wrong in (None, 0.0, -1.0, math.nan, "a")],
)
def test_readings_are_finite_numbers_of_one_length_with_a_deviation(changes: dict) -> None:
    with pytest.raises(InputError, match="of the readings"):
        readings(**changes)


@pytest.mark.parametrize("kind", [Tensor.numpy, Tensor.tolist, Tensor.float])
def test_readings_may_be_arrays_and_lists_and_become_tensors_in_float64(kind) -> None:
    found = Readings(kind(X), kind(T), kind(U), 0.01)
    for values, expected in zip((found.x, found.t, found.u), (X, T, U), strict=True):
        torch.testing.assert_close(values, expected, rtol=0, atol=1e-7)
        assert values.data_ptr() != expected.data_ptr()
    torch.testing.assert_close(
        identify(experts_of, found, START).value, identify(experts_of, readings(), START).value, rtol=0, atol=1e-5
    )


class Elsewhere(ReadingsSource):
    def read(self, seed: int) -> Readings:
        return X, T, U


def test_a_source_that_returns_no_readings_is_refused() -> None:
    task = InverseExperts(Heat(), {"diffusivity": "positive"}, Elsewhere())
    with pytest.raises(InputError, match=r"what Elsewhere\.read returns is .*, expected Readings"):
        task.prepare(Training([Phase(1)]), 0)


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


def test_a_truth_that_the_kinds_of_the_unknowns_exclude_is_refused() -> None:
    waves = BurgersWaves(0.02, [1.0])
    for kinds, truth, says in (
        (
            {"wave_1": "positive"},
            BurgersWaves(0.02, [-1.0]),
            r"wave_1 of BurgersWaves, a positive unknown, is -1\.0",
        ),
        ({"wave_1": "positive"}, BurgersWaves(0.02, [0.0]), r"wave_1 of BurgersWaves, a positive unknown, is 0\.0"),
        ({"wave_1": "real"}, Heat(), "an unknown coefficient of Heat is 'wave_1'"),
    ):
        with pytest.raises(InputError, match=says):
            InverseExperts(waves, kinds, SyntheticReadings(truth))
    field = VariedSorption(Profile(torch.full((1, 9), 0.1).double(), torch.linspace(0, 1, 9).double()))
    with pytest.raises(InputError, match="the start of VariedSorption is a field, expected a number"):
        InverseExperts(VariedSorption(0.1), {"start": "real"}, SyntheticReadings(field))
    with pytest.raises(InputError, match="the start of VariedSorption is a field, expected a number"):
        Unknowns(field, {"start": "real"})


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
