"""Levenberg-Marquardt: published problems beside scipy, linear problems beside numpy, networks, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.optimize
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sciml.errors import DivergenceError, InputError
from sciml.numerics.flat import FlatModule
from sciml.numerics.least_squares import LevenbergMarquardt, Residuals
from sciml.numerics.random import generator, seeded

EXACTLY = {"damping": 1e-30, "smallest_damping": 1e-30}


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed, *shape))


def as_group(function: Callable[[Tensor], Tensor], start: Tensor) -> list[Residuals]:
    """One group whose loss is the plain sum of squares."""
    return [Residuals("problem", function, weight=float(len(function(start))), pointwise=False)]


def linear(matrix: Tensor, right: Tensor) -> list[Residuals]:
    return [Residuals("line", lambda w, a, b: (a @ w)[:, None] - b[:, None], (matrix, right), float(len(matrix)))]


def rosenbrock(x: Tensor) -> Tensor:
    return torch.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def beale(x: Tensor) -> Tensor:
    powers = torch.arange(1, 4, dtype=x.dtype)
    return vector(1.5, 2.25, 2.625) - x[0] * (1 - x[1] ** powers)


def bard(x: Tensor) -> Tensor:
    data = vector(0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39)
    u = torch.arange(1, 16, dtype=x.dtype)
    v = 16 - u
    return data - (x[0] + u / (v * x[1] + torch.minimum(u, v) * x[2]))


def kowalik_osborne(x: Tensor) -> Tensor:
    data = vector(0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246)
    u = vector(4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625)
    return data - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


def powell_singular(x: Tensor) -> Tensor:
    """The Jacobian at the solution has rank two."""
    return torch.stack([x[0] + 10 * x[1], 5**0.5 * (x[2] - x[3]), (x[1] - 2 * x[2]) ** 2, 10**0.5 * (x[0] - x[3]) ** 2])


def brown_dennis(x: Tensor) -> Tensor:
    """A large residual at the minimum."""
    t = torch.arange(1, 21, dtype=x.dtype) / 5
    return (x[0] + t * x[1] - torch.exp(t)) ** 2 + (x[2] + x[3] * torch.sin(t) - torch.cos(t)) ** 2


# Starts and minima as More, Garbow and Hillstrom, "Testing unconstrained optimization software", 1981, list them.
PUBLISHED = {
    "rosenbrock": (rosenbrock, [-1.2, 1.0], 0.0),
    "beale": (beale, [1.0, 1.0], 0.0),
    "bard": (bard, [1.0, 1.0, 1.0], 8.21487e-3),
    "kowalik_osborne": (kowalik_osborne, [0.25, 0.39, 0.415, 0.39], 3.07505e-4),
    "powell_singular": (powell_singular, [3.0, -1.0, 0.0, 1.0], 0.0),
    "brown_dennis": (brown_dennis, [25.0, 5.0, -5.0, -1.0], 85822.2),
}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_problems_end_in_their_published_minima_as_with_scipy(name: str) -> None:
    function, start, minimum = PUBLISHED[name]
    algorithm = LevenbergMarquardt(tolerance=1e-12, max_solves=200, damping=1e-3, patience=200)
    result = algorithm.minimise(as_group(function, vector(*start)), vector(*start))
    scipys = scipy.optimize.least_squares(
        lambda x: function(torch.from_numpy(x)).numpy(), start, method="lm", xtol=1e-14, ftol=1e-14, gtol=1e-14
    )
    assert result.cost == pytest.approx(minimum, rel=2e-6, abs=1e-16)
    assert result.cost == pytest.approx(2 * scipys.cost, rel=1e-9, abs=1e-16)
    if name != "powell_singular":  # there, both creep towards the solution along a direction without slope
        np.testing.assert_allclose(result.value.numpy(), scipys.x, rtol=2e-5)
    assert all(b <= a for a, b in zip(result.history[:-1], result.history[1:], strict=True))


@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 12),
    condition=st.floats(1, 1e3),
    noise=st.floats(0, 1),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_linear_problems_are_solved_in_two_solves(
    rows: int, columns: int, condition: float, noise: float, seed: int
) -> None:
    rows = max(rows, columns)
    left, right = (torch.linalg.qr(normal(size, columns, seed=seed))[0] for size in (rows, columns))
    matrix = (left * torch.logspace(0, -np.log10(condition), columns, dtype=torch.float64)) @ right.T
    target = matrix @ normal(columns, seed=seed + 1) + noise * normal(rows, seed=seed + 2)
    algorithm = LevenbergMarquardt(tolerance=0.0, max_solves=2, **EXACTLY)
    result = algorithm.minimise(linear(matrix, target), normal(columns, seed=seed + 3))
    expected = np.linalg.lstsq(matrix.numpy(), target.numpy(), rcond=None)[0]
    np.testing.assert_allclose(result.value.numpy(), expected, rtol=0, atol=1e-8 * (1 + np.linalg.norm(expected)))
    assert result.rank == columns


def test_a_linear_problem_with_fewer_residuals_than_parameters_takes_the_shortest_step() -> None:
    matrix, target, start = normal(8, 20), normal(8), normal(20, seed=1)
    result = LevenbergMarquardt(tolerance=1e-12, **EXACTLY).minimise(linear(matrix, target), start)
    assert (result.method, result.status, result.rank) == ("dual", "converged", 8)
    shortest = np.linalg.lstsq(matrix.numpy(), (target - matrix @ start).numpy(), rcond=None)[0]
    np.testing.assert_allclose((result.value - start).numpy(), shortest, atol=1e-12)


def test_a_condition_of_1e12_is_solved_as_exactly_as_numpy_does() -> None:
    """Normal equations alone would have a condition of 1e24, far beyond double precision."""
    left, right = (torch.linalg.qr(normal(size, 12, seed=7))[0] for size in (60, 12))
    matrix = (left * torch.logspace(0, -12, 12, dtype=torch.float64)) @ right.T
    solution = normal(12, seed=8)
    target = matrix @ solution
    numpys = torch.from_numpy(np.linalg.lstsq(matrix.numpy(), target.numpy(), rcond=1e-18)[0])
    result = LevenbergMarquardt(tolerance=0.0, max_solves=3, **EXACTLY).minimise(
        linear(matrix, target), vector(*[0] * 12)
    )
    assert result.rms < 1e-14
    assert float((result.value - solution).norm()) < max(10 * float((numpys - solution).norm()), 1e-4)


def network(width: int, seed: int) -> FlatModule:
    with seeded(seed):
        return FlatModule(nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 1)).double())


@pytest.mark.parametrize("seed", [1, 2])
def test_a_network_near_another_one_finds_its_function_exactly_and_fast(seed: int) -> None:
    net = network(3, seed)
    points = torch.linspace(-2, 2, 80, dtype=torch.float64)[:, None]
    target = net(2 * net.vector(), points)
    group = Residuals("fit", lambda w, x, y: net(w, x) - y, (points, target))
    start = 2 * net.vector() + 0.02 * normal(net.count, seed=seed)
    result = LevenbergMarquardt(tolerance=1e-12, max_solves=30, smallest_damping=1e-16).minimise([group], start)
    assert result.status == "converged"
    assert float((net(result.value, points) - target).abs().max()) < 1e-11


def test_all_methods_take_the_same_step() -> None:
    net, points = network(6, seed=3), normal(30, 1)
    group = Residuals("fit", lambda w, x: net(w, x) - torch.sin(3 * x), (points,))
    values = {}
    for method in ("normal", "dual", "block", "matrix_free"):
        algorithm = LevenbergMarquardt(tolerance=0.0, max_solves=1, damping=0.1, method=method)
        result = algorithm.minimise([group], net.vector())
        assert result.method == method and result.solves == 1
        values[method] = result.value - net.vector()
    # Without a Jacobian the scale of the damping is an estimate, so that step is another one by a few per cent.
    for method, tolerance in {"dual": 1e-9, "block": 1e-9, "matrix_free": 0.3}.items():
        assert float((values[method] - values["normal"]).norm() / values["normal"].norm()) < tolerance, method


@pytest.mark.parametrize(("method", "solves"), [("block", 60), ("matrix_free", 6)])
def test_methods_for_large_networks_come_to_the_minimum_of_the_exact_one(method: str, solves: int) -> None:
    matrix, target, start = normal(90, 30), normal(90, seed=1), torch.zeros(30, dtype=torch.float64)
    exact = LevenbergMarquardt(tolerance=0.0, max_solves=3).minimise(linear(matrix, target), start)
    algorithm = LevenbergMarquardt(tolerance=0.0, max_solves=solves, method=method, block=10, patience=10)
    result = algorithm.minimise(linear(matrix, target), start)
    assert result.cost == pytest.approx(exact.cost, rel=1e-4)
    assert result.rank is None  # the whole matrix was never formed


def test_random_blocks_are_reproducible_and_depend_on_their_generator() -> None:
    matrix, target, start = normal(40, 30), normal(40, seed=1), torch.zeros(30, dtype=torch.float64)
    algorithm = LevenbergMarquardt(tolerance=0.0, max_solves=4, method="block", block=7)
    one, same, other = (
        algorithm.minimise(linear(matrix, target), start, generator=generator(seed)).value for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    first, again = (algorithm.minimise(linear(matrix, target), start).value for _ in range(2))
    assert torch.equal(first, again)


def test_weights_of_groups_balance_them_as_in_the_loss() -> None:
    """Two wishes for one number: the minimum is the weighted mean."""
    groups = [
        Residuals("zero", lambda w, x: w - x, (torch.zeros(5, 1).double(),), 3.0),
        Residuals("one", lambda w, x: w - x, (torch.ones(50, 1).double(),), 1.0),
    ]
    result = LevenbergMarquardt(tolerance=0.0, **EXACTLY).minimise(groups, vector(7.0))
    assert float(result.value) == pytest.approx(0.25, abs=1e-12)
    assert result.cost == pytest.approx(3 * 0.25**2 + 0.75**2)
    assert result.residuals == 55


def test_every_reason_to_stop_is_reported() -> None:
    start, groups = vector(-1.2, 1.0), as_group(rosenbrock, vector(-1.2, 1.0))
    done = LevenbergMarquardt(tolerance=1e-9, max_solves=100, patience=100).minimise(groups, start)
    assert done.status == "converged" and done.rms <= 1e-9
    short = LevenbergMarquardt(tolerance=1e-9, max_solves=3, patience=100).minimise(groups, start)
    assert short.status == "limit" and short.solves == 3
    nothing = LevenbergMarquardt(tolerance=1e-9).minimise(groups, done.value)
    assert nothing.status == "converged" and nothing.solves == 0 and torch.equal(nothing.value, done.value)
    bottom = LevenbergMarquardt(tolerance=0.0).minimise(linear(normal(9, 2), normal(9, seed=1)), vector(0.0, 0.0))
    assert bottom.status == "stalled" and bottom.gradient_norm < 1e-5
    flat = LevenbergMarquardt().minimise([Residuals("flat", lambda w: 0 * w + 1, pointwise=False)], start)
    assert flat.status == "stalled" and flat.gradient_norm == 0
    with pytest.raises(DivergenceError):
        LevenbergMarquardt().minimise(as_group(lambda w: w / 0, start), start)


def test_patience_counts_small_gains_in_a_row() -> None:
    def slow(w: Tensor) -> Tensor:
        """Falls by a tenth of a per cent in each solve, because the damping cannot fall."""
        return w

    algorithm = LevenbergMarquardt(damping=1e3, smallest_damping=1e3, max_solves=50, patience=4)
    result = algorithm.minimise(as_group(slow, vector(1.0)), vector(1.0))
    assert result.status == "stalled" and result.solves == 4


def test_the_callback_hears_of_every_solve() -> None:
    heard: list[tuple[int, float]] = []
    start = vector(-1.2, 1.0)
    result = LevenbergMarquardt(tolerance=1e-9, max_solves=100, patience=100).minimise(
        as_group(rosenbrock, start), start, callback=lambda number, rms: heard.append((number, rms))
    )
    assert [number for number, _ in heard] == list(range(1, result.solves + 1))
    assert [rms**2 for _, rms in heard] == pytest.approx(list(result.history[1:]))


def test_a_later_call_goes_on_where_one_ended_with_its_damping() -> None:
    """What sets of points that change every few solves need."""
    start = vector(-1.2, 1.0)
    settings = {"tolerance": 1e-12, "patience": 100, "damping": 1e-2}
    groups = as_group(rosenbrock, start)
    whole = LevenbergMarquardt(max_solves=8, **settings).minimise(groups, start)
    part = LevenbergMarquardt(max_solves=4, **settings).minimise(groups, start)
    rest = LevenbergMarquardt(max_solves=4, **{**settings, "damping": part.damping}).minimise(groups, part.value)
    assert torch.equal(rest.value, whole.value)
    assert rest.damping == whole.damping


def test_directions_that_nothing_depends_on_are_seen_in_the_rank_and_stay() -> None:
    def function(w: Tensor) -> Tensor:
        return torch.stack([w[0] + w[1] - 1, torch.exp(w[0] + w[1]) - 2.0, w[3] ** 3])

    result = LevenbergMarquardt(tolerance=0.0).minimise(as_group(function, vector(0, 0, 5, 1)), vector(0, 0, 5, 1))
    assert result.rank == 2
    assert float(result.value[2]) == 5.0
    assert float(result.value[0]) == pytest.approx(float(result.value[1]))


def test_the_report_is_a_sentence() -> None:
    groups = linear(normal(9, 2), 0 * normal(9))
    result = LevenbergMarquardt(tolerance=1e-6, **EXACTLY).minimise(groups, vector(1.0, 1.0))
    assert str(result).startswith("converged after 1 solves (normal): root mean square ")
    assert str(result).endswith("9 residuals of 2 parameters")


def test_single_precision_has_its_limit_and_keeps_its_type() -> None:
    matrix, target = normal(20, 3).float(), normal(20, 3).float() @ torch.ones(3)
    groups = linear(matrix, target)
    with pytest.raises(InputError, match="the tolerance 1e-08 is below what float32 resolves, about 1e-05; compute in"):
        LevenbergMarquardt().minimise(groups, torch.zeros(3))
    result = LevenbergMarquardt(tolerance=1e-5).minimise(groups, torch.zeros(3))
    assert result.status == "converged" and result.value.dtype == torch.float32


def test_what_is_not_finite_is_named() -> None:
    points = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    fine = Residuals("fine", lambda w, x: w - x, (points,))
    holes = Residuals("wall", lambda w, x: w / x, (points,))
    with pytest.raises(DivergenceError, match="the residuals wall are not finite at the start of least squares"):
        LevenbergMarquardt().minimise([fine, holes], vector(1.0))
    root = Residuals("norm", lambda w, x: torch.sqrt(w * x), (points,))
    with pytest.raises(DivergenceError, match="the derivatives of the residuals norm are not finite at the start"):
        LevenbergMarquardt().minimise([fine, root], vector(1.0))


def test_derivatives_that_break_down_later_end_at_the_last_good_place() -> None:
    def function(w: Tensor) -> Tensor:
        """Goes to 0, where the root has no slope."""
        return torch.cat([w[:1], 1e-3 * torch.sqrt(torch.clamp(w[:1], min=0)) + 1])

    result = LevenbergMarquardt(damping=1e-9, max_solves=9).minimise(as_group(function, vector(1.0)), vector(1.0))
    assert result.status in ("diverged", "stalled")
    assert bool(result.value.isfinite().all()) and result.cost < 2
    assert result.rank is None or result.rank == 1


def test_starts_that_are_no_real_vectors_are_refused() -> None:
    for wrong in (torch.zeros(2, 2), torch.zeros(2, dtype=torch.long), torch.zeros(2, dtype=torch.complex64)):
        with pytest.raises(InputError, match=r"the start has shape .* and type .*, expected a real vector"):
            LevenbergMarquardt(tolerance=0.1).minimise(as_group(rosenbrock, vector(0, 0)), wrong)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_solves": 0}, "max_solves of least squares is 0, expected a whole number of at least 1"),
        ({"trials": 2.5}, "trials of least squares is 2.5"),
        ({"patience": True}, "patience of least squares is True"),
        ({"damping": 0}, "damping of least squares is 0, expected a positive number"),
        ({"decrease": 1.0}, "decrease of least squares is 1.0, expected a number greater than 1"),
        ({"increase": float("inf")}, "increase of least squares is inf"),
        ({"tolerance": -1.0}, "tolerance of least squares is -1.0, expected a number of at least 0"),
        ({"tolerance": "1e-8"}, "tolerance of least squares is '1e-8'"),
        ({"smallest_damping": 1.0, "largest_damping": 0.1}, "the bounds of the damping are 1.0 and 0.1"),
        ({"method": "newton"}, "the method of least squares is 'newton'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LevenbergMarquardt(**options)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("method", ["normal", "dual", "block", "matrix_free"])
def test_a_gpu_comes_to_the_same_result(method: str) -> None:
    matrix, target, start = normal(40, 30), normal(40, seed=1), torch.zeros(30, dtype=torch.float64)
    algorithm = LevenbergMarquardt(tolerance=0.0, max_solves=6, damping=1e-3, method=method, block=30)
    here, there = (
        algorithm.minimise(linear(matrix.to(device), target.to(device)), start.to(device)).value
        for device in ("cpu", "cuda")
    )
    assert there.device.type == "cuda"
    torch.testing.assert_close(there.cpu(), here, rtol=0, atol=1e-6)


def test_rosenbrocks_valley_is_walked_down_to_its_end_in_less_than_sixty_solves() -> None:
    start = vector(-1.2, 1.0)
    result = LevenbergMarquardt(tolerance=1e-12, max_solves=60, patience=60).minimise(
        as_group(rosenbrock, start), start
    )
    assert result.status == "converged"
    assert result.cost < 1e-24
