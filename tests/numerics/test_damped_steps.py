"""Damped Gauss-Newton steps: each way of computing them beside the same step by QR."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import scipy.sparse.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sciml.errors import InputError
from sciml.numerics.damped_steps import (
    LARGEST_DENSE,
    DualEquations,
    MatrixFree,
    NormalEquations,
    RandomBlock,
    choose,
)
from sciml.numerics.random import generator

GIB = 1 << 30


class Linear:
    """``matrix p - right``, whose Jacobian comes in blocks of ``rows_at_once``."""

    def __init__(self, matrix: Tensor, right: Tensor, rows_at_once: int = 17) -> None:
        self.matrix, self.right, self.rows_at_once = matrix, right, rows_at_once
        self.rows, self.columns = matrix.shape

    def residual(self, parameters: Tensor) -> Tensor:
        return self.matrix @ parameters - self.right

    def jacobian_chunks(self, parameters: Tensor, chosen: Tensor | None = None) -> Iterator[Tensor]:
        yield from (self.matrix if chosen is None else self.matrix[:, chosen]).split(self.rows_at_once)

    def products(self, parameters: Tensor) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
        return (lambda vector: self.matrix @ vector), (lambda vector: self.matrix.T @ vector)


def random_matrix(rows: int, columns: int, condition: float, seed: int = 0) -> Tensor:
    """Singular values fall geometrically from 1 to 1 / condition."""
    draws = generator(seed, rows, columns)
    rank = min(rows, columns)
    left, _ = torch.linalg.qr(torch.randn(rows, rank, dtype=torch.float64, generator=draws))
    right, _ = torch.linalg.qr(torch.randn(columns, rank, dtype=torch.float64, generator=draws))
    values = torch.logspace(0, -np.log10(condition), rank, dtype=torch.float64)
    return (left * values) @ right.T


def problem(rows: int, columns: int, condition: float = 10.0, seed: int = 0) -> tuple[Linear, Tensor, Tensor]:
    """A system with a solution of ones and little else, a start of zeros, and the residual there."""
    matrix = random_matrix(rows, columns, condition, seed)
    noise = 1e-3 * torch.randn(rows, dtype=torch.float64, generator=generator(seed, 1))
    system = Linear(matrix, matrix @ torch.ones(columns, dtype=torch.float64) + noise)
    start = torch.zeros(columns, dtype=torch.float64)
    return system, start, system.residual(start)


def by_qr(matrix: Tensor, residual: Tensor, damping: float) -> Tensor:
    """Numpy's answer for the stacked system."""
    columns = matrix.shape[1]
    stacked = np.vstack([matrix.numpy(), damping**0.5 * np.eye(columns)])
    right = np.concatenate([-residual.numpy(), np.zeros(columns)])
    return torch.from_numpy(np.linalg.lstsq(stacked, right, rcond=None)[0])


def distance(step: Tensor, expected: Tensor) -> float:
    return float((step - expected).norm() / expected.norm())


