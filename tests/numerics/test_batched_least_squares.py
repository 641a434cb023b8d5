"""Many least-squares problems at once: beside the solver of one, beside lstsq, and item by item."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import jacrev, vmap

from sciml.errors import DivergenceError, InputError
from sciml.numerics.batched_least_squares import BatchedReport, BatchedSettings, minimise
from sciml.numerics.batched_steps import DenseLinearisation
from sciml.numerics.least_squares import LevenbergMarquardt, Residuals
from sciml.numerics.random import generator

EXACTLY = {"damping": 1e-30, "smallest_damping": 1e-30}


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed, *shape))


class ByAutograd:
    """Residuals ``function(w, *data)`` of one item, and a list of the items that were linearised."""

    def __init__(self, function: Callable[..., Tensor], *data: Tensor) -> None:
        self.function, self.data, self.asked = function, data, []

    def linearise(self, w: Tensor, items: Tensor) -> DenseLinearisation:
        self.asked.append(items.tolist())
        rows = tuple(each[items] for each in self.data)
        return DenseLinearisation(vmap(self.function)(w, *rows), lambda: vmap(jacrev(self.function))(w, *rows))


def rosenbrock(x: Tensor) -> Tensor:
    return torch.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def decay(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Fit an exponential: at noisy data the residual does not vanish."""
    return w[0] * torch.exp(-w[1] * x) + w[2] - y


def noisy_decays(items: int) -> ByAutograd:
    x = torch.linspace(0, 3, 20, dtype=torch.float64).expand(items, 20)
    rates = torch.linspace(0.4, 2.5, items, dtype=torch.float64)[:, None]
    return ByAutograd(decay, x, torch.exp(-rates * x) + 0.1 * normal(items, 20))


DECAY_STARTS = torch.tensor([[1.0, 1.0, 0.0]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("function", "start"),
    [(rosenbrock, [-1.2, 1.0]), (lambda w: torch.stack([torch.atan(w[0]), w[1] - w[0]]), [3.0, 0.0])],
    ids=["rosenbrock", "arctangent"],  # the second rejects steps
)
def test_a_batch_of_one_takes_the_steps_of_the_solver_of_one(function: Callable[[Tensor], Tensor], start: list) -> None:
    options = {"tolerance": 1e-12, "max_solves": 30, "patience": 30, "damping": 1e-3}
    w = torch.tensor(start, dtype=torch.float64)
    group = Residuals("problem", function, weight=float(len(function(w))), pointwise=False)
    single = LevenbergMarquardt(**options).minimise([group], w)
    report = minimise(ByAutograd(function), w[None], settings=BatchedSettings(**options, stationarity=0.0))
    assert report.status == (single.status,) == ("converged",)
    assert int(report.iterations) == single.solves > 4
    history = 2 * report.history[:, 0]
    torch.testing.assert_close(history, torch.tensor(single.history, dtype=torch.float64), rtol=1e-6, atol=1e-24)
    torch.testing.assert_close(report.w[0], single.value, rtol=1e-10, atol=1e-10)
    assert float(report.damping) == pytest.approx(single.damping, rel=1e-12)


def test_a_batch_equals_a_loop_over_its_items() -> None:
    problem = noisy_decays(7)
    report = minimise(problem, DECAY_STARTS.expand(7, 3))
    assert report.status == ("converged",) * 7
    assert len(set(report.iterations.tolist())) > 1  # items end at unlike times
    for item in range(7):
        alone = ByAutograd(decay, *(each[item : item + 1] for each in problem.data))
        single = minimise(alone, DECAY_STARTS)
        assert int(single.iterations) == int(report.iterations[item])
        torch.testing.assert_close(single.w[0], report.w[item], rtol=1e-10, atol=1e-10)


def test_items_that_have_converged_leave_the_batch() -> None:
    problem = noisy_decays(7)
    report = minimise(problem, DECAY_STARTS.expand(7, 3))
    asked = [sum(item in items for items in problem.asked) for item in range(7)]
    assert len(problem.asked[-1]) < 7
    assert asked[int(report.iterations.argmin())] < asked[int(report.iterations.argmax())]


def test_an_iteration_goes_on_from_its_dampings():
    whole = minimise(noisy_decays(4), DECAY_STARTS.expand(4, 3), settings=BatchedSettings(max_solves=4))
    w, damping = DECAY_STARTS.expand(4, 3), None
    for _ in range(4):
        part = minimise(noisy_decays(4), w, settings=BatchedSettings(max_solves=1), damping=damping)
        w, damping = part.w, part.damping
    assert torch.equal(part.w, whole.w) and torch.equal(part.damping, whole.damping)
    assert len(set(whole.damping.tolist())) > 1


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 4), st.integers(0, 1000))
def test_a_linear_problem_equals_lstsq_after_one_step(unknowns: int, more: int, seed: int) -> None:
    matrix, right = normal(3, unknowns + more, unknowns, seed=seed), normal(3, unknowns + more, seed=seed)
    problem = ByAutograd(lambda w, a, b: a @ w - b, matrix, right)
    report = minimise(problem, torch.zeros(3, unknowns, dtype=torch.float64), settings=BatchedSettings(**EXACTLY))
    expected = torch.linalg.lstsq(matrix, right[..., None]).solution[..., 0]
    torch.testing.assert_close(report.w, expected, rtol=1e-8, atol=1e-8)
    assert int(report.iterations.max()) <= 2 + (more == 0)  # a square system is solved up to rounding at once


