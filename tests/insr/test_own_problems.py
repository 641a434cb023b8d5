"""Mistakes in a problem of a user's own: a method that returns something else is named before anything is fitted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sciml.domains import BoundaryPoints, Box
from sciml.errors import DivergenceError, InputError
from sciml.insr import EvolutionProblem, FitPoints, Pade22, RungeKutta, TimeStepper, TimeStepping
from sciml.insr.integrators import Integrator
from sciml.nets import TanhNetwork
from sciml.numerics.derivatives import Jet
from sciml.numerics.random import seeded


class Decay(EvolutionProblem):
    """``u_t = -u`` with everything that a problem may have."""

    order, linear = 1, True

    def __init__(self) -> None:
        self.domain = Box([0.0], [1.0])

    def initial(self, points: Tensor) -> Tensor:
        return points.cos()

    def rate(self, points: Tensor, u: Jet, time: float) -> Tensor:
        return -u.value

    def rate_of_rate(self, points: Tensor, u: Jet) -> Tensor:
        return u.value

    def directions(self, points: Tensor) -> Tensor:
        return torch.ones(1, 1, dtype=points.dtype)

    def on_boundary(self, at: BoundaryPoints, u: Jet, time: float) -> Tensor:
        return u.value - self.exact(at.points, time)

    def exact(self, points: Tensor, time: float) -> Tensor:
        return points.cos() * torch.exp(-torch.as_tensor(time))


def stepper(problem: EvolutionProblem, integrator: Integrator | None = None) -> TimeStepper:
    with seeded(0):
        network = TanhNetwork(1, width=4, box=[[0.0], [1.0]]).double()
    return TimeStepper(problem, {"u": network}, integrator or RungeKutta("sdirk3"), 0.1, points=FitPoints(60))


def changed(name: str, change: object) -> EvolutionProblem:
    """Return a problem of which one method returns what ``change`` makes of its values."""
    method = getattr(Decay, name)
    return type("Mine", (Decay,), {name: lambda self, *given: change(method(self, *given))})()


METHODS = ["initial", "rate", "rate_of_rate", "on_boundary", "exact"]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_drops_the_last_axis_is_named_with_both_shapes(name: str) -> None:
    with pytest.raises(InputError, match=rf"^{name} returned values of shape \(\d+,\) at \d+ points, expected \(\d+, "):
        stepper(changed(name, lambda values: values[:, 0])).initial()


@pytest.mark.parametrize("name", [*METHODS, "directions"])
def test_a_method_that_returns_another_kind_is_named(name: str) -> None:
    with pytest.raises(InputError, match=rf"^{name} returned a value of type float, expected a tensor of shape"):
        stepper(changed(name, lambda values: 1.0)).initial()
    with pytest.raises(InputError, match=rf"^{name} returned torch.float32 at points of torch.float64"):
        stepper(changed(name, lambda values: values.float())).initial()
    with pytest.raises(InputError, match=rf"^{name} returned torch.int64 at points of torch.float64"):
        stepper(changed(name, lambda values: values.long())).initial()


def test_a_state_that_is_continued_is_checked_too() -> None:
    state, _ = stepper(Decay()).initial()
    with pytest.raises(InputError, match=r"^rate returned values of shape"):
        stepper(changed("rate", lambda values: values[:, 0])).advance(state)


def test_a_problem_that_returns_what_it_should_is_stepped() -> None:
    for integrator in (RungeKutta("sdirk3"), Pade22()):
        *_, (_, report) = stepper(Decay(), integrator).run(1)
        assert report.rms < 1e-3


@pytest.mark.parametrize("name", ["initial", "rate", "on_boundary"])
def test_values_that_are_not_finite_name_the_method_the_point_and_the_time(name: str) -> None:
    with pytest.raises(DivergenceError, match=rf"^{name} is not finite at \d+ of \d+ points, .* \(.+\), at time 0"):
        list(stepper(changed(name, lambda values: values / 0)).run(1))


def test_a_rate_that_ceases_to_be_finite_later_names_the_time() -> None:
    class Late(Decay):
        def rate(self, points: Tensor, u: Jet, time: float) -> Tensor:
            return -u.value * (float("nan") if time > 0.15 else 1.0)

    with pytest.raises(DivergenceError, match=r"^rate is not finite at 60 of 60 points, .*, at time 0.2"):
        list(stepper(Late(), RungeKutta("implicit_euler")).run(3))


@pytest.mark.parametrize(("order", "name", "needed"), [(1, "second", 2), (0, "second", 2), (0, "first", 1)])
def test_a_derivative_beyond_the_order_of_the_problem_is_refused(order: int, name: str, needed: int) -> None:
    class Short(Decay):
        def rate(self, points: Tensor, u: Jet, time: float) -> Tensor:
            return getattr(u, name).sum(0)

    Short.order = order
    with pytest.raises(InputError, match=rf"^order is {order}, u.{name} needs order = {needed}"):
        stepper(Short()).initial()


def test_without_an_exact_solution_the_history_shows_the_residuals_of_the_steps_alone(tmp_path, monkeypatch):
    (tmp_path / "figures").mkdir()
    (tmp_path / "metrics.csv").write_text(
        "epoch,update,seconds,loss/time,loss/rms,loss/solves,loss/at_limit\n"
        "1,1,0.5,0.1,2e-4,8,1.0\n2,2,0.9,0.2,3e-4,8,1.0\n"
    )
    drawn = []
    monkeypatch.setattr("sciml.plots.training_history", lambda rows, path, names, **words: drawn.append((rows, names)))
    TimeStepping.draw_history(None, [{"time": 0.0}, {"time": 0.1}], tmp_path / "figures" / "history.png")
    ((rows, names),) = drawn
    assert names == ["loss/rms"] and [row["loss/rms"] for row in rows] == ["2e-4", "3e-4"]
