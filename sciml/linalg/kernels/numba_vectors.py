"""Vector operations of the conjugate gradient loop on the CPU: float64, threaded, each a single pass over memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from sciml.linalg.kernels.compiled import kernel
from sciml.linalg.kernels.guarded_numba import prange
from sciml.linalg.kernels.layout import Array, Weights, three_axes, three_weights
from sciml.linalg.kernels.numba_smoother import active_chunks, multiply_seven
from sciml.linalg.kernels.sums import OPTIONS, dot, in_order
from sciml.linalg.kernels.threads import prefer_work_stealing

if TYPE_CHECKING:
    from sciml.linalg.multigrid import MultigridPreconditioner
    from sciml.linalg.voxel_poisson import VoxelPoisson


@kernel(parallel=True, **OPTIONS)
def _scaled(values: Array, factor: float, chunks: Array, out: Array) -> None:
    """Set out = factor * values."""
    values, out = values.reshape(-1), out.reshape(-1)
    for c in prange(chunks.shape[0]):
        low, high = chunks[c, 0], chunks[c, 1]
        source, target = values[low:high], out[low:high]
        for k in range(high - low):
            target[k] = factor * source[k]


@kernel(parallel=True, **OPTIONS)
def _times(values: Array, scale: Array, chunks: Array, out: Array) -> None:
    """Set out = scale * values, entry by entry."""
    values, scale, out = values.reshape(-1), scale.reshape(-1), out.reshape(-1)
    for c in prange(chunks.shape[0]):
        low, high = chunks[c, 0], chunks[c, 1]
        source, factor, target = values[low:high], scale[low:high], out[low:high]
        for k in range(high - low):
            target[k] = factor[k] * source[k]


@kernel(parallel=True, **OPTIONS)
def _two_products(z: Array, r: Array, q: Array, chunks: Array) -> tuple[float, float]:
    """Return z . r and z . q."""
    z, r, q = z.reshape(-1), r.reshape(-1), q.reshape(-1)
    parts = np.empty((2, chunks.shape[0]))
    for c in prange(chunks.shape[0]):
        low, high = chunks[c, 0], chunks[c, 1]
        parts[0, c] = dot(z[low:high], r[low:high])
        parts[1, c] = dot(z[low:high], q[low:high])
    return in_order(parts[0]), in_order(parts[1])


@kernel(parallel=True, **OPTIONS)
def _new_direction(z: Array, beta: float, chunks: Array, p: Array) -> None:
    """Set p = z + beta p on the unknowns."""
    z, p = z.reshape(-1), p.reshape(-1)
    for c in prange(chunks.shape[0]):
        low, high = chunks[c, 0], chunks[c, 1]
        source, target = z[low:high], p[low:high]
        for k in range(high - low):
            target[k] = source[k] + beta * target[k]


@kernel(parallel=True, **OPTIONS)
def _apply(p: Array, diagonal: Array, weights: Weights, chunks: Array, q: Array) -> float:
    """Set q = A p, 0 off the unknowns; return p . q."""
    strides = (p.shape[1] * p.shape[2], p.shape[2])
    p, diagonal, q = p.reshape(-1), diagonal.reshape(-1), q.reshape(-1)
    parts = np.empty(chunks.shape[0])
    for c in prange(chunks.shape[0]):
        low, high = chunks[c, 0], chunks[c, 1]
        own, out = p[low:high], q[low:high]
        multiply_seven(out, p, diagonal[low:high], weights, low, high, strides)
        parts[c] = dot(own, out)
    return in_order(parts)


@kernel(parallel=True, **OPTIONS)
def _step(alpha: float, p: Array, q: Array, chunks: Array, x: Array, r: Array) -> float:
    """Set x += alpha p and r -= alpha q; return r . r."""
    p, q, x, r = p.reshape(-1), q.reshape(-1), x.reshape(-1), r.reshape(-1)
    parts = np.empty(chunks.shape[0])
    for c in prange(chunks.shape[0]):
        low, high = chunks[c, 0], chunks[c, 1]
        a, b, d, e = p[low:high], q[low:high], x[low:high], r[low:high]
        for k in range(high - low):
            d[k] += alpha * a[k]
        for k in range(high - low):
            e[k] -= alpha * b[k]
        parts[c] = dot(e, e)
    return in_order(parts)


@kernel(parallel=True, **OPTIONS)
def _fill(source: Array, out: Array) -> None:
    """Copy an array without halo into one with halo."""
    n0, n1, n2 = source.shape
    for i in prange(n0):
        for j in range(n1):
            values, target = source[i, j], out[i + 1, j + 1]
            for k in range(n2):
                target[k + 1] = values[k]


@kernel(parallel=True, **OPTIONS)
def _extract(source: Array, out: Array) -> None:
    """Copy an array with halo into one without."""
    n0, n1, n2 = out.shape
    for i in prange(n0):
        for j in range(n1):
            values, target = source[i + 1, j + 1], out[i, j]
            for k in range(n2):
                target[k] = values[k + 1]


@kernel(parallel=True, **OPTIONS)
def _difference(b: Array, applied: Array, out: Array) -> None:
    """Set out = b - applied; b comes without halo."""
    n0, n1, n2 = b.shape
    for i in prange(n0):
        for j in range(n1):
            values, other, target = b[i, j], applied[i + 1, j + 1], out[i + 1, j + 1]
            for k in range(n2):
                target[k + 1] = values[k] - other[k + 1]


class GridOperator:
    """The operators A and D^-1 of a problem in float64 arrays with halo, shared by all solves with the same problem."""

    def __init__(self, problem: VoxelPoisson) -> None:
        prefer_work_stealing()
        diagonal = three_axes(problem.diagonal)
        self.shape = diagonal.shape
        self.diagonal = _with_halo(diagonal, _exact_dtype(diagonal))
        self.chunks = active_chunks(self.shape, self.diagonal)
        self.fluid = problem.fluid
        if problem.constant:
            self.weights: Weights = tuple(float(w) for w in three_weights(problem.face_weights))
        else:
            faces = list(problem.face_weights)
            if len(faces) == 2:
                faces.insert(1, np.zeros((self.shape[0], 2, self.shape[2])))
            self.weights = tuple(
                _with_halo(three_axes(face)[tuple(slice(a == axis, None) for a in range(3))])
                for axis, face in enumerate(faces)
            )


class NumbaVectors:
    """Vector operations for a voxel Poisson problem; see :class:`sciml.linalg.krylov.Vectors`.

    Parameters
    ----------
    operator : of the problem
    b, x0 : float64, shape of the problem; 0 off the fluid
    preconditioner : a multigrid preconditioner on the numba back end (its finest level shares our layout, so no array
        is copied), a function from r to M r on arrays of the shape of the problem, or None for plain conjugate
        gradients
    """

    def __init__(
        self,
        operator: GridOperator,
        b: np.ndarray,
        x0: np.ndarray | None,
        preconditioner: MultigridPreconditioner | Callable[[np.ndarray], np.ndarray] | None,
    ) -> None:
        self.operator, self.preconditioner = operator, preconditioner
        self.problem_shape = b.shape
        self.r = _with_halo(three_axes(b))
        self.p, self.q = np.zeros_like(self.r), np.zeros_like(self.r)
        self.x = np.zeros_like(self.r) if x0 is None else _with_halo(three_axes(x0))
        # b itself is needed only to recompute the residual; from x = 0 the caller's array serves, uncopied.
        self.b = three_axes(b)
        self.multigrid = getattr(preconditioner, "levels", None) and preconditioner.backend == "numba"
        self.z = self.r if preconditioner is None else preconditioner.levels[0].x if self.multigrid else self.r.copy()
        self.started_at_zero = x0 is None

    def residual(self) -> float:
        """Set r = b - A x."""
        if self.started_at_zero:
            self.started_at_zero = False
        else:
            _apply(self.x, self.operator.diagonal, self.operator.weights, self.operator.chunks, self.q)
            _difference(self.b, self.q, self.r)
        return math.sqrt(_step(0.0, self.p, self.q, self.operator.chunks, self.x, self.r))

    def precondition(self, norm: float) -> None:
        """Set z = M r / |r|."""
        if self.preconditioner is None:
            self.z = self.r
        elif self.multigrid:
            finest = self.preconditioner.levels[0]
            _scaled(self.r, 1.0 / norm, self.operator.chunks, finest.b)
            self.preconditioner.cycle()
            self.z = finest.x
        else:
            values = np.asarray(self.preconditioner(self._without_halo(self.r)), np.float64)
            self.z = _with_halo(three_axes(np.where(self.operator.fluid, values, 0.0)))

    def jacobi(self) -> None:
        """Set z = D^-1 r."""
        self.z = np.zeros_like(self.r)
        inverse = np.divide(1.0, self.operator.diagonal, out=np.zeros_like(self.r), where=self.operator.diagonal > 0)
        _times(self.r, inverse, self.operator.chunks, self.z)

    def products(self) -> tuple[float, float]:
        """Return z . r and z . q."""
        return _two_products(self.z, self.r, self.q, self.operator.chunks)

    def direction(self, beta: float) -> float:
        """Set p = z + beta p and q = A p."""
        _new_direction(self.z, beta, self.operator.chunks, self.p)
        return _apply(self.p, self.operator.diagonal, self.operator.weights, self.operator.chunks, self.q)

    def step(self, alpha: float) -> float:
        """Set x += alpha p and r -= alpha q."""
        return math.sqrt(_step(alpha, self.p, self.q, self.operator.chunks, self.x, self.r))

    def solution(self) -> np.ndarray:
        """Return x in the shape of the problem."""
        return self._without_halo(self.x)

    def _without_halo(self, array: np.ndarray) -> np.ndarray:
        result = np.empty([n - 2 for n in array.shape])
        _extract(array, result)
        return result.reshape(self.problem_shape)


def _with_halo(array: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    result = np.zeros([n + 2 for n in array.shape], dtype)
    _fill(array, result)
    return result


def _exact_dtype(array: np.ndarray) -> type:
    """Return float32 where no digit is lost, as for small integers of unit spacing, to halve the memory traffic."""
    probe = array[:: max(1, len(array) // 8)]
    return (
        np.float32 if (probe.astype(np.float32) == probe).all() and (array.astype(np.float32) == array).all() else float
    )
