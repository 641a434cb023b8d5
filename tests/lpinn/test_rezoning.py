"""Labels that are spread anew: maps and their inverses, fronts that become smooth, slabs that join."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.func import hessian, jacfwd, vmap

from sciml.errors import InputError, PoorFitError
from sciml.lpinn import (
    Characteristics,
    CollocationPoints,
    Convection,
    LeastSquaresRounds,
    Rezoned,
    SolidBodyRotation,
    SpaceTimeField,
    SpaceTimeSolver,
    StandardBurgers,
    ViscousBurgers,
    relative_error,
)
from sciml.lpinn.frames.circle_map import CircleMap, derivative, even, rezoned, samples, spacing
from sciml.lpinn.networks import start_at_zero
from sciml.nets import FourierNetwork
from sciml.numerics.flat import FlatModule
from sciml.numerics.least_squares import LevenbergMarquardt
from sciml.numerics.random import seeded
from tests.lpinn.maps import characteristics, random_weights

FIRST = CircleMap(-1.0, 2.0, torch.tensor([0.1, 0.05, -0.02]).double(), torch.tensor([0.0, 0.2, 0.03]).double())
SECOND = CircleMap(-1.0, 2.0, torch.tensor([-0.3, 0.1]).double(), torch.tensor([0.0, -0.15]).double())
LABELS = torch.linspace(-1.7, 2.3, 41, dtype=torch.float64)[:, None]
CIRCLE = torch.linspace(0, 2 * math.pi, 129, dtype=torch.float64)[:-1, None]


def waves_needed(values: Tensor, share: float = 1e-6) -> int:
    """Waves of periodic samples beyond which less than a share of their size is left."""
    size = torch.fft.rfft(values).abs().square()
    left = size.flip(0).cumsum(0).flip(0) / size[1:].sum()
    return int((left > share**2).sum())


def steep(zones: CircleMap, thickness: float, passes: int = 4, grading: float = 0.5, waves: float = 8.0) -> CircleMap:
    """Labels for -tanh(x / thickness), which is steep around 0 on [-1, 1) and jumps back somewhere else."""
    for _ in range(passes):
        x = zones(samples(zones)).value[:, 0]
        wanted = spacing(torch.cosh((x / thickness).clamp(-300, 300)) ** -2 / thickness, 0 * x, zones.period, 0.0)
        zones = rezoned(zones, wanted, grading, waves)
    return zones


# ---------------------------------------------------------------------------------------------------------------------
# Maps


def test_jets_of_a_map_are_its_derivatives() -> None:
    def value(label: Tensor) -> Tensor:
        return FIRST(label[None]).value[0]

    jet = FIRST(LABELS, 2)
    torch.testing.assert_close(jet.first[0], vmap(jacfwd(value))(LABELS)[..., 0], rtol=0, atol=1e-12)
    torch.testing.assert_close(jet.second[0], vmap(hessian(value))(LABELS)[..., 0, 0], rtol=0, atol=1e-11)


def test_labels_a_period_apart_stay_so() -> None:
    torch.testing.assert_close(FIRST(LABELS + 2).value, FIRST(LABELS).value + 2, rtol=0, atol=1e-14)


def test_the_inverse_is_one_to_rounding_even_where_labels_crowd() -> None:
    for zones in (FIRST, SECOND, even(-1.0, 2.0), steep(even(-1.0, 2.0), 0.003)):
        points = zones(LABELS).value
        slope = float(zones(LABELS, 1).first.min())
        assert slope > 0
        assert float((zones.inverse(points) - LABELS).abs().max()) < 1e-14 / slope


def test_labels_of_one_map_as_a_function_of_those_of_another() -> None:
    jet, outer = FIRST.after(SECOND, LABELS, 2), SECOND(LABELS, 2)
    inner = FIRST(jet.value, 2)
    torch.testing.assert_close(inner.value, outer.value, rtol=0, atol=1e-14)
    torch.testing.assert_close(inner.first * jet.first, outer.first, rtol=0, atol=1e-12)
    curved = inner.second * jet.first.square() + inner.first * jet.second
    torch.testing.assert_close(curved, outer.second, rtol=0, atol=1e-11)


def test_the_derivative_of_waves_is_exact() -> None:
    at = samples(even(-1.0, 2.0))[:, 0]
    found = derivative(torch.sin(3 * math.pi * at) + 5, 2.0)
    torch.testing.assert_close(found, 3 * math.pi * torch.cos(3 * math.pi * at), rtol=0, atol=1e-10)


# ---------------------------------------------------------------------------------------------------------------------
# Spacing


def test_labels_stay_even_where_nothing_is_steep() -> None:
    wanted = torch.full((len(samples(even(0.0, 1.0))),), 0.3, dtype=torch.float64)
    made = rezoned(even(0.0, 1.0), wanted, 0.5, 8.0)
    assert float(made.cosines.abs().max()) < 1e-14 and float(made.sines.abs().max()) < 1e-14


def test_spacings_foresee_fronts_down_to_their_thickness_and_not_beyond() -> None:
    still, steepness = torch.zeros(1).double(), torch.tensor([9.0]).double()
    now = float(spacing(steepness, still, 2.0, 0.01))
    assert 0.08 < now < 0.1  # of 1 / (1 + 9): a smooth minimum is a little smaller
    later = [float(spacing(steepness, still + compression, 2.0, 0.01)) for compression in (-5.0, 0.5, 0.9, 1.0, 5.0)]
    assert later == sorted(later, reverse=True)
    assert later[0] == pytest.approx(0.1, rel=1e-3) and later[1] == pytest.approx(0.05, rel=0.1)
    assert later[-1] == pytest.approx(0.005, rel=0.1)


@pytest.mark.parametrize("thickness", [0.1, 0.01, 0.003])
def test_a_front_is_a_smooth_function_of_its_labels(thickness: float) -> None:
    """A front and its mirror image, so that the state is periodic."""
    zones = even(-1.0, 2.0)

    def front(x: Tensor) -> Tensor:
        return torch.tanh((x.abs() - 0.5) / thickness)

    for _ in range(4):
        x = zones(samples(zones)).value[:, 0]
        slope = (1 - front(x).square()) / thickness
        zones = rezoned(zones, spacing(slope, 0 * x, 2.0, 0.0), 0.5, 12.0)
    on_labels = front(zones(samples(zones)).value[:, 0])
    assert waves_needed(on_labels) < 64
    if thickness < 0.01:
        assert waves_needed(front(samples(zones)[:, 0]), 1e-2) > 50
        assert float(zones(samples(zones), 1).first.min()) < 0.1


def test_labels_thin_out_no_faster_than_the_grading_allows() -> None:
    """``H' = X'' / X'`` for labels with the density 1 / H: it is at most g times the mean of 1 / H."""
    for grading in (0.3, 1.0):
        zones = steep(even(-1.0, 2.0), 0.01, grading=grading, waves=40.0)
        jet = zones(samples(zones), 2)
        rate = float((jet.second / jet.first).abs().max())
        spacing_there = float(jet.first.min()) / 0.01  # labels are in units of the mean spacing
        assert rate < 1.5 * grading / 0.01 * spacing_there * 2


def test_what_the_filter_folds_is_made_flatter() -> None:
    at = samples(even(-1.0, 2.0))[:, 0]
    wanted = torch.where(at.abs() < 0.5, 1e-4, 1.0).double()
    made = rezoned(even(-1.0, 2.0), wanted, 50.0, 3.0)
    assert float(made(samples(made), 1).first.min()) > 0


def test_states_that_are_not_finite_are_refused() -> None:
    wanted = torch.full((len(samples(even(0.0, 1.0))),), math.nan, dtype=torch.float64)
    with pytest.raises(PoorFitError, match="labels cannot be redistributed"):
        rezoned(even(0.0, 1.0), wanted, 0.5, 8.0)


# ---------------------------------------------------------------------------------------------------------------------
# Characteristics


def made_of(slabs: int = 3, mean: float = 2.0) -> Characteristics:
    return characteristics(ViscousBurgers(mean, 0.05, cosines=(0.2,), duration=1.2), Rezoned(), 1, slabs)


def test_starts_hold_exactly_and_labels_drift() -> None:
    made = made_of()
    weights = random_weights(made, 0.3)
    position, state, stretch = made.evaluate(weights, CIRCLE, 0.0)
    torch.testing.assert_close(position, made.label_map(weights, 0)(CIRCLE).value)
    torch.testing.assert_close(state, made.problem.initial(position), rtol=0, atol=1e-14)
    later = made.evaluate(weights, CIRCLE, 0.3)
    torch.testing.assert_close(later[0], position + 0.3 * made.drift, rtol=0, atol=1e-14)
    torch.testing.assert_close(later[2], stretch)
    field = SpaceTimeField(made, weights)
    torch.testing.assert_close(field(CIRCLE, 0.0), made.problem.initial(CIRCLE), rtol=0, atol=1e-13)


def test_slabs_with_other_labels_join() -> None:
    made = made_of()
    field = SpaceTimeField(made, random_weights(made, 0.3))
    for slab in (1, 2):
        edge = slab * made.length
        assert not torch.equal(made.label_map(field.weights, slab).sines, made.label_map(field.weights, slab - 1).sines)
        torch.testing.assert_close(field(CIRCLE, edge * (1 - 1e-15)), field(CIRCLE, edge), rtol=0, atol=1e-12)


def test_starts_of_later_slabs_have_the_derivatives_of_the_field() -> None:
    made, step = made_of(), 1e-4
    weights = random_weights(made, 0.3)
    position, state = made.initial(weights, 2, CIRCLE, 2)
    ahead, behind = (made.initial(weights, 2, CIRCLE + sign * step, 0) for sign in (1, -1))
    for jet, after, before in zip((position, state), ahead, behind, strict=True):
        torch.testing.assert_close(jet.first[0], (after.value - before.value) / (2 * step), rtol=1e-5, atol=1e-5)
        second = (after.value - 2 * jet.value + before.value) / step**2
        torch.testing.assert_close(jet.second[0], second, rtol=1e-4, atol=1e-4 * float(second.abs().max()))


def test_labels_follow_from_the_weights_of_the_slabs_before_alone() -> None:
    made = made_of()
    weights = random_weights(made, 0.3)
    zones = made.label_map(weights, 2)
    other = made_of().label_map(weights, 2)
    assert torch.equal(zones.sines, other.sines) and torch.equal(zones.cosines, other.cosines)
    later, earlier = weights.clone(), weights.clone()
    later[2] += 1
    earlier[0] += 0.1
    assert torch.equal(made.label_map(later, 2).sines, zones.sines)
    assert not torch.equal(made.label_map(earlier, 2).sines, zones.sines)
    assert torch.equal(made.label_map(weights, 2).sines, zones.sines)


def test_labels_crowd_before_the_front_is_there() -> None:
    made = characteristics(StandardBurgers(), Rezoned(), 1, 10)
    zones = made.label_map(torch.zeros(10, made.network.count).double(), 3)  # nothing has happened: still a sine
    assert 0.3 < float(zones(samples(zones), 1).first.min()) < 1
    at = zones(samples(zones), 1)
    assert abs(float(at.value[at.first[0].argmin()])) < 0.05  # where characteristics will meet
    shorter = characteristics(StandardBurgers(), Rezoned(), 1, 100)
    then = shorter.label_map(torch.zeros(100, shorter.network.count).double(), 0)
    assert float(then(samples(then), 1).first.min()) > float(at.first.min()) + 0.05


def test_labels_of_the_start_are_followed_with_the_drift() -> None:
    made = made_of()
    field = SpaceTimeField(made, random_weights(made, 0.1))
    position, state = field.follow(CIRCLE, 0.9)
    torch.testing.assert_close(position, CIRCLE + 0.9 * made.drift)
    torch.testing.assert_close(state, field(position, 0.9))
    assert 0 < float(field.stretch(0.9)) < 1


def solved(problem: ViscousBurgers, slabs: int) -> float:
    """The error over the run with a small network."""
    with seeded(0):
        network = FourierNetwork(
            2, 1, 12, 2, [[0.0, 0.0], [2 * math.pi, 1.0]], 4, decay=4.0, periodic=[True, False]
        ).double()
    start_at_zero(network)
    made = Characteristics(problem, Rezoned(), FlatModule(network), slabs)
    method = LeastSquaresRounds(LevenbergMarquardt(1e-12, 20, damping=1e-3, increase=2.0, trials=40, patience=6))
    solver = SpaceTimeSolver(made, 1, method, CollocationPoints(500))
    state = solver.initial()
    for state, _ in solver.run():  # noqa: B007 - the last one is wanted
        pass
    return relative_error(SpaceTimeField(made, state.weights), [0.3, 0.6, problem.duration], CIRCLE)


@pytest.mark.parametrize("mean", [0.0, 50.0])
def test_burgers_equation_alike_at_any_mean(mean: float) -> None:
    assert solved(ViscousBurgers(mean, 0.05, duration=0.8), 2) < 3e-4


def test_a_run_goes_on_from_any_state_bit_for_bit() -> None:
    """The labels follow from the weights of the state, in a process that has never seen the slabs before."""

    def solver() -> SpaceTimeSolver:
        method = LeastSquaresRounds(LevenbergMarquardt(1e-12, 2, damping=1e-3))
        return SpaceTimeSolver(made_of(2), 2, method, CollocationPoints(60, adaptive=0.5))

    states = [state for state, _ in solver().run()]
    again = [state for state, _ in solver().run(states[1])]
    assert len(states) == 4 and len(again) == 2
    assert torch.equal(again[-1].weights, states[-1].weights) and again[-1].rms == states[-1].rms


# ---------------------------------------------------------------------------------------------------------------------
# Bad input


@pytest.mark.parametrize("settings", [{"grading": 0.0}, {"grading": math.inf}, {"modes": -1.0}, {"modes": math.nan}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"the (grading|modes) of a frame is .*expected a positive number"):
        Rezoned(**settings)


def test_boxes_that_are_no_circle_are_refused() -> None:
    with pytest.raises(InputError, match=r"SolidBodyRotation is on a box of 2 dimensions that is not periodic"):
        characteristics(SolidBodyRotation(0.01), Rezoned(), 1)
    assert characteristics(Convection(1.0, 0.1), Rezoned(), 1).frame.moves is False