@given(
    rows=st.integers(1, 60),
    columns=st.integers(1, 40),
    power=st.floats(-6, 2),
    condition=st.floats(1, 1e4),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_all_ways_give_the_same_step(rows: int, columns: int, power: float, condition: float, seed: int) -> None:
    system, start, residual = problem(rows, columns, condition, seed)
    damping = 10.0**power
    expected = by_qr(system.matrix, residual, damping)
    everything = RandomBlock(system, start, residual, columns, generator(seed), GIB)
    for steps in (
        NormalEquations(system, start, residual, GIB),
        DualEquations(system, start, residual),
        everything,
    ):
        assert distance(steps.step(damping), expected) < 1e-8
        torch.testing.assert_close(steps.gradient, system.matrix.T @ residual, rtol=1e-10, atol=1e-14)
        assert steps.scale == pytest.approx(float(system.matrix.square().sum()) / columns)
    free = MatrixFree(system, start, residual, iterations=2000, rtol=1e-12)
    assert distance(free.step(damping), expected) < 1e-6


@pytest.mark.parametrize("shape", [(120, 40), (40, 120)])
def test_products_alone_give_the_step_of_lsmr_with_damping(shape: tuple[int, int]) -> None:
    system, start, residual = problem(*shape, condition=100.0)
    damping = 1e-3
    step = MatrixFree(system, start, residual, iterations=1000, rtol=1e-13).step(damping)
    expected = scipy.sparse.linalg.lsmr(
        system.matrix.numpy(), -residual.numpy(), damp=damping**0.5, atol=1e-14, btol=1e-14, maxiter=2000
    )[0]
    np.testing.assert_allclose(step.numpy(), expected, rtol=0, atol=1e-9 * np.linalg.norm(expected))


def test_corrections_return_the_digits_that_plain_cholesky_loses() -> None:
    system, start, residual = problem(300, 60, condition=1e6)
    damping = 1e-13  # hardly anything: the condition of the normal equations is 1e12
    expected = by_qr(system.matrix, residual, damping)
    corrected = NormalEquations(system, start, residual, GIB).step(damping)
    plain = NormalEquations(system, start, residual, 0).step(damping)  # has no room for the Jacobian
    assert distance(plain, expected) > 1e-7
    assert distance(corrected, expected) < 1e-10
    assert distance(corrected, expected) < 1e-3 * distance(plain, expected)


@pytest.mark.parametrize("kind", [NormalEquations, DualEquations])
def test_at_a_condition_of_1e8_the_step_is_that_of_qr(kind: type) -> None:
    """The normal equations have a condition of 1e16 there: Cholesky breaks down or answers at random."""
    rows, columns = (300, 60) if kind is NormalEquations else (60, 300)
    matrix = random_matrix(rows, columns, 1e8)
    solution = matrix.T @ torch.linalg.lstsq(matrix.T, torch.ones(columns, 1, dtype=torch.float64)).solution[:, 0]
    system = Linear(matrix, matrix @ solution)
    residual = -system.right
    options = (GIB,) if kind is NormalEquations else ()
    step = kind(system, torch.zeros_like(solution), residual, *options).step(1e-30)
    best = torch.from_numpy(np.linalg.lstsq(matrix.numpy(), system.right.numpy(), rcond=None)[0])
    assert distance(step, solution) < max(1e-8, 10 * distance(best, solution))


def test_without_room_for_the_jacobian_a_breakdown_is_answered_by_a_step_that_is_not_finite() -> None:
    matrix = torch.ones(20, 3, dtype=torch.float64)  # of rank one
    system = Linear(matrix, torch.ones(20, dtype=torch.float64))
    steps = NormalEquations(system, torch.zeros(3, dtype=torch.float64), -system.right, 0)
    assert not steps.step(0.0).isfinite().all()
    assert steps.step(1e-6).isfinite().all()


def test_the_normal_equations_never_hold_a_jacobian_that_exceeds_the_memory() -> None:
    rows, columns, at_once = 6000, 50, 100

    class Counting(Linear):
        """Counts the blocks that are alive: one is referred to by the loop, a second is being made."""

        alive = most = 0

        def jacobian_chunks(self, parameters: Tensor, chosen: Tensor | None = None) -> Iterator[Tensor]:
            for block in super().jacobian_chunks(parameters, chosen):
                copy = block.clone()
                torch.utils.weak.weakref.finalize(copy, self.release)
                self.alive += 1
                self.most = max(self.most, self.alive)
                yield copy

        def release(self) -> None:
            self.alive -= 1

    matrix = torch.randn(rows, columns, dtype=torch.float64, generator=generator(0))
    system = Counting(matrix, torch.zeros(rows).double(), at_once)
    start = torch.ones(columns, dtype=torch.float64)
    steps = NormalEquations(system, start, system.residual(start), memory=8 * rows * columns - 1)
    assert system.most <= 2
    held = [value for value in vars(steps).values() if isinstance(value, Tensor)]
    assert sum(tensor.numel() for tensor in held) < rows * columns / 10
    roomy = NormalEquations(system, start, system.residual(start), memory=8 * rows * columns)
    assert distance(steps.step(1e-3), roomy.step(1e-3)) < 1e-12


def test_a_block_moves_its_part_only_and_is_the_best_step_of_that_part() -> None:
    system, start, residual = problem(80, 50)
    steps = RandomBlock(system, start, residual, 20, generator(3), GIB)
    step = steps.step(1e-6)
    moved = step != 0
    assert int(moved.sum()) == 20
    assert distance(step[moved], by_qr(system.matrix[:, moved], residual, 1e-6)) < 1e-9
    assert float(system.residual(step).norm()) < float(residual.norm())
    other = RandomBlock(system, start, residual, 20, generator(4), GIB).step(1e-6)
    assert bool((moved != (other != 0)).any())


@pytest.mark.parametrize(("condition", "seed"), [(1.0, 0), (1e3, 1), (1e6, 2)])
def test_the_scale_without_a_jacobian_is_the_mean_diagonal_within_a_factor_of_two(condition: float, seed: int) -> None:
    system, start, residual = problem(200, 150, condition, seed)
    exact = float(system.matrix.square().sum()) / 150
    first, again = (MatrixFree(system, start, residual, 1, 1.0).scale for _ in range(2))
    assert exact / 2 < first < 2 * exact
    assert first == again


def test_the_scale_sees_columns_that_cancel_under_alternating_signs() -> None:
    columns = torch.ones(30, 1, dtype=torch.float64).expand(30, 8)  # J (1, -1, 1, ...) = 0
    system = Linear(columns.clone(), torch.zeros(30, dtype=torch.float64))
    scale = MatrixFree(system, torch.zeros(8).double(), torch.ones(30).double(), 1, 1.0).scale
    assert 30 / 4 < scale < 30 * 4


def test_the_method_follows_from_the_sizes_and_the_memory() -> None:
    assert choose("auto", 2000, 900, GIB) == "normal"
    assert choose("auto", 10**6, 900, 1) == "normal"  # adds up block by block: no memory is too small
    assert choose("auto", 500, 900, GIB) == "dual"
    assert choose("auto", 4000, 10**4, GIB) == "dual"
    assert choose("auto", 4000, 10**4, 8 * 4000 * 10**4 - 1) == "block"
    assert choose("auto", LARGEST_DENSE + 1, LARGEST_DENSE + 1, GIB) == "block"
    assert choose("auto", 10**5, 10**5, GIB, block=1000) == "block"
    assert choose("auto", 10**6, 10**5, GIB) == "matrix_free"


def test_a_method_that_does_not_exist_or_does_not_suit_is_refused() -> None:
    with pytest.raises(InputError, match="the method of least squares is 'newton', expected one of auto, normal, dual"):
        choose("newton", 10, 10, GIB)
    with pytest.raises(InputError, match=r"10 residuals for 30 parameters.*draw more points, or use the method dual"):
        choose("normal", 10, 30, GIB)
    with pytest.raises(InputError, match=r"dual needs 74.5 GiB for 1000000 residuals of 10000 .*= 1 GiB; take fewer"):
        choose("dual", 10**6, 10**4, GIB)
    with pytest.raises(InputError, match=r"normal needs 2.98 GiB for .* or the method auto, which never needs more"):
        choose("normal", 10**6, 20000, GIB)
