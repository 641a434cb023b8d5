"""Damped Gauss-Newton steps ``argmin |r + J d|^2 + damping |d|^2`` by four methods, for problems of every size.

=============  ===========================================  ====================================================
method         solves                                       for
=============  ===========================================  ====================================================
normal         ``(J^T J + damping I) d = -J^T r``           as many residuals as parameters or more
dual           ``d = -J^T (J J^T + damping I)^-1 r``        fewer residuals than parameters
block          normal, for a random part of the parameters  networks too large for the two above
matrix_free    conjugate gradients, products only           where even a part of the Jacobian does not fit
=============  ===========================================  ====================================================

The linear algebra is in float64 whatever the parameters are, because ``J^T J`` squares the condition number.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

from sciml.checks import choice
from sciml.errors import InputError
from sciml.numerics.linearisation import System

Method = Literal["auto", "normal", "dual", "block", "matrix_free"]
METHODS = get_args(Method)
LARGEST_DENSE = 4096  # rows and columns of a matrix that is factorised
BLOCK = 1500  # parameters in a random block
CORRECTIONS = 12  # of a step by its residual, at most
EXACT = 1e-8  # relative error of a step that Cholesky may leave; beyond it, QR
TRACE_DRAWS = 8


class DampedSteps(ABC):
    """Base of the methods: a linearisation at one point, which returns the step for any damping.

    Attributes
    ----------
    gradient : ``J^T r``, ``(p,)``
    scale : mean of the diagonal of ``J^T J``; dampings are multiples of it
    gram : ``J^T J`` or ``J J^T``, whichever was formed, if one was
    """

    gradient: Tensor
    scale: float
    gram: Tensor | None = None

    @abstractmethod
    def step(self, damping: float) -> Tensor:
        """Return the step for an absolute damping, ``(p,)``; it is not finite where the factorisation fails."""


class NormalEquations(DampedSteps):
    """Cholesky factors of the normal equations; the Jacobian, if it fits, makes the steps as exact as those of QR.

    Corrections by the residual of ``[J; sqrt(damping) I] d = [-r; 0]`` recover what forming ``J^T J`` lost ("corrected
    semi-normal equations"); where they do not shrink, or Cholesky breaks down, QR of the stacked matrix steps in.

    Parameters
    ----------
    system, parameters, residual : what is linearised, where, and its value there
    memory : bytes; a larger Jacobian is added to ``J^T J`` block by block and not kept
    chosen : indices of the parameters that move, ``(k,)``; all by default

    References
    ----------
    Björck, "Stability analysis of the method of seminormal equations", Linear Algebra Appl. 88/89, 1987.
    """

    def __init__(
        self, system: System, parameters: Tensor, residual: Tensor, memory: int, chosen: Tensor | None = None
    ) -> None:
        rows, columns = len(residual), system.columns if chosen is None else len(chosen)
        self.gradient = residual.new_zeros(columns)
        self.gram = residual.new_zeros(columns, columns)
        self._jacobian = residual.new_empty(rows, columns) if 8 * rows * columns <= memory else None
        self._residual = residual
        begin = 0
        for chunk in system.jacobian_chunks(parameters, chosen):
            block, end = chunk.double(), begin + len(chunk)
            self.gram.addmm_(block.T, block)
            self.gradient.addmv_(block.T, residual[begin:end])
            if self._jacobian is not None:
                self._jacobian[begin:end] = block
            begin = end
        self.scale = float(self.gram.diagonal().mean())

    def step(self, damping: float) -> Tensor:
        """Solve by Cholesky with corrections, by QR where those fail."""

        def defect(step: Tensor) -> Tensor:
            return self._jacobian.T @ (self._residual + self._jacobian @ step) + damping * step

        step = _solve(self.gram, damping, -self.gradient, None if self._jacobian is None else defect)
        if step is not None:
            return step
        return torch.full_like(self.gradient, torch.nan) if self._jacobian is None else self._by_qr(damping)

    def _by_qr(self, damping: float) -> Tensor:
        q, r = torch.linalg.qr(_stacked(self._jacobian, damping))
        right = -(q[: len(self._residual)].T @ self._residual)
        return torch.linalg.solve_triangular(r, right[:, None], upper=True)[:, 0]


class DualEquations(DampedSteps):
    """The dual equations with ``J J^T``, the smaller matrix where there are fewer residuals than parameters."""

    def __init__(self, system: System, parameters: Tensor, residual: Tensor) -> None:
        self._jacobian = _whole(system, parameters, len(residual))
        self.gram = self._jacobian @ self._jacobian.T
        self.gradient = self._jacobian.T @ residual
        self.scale = float(self.gram.diagonal().sum()) / system.columns
        self._residual = residual

    def step(self, damping: float) -> Tensor:
        """Solve by Cholesky with corrections, by QR where those fail."""

        def defect(multiplier: Tensor) -> Tensor:
            return self._jacobian @ (self._jacobian.T @ multiplier) + damping * multiplier - self._residual

        multiplier = _solve(self.gram, damping, self._residual, defect)
        if multiplier is not None:
            return -(self._jacobian.T @ multiplier)
        q, r = torch.linalg.qr(_stacked(self._jacobian.T, damping))
        part = torch.linalg.solve_triangular(r.T, self._residual[:, None], upper=False)[:, 0]
        return -(q[: len(self.gradient)] @ part)


class RandomBlock(DampedSteps):
    """Normal equations of a random subset of the parameters; the others stay as they are.

    References
    ----------
    Berman, Peherstorfer, "Randomized sparse neural Galerkin schemes for solving evolution equations with deep
    networks", NeurIPS 2023.
    """

    def __init__(
        self,
        system: System,
        parameters: Tensor,
        residual: Tensor,
        size: int,
        generator: torch.Generator,
        memory: int = 0,
    ) -> None:
        order = torch.randperm(system.columns, generator=generator, device=generator.device)
        self._chosen = order[:size].sort().values.to(parameters.device)
        self._part = NormalEquations(system, parameters, residual, memory, self._chosen)
        self._columns = system.columns
        self.scale = self._part.scale
        self.gradient = self._among_all(self._part.gradient)

    def step(self, damping: float) -> Tensor:
        """Return the step of the chosen parameters, zero for all others."""
        return self._among_all(self._part.step(damping))

    def _among_all(self, part: Tensor) -> Tensor:
        return part.new_zeros(self._columns).index_put((self._chosen,), part)


class MatrixFree(DampedSteps):
    """Conjugate gradients on the damped normal equations, in the form that never squares the condition of the data.

    Equivalent to ``scipy.sparse.linalg.lsmr(J, -r, damp=sqrt(damping))`` in exact arithmetic at convergence.

    References
    ----------
    Björck, "Numerical methods for least squares problems", 1996, algorithm 7.4.1 (CGLS).
    """

    def __init__(self, system: System, parameters: Tensor, residual: Tensor, iterations: int, rtol: float) -> None:
        self._forward, self._transposed = system.products(parameters)
        self._residual, self._iterations, self._rtol = residual, iterations, rtol
        self.gradient = self._transposed(residual)
        self.scale = self._trace() / len(self.gradient)

    def _trace(self) -> float:
        """Return Hutchinson's estimate of the trace of ``J^T J``, the mean of ``|J^T s|^2`` over random signs ``s``.

        Its relative variance over k draws is at most 2 / (k r), with r the effective rank ``trace^2 / |J^T J|^2``; a
        factor of two is nothing to a damping that moves by factors of ten. The draws are always the same ones.
        """
        residual = self._residual
        draws = torch.Generator(device=residual.device).manual_seed(0)
        total = 0.0
        for _ in range(TRACE_DRAWS):
            coins = torch.randint(0, 2, residual.shape, generator=draws, device=residual.device)
            total += float(self._transposed(2.0 * coins.to(residual.dtype) - 1.0).square().sum())
        return total / TRACE_DRAWS

    def step(self, damping: float) -> Tensor:
        """Iterate until the gradient of the damped problem has fallen by ``rtol``."""
        step = torch.zeros_like(self.gradient)
        remaining = -self._residual
        slope = -self.gradient
        direction = slope.clone()
        norm = first = float(slope.square().sum())
        for _ in range(self._iterations):
            if norm <= self._rtol**2 * first or norm == 0:
                break
            image = self._forward(direction)
            length = norm / (float(image.square().sum()) + damping * float(direction.square().sum()))
            step = step + length * direction
            remaining = remaining - length * image
            slope = self._transposed(remaining) - damping * step
            norm, last = float(slope.square().sum()), norm
            direction = slope + (norm / last) * direction
        return step


def choose(method: Method, rows: int, columns: int, memory: int, block: int = BLOCK) -> Method:
    """Return the method for a number of residuals, of parameters, and of bytes for the Jacobian.

    Raises
    ------
    InputError
        If a method by name does not suit the sizes, or its matrix does not fit into the memory.
    """
    choice("the method of least squares", method, METHODS)
    if method == "normal" and 2 * rows < columns:
        raise InputError(
            f"the normal equations have {rows} residuals for {columns} parameters, expected at least half as many as "
            "parameters; draw more points, or use the method dual."
        )
    needed = 8 * columns * {"normal": columns, "dual": rows}.get(method, 0)
    if needed > memory:
        raise InputError(
            f"the method {method} needs {needed / 2**30:.3g} GiB for {rows} residuals of {columns} parameters, "
            f"expected at most memory = {memory / 2**30:.3g} GiB; take fewer points, a smaller network, or the method "
            "auto, which never needs more."
        )
    if method != "auto":
        return method
    if columns <= LARGEST_DENSE and columns <= rows:
        return "normal"
    if rows <= LARGEST_DENSE and 8 * rows * columns <= memory:
        return "dual"
    return "block" if 8 * rows * min(block, columns) <= memory else "matrix_free"


def _solve(matrix: Tensor, damping: float, right: Tensor, defect: Callable[[Tensor], Tensor] | None) -> Tensor | None:
    """Solve ``(matrix + damping I) x = right`` by Cholesky, corrected by ``defect(x)``; None where that fails.

    A correction is as large as the error before it, and the one after it smaller by the same ratio: the ratio of the
    first to the solution tells whether the factors are good for anything.
    """
    damped = matrix.clone()
    damped.diagonal().add_(damping)
    factor, failed = torch.linalg.cholesky_ex(damped)
    if int(failed):
        return None
    solution = torch.cholesky_solve(right[:, None], factor)[:, 0]
    if defect is None:
        return solution
    last = float(solution.norm())
    for _ in range(CORRECTIONS):
        correction = torch.cholesky_solve(defect(solution)[:, None], factor)[:, 0]
        size, length = float(correction.norm()), float(solution.norm())
        if not size <= 0.6 * last:  # no gain any more: rounding is reached, or the factors are worthless
            return solution if last <= EXACT * length else None
        solution = solution - correction
        left, last = size * (size / last if last else 0.0), size
        if left <= 1e-6 * EXACT * length:
            break
    return solution if left <= EXACT * length else None


def _whole(system: System, parameters: Tensor, rows: int) -> Tensor:
    """Return the whole Jacobian, whose blocks are copied into one matrix."""
    jacobian = torch.empty(rows, system.columns, dtype=torch.float64, device=parameters.device)
    begin = 0
    for chunk in system.jacobian_chunks(parameters):
        jacobian[begin : begin + len(chunk)] = chunk
        begin += len(chunk)
    return jacobian


def _stacked(matrix: Tensor, damping: float) -> Tensor:
    """Return the stacked matrix ``[matrix; sqrt(damping) I]``."""
    identity = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    return torch.cat([matrix, damping**0.5 * identity])
