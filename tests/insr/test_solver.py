"""The time stepper: starts, restarts, guards, several fields, and what it refuses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from sciml.domains import Box
from sciml.errors import DivergenceError, InputError
from sciml.insr import AdamFit, Advection, FitPoints, Heat, LeastSquaresFit, Pade22, RungeKutta, TimeStepper
from sciml.insr.fitting import Fit, Sample
from sciml.insr.integrators import Fits, Integrator, Step
from sciml.insr.problems import EvolutionProblem, Fields, Problem
from sciml.insr.solver import TimeStepState
from sciml.nets.coordinate import FourierNetwork, TanhNetwork
from sciml.nets.gaussian import GaussianNetwork
from sciml.numerics.derivatives import Jet
from sciml.numerics.least_squares import LevenbergMarquardt, Residuals
from sciml.numerics.random import seeded

FITTING = LeastSquaresFit(
    LevenbergMarquardt(tolerance=1e-6, max_solves=6, damping=1e-7),
    LevenbergMarquardt(tolerance=1e-5, max_solves=60, damping=1e-2, patience=10),
)
CIRCLE = Box([0.0], [2 * math.pi], True)
X = torch.linspace(0, 2 * math.pi, 60, dtype=torch.float64)[:, None]


class Waves(EvolutionProblem):
    """``u_t = factor u``, and its energy."""

    order = 0

    def __init__(self, factor: float = -1.0) -> None:
        self.domain, self.factor = CIRCLE, factor

    def initial(self, points: Tensor) -> Tensor:
        return torch.sin(points)

    def rate(self, points: Tensor, u: Jet, time: float) -> Tensor:
        return self.factor * u.value

    def quantities(self, fields: Fields, time: float) -> dict[str, float]:
        return {"energy": float(fields("u", X).square().mean()), "time": time}


def circle_network(seed: int = 0, width: int = 5, outputs: int = 1) -> FourierNetwork:
    with seeded(seed):
        return FourierNetwork(1, outputs, width=width, layers=1, modes=2, box=[[0.0], [2 * math.pi]]).double()


def waves(factor: float = -1.0, rule: str = "explicit_euler", **options: object) -> TimeStepper:
    settings = {"fitting": FITTING, "points": FitPoints(64), **options}
    return TimeStepper(Waves(factor), {"u": circle_network()}, RungeKutta(rule), 0.1, **settings)


def pulse(**options: object) -> TimeStepper:
    """Gaussian units with adaptive points: every kind of random draw is in there."""
    problem = Advection(velocity=(0.5, 0.2), centre=0.0, width=0.3, boundary="zero")
    with seeded(0):
        network = GaussianNetwork(2, units=4, box=[[-1, -1], [1, 1]]).double()
    points = FitPoints(100, "uniform", adaptive=0.5)
    return TimeStepper(problem, {"u": network}, Pade22(), 0.1, fitting=FITTING, points=points, **options)


# ---------------------------------------------------------------------------------------------------------------------
# States and reports


def test_states_and_reports_follow_each_other() -> None:
    stepper = waves(rule="midpoint")
    results = list(stepper.run(3))
    assert [state.step for state, _ in results] == [0, 1, 2, 3]
    assert [state.time for state, _ in results] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert results[0][0].before is None
    for (last, _), (state, report) in pairwise(results):
        assert torch.equal(state.before["u"], last.weights["u"])
        assert (report.step, report.time) == (state.step, state.time)
        assert report.solves >= 1 and report.rms < 1e-5 and report.seconds >= 0
        assert report.quantities["time"] == state.time
    factor = (1 - 0.05) / (1 + 0.05)
    u = stepper.fields(results[-1][0].weights)("u", X)
    torch.testing.assert_close(u, factor**3 * torch.sin(X), rtol=0, atol=1e-3)


@pytest.mark.parametrize("make", [waves, pulse])
def test_a_run_from_a_state_goes_on_bit_by_bit_even_in_a_new_stepper(make) -> None:
    whole = [state for state, _ in make().run(4)]
    middle = whole[2]
    kept = TimeStepState(
        middle.step,
        middle.time,
        {name: weights.clone() for name, weights in middle.weights.items()},
        {name: weights.clone() for name, weights in middle.before.items()},
    )
    rest = [state for state, _ in make().run(2, kept)]
    assert [state.step for state in rest] == [3, 4]
    for state, expected in zip(rest, whole[3:], strict=True):
        assert state.time == expected.time
        assert torch.equal(state.weights["u"], expected.weights["u"])


def test_runs_with_one_seed_are_equal_and_with_another_not() -> None:
    one, same, other = ([state for state, _ in pulse(seed=seed).run(1)][-1].weights["u"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_steps_leave_the_states_before_them_alone() -> None:
    stepper = pulse()
    state, _ = stepper.initial()
    before = state.weights["u"].clone()
    stepper.advance(state)
    assert torch.equal(state.weights["u"], before)


def test_adam_steps_too() -> None:
    state, _ = waves().initial()
    by_adam = waves(fitting=AdamFit(rate=0.01, iterations=400, patience=400))
    after, report = by_adam.advance(state)
    assert report.solves == 400
    error = by_adam.fields(after.weights)("u", X) - 0.9 * torch.sin(X)
    assert float(error.abs().max()) < 0.02


# ---------------------------------------------------------------------------------------------------------------------
# Guards


def test_a_growing_energy_stops_the_run_and_the_last_good_state_is_at_hand() -> None:
    stepper = waves(factor=60.0)
    run = stepper.run(5)
    state, _ = next(run)
    with pytest.raises(DivergenceError, match=r"the energy grew from 0\.\d+ to \d+(\.\d)? in step 1; take a smaller"):
        next(run)
    u = stepper.fields(state.weights)("u", X)
    torch.testing.assert_close(u, torch.sin(X), rtol=0, atol=1e-3)


def test_a_rate_that_is_not_finite_is_named_and_keeps_the_state() -> None:
    class Broken(Waves):
        def rate(self, points: Tensor, u: Jet, time: float) -> Tensor:
            return u.value / (0.0 if time > 0.15 else 1.0)

    for fitting in (FITTING, AdamFit(rate=1e-3, iterations=5)):
        stepper = TimeStepper(
            Broken(), {"u": circle_network()}, RungeKutta("explicit_euler"), 0.1, fitting=FITTING, points=FitPoints(64)
        )
        states = [stepper.initial()[0]]
        for _ in range(2):
            states.append(stepper.advance(states[-1])[0])
        stepper.fitting = fitting
        with pytest.raises(DivergenceError, match="not finite"):
            stepper.advance(states[-1])
        assert bool(states[-1].weights["u"].isfinite().all())


def test_a_network_too_small_for_the_start_is_refused_in_a_sentence() -> None:
    class Fine(Waves):
        def initial(self, points: Tensor) -> Tensor:
            return torch.sin(9 * points)

    stepper = TimeStepper(
        Fine(), {"u": circle_network(width=2)}, RungeKutta("midpoint"), 0.1, fitting=FITTING, points=FitPoints(200)
    )
    with pytest.raises(
        DivergenceError,
        match=r"the network of 'u' with 13 parameters fits the initial condition with a relative",
    ):
        stepper.initial()


# ---------------------------------------------------------------------------------------------------------------------
# Several fields


class Pair(Problem):
    """A vector and the square of its length."""

    fields: ClassVar[dict[str, int]] = {"v": 2, "q": 1}
    domain = CIRCLE

    def initial_field(self, name: str, points: Tensor) -> Tensor:
        if name == "v":
            return torch.cat([torch.sin(points), torch.cos(points)], 1)
        return 1 + torch.sin(points) / 2

    def quantities(self, fields: Fields, time: float) -> dict[str, float]:
        return {"largest": float(fields("q", X).max())}


class Turn(Integrator):
    """``v`` is turned by a right angle; then ``q`` becomes its first component."""

    order = 1

    def check(self, problem: Problem) -> None:
        if not isinstance(problem, Pair):
            raise InputError(f"only pairs can be turned, {type(problem).__name__} is none.")

    def advance(self, step: Step) -> Fits:
        def group(name: str, target: Mapping[str, Tensor] | None):
            def residuals(sample: Sample) -> list[Residuals]:
                old = step.now("v", sample.interior)
                goal = torch.stack([-old[:, 1], old[:, 0]], 1)
                if target is not None:
                    goal = step.networks["v"](target, sample.interior)[:, :1]
                network = step.networks[name]
                return [Residuals("turn", lambda w, x, y: network(w, x) - y, (sample.interior, goal))]

            return Fit(name, step.now.weights[name], residuals)

        turned = yield group("v", None)
        first = yield group("q", turned)
        return {"v": turned, "q": first}


def test_fields_of_different_channels_have_networks_of_their_own() -> None:
    networks = {"q": circle_network(1), "v": circle_network(2, width=7, outputs=2)}
    patient = LeastSquaresFit(
        LevenbergMarquardt(tolerance=1e-5, max_solves=80, damping=1e-3, patience=10), FITTING.initial
    )
    stepper = TimeStepper(Pair(), networks, Turn(), 0.5, fitting=patient, points=FitPoints(80))
    (start, begin), (state, report) = stepper.run(1)
    assert list(start.weights) == ["v", "q"]  # in the order of the problem
    fields = stepper.fields(state.weights)
    torch.testing.assert_close(fields("v", X), torch.cat([-torch.cos(X), torch.sin(X)], 1), rtol=0, atol=1e-3)
    torch.testing.assert_close(fields("q", X), -torch.cos(X), rtol=0, atol=1e-3)
    assert begin.quantities["largest"] == pytest.approx(1.5, abs=0.01)
    assert report.quantities["largest"] == pytest.approx(1.0, abs=0.01)
    assert report.solves >= 2


# ---------------------------------------------------------------------------------------------------------------------
# Refusals


def refused() -> Iterator[tuple[str, dict[str, object]]]:
    good = {"problem": Waves(), "networks": {"u": circle_network()}, "integrator": RungeKutta(), "time_step": 0.1}
    yield "the time step is 0, expected a positive number", {**good, "time_step": 0}
    yield "the time step is nan", {**good, "time_step": math.nan}
    yield "the time step is inf", {**good, "time_step": math.inf}
    yield "there are networks for nothing, expected one for each field of Waves: u", {**good, "networks": {}}
    extra = {"u": circle_network(), "p": circle_network()}
    yield "there are networks for u, p, expected one for each field of Waves: u", {**good, "networks": extra}
    wide = {"u": circle_network(outputs=2)}
    yield "the network of 'u' has 1 inputs and 2 outputs, expected 1 and 1", {**good, "networks": wide}
    flat = {"u": TanhNetwork(2).double()}
    yield "the network of 'u' has 2 inputs and 1 outputs, expected 1 and 1", {**good, "networks": flat}
    other = {"u": torch.nn.Linear(1, 1).double()}
    yield "the network of 'u' has None inputs and None outputs", {**good, "networks": other}
    yield (
        "pade22 needs a linear problem that gives its rate_of_rate, which Waves is not",
        {
            **good,
            "integrator": Pade22(),
        },
    )
    yield "only pairs can be turned, Waves is none", {**good, "integrator": Turn()}
    yield (
        "axis 0 with period 6.28319, but the network of 'u', a TanhNetwork, has other values a period away",
        {
            **good,
            "networks": {"u": TanhNetwork(1, box=[[0.0], [7.0]]).double()},
        },
    )
    yield (
        "there are 10 points for the 31 parameters of 'u'; least squares needs at least 16, better 62",
        {
            **good,
            "points": FitPoints(10),
        },
    )


@pytest.mark.parametrize(("message", "arguments"), list(refused()), ids=[message[:40] for message, _ in refused()])
def test_what_does_not_fit_together_is_refused(message: str, arguments: dict[str, object]) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(").replace(".", r"\.")):
        TimeStepper(**arguments)


def test_a_start_of_nothing_needs_no_fit_to_a_size() -> None:
    class Cold(Heat):
        def initial(self, points: Tensor) -> Tensor:
            return 0 * points

    with seeded(0):
        network = TanhNetwork(1, width=4, layers=1).double()
    stepper = TimeStepper(Cold(), {"u": network}, RungeKutta(), 0.1, fitting=FITTING, points=FitPoints(40))
    state, report = list(stepper.run(1))[-1]
    assert report.rms < 1e-4 and float(stepper.fields(state.weights)("u", X / 7).abs().max()) < 1e-3


def test_adaptive_points_leave_the_networks_as_they_are() -> None:
    network = GaussianNetwork(2, units=3, box=[[-2, -2], [-1, -1]]).double()
    problem = Advection(velocity=(0.25, 0.25), boundary="inflow")
    points = FitPoints(200, "shifted", boundary=20, adaptive=0.5)
    fitting = LeastSquaresFit(initial_tolerance=10.0)  # three bumps need not find the initial condition
    stepper = TimeStepper(problem, {"u": network}, Pade22(), 0.1, points=points, fitting=fitting)
    before = [weight.clone() for weight in network.parameters()]
    first, second = stepper.initial()[0], stepper.initial()[0]
    assert all(torch.equal(*pair) for pair in zip(before, network.parameters(), strict=True))
    assert torch.equal(first.weights["u"], second.weights["u"])
