"""Direct solution on a box of constant coefficient by fast sine and cosine transforms."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from sciml.linalg.krylov import Callback, KrylovResult
from sciml.linalg.validation import side_names
from sciml.status import Status

if TYPE_CHECKING:
    from sciml.linalg.voxel_poisson import VoxelPoisson


class BoxTransform:
    """The inverse A^-1 of a box as transform, division by the eigenvalues and inverse transform.

    Per axis, with ghost cells at p = 0 (Dirichlet) or closed faces (Neumann): both Dirichlet is the sine transform of
    type I, both Neumann the cosine transform of type II. A mixed axis is folded out at its closed end to twice the
    length, which makes it Dirichlet at both ends; the even half of those modes is absent by symmetry.

    Reference: Strang 1999, SIAM Review 41, "The discrete cosine transform".
    """

    def __init__(self, problem: VoxelPoisson) -> None:
        self.problem = problem
        sides = [problem.outside[name] == "dirichlet" for name in side_names(problem.fluid.ndim)]
        self.kinds = list(zip(sides[::2], sides[1::2], strict=True))
        total = np.zeros((1,) * len(self.kinds))
        for axis, (kind, n) in enumerate(zip(self.kinds, problem.shape, strict=True)):
            values = problem.face_weights[axis] * _eigenvalues(kind, n)
            total = total + values.reshape([-1 if a == axis else 1 for a in range(len(self.kinds))])
        singular = not any(map(any, self.kinds))
        if singular:
            total.flat[0] = np.inf  # the constant mode; b has none of it
        self.inverse = 1.0 / total

    def __call__(
        self, b: np.ndarray, x0: np.ndarray | None, tolerance: float, scale: float, callback: Callback | None
    ) -> tuple[np.ndarray, KrylovResult]:
        """Return the solution and its true residual, after one step of iterative refinement where that is needed.

        Parameters
        ----------
        b : right-hand side
        x0, callback : without effect; they are those of an iterative method
        tolerance : on the norm of the residual
        scale : norm of b, by which the residual is divided in the result
        """
        x = self._apply(b)
        residual = b - self.problem.matvec(x)
        if np.linalg.norm(residual) > tolerance:
            x += self._apply(residual)
            residual = b - self.problem.matvec(x)
        norm = float(np.linalg.norm(residual))
        status = Status.CONVERGED if norm <= tolerance else Status.STAGNATED
        return x, KrylovResult(status, 0, [1.0, norm / scale], true_residual=norm / scale)

    def _apply(self, b: np.ndarray) -> np.ndarray:
        values = b
        for axis, kind in enumerate(self.kinds):
            values = self._transform(values, axis, kind, inverse=False)
        values = values * self.inverse
        for axis, kind in enumerate(self.kinds):
            values = self._transform(values, axis, kind, inverse=True)
        return values

    def _transform(self, values: np.ndarray, axis: int, kind: tuple[bool, bool], *, inverse: bool) -> np.ndarray:
        workers = os.cpu_count()
        low, high = kind
        if not (low or high):
            return (fft.idct if inverse else fft.dct)(values, type=2, axis=axis, norm="ortho", workers=workers)
        if low and high:
            return fft.dst(values, type=1, axis=axis, norm="ortho", workers=workers)
        if high:  # Dirichlet at the upper end only: the mirror image of the other mixed case
            return np.flip(self._transform(np.flip(values, axis), axis, (True, False), inverse=inverse), axis)
        n = values.shape[axis]
        odd = [slice(None)] * values.ndim
        odd[axis] = slice(0, None, 2)
        if inverse:
            unfolded = np.zeros([2 * m if a == axis else m for a, m in enumerate(values.shape)])
            unfolded[tuple(odd)] = values
            result = fft.dst(unfolded, type=1, axis=axis, norm="ortho", workers=workers)
            return np.take(result, np.arange(n), axis=axis)
        unfolded = np.concatenate([values, np.flip(values, axis)], axis=axis)
        return fft.dst(unfolded, type=1, axis=axis, norm="ortho", workers=workers)[tuple(odd)]


def _eigenvalues(kind: tuple[bool, bool], n: int) -> np.ndarray:
    """Return the eigenvalues 4 sin^2(angle / 2) of the second difference of n cells, in the order of the transform."""
    low, high = kind
    if low and high:
        angles = np.pi * np.arange(1, n + 1) / (n + 1)
    elif not (low or high):
        angles = np.pi * np.arange(n) / n
    else:
        angles = np.pi * np.arange(1, 2 * n, 2) / (2 * n + 1)
        angles = angles[::-1] if high else angles
    return 4.0 * np.sin(angles / 2) ** 2
