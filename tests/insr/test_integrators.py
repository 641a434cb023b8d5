"""Time steps on fields that the 'network' represents exactly: stability functions, orders, stage times."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from sciml.domains import BoundaryPoints, Box
from sciml.errors import InputError
from sciml.insr import FitPoints, LeastSquaresFit, Pade22, RungeKutta, TimeStepper
from sciml.insr.integrators import Integrator, NeuralFields
from sciml.insr.problems import EvolutionProblem
from sciml.insr.problems.stream_function import TaylorGreen
from sciml.numerics.derivatives import Jet, concatenate, coordinates, linear
from sciml.numerics.flat import FlatModule
from sciml.numerics.least_squares import LevenbergMarquardt

EXACT = LeastSquaresFit(
    LevenbergMarquardt(tolerance=1e-15, max_solves=8, damping=1e-14, smallest_damping=1e-15),
    LevenbergMarquardt(tolerance=1e-14, max_solves=8, damping=1e-14, smallest_damping=1e-15),
)
X = torch.linspace(0, 2 * math.pi, 101, dtype=torch.float64)[:, None]
RULES: dict[str, Integrator] = {
    **{rule: RungeKutta(rule) for rule in ("explicit_euler", "implicit_euler", "midpoint", "sdirk3", "rk4")},
    "pade22": Pade22(),
}
ORDERS = {"explicit_euler": 1, "implicit_euler": 1, "midpoint": 2, "sdirk3": 3, "rk4": 4, "pade22": 4}


class FourierSeries(nn.Module):
    """``c_0 + sum a_k sin(k x) + b_k cos(k x)``: linear in its weights, so that every fit is exact."""

    inputs, outputs = 1, 1

    def __init__(self, modes: int) -> None:
        super().__init__()
        self.register_buffer("numbers", torch.arange(1, modes + 1, dtype=torch.float64)[:, None])
        self.weight = nn.Parameter(torch.zeros(1, 2 * modes, dtype=torch.float64))
        self.bias = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, points: Tensor, order: int | None = None, directions: Tensor | None = None) -> Tensor | Jet:
        phase = linear(coordinates(points, order or 0, directions), self.numbers)
        sines, cosines = torch.sin(phase.value), torch.cos(phase.value)
        waves = concatenate(phase.apply(sines, cosines, -sines), phase.apply(cosines, -sines, -cosines))
        jet = linear(waves, self.weight, self.bias)
        return jet.value if order is None else jet


class Circle(EvolutionProblem):
    """Something on a circle."""

    def __init__(self) -> None:
        self.domain = Box([0.0], [2 * math.pi], True)


class FadingWaves(Circle):
    """``u_t = -u_x - decay u``: all waves travel and fade."""

    linear = True
    order = 2

    def __init__(self, decay: float = 0.5, speed: float = 1.0) -> None:
        super().__init__()
        self.decay, self.speed = decay, speed

    def initial(self, points: Tensor) -> Tensor:
        return self.exact(points, 0.0)

    def exact(self, points: Tensor, time: float) -> Tensor:
        moved = points - self.speed * time
        return math.exp(-self.decay * time) * (torch.sin(moved) + torch.cos(2 * moved) / 2 + 1)

    def rate(self, points: Tensor, u: Jet, time: float) -> Tensor:
        return -self.speed * u.first[0] - self.decay * u.value

    def rate_of_rate(self, points: Tensor, u: Jet) -> Tensor:
        return self.speed**2 * u.second[0] + 2 * self.speed * self.decay * u.first[0] + self.decay**2 * u.value


class Quadratic(Circle):
    """``u_t = -cos(t) u^2``, neither linear nor autonomous."""

    order = 0

    def initial(self, points: Tensor) -> Tensor:
        return self.exact(points, 0.0)

    def exact(self, points: Tensor, time: float) -> Tensor:
        return 1 / (1 / (1 + 0.4 * torch.sin(points)) + math.sin(time))

    def rate(self, points: Tensor, u: Jet, time: float) -> Tensor:
        return -math.cos(time) * u.value**2


class Scalar(Circle):
    """``u_t = factor u`` of one wave."""

    linear = True
    order = 0

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def initial(self, points: Tensor) -> Tensor:
        return torch.sin(points)

    def rate(self, points: Tensor, u: Jet, time: float) -> Tensor:
        return self.factor * u.value

    def rate_of_rate(self, points: Tensor, u: Jet) -> Tensor:
        return self.factor**2 * u.value


def solve(problem: EvolutionProblem, integrator: Integrator, modes: int, time_step: float, steps: int) -> Tensor:
    """The field on ``X`` after some steps."""
    stepper = TimeStepper(
        problem,
        {"u": FourierSeries(modes)},
        integrator,
        time_step,
        fitting=EXACT,
        points=FitPoints(8 * modes, "shifted"),
    )
    state, _ = list(stepper.run(steps))[-1]
    return stepper.fields(state.weights)("u", X)


def stability_function(rule: str) -> Callable[[float], float]:
    """What one step multiplies by, from the textbooks."""
    return {
        "explicit_euler": lambda z: 1 + z,
        "implicit_euler": lambda z: 1 / (1 - z),
        "midpoint": lambda z: (1 + z / 2) / (1 - z / 2),
        "rk4": lambda z: 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24,
        "pade22": lambda z: (1 + z / 2 + z**2 / 12) / (1 - z / 2 + z**2 / 12),
    }[rule]


@pytest.mark.parametrize("rule", ["explicit_euler", "implicit_euler", "midpoint", "rk4", "pade22"])
@pytest.mark.parametrize("z", [-0.3, -2.0, 0.7])
def test_one_step_multiplies_by_the_stability_function(rule: str, z: float) -> None:
    after = solve(Scalar(z), RULES[rule], 1, 1.0, 1)
    torch.testing.assert_close(after, stability_function(rule)(z) * torch.sin(X), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("rule", ["implicit_euler", "sdirk3"])
def test_rules_for_stiff_problems_wipe_out_what_is_infinitely_stiff(rule: str) -> None:
    assert float(solve(Scalar(-1e5), RULES[rule], 1, 1.0, 1).abs().max()) < 1e-4
    assert float(solve(Scalar(-1e5), RULES["midpoint"], 1, 1.0, 1).abs().max()) > 0.99


@pytest.mark.parametrize("rule", sorted(RULES))
def test_the_order_on_waves_that_travel_and_fade_is_that_of_the_rule(rule: str) -> None:
    problem = FadingWaves()
    errors = [
        float((solve(problem, RULES[rule], 2, 1 / steps, steps) - problem.exact(X, 1.0)).abs().max())
        for steps in (8, 16)
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(RULES[rule].order, abs=0.25)
    assert RULES[rule].order == ORDERS[rule]


@pytest.mark.parametrize("rule", ["explicit_euler", "implicit_euler", "midpoint", "sdirk3", "rk4"])
def test_the_order_on_a_nonlinear_problem_that_depends_on_time_is_that_of_the_rule(rule: str) -> None:
    problem = Quadratic()
    errors = [
        float((solve(problem, RULES[rule], 14, 1 / steps, steps) - problem.exact(X, 1.0)).abs().max())
        for steps in (16, 32)
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(ORDERS[rule], abs=0.25)


@pytest.mark.parametrize("rule", ["midpoint", "pade22"])
def test_symmetric_rules_keep_the_size_of_waves_that_do_not_fade(rule: str) -> None:
    problem = FadingWaves(decay=0.0)
    after = solve(problem, RULES[rule], 2, 0.8, 5) - 1
    start = problem.initial(X) - 1
    assert float(after[:-1].square().mean()) == pytest.approx(float(start[:-1].square().mean()), rel=1e-10)


def test_boundary_conditions_are_those_at_the_times_of_the_stages() -> None:
    times: list[float] = []

    class Walled(Scalar):
        def __init__(self) -> None:
            super().__init__(-1.0)
            self.domain = Box([0.0], [2 * math.pi])

        def on_boundary(self, at: BoundaryPoints, u: Jet, time: float) -> Tensor:
            times.append(time)
            return u.value

    def seen(integrator: Integrator) -> list[float]:
        stepper = TimeStepper(Walled(), {"u": FourierSeries(1)}, integrator, 0.5, fitting=EXACT, points=FitPoints(20))
        state, _ = stepper.initial()
        times.clear()
        stepper.advance(state)
        return sorted({round(time, 12) for time in times})

    assert seen(RungeKutta("midpoint")) == [0.5]
    assert seen(RungeKutta("rk4")) == [0.25, 0.5]
    assert seen(Pade22()) == [0.5]
    alpha = 0.43586652150845967  # Alexander's rule: at alpha, (1 + alpha) / 2 and 1
    assert seen(RungeKutta("sdirk3")) == pytest.approx([alpha / 2, (1 + alpha) / 4, 0.5])


def test_a_rule_makes_one_fit_for_each_stage_that_is_not_known() -> None:
    for rule, fits in {"explicit_euler": 1, "implicit_euler": 1, "midpoint": 1, "sdirk3": 3, "rk4": 4}.items():
        made: list[str] = []

        class Counting(LeastSquaresFit):
            def fit(self, fit, draw, generator, made=made):
                made.append(fit.field)
                return super().fit(fit, draw, generator)

        stepper = TimeStepper(
            Scalar(-1.0),
            {"u": FourierSeries(1)},
            RungeKutta(rule),
            0.1,
            fitting=Counting(EXACT.step, EXACT.initial),
            points=FitPoints(20),
        )
        state, _ = stepper.initial()
        stepper.advance(state)
        assert made == ["u"] * fits


def test_fields_of_given_weights_have_no_graph_and_can_be_seen_as_a_fit_sees_them() -> None:
    class Squared(Scalar):
        def observe(self, name: str, jet: Jet) -> Tensor:
            return jet.value**2 + jet.first[0]

        def observed_order(self, name: str) -> int:
            return 1

    series = FlatModule(FourierSeries(1))
    fields = NeuralFields({"u": series}, {"u": torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64, requires_grad=True)})
    assert not fields("u", X).requires_grad
    torch.testing.assert_close(fields("u", X), 2 * torch.sin(X))
    observed = fields.observe(Squared(0.0), "u", X)
    torch.testing.assert_close(observed, 4 * torch.sin(X) ** 2 + 2 * torch.cos(X))
    along = fields("u", X, 1, torch.tensor([[3.0]], dtype=torch.float64))
    torch.testing.assert_close(along.first[0], 6 * torch.cos(X))


def test_rules_refuse_problems_that_they_are_not_for() -> None:
    with pytest.raises(InputError, match="no Runge-Kutta method 'rk5', expected one of explicit_euler, implicit_euler"):
        RungeKutta("rk5")
    with pytest.raises(InputError, match="pade22 needs a linear problem that gives its rate_of_rate, which Quadratic"):
        Pade22().check(Quadratic())

    class NoSecond(Scalar):
        rate_of_rate = EvolutionProblem.rate_of_rate

    with pytest.raises(InputError, match="rate_of_rate, which NoSecond is not; use RungeKutta with sdirk3 or rk4"):
        Pade22().check(NoSecond(1.0))
    for integrator in (RungeKutta("rk4"), Pade22()):
        with pytest.raises(InputError, match=r"needs a problem with a rate, .* which TaylorGreen is not; use the"):
            integrator.check(TaylorGreen())
