"""Slabs and rounds: points, causal weights, boundaries, restarts, and solutions that are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sciml.domains import Box
from sciml.errors import DivergenceError, InputError
from sciml.lpinn import (
    Ale,
    Characteristics,
    CollocationPoints,
    Convection,
    Eulerian,
    Frame,
    GradientRounds,
    Lagrangian,
    LeastSquaresRounds,
    SolidBodyRotation,
    SpaceTimeField,
    SpaceTimeSolver,
    SpaceTimeState,
    TransportProblem,
    TwoBranches,
    VariableConvection,
    ViscousBurgers,
    relative_error,
)
from sciml.lpinn.fitting import Fitted, Fitting
from sciml.lpinn.networks import start_at_zero
from sciml.numerics.flat import FlatModule
from sciml.numerics.least_squares import LevenbergMarquardt, Residuals
from sciml.numerics.linearisation import ResidualSystem
from sciml.status import Status
from tests.lpinn.maps import characteristics, network

CIRCLE = torch.linspace(0, 2 * math.pi, 129, dtype=torch.float64)[:-1, None]


def least_squares(solves: int = 30, tolerance: float = 1e-13, damping: float = 1e-3) -> LeastSquaresRounds:
    return LeastSquaresRounds(
        LevenbergMarquardt(tolerance, solves, damping=damping, smallest_damping=1e-14, patience=solves)
    )


def solved(solver: SpaceTimeSolver) -> tuple[SpaceTimeField, list[float], int]:
    """The field, the residual after each round, and all solves."""
    reports, state = [], solver.initial()
    for state, report in solver.run():  # noqa: B007 - the last one is wanted
        reports.append(report)
    return (
        SpaceTimeField(solver.characteristics, state.weights),
        [r.rms for r in reports],
        sum(r.solves for r in reports),
    )


class Watch(Fitting):
    """Changes nothing or as much as it is told to, and keeps the groups and weights that it was given."""

    tolerance = 0.0

    def __init__(self, step: float = 0.0) -> None:
        self.groups: list[list[Residuals]] = []
        self.starts: list[Tensor] = []
        self.step = step

    def fit(self, groups: list[Residuals], start: Tensor, damping: float, generator: torch.Generator) -> Fitted:
        self.groups.append(groups)
        self.starts.append(start)
        return Fitted(start + self.step, float(sum(group.loss(start) for group in groups)) ** 0.5, 0, 0.0, Status.LIMIT)

    def limited(self, updates: int) -> Watch:
        return self


def watched(made: Characteristics, points: CollocationPoints, rounds: int = 1, seed: int = 0) -> list[list[Residuals]]:
    watch = Watch()
    solved(SpaceTimeSolver(made, rounds, watch, points, seed))
    return watch.groups


# ---------------------------------------------------------------------------------------------------------------------
# Solutions


@pytest.mark.parametrize("speed", [1.0, 30.0, 50.0, 100.0, 1000.0])
def test_convection_is_exact_at_any_speed_from_random_weights(speed: float) -> None:
    problem = Convection(speed)
    branches = TwoBranches(network(problem, 1, 6).module, network(problem, 1, 8, seed=1).module)
    made = Characteristics(problem, Lagrangian(), FlatModule(branches))
    solver = SpaceTimeSolver(made, 1, least_squares(), CollocationPoints(400))
    before = relative_error(SpaceTimeField(made, solver.initial().weights), [0.5, 1.0], CIRCLE)
    field, (rms,), solves = solved(solver)
    assert before > 0.1
    assert rms < 1e-13
    assert solves <= 30
    assert relative_error(field, [0.0, 0.3, 0.7, 1.0], CIRCLE) < 1e-12


def test_the_same_network_and_solves_fail_where_labels_stay() -> None:
    made = characteristics(Convection(50.0), Eulerian(), 1, width=12)
    field, _, solves = solved(SpaceTimeSolver(made, 1, least_squares(), CollocationPoints(500)))
    assert solves <= 30
    assert relative_error(field, [0.25, 0.5, 0.75, 1.0], CIRCLE) >= 0.5


def test_a_moderate_speed_is_no_trouble_for_labels_that_stay() -> None:
    made = characteristics(Convection(1.0), Eulerian(), 1, width=10)
    field, _, _ = solved(SpaceTimeSolver(made, 1, least_squares(40), CollocationPoints(500)))
    assert relative_error(field, [0.5, 1.0], CIRCLE) < 1e-4


def test_residuals_fall_alike_at_any_mean_in_a_frame_that_moves_with_it() -> None:
    histories = []
    for mean in (0.0, 50.0):
        made = characteristics(ViscousBurgers(mean, 0.1), Ale(), 1, width=8)
        _, history, _ = solved(SpaceTimeSolver(made, 10, least_squares(1), CollocationPoints(300)))
        histories.append(history)
    assert histories[1] == pytest.approx(histories[0], rel=1e-6)
    assert histories[0][-1] < 0.1 * histories[0][0]


def test_convection_and_diffusion() -> None:
    made = characteristics(Convection(50.0, 0.1), Ale(), 1, width=8)
    field, _, _ = solved(SpaceTimeSolver(made, 1, least_squares(40), CollocationPoints(400)))
    assert relative_error(field, [0.0, 0.5, 1.0], CIRCLE) < 1e-4


def test_slabs_of_a_speed_that_varies_are_joined() -> None:
    problem = VariableConvection(duration=2.0)
    made = characteristics(problem, Lagrangian(), 1, 2, width=10)
    field, history, _ = solved(SpaceTimeSolver(made, 1, least_squares(40), CollocationPoints(400)))
    assert len(history) == 2
    assert relative_error(field, [0.5, 1.0, 1.5, 2.0], CIRCLE) < 2e-4


@pytest.mark.parametrize("frame", [Ale(), Lagrangian(), Ale(0.5)])
def test_burgers_equation_in_frames_that_move(frame: Frame) -> None:
    made = characteristics(ViscousBurgers(50.0, 0.2, duration=0.5), frame, 1 + frame.moves, width=8)
    field, _, _ = solved(SpaceTimeSolver(made, 1, least_squares(30), CollocationPoints(300)))
    assert relative_error(field, [0.25, 0.5], CIRCLE) < 2e-3


class Waking(TransportProblem):
    """Nothing moves and nothing is there at first: a wind and a source set in."""

    domain, passive = Box([0.0], [2 * math.pi], True), True

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return math.pi * torch.sin(math.pi * t).expand_as(x)

    def initial(self, x: Tensor) -> Tensor:
        return 0 * x

    def source(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return torch.cos(x - 1 + torch.cos(math.pi * t))  # carried with the wind

    def exact(self, x: Tensor, t: float) -> Tensor:
        return t * torch.cos(x - 1 + math.cos(math.pi * t))


def test_a_wind_and_a_source_that_set_in_are_followed_from_rest() -> None:
    made = characteristics(Waking(), Lagrangian(), 2, width=10)
    start_at_zero(made.network.module)
    field, _, _ = solved(SpaceTimeSolver(made, 2, points=CollocationPoints(300)))
    x = CIRCLE[::4]
    assert float((field(x, 0.6) - made.problem.exact(x, 0.6)).abs().max()) < 1e-3


class Channel(TransportProblem):
    """From left to right through an interval, values coming in from the left."""

    domain, duration, passive = Box([0.0], [1.0]), 0.8, True

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return torch.ones_like(x)

    def initial(self, x: Tensor) -> Tensor:
        return torch.sin(3 * x)

    def inflow(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.where(x < 0.5, torch.sin(-3 * t), torch.full_like(x, 99.0))  # the right end must not matter

    def exact(self, x: Tensor, t: float) -> Tensor:
        return torch.sin(3 * (x - t))


def test_what_flows_in_fills_an_interval_and_what_flows_out_is_free() -> None:
    made = characteristics(Channel(), Eulerian(), 1, width=8)
    start_at_zero(made.network.module)
    field, _, _ = solved(SpaceTimeSolver(made, 3, points=CollocationPoints(300, boundary=40)))
    x = torch.linspace(0, 1, 65, dtype=torch.float64)[:, None]
    assert float((field(x, 0.8) - made.problem.exact(x, 0.8)).abs().max()) < 2e-3


@pytest.mark.parametrize("optimizer", ["adam", "soap", "lbfgs"])
def test_optimizers_of_the_backbone_go_down_too(optimizer: str) -> None:
    made = characteristics(VariableConvection(duration=1.0), Lagrangian(), 1)
    method = GradientRounds(optimizer, 1.0 if optimizer == "lbfgs" else 5e-3, 5 if optimizer == "lbfgs" else 40)
    _, history, solves = solved(SpaceTimeSolver(made, 2, method, CollocationPoints(100)))
    assert history[-1] < 0.7 * watched(made, CollocationPoints(100))[0][0].loss(made.network.vector()).item() ** 0.5
    assert solves == 2 * method.updates


# ---------------------------------------------------------------------------------------------------------------------
# Derivatives

PROBLEMS: dict[str, tuple[TransportProblem, Frame, int]] = {
    "lagrangian": (ViscousBurgers(2.0, 0.1, duration=0.5), Lagrangian(), 2),
    "label": (ViscousBurgers(2.0, 0.1, duration=0.5), Lagrangian("label"), 2),
    "mean": (ViscousBurgers(2.0, 0.1), Ale(), 1),
    "relaxed": (ViscousBurgers(2.0, 0.1, duration=0.5), Ale(0.3), 2),
    "plane": (SolidBodyRotation(0.01, duration=0.2), Lagrangian(), 3),
    "channel": (Channel(), Eulerian(), 1),
}


@pytest.mark.filterwarnings("ignore:the velocity of ViscousBurgers depends on u")
@pytest.mark.parametrize("name", PROBLEMS)
def test_jacobians_of_residuals_are_their_differences(name: str) -> None:
    problem, frame, outputs = PROBLEMS[name]
    made = characteristics(problem, frame, outputs, width=3)
    for groups in watched(made, CollocationPoints(12, boundary=6, causal=0.1)):
        system, start = ResidualSystem(groups, made.network.count), made.network.vector()
        jacobian = torch.cat(list(system.jacobian_chunks(start)))
        step = 1e-5
        moved = [(system.residual(start + step * e), system.residual(start - step * e)) for e in torch.eye(len(start))]
        expected = torch.stack([(after - before) / (2 * step) for after, before in moved], 1)
        size = float(expected.abs().max())
        torch.testing.assert_close(jacobian / size, expected / size, rtol=0, atol=1e-7)


# ---------------------------------------------------------------------------------------------------------------------
# Points


def steep() -> Characteristics:
    return characteristics(ViscousBurgers(0.0, 0.05), Eulerian(), 1, 2)


def test_points_fill_labels_and_times_of_their_slab() -> None:
    made = steep()
    for slab, groups in enumerate(watched(made, CollocationPoints(500))):
        points = groups[0].data[0]
        assert points.shape == (500, 2)
        assert bool(made.problem.labels.contains(points[:, :1]).all())
        times = points[:, 1] / made.length - slab
        assert bool(((times >= 0) & (times <= 1)).all())
        assert float(times.mean()) == pytest.approx(0.5, abs=0.02)


def test_adaptive_points_go_where_the_residual_is_large() -> None:
    made = steep()
    evenly, adapted = (watched(made, CollocationPoints(800, adaptive=share), 2)[1][0] for share in (0.0, 1.0))
    weights = made.network.vector()
    size_of = [float(group(weights).norm(dim=1).mean()) for group in (evenly, adapted)]
    square = float(evenly(weights).norm(dim=1).square().mean())
    assert len(adapted.data[0]) == 800
    # the density r + mean(r) makes the mean of r (mean(r^2) / mean(r) + mean(r)) / 2; few candidates run out of it
    expected = (square / size_of[0] + size_of[0]) / 2
    assert size_of[0] < size_of[1] == pytest.approx(expected, rel=0.1)


def test_the_first_round_and_a_share_of_each_stay_even() -> None:
    made = steep()
    first, second, *_ = watched(made, CollocationPoints(400, adaptive=0.25), 2)
    assert torch.equal(first[0].data[0], watched(made, CollocationPoints(400))[0][0].data[0])
    assert len(second[0].data[0]) == 400
    assert torch.equal(second[0].data[0][:300], watched(made, CollocationPoints(300), 2)[1][0].data[0])


def test_a_later_slab_is_adapted_from_its_first_round_on() -> None:
    made = steep()
    rounds = watched(made, CollocationPoints(400, adaptive=0.5), 2)
    even = watched(made, CollocationPoints(200), 2)
    assert [torch.equal(a[0].data[0][:200], b[0].data[0]) for a, b in zip(rounds, even, strict=True)][1:] == [True] * 3


def test_new_rounds_slabs_and_seeds_have_new_points() -> None:
    made = steep()
    sets = [groups[0].data[0] for seed in (0, 1) for groups in watched(made, CollocationPoints(50), 2, seed)]
    assert len({tuple(points.flatten().tolist()) for points in sets}) == 8
    again = [groups[0].data[0] for groups in watched(made, CollocationPoints(50), 2, 1)]
    assert all(torch.equal(a, b) for a, b in zip(sets[4:], again, strict=True))


def test_causal_weights_are_one_at_first_and_fall_with_the_losses_before() -> None:
    made = steep()
    weights = made.network.vector()
    for slab, (groups, plain) in enumerate(
        zip(watched(made, CollocationPoints(2000, causal=0.02)), watched(made, CollocationPoints(2000)), strict=True)
    ):
        points, scale = groups[0].data[:2]
        assert torch.equal(points, plain[0].data[0])
        order = (points[:, 1]).argsort()
        fall = scale[order, 0].square()
        assert bool((fall[:100] == 1).all())  # a sixteenth of the points is before everything else
        assert bool((fall[1:] <= fall[:-1]).all())
        loss = plain[0](weights).square().sum(1)[order]
        bins = ((points[order, 1] / made.length - slab) * 16).long().clamp(0, 15)
        before = sum(float(loss[bins == number].mean()) for number in range(15))
        assert float(fall[-1]) == pytest.approx(math.exp(-0.02 * before), rel=1e-10)
        torch.testing.assert_close(groups[0](weights), scale * plain[0](weights))


def test_no_global_setting_and_no_global_generator_is_touched() -> None:
    before = torch.get_default_dtype(), torch.get_rng_state(), torch.is_grad_enabled()
    solved(SpaceTimeSolver(steep(), 1, least_squares(2), CollocationPoints(50, adaptive=0.5)))
    assert torch.get_default_dtype() == before[0] == torch.float32
    assert torch.equal(torch.get_rng_state(), before[1])
    assert torch.is_grad_enabled() is before[2]


def test_where_nothing_is_wrong_nothing_is_put_off() -> None:
    problem = Convection(50.0)
    made = characteristics(problem, Lagrangian(), 1)
    watch = Watch()
    solver = SpaceTimeSolver(made, 1, watch, CollocationPoints(100, causal=10.0))
    solver.advance(SpaceTimeState(0, torch.zeros(1, made.network.count, dtype=torch.float64), 0.0, (math.inf,)))
    assert bool((watch.groups[0][0].data[1] == 1).all())


def test_values_on_faces_are_a_group_of_their_own_where_the_flow_enters() -> None:
    made = characteristics(Channel(), Eulerian(), 1)
    (groups,) = watched(made, CollocationPoints(50, boundary=30))
    assert [group.name for group in groups] == ["equations", "boundary"]
    points, values = groups[1].data[:2]
    assert len(points) == 15 and not points[:, 0].any()
    torch.testing.assert_close(values, torch.sin(-3 * points[:, 1:]))
    viscous = Channel()
    viscous.viscosity = 0.1
    (groups,) = watched(characteristics(viscous, Eulerian(), 1), CollocationPoints(50, boundary=30))
    assert len(groups[1].data[0]) == 30
    assert len(watched(steep(), CollocationPoints(50))[0]) == 1


# ---------------------------------------------------------------------------------------------------------------------
# Rounds


def burgers_solver(**settings: float) -> SpaceTimeSolver:
    made = characteristics(ViscousBurgers(3.0, 0.1), Ale(), 1, 2)
    return SpaceTimeSolver(made, 3, least_squares(3), CollocationPoints(120, adaptive=0.5, causal=0.1), **settings)


def test_a_run_goes_on_from_any_state_bit_for_bit() -> None:
    states = [state for state, _ in burgers_solver().run()]
    assert [state.round for state in states] == [1, 2, 3, 4, 5, 6]
    for state in states[:-1]:
        copy = SpaceTimeState(state.round, state.weights.clone(), state.damping, state.rms)
        rest = [later for later, _ in burgers_solver().run(copy)]
        assert len(rest) == 6 - state.round
        assert torch.equal(rest[-1].weights, states[-1].weights)
        assert (rest[-1].damping, rest[-1].rms) == (states[-1].damping, states[-1].rms)
    assert not list(burgers_solver().run(states[-1]))


def test_a_state_of_other_slabs_or_another_network_is_refused() -> None:
    solver = burgers_solver()
    state = solver.initial()
    for weights in (state.weights[:1], state.weights[:, 1:]):
        wrong = SpaceTimeState(0, weights, 0.0, state.rms)
        with pytest.raises(InputError, match=r"the weights of the slabs have shape .*, expected \(2, \d+\)"):
            solver.advance(wrong)
        with pytest.raises(InputError, match=r"the weights of the slabs have shape"):
            SpaceTimeField(solver.characteristics, weights)


def test_the_seed_decides_everything() -> None:
    ends = [[state for state, _ in burgers_solver(seed=seed).run()][-1].weights for seed in (0, 0, 1)]
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_slabs_come_one_after_the_other_and_leave_the_others_alone() -> None:
    solver = burgers_solver()
    state = solver.initial()
    for number in range(6):
        before = state.weights.clone()
        state, report = solver.advance(state)
        assert report.slab == number // 3 and report.round == number + 1
        other = 1 - report.slab
        assert torch.equal(state.weights[other], before[other])
        assert not torch.equal(state.weights[report.slab], before[report.slab])
        assert str(report).startswith(f"round {number + 1}, slab {number // 3}: residual ")
    assert all(rms < math.inf for rms in state.rms)


@pytest.mark.parametrize("step", [0.0, -0.05, 0.05, 30.0])
def test_a_slab_begins_from_the_one_before_if_that_fits_better(step: float) -> None:
    made = characteristics(VariableConvection(), Lagrangian(), 1, 2)
    watch = Watch(step)
    solved(SpaceTimeSolver(made, 1, watch, CollocationPoints(500)))
    given, reached = watch.starts[0], watch.starts[0] + step
    group = watch.groups[1][0]
    better = reached if float(group.loss(reached)) < float(group.loss(given)) else given
    assert torch.equal(watch.starts[1], better)
    if step == 30.0:
        assert torch.equal(watch.starts[1], given)


def test_nothing_is_done_below_the_tolerance() -> None:
    made = characteristics(Convection(5.0), Lagrangian(), 1, 2)
    solver = SpaceTimeSolver(made, 4, least_squares(tolerance=1e-9), CollocationPoints(100))
    reports = [report for _, report in solver.run()]
    assert [report.slab for report in reports] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert reports[0].solves > 0
    assert not any(report.solves for report in reports[1:])  # the next slab begins where this one ended
    assert all(report.rms <= 1e-9 for report in reports)


def test_residuals_that_are_not_finite_stop_the_run_with_a_sentence() -> None:
    class Broken(VariableConvection):
        def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
            return torch.where(t > 0, x / 0, super().velocity(x, t, u))

    made = characteristics(Broken(), Lagrangian(), 1)
    with pytest.raises(DivergenceError, match="round 1 of slab 0: the residuals equations are not finite at the start"):
        next(SpaceTimeSolver(made).run())
    watched_only = SpaceTimeSolver(made, 1, Watch())
    with pytest.raises(DivergenceError, match="round 1 of slab 0: the residuals are no longer finite; use more"):
        next(watched_only.run())


@pytest.mark.parametrize("rounds", [0, -3, 2.0, True])
def test_numbers_of_rounds_that_are_none_are_refused(rounds: int) -> None:
    with pytest.raises(InputError, match=r"the number of rounds is .*, expected a whole number of at least 1"):
        SpaceTimeSolver(steep(), rounds)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"count": 0}, "the count of points is 0, expected a whole number of at least 1"),
        ({"count": 10.5}, r"the count of points is 10\.5"),
        ({"boundary": 0}, "the boundary of points is 0"),
        ({"adaptive": 1.5}, r"the adaptive share of the points is 1\.5, expected a number from 0 to 1"),
        ({"adaptive": math.nan}, "the adaptive share of the points is nan"),
        ({"causal": 0.0}, r"causal is 0\.0, expected a positive number"),
        ({"causal": math.inf}, "causal is inf"),
    ],
)
def test_points_that_make_no_sense_are_refused(settings: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        CollocationPoints(**settings)