def test_convergence_does_not_depend_on_the_units_of_the_unknowns() -> None:
    units = torch.tensor([1e-6, 1.0, 1e5], dtype=torch.float64)
    plain = noisy_decays(3)
    problem = ByAutograd(lambda w, x, y: decay(w * units, x, y), *plain.data)
    report = minimise(problem, DECAY_STARTS.expand(3, 3) / units, settings=BatchedSettings(**EXACTLY))
    assert report.status == ("converged",) * 3
    for item in range(3):
        x, y = (each[item] for each in plain.data)
        w = report.w[item] * units
        residual, jacobian = decay(w, x, y), jacrev(decay)(w, x, y)
        inside = jacobian @ torch.linalg.lstsq(jacobian, residual[:, None]).solution
        assert float(inside.norm()) <= 1e-7 * float(residual.norm())
        assert float(residual.norm()) > 0.1


def test_each_item_has_a_status_of_its_own() -> None:
    """Solved; without a descent; too slow for the solves."""

    def function(w: Tensor, kind: Tensor) -> Tensor:
        return (torch.cat([w - 1, 0 * w + 1, w**20]) * kind).sum(0, keepdim=True)

    start = torch.tensor([[5.0], [0.0], [3.0]], dtype=torch.float64)
    report = minimise(ByAutograd(function, torch.eye(3).double()), start, settings=BatchedSettings(max_solves=8))
    assert report.status == ("converged", "stalled", "limit")
    assert report.worst == "limit"
    assert "1 converged, 1 stalled, 1 limit; at most 8 solves" in str(report)
    torch.testing.assert_close(report.w[:2], torch.tensor([[1.0], [0.0]], dtype=torch.float64), rtol=1e-8, atol=0)


class LosesItsDerivative(ByAutograd):
    """w + w^3 / 2, where item 1 has no derivative below 1.5."""

    def __init__(self) -> None:
        super().__init__(lambda w: w + 0.5 * w**3)

    def linearise(self, w: Tensor, items: Tensor) -> DenseLinearisation:
        lost = ((items == 1)[:, None] & (w < 1.5))[..., None]
        jacobian = torch.where(lost, torch.nan, 1 + 1.5 * w[..., None] ** 2)
        return DenseLinearisation(w + 0.5 * w**3, lambda: jacobian)


