"""Learned characteristics past shocks: the entropy solution, jumps where Rankine and Hugoniot want them, any flux."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.errors import CharacteristicCrossingError, InputError
from sciml.lpinn import (
    Ale,
    Characteristics,
    ConvexLaw,
    EntropyField,
    Lagrangian,
    SpaceTimeField,
    SpaceTimeSolver,
    VariableConvection,
    ViscousBurgers,
    field_of,
    relative_error,
)
from sciml.lpinn.networks import start_at_zero
from sciml.lpinn.problems import TransportProblem
from sciml.nets import FourierNetwork
from sciml.numerics.flat import FlatModule
from sciml.numerics.random import seeded

CIRCLE = 2 * np.pi
X = torch.linspace(0, CIRCLE, 401, dtype=torch.float64)[:-1, None]
pytestmark = pytest.mark.filterwarnings("ignore:characteristics of")  # what this is about
WAVY = {"mean": 0.5, "cosines": (0.0, 0.3), "duration": 2.0}


def characteristics(problem: TransportProblem, frame: Lagrangian | Ale, outputs: int = 1) -> Characteristics:
    with seeded(0):
        network = FourierNetwork(
            2, outputs, 12, 2, [[0, 0], [CIRCLE, 1]], modes=3, decay=3.0, periodic=[True, False]
        ).double()
    start_at_zero(network)
    return Characteristics(problem, frame, FlatModule(network))


def fitted(problem: TransportProblem) -> SpaceTimeField:
    made = characteristics(problem, Lagrangian())
    *_, (state, _) = SpaceTimeSolver(made, rounds=1).run()
    return field_of(made, state.weights)


@pytest.fixture(scope="module")
def wavy() -> EntropyField:
    return fitted(ViscousBurgers(viscosity=0.0, **WAVY))


def test_past_the_shock_the_solution_is_that_of_least_action(wavy: EntropyField) -> None:
    assert relative_error(wavy, [0.5, 1.0, 2.0], X) < 1e-6
    one_to_one = SpaceTimeField(wavy.characteristics, wavy.weights)
    with pytest.raises(CharacteristicCrossingError):
        one_to_one(X, 2.0)


def test_before_the_shock_both_read_outs_agree(wavy: EntropyField) -> None:
    assert torch.allclose(wavy(X, 0.4), SpaceTimeField(wavy.characteristics, wavy.weights)(X, 0.4), atol=1e-10)


def test_shocks_are_where_they_belong(wavy: EntropyField) -> None:
    law = ConvexLaw(**WAVY).law
    for time in (1.0, 2.0):
        for found, exact in zip(wavy.shocks(time), law.shocks(time), strict=True):
            assert found == pytest.approx(exact, abs=1e-6)
        assert len(law.shocks(time).positions) >= 1


@pytest.mark.parametrize("mean", [0.0, 0.7])
def test_the_shock_of_a_sine_travels_with_the_mean_and_values_stay_in_their_range(mean: float) -> None:
    field = fitted(ViscousBurgers(mean, 0.0, duration=2.0))
    (position,), (left,), (right,) = field.shocks(2.0)
    assert position == pytest.approx((np.pi + 2 * mean) % CIRCLE, abs=1e-6)
    assert left - mean == pytest.approx(mean - right, abs=1e-6)
    values = field(X, 2.0) - mean
    assert float(values.abs().max()) <= 1
    rising = (X - 2 * mean + np.pi / 2) % CIRCLE < np.pi  # nothing but the rarefied start, seen one to one
    labels = field.labels(X[rising][:, None], 2.0)
    torch.testing.assert_close(labels + 2 * mean + 2 * torch.sin(labels), X[rising][:, None], rtol=0, atol=1e-6)


def test_the_mean_is_conserved_through_the_shock(wavy: EntropyField) -> None:
    positions, left, right = wavy.shocks(2.0)
    edges = np.linspace(positions[-1], positions[-1] + CIRCLE, 20001)
    middles = torch.from_numpy((edges[1:] + edges[:-1]) / 2 % CIRCLE)[:, None]
    assert float(wavy(middles, 2.0).mean()) == pytest.approx(0.5, abs=1e-5)
    assert (left > right).all()


@pytest.mark.parametrize("flux", ["fourth", "exponential"])
def test_other_convex_fluxes_jump_right(flux: str) -> None:
    problem = ConvexLaw(flux, mean=0.6, sines=(0.5,), duration=2.0)
    assert len(problem.law.shocks(2.0).positions) == 1
    assert relative_error(fitted(problem), [0.5, 2.0], X) < 1e-5


def test_the_square_is_burgers_equation() -> None:
    problem, burgers = ConvexLaw(**WAVY), ViscousBurgers(viscosity=0.0, **WAVY)
    assert torch.equal(problem.exact(X, 2.0), burgers.exact(X, 2.0))
    assert torch.equal(problem.velocity(X, 0 * X, problem.initial(X)), burgers.velocity(X, 0 * X, burgers.initial(X)))


@pytest.mark.parametrize(
    ("problem", "frame", "outputs"),
    [
        (ViscousBurgers(viscosity=0.01), Lagrangian(), 2),
        (ViscousBurgers(viscosity=0.0), Ale(), 1),
        (VariableConvection(), Lagrangian(), 1),
    ],
)
def test_other_problems_are_read_out_one_to_one(
    problem: TransportProblem, frame: Lagrangian | Ale, outputs: int
) -> None:
    made = characteristics(problem, frame, outputs)
    weights = made.network.vector()[None]
    assert type(field_of(made, weights)) is SpaceTimeField
    with pytest.raises(InputError, match="convex laws without viscosity on a periodic interval"):
        EntropyField(made, weights)


def test_weights_of_other_slabs_are_refused(wavy: EntropyField) -> None:
    with pytest.raises(InputError, match="the weights of the slabs have shape"):
        EntropyField(wavy.characteristics, wavy.weights.repeat(2, 1))


def test_an_unknown_flux_is_refused() -> None:
    with pytest.raises(InputError, match="the flux is 'third', expected one of square"):
        ConvexLaw("third")
