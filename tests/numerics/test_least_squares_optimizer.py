"""Levenberg-Marquardt beside scipy's, and its algebra."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import torch
from torch import Tensor, nn

from sciml.errors import InputError
from sciml.numerics.least_squares_optimizer import LeastSquaresOptimizer

TIMES = np.linspace(0, 4, 30)
# Not a model's own values: the minimum has a residual.
DATA = 2 * np.exp(-1.3 * TIMES) + 0.5 + 0.05 * np.cos(17 * TIMES)


def decay(weights: Tensor) -> Tensor:
    times, data = torch.from_numpy(TIMES), torch.from_numpy(DATA)
    return weights[0] * torch.exp(-weights[1] * times) + weights[2] - data


def rosenbrock(weights: Tensor) -> Tensor:
    return torch.stack([10 * (weights[1] - weights[0] ** 2), 1 - weights[0], torch.zeros_like(weights[0]) * weights[2]])


def minimise(function, start: list[float], steps: int, **options: float) -> tuple[nn.Parameter, list[float]]:
    weights = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = LeastSquaresOptimizer([weights], **options)
    losses = [
        float(optimizer.step(lambda: function(weights).square().sum().detach(), residuals=lambda: function(weights)))
        for _ in range(steps)
    ]
    return weights, losses


@pytest.mark.parametrize("start", [[1.0, 1.0, 0.0], [5.0, 0.1, -1.0], [0.1, 3.0, 2.0]])
def test_the_minimiser_is_that_of_scipy(start: list[float]) -> None:
    weights, _ = minimise(decay, start, 40)
    expected = scipy.optimize.least_squares(
        lambda values: decay(torch.from_numpy(values)).numpy(), start, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    np.testing.assert_allclose(weights.detach().numpy(), expected.x, rtol=1e-7)


def test_the_loss_never_rises_even_in_a_curved_valley() -> None:
    weights, losses = minimise(rosenbrock, [-1.2, 1.0, 0.3], 40)
    assert np.all(np.diff(losses) <= 0)
    np.testing.assert_allclose(weights.detach()[:2].numpy(), [1, 1], atol=1e-10)
    assert float(weights[2].detach()) == 0.3  # nothing depends on it


def test_a_linear_problem_is_solved_in_one_step_when_the_damping_is_small() -> None:
    rng = np.random.default_rng(0)
    matrix, right = rng.standard_normal((700, 20)), rng.standard_normal(700)
    weights = nn.Parameter(torch.zeros(4, 5, dtype=torch.float64))
    optimizer = LeastSquaresOptimizer([weights], damping=1e-14)

    def residuals() -> Tensor:
        return torch.from_numpy(matrix) @ weights.flatten() - torch.from_numpy(right)

    optimizer.step(lambda: torch.zeros(()), residuals=residuals)
    expected = np.linalg.lstsq(matrix, right, rcond=None)[0]
    np.testing.assert_allclose(weights.detach().flatten().numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("rows", "method"), [(700, "normal"), (8, "dual"), (700, "block"), (700, "matrix_free")])
def test_every_method_takes_the_step_of_numpy_through_a_closure(rows: int, method: str) -> None:
    rng = np.random.default_rng(1)
    matrix, right = rng.standard_normal((rows, 12)), rng.standard_normal(rows)
    weights = [nn.Parameter(torch.zeros(3, 3, dtype=torch.float64)), nn.Parameter(torch.zeros(3, dtype=torch.float64))]
    optimizer = LeastSquaresOptimizer(weights, damping=1e-12, method=method)

    def vector() -> Tensor:
        return torch.cat([weight.flatten() for weight in weights])

    def residuals() -> Tensor:
        return torch.from_numpy(matrix) @ vector() - torch.from_numpy(right)

    optimizer.step(lambda: torch.zeros(()), residuals=residuals)
    expected = np.linalg.lstsq(matrix, right, rcond=None)[0]  # the shortest one where there are fewer rows
    tolerance = 1e-3 if method == "matrix_free" else 1e-9
    np.testing.assert_allclose(vector().detach().numpy(), expected, rtol=0, atol=tolerance)


def test_steps_go_on_bit_by_bit_from_a_saved_state() -> None:
    def steps(optimizer: LeastSquaresOptimizer, weights: nn.Parameter, count: int) -> None:
        for _ in range(count):
            optimizer.step(lambda: torch.zeros(()), residuals=lambda: rosenbrock(weights))

    start = torch.tensor([-1.2, 1.0, 0.3], dtype=torch.float64)
    options = {"method": "block", "block": 2}  # its random parts are those of the number of the step
    whole = nn.Parameter(start.clone())
    steps(LeastSquaresOptimizer([whole], **options), whole, 9)
    first = nn.Parameter(start.clone())
    optimizer = LeastSquaresOptimizer([first], **options)
    steps(optimizer, first, 4)
    second = nn.Parameter(first.detach().clone())
    resumed = LeastSquaresOptimizer([second], **options)
    resumed.load_state_dict(optimizer.state_dict())
    steps(resumed, second, 5)
    assert torch.equal(second, whole)


def test_residuals_that_contain_derivatives_are_differentiated_once_more() -> None:
    """The slope of ``a sin(b x)`` shall be ``2 cos(2 x)``; the closure takes it by automatic differentiation."""
    weights = nn.Parameter(torch.tensor([1.2, 1.7], dtype=torch.float64))
    x = torch.linspace(0, 2, 20, dtype=torch.float64)
    optimizer = LeastSquaresOptimizer([weights])

    def residuals() -> Tensor:
        points = x.clone().requires_grad_()
        slope = torch.autograd.grad((weights[0] * torch.sin(weights[1] * points)).sum(), points, create_graph=True)[0]
        return slope - 2 * torch.cos(2 * x)

    for _ in range(12):
        optimizer.step(lambda: torch.zeros(()), residuals=residuals)
    np.testing.assert_allclose(weights.detach().numpy(), [1, 2], rtol=1e-9)


def test_a_step_that_would_not_descend_is_not_taken() -> None:
    def cliff(weights: Tensor) -> Tensor:
        # finite only where we stand
        return torch.where(weights == 1, weights, weights * torch.nan)

    weights, _ = minimise(cliff, [1.0], 3)
    assert float(weights.detach()) == 1.0


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="damping"):
        LeastSquaresOptimizer([nn.Parameter(torch.zeros(1))], damping=0)
    with pytest.raises(InputError, match="one"):
        LeastSquaresOptimizer([{"params": [nn.Parameter(torch.zeros(1))]}, {"params": [nn.Parameter(torch.zeros(1))]}])