def test_items_that_lose_their_derivatives_keep_the_last_value() -> None:
    report = minimise(LosesItsDerivative(), torch.full((3, 1), 3.0, dtype=torch.float64))
    assert report.status == ("converged", "diverged", "converged")
    assert 0.5 < float(report.w[1]) < 1.5
    torch.testing.assert_close(report.w[::2], torch.zeros(2, 1, dtype=torch.float64), rtol=0, atol=1e-8)


def test_data_that_are_not_finite_are_refused_by_item() -> None:
    problem = noisy_decays(4)
    problem.data[1][2, 5] = torch.nan
    with pytest.raises(DivergenceError, match="residuals of 1 of 4 items, the first of them item 2, are not finite"):
        minimise(problem, DECAY_STARTS.expand(4, 3))
    roots = ByAutograd(lambda w: w.abs().sqrt() + 1)
    start = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    with pytest.raises(DivergenceError, match="derivatives of 1 of 2 items, the first of them item 1"):
        minimise(roots, start)


@pytest.mark.parametrize("start", [torch.zeros(3, dtype=torch.float64), torch.zeros(2, 3), torch.zeros(0, 3).double()])
def test_starts_of_another_shape_or_type_are_refused(start: Tensor) -> None:
    with pytest.raises(InputError, match="expected one float64 vector for each item"):
        minimise(noisy_decays(2), start)


@pytest.mark.parametrize("stationarity", [-1.0, 1.0, float("nan")])
def test_a_stationarity_that_is_no_cosine_is_refused(stationarity: float) -> None:
    with pytest.raises(InputError, match="stationarity of least squares"):
        BatchedSettings(stationarity=stationarity)


def test_dense_steps_are_those_of_the_normal_equations_without_their_loss_of_digits() -> None:
    jacobian, residual = normal(3, 9, 4), normal(3, 9)
    here = DenseLinearisation(residual, lambda: jacobian)
    damping = torch.tensor([1e-3, 1.0, 50.0], dtype=torch.float64)
    gram = jacobian.mT @ jacobian
    gradient = (jacobian.mT @ residual[..., None])[..., 0]
    damped = gram + torch.diag_embed(damping[:, None].expand(3, 4))
    torch.testing.assert_close(here.gradient, gradient, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(here.scale, gram.diagonal(dim1=1, dim2=2).mean(1))
    torch.testing.assert_close(here.step(damping), -torch.linalg.solve(damped, gradient), rtol=1e-11, atol=1e-11)
    # Columns that differ by 1e-9: the Gram matrix is singular in double precision, and the step is not lost.
    exact = torch.tensor([1.0, 2.0], dtype=torch.float64)
    narrow = torch.stack([normal(9), normal(9) + 1e-9 * normal(9, seed=1)], 1)
    step = DenseLinearisation(-(narrow @ exact)[None], lambda: narrow[None]).step(torch.zeros(1, dtype=torch.float64))
    torch.testing.assert_close(step[0], exact, rtol=1e-5, atol=1e-5)


def test_fewer_rows_than_unknowns_are_no_obstacle_to_a_damped_step() -> None:
    jacobian, residual = normal(2, 3, 5), normal(2, 3)
    step = DenseLinearisation(residual, lambda: jacobian).step(torch.full((2,), 1e-12, dtype=torch.float64))
    expected = -torch.linalg.lstsq(jacobian, residual[..., None], driver="gelsd").solution[..., 0]
    torch.testing.assert_close(step, expected, rtol=1e-6, atol=1e-6)


def test_a_report_says_what_was_found() -> None:
    report = minimise(noisy_decays(3), DECAY_STARTS.expand(3, 3))
    assert isinstance(report, BatchedReport)
    assert str(report).startswith("3 items of 3 unknowns: 3 converged; at most ")
    assert bool((report.history.diff(dim=0) <= 0).all())
    torch.testing.assert_close(report.history[-1], report.cost)
