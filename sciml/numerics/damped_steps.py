"""The damped Gauss-Newton step ``argmin |r + J d|^2 + damping |d|^2``, by the size of the problem.

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

from sciml.errors import InputError
from sciml.numerics.linearisation import System

Method = Literal["auto", "normal", "dual", "block", "matrix_free"]
METHODS = get_args(Method)
LARGEST_DENSE = 4096  # rows and columns of a matrix that is factorised
BLOCK = 1500  # parameters in a random block


class DampedSteps(ABC):
    """A linearisation at one point, which answers with a step for every damping.

    Attributes
    ----------
    gradient : ``J^T r``, ``(p,)``
    scale : mean of the diagonal of ``J^T J``; dampings are multiples of it
    """

    gradient: Tensor
    scale: float

    @abstractmethod
    def step(self, damping: float) -> Tensor:
        """Step for an absolute damping, ``(p,)``; not finite where the factorisation fails."""

    def eigenvalues(self) -> Tensor | None:
        """Eigenvalues of ``J^T J``, ascending, as far as they are at hand."""
        return None


class NormalEquations(DampedSteps):
    """Cholesky factors of the normal equations; the Jacobian, if it fits, makes the steps as exact as those of QR.

    One correction by the residual of ``[J; sqrt(damping) I] d = [-r; 0]`` recovers what forming ``J^T J`` lost
    ("corrected semi-normal equations"); where Cholesky breaks down, QR of the stacked matrix steps in.

    References
    ----------
    Björck, "Stability analysis of the method of seminormal equations", Linear Algebra Appl. 88/89, 1987.
    """

    def __init__(self, system: System, parameters: Tensor, residual: Tensor, memory: int) -> None:
        columns = system.columns
        self.gradient = residual.new_zeros(columns)
        self._normal = residual.new_zeros(columns, columns)
        keeps = 8 * columns * len(residual) <= memory
        kept, start = [], 0
        for chunk in system.jacobian_chunks(parameters):
            block = chunk.double()
            self._normal.addmm_(block.T, block)
            self.gradient.addmv_(block.T, residual[start : start + len(block)])
            start += len(block)
            if keeps:
                kept.append(block)
        self.scale = float(self._normal.diagonal().mean())
        self._jacobian = torch.cat(kept) if keeps else None
        self._residual = residual

    def step(self, damping: float) -> Tensor:
        """Solve by Cholesky with one correction, by QR where that fails."""
        factor, failed = torch.linalg.cholesky_ex(_damped(self._normal, damping))
        if int(failed):
            return self._by_qr(damping)
        step = -torch.cholesky_solve(self.gradient[:, None], factor)[:, 0]
        if self._jacobian is None:
            return step
        defect = self._jacobian.T @ (self._residual + self._jacobian @ step) + damping * step
        return step - torch.cholesky_solve(defect[:, None], factor)[:, 0]

    def _by_qr(self, damping: float) -> Tensor:
        if self._jacobian is None or not damping > 0:
            return torch.full_like(self.gradient, torch.nan)
        bottom = damping**0.5 * torch.eye(len(self.gradient), dtype=torch.float64, device=self.gradient.device)
        q, r = torch.linalg.qr(torch.cat([self._jacobian, bottom]))
        right = -(q[: len(self._residual)].T @ self._residual)
        return torch.linalg.solve_triangular(r, right[:, None], upper=True)[:, 0]

    def eigenvalues(self) -> Tensor:
        """All eigenvalues of ``J^T J``."""
        return torch.linalg.eigvalsh(self._normal)


class DualEquations(DampedSteps):
    """The same step from ``J J^T``, which is the smaller matrix where residuals are fewer than parameters."""

    def __init__(self, system: System, parameters: Tensor, residual: Tensor) -> None:
        self._jacobian = torch.cat([chunk.double() for chunk in system.jacobian_chunks(parameters)])
        self._gram = self._jacobian @ self._jacobian.T
        self.gradient = self._jacobian.T @ residual
        self.scale = float(self._gram.diagonal().sum()) / system.columns
        self._residual = residual

    def step(self, damping: float) -> Tensor:
        """Solve by Cholesky with one refinement."""
        damped = _damped(self._gram, damping)
        factor, failed = torch.linalg.cholesky_ex(damped)
        if int(failed):
            return torch.full_like(self.gradient, torch.nan)
        multiplier = torch.cholesky_solve(self._residual[:, None], factor)
        multiplier = multiplier + torch.cholesky_solve(self._residual[:, None] - damped @ multiplier, factor)
        return -(self._jacobian.T @ multiplier)[:, 0]

    def eigenvalues(self) -> Tensor:
        """The eigenvalues of ``J^T J`` that need not vanish."""
        return torch.linalg.eigvalsh(self._gram)


class RandomBlock(DampedSteps):
    """Normal equations of a random part of the parameters; the others stay as they are.

    References
    ----------
    Berman, Peherstorfer, "Randomized sparse neural Galerkin schemes for solving evolution equations with deep
    networks", NeurIPS 2023.
    """

    def __init__(
        self, system: System, parameters: Tensor, residual: Tensor, size: int, generator: torch.Generator
    ) -> None:
        order = torch.randperm(system.columns, generator=generator, device=generator.device)
        self._chosen = order[:size].sort().values.to(parameters.device)
        jacobian = torch.cat([chunk.double() for chunk in system.jacobian_chunks(parameters, self._chosen)])
        self._normal = jacobian.T @ jacobian
        self._part = jacobian.T @ residual
        self.scale = float(self._normal.diagonal().mean())
        self.gradient = residual.new_zeros(system.columns).index_put((self._chosen,), self._part)

    def step(self, damping: float) -> Tensor:
        """Solve by Cholesky."""
        factor, failed = torch.linalg.cholesky_ex(_damped(self._normal, damping))
        if int(failed):
            return torch.full_like(self.gradient, torch.nan)
        part = -torch.cholesky_solve(self._part[:, None], factor)[:, 0]
        return torch.zeros_like(self.gradient).index_put((self._chosen,), part)


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
        # |J v|^2 over random signs v has the trace of J^T J as its mean; one fixed draw is enough for a scale.
        signs = torch.ones_like(self.gradient)
        signs[::2] = -1
        self.scale = float(self._forward(signs).square().sum()) / len(signs)
        if not self.scale > 0:
            self.scale = 1.0

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
        If a method by name does not suit the sizes.
    """
    if method not in METHODS:
        raise InputError(f"there is no least-squares method {method!r}, expected one of {', '.join(METHODS)}.")
    if method == "normal" and 2 * rows < columns:
        raise InputError(
            f"the normal equations have {rows} residuals for {columns} parameters, expected at least half as many as "
            "parameters; draw more points, or use the method dual."
        )
    if method != "auto":
        return method
    if columns <= LARGEST_DENSE and columns <= rows:
        return "normal"
    if rows <= LARGEST_DENSE and 8 * rows * columns <= memory:
        return "dual"
    return "block" if 8 * rows * min(block, columns) <= memory else "matrix_free"


StepFactory = Callable[[System, Tensor, Tensor], DampedSteps]


def _damped(matrix: Tensor, damping: float) -> Tensor:
    damped = matrix.clone()
    damped.diagonal().add_(damping)
    return damped
