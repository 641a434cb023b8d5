"""Right-hand sides made of Ritz vectors, which the network learns from.

A right-hand side is a sum of (approximate) eigenvectors of A with normal coefficients, nine times larger for the lower
part of the spectrum. On a box with constant coefficients the eigenvectors are known and no Lanczos is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import linalg
from torch import Tensor

from sciml.checks import whole_number
from sciml.errors import InputError
from sciml.linalg import VoxelPoisson
from sciml.linalg.validation import side_names

LOW_WEIGHT = 9.0
# Ritz values below this share of the largest belong to the null space.
NULL = 1e-8
# A new Lanczos vector this short, beside the eigenvalues, is rounding: the Krylov space is invariant.
EXHAUSTED = 1e-8
BINS = 60


@dataclass(frozen=True)
class RitzPairs:
    """Ritz values and vectors of a symmetric matrix.

    Attributes
    ----------
    values : ascending, shape (m,)
    vectors : orthonormal rows, shape (m, n)
    """

    values: np.ndarray
    vectors: np.ndarray


def lanczos(matvec: Callable[[np.ndarray], np.ndarray], start: np.ndarray, steps: int) -> tuple[np.ndarray, ...]:
    """Return the orthonormal basis V of the Krylov space of A and ``start``, and the tridiagonal V A V^T.

    Every new vector is made orthogonal to all others, twice, so that V V^T = 1 to rounding.

    Parameters
    ----------
    matvec : x -> A x, A symmetric of shape (n, n)
    start : shape (n,), not 0
    steps : m, the size of the basis; smaller where the Krylov space is

    Returns
    -------
    diagonal, off_diagonal, V
        Of shapes (m,), (m - 1,) and (m, n).

    References
    ----------
    Saad, Numerical methods for large eigenvalue problems, 2011, section 6.3.
    """
    basis = np.zeros((min(steps, start.size), start.size))
    diagonal, off_diagonal = np.zeros(len(basis)), np.zeros(len(basis))
    vector = start / np.linalg.norm(start)
    for step in range(len(basis)):
        basis[step] = vector
        image = matvec(vector)
        diagonal[step] = vector @ image
        known = basis[: step + 1]
        for _ in range(2):
            image = image - known.T @ (known @ image)
        off_diagonal[step] = np.linalg.norm(image)
        if off_diagonal[step] <= EXHAUSTED * diagonal[: step + 1].max():
            return diagonal[: step + 1], off_diagonal[:step], known
        vector = image / off_diagonal[step]
    return diagonal, off_diagonal[:-1], basis


def ritz_pairs(problem: VoxelPoisson, count: int, seed: int = 0) -> RitzPairs:
    """Return the Ritz pairs of A from a Krylov space of dimension ``count``, without those of the null space.

    Parameters
    ----------
    problem : any geometry and coefficient
    count : steps of Lanczos; memory is count * unknowns * 8 bytes, time grows as count^2 * unknowns
    seed : of the start A g, g normal: it has no part in the null space

    Returns
    -------
    RitzPairs
        Vectors over the fluid cells in C order.
    """
    whole_number("the number of vectors of a Krylov space", count, at_least=2)
    matrix = problem.to_csr()
    start = matrix @ np.random.default_rng(seed).standard_normal(problem.unknowns)
    diagonal, off_diagonal, basis = lanczos(lambda x: matrix @ x, start, count)
    values, mixture = linalg.eigh_tridiagonal(diagonal, off_diagonal)
    real = values > NULL * values[-1]
    return RitzPairs(values[real], mixture[:, real].T @ basis)


class RitzDraws:
    """A sampler of sums c_i q_i on a general problem, q_i Ritz vectors, c_i normal and 9 times larger below a cut.

    Parameters
    ----------
    problem : the system
    count : Ritz vectors, at most
    low_share : share of the Ritz values, from below, with the larger coefficients
    seed : of the start of Lanczos
    """

    def __init__(self, problem: VoxelPoisson, count: int = 200, low_share: float = 0.5, seed: int = 0) -> None:
        pairs = ritz_pairs(problem, count, seed)
        self.shape = problem.shape
        self._fluid = torch.as_tensor(problem.fluid)
        low = np.arange(len(pairs.values)) < low_share * len(pairs.values)
        self._basis = torch.as_tensor(np.where(low, LOW_WEIGHT, 1.0)[:, None] * pairs.vectors, dtype=torch.float32)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return unit right-hand sides, float32, shape (count, 1, *cells), on the generator's device."""
        device = generator.device
        self._basis, self._fluid = self._basis.to(device), self._fluid.to(device)
        coefficients = torch.randn(count, len(self._basis), generator=generator, device=device)
        values = coefficients @ self._basis
        values = values / torch.linalg.vector_norm(values, dim=1, keepdim=True)
        result = torch.zeros(count, 1, *self.shape, device=device)
        result[:, 0, self._fluid] = values
        return result


class BoxDraws:
    """A sampler of the same distribution on a box of constant coefficient, from its eigenvectors, sines and cosines.

    The Ritz values of Lanczos spread over the spectrum whatever the density of the eigenvalues, so every bin of
    eigenvalues gets the same energy here, the part below ``low_share`` of the largest 81 times as much.

    Parameters
    ----------
    problem : a box; each side Dirichlet or Neumann
    low_share : the cut, as a share of the largest eigenvalue
    """

    def __init__(self, problem: VoxelPoisson, low_share: float = 0.5) -> None:
        if not (problem.constant and problem.outside is not None and problem.fluid.all()):
            raise InputError("exact eigenvectors need a box without obstacles and a constant coefficient.")
        dimension = len(problem.shape)
        sides = [problem.outside[name] == "dirichlet" for name in side_names(dimension)]
        self.values = np.zeros((1,) * dimension)
        modes = []
        for axis, extent in enumerate(problem.shape):
            values, vectors = _second_difference(extent, sides[2 * axis], sides[2 * axis + 1])
            values = values * problem.face_weights[axis]
            self.values = self.values + values.reshape([-1 if a == axis else 1 for a in range(dimension)])
            modes.append(torch.as_tensor(vectors, dtype=torch.float32))
        self._modes = modes
        self.amplitudes = _amplitudes(self.values, low_share)
        self._amplitudes = torch.as_tensor(self.amplitudes, dtype=torch.float32)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return unit right-hand sides, float32, shape (count, 1, *cells), on the generator's device."""
        device = generator.device
        self._amplitudes = self._amplitudes.to(device)
        self._modes = [mode.to(device) for mode in self._modes]
        shape = (count, *self.values.shape)
        result = self._amplitudes * torch.randn(shape, generator=generator, device=device)
        for mode in self._modes:
            result = torch.tensordot(result, mode, dims=([1], [1]))  # the axes rotate, and are back after the last
        norms = torch.linalg.vector_norm(result.flatten(1), dim=1)
        return (result / norms.reshape(-1, *(1,) * (result.ndim - 1)))[:, None]


def _second_difference(extent: int, low: bool, high: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the ascending eigenvalues and the eigenvectors of the second difference; True is a Dirichlet end."""
    diagonal = np.full(extent, 2.0)
    diagonal[0] -= not low
    diagonal[-1] -= not high
    return linalg.eigh_tridiagonal(diagonal, np.full(extent - 1, -1.0))


def _amplitudes(values: np.ndarray, low_share: float) -> np.ndarray:
    """Return the standard deviation of each coefficient: density^(-1/2), times 9 below the cut; 0 at 0."""
    largest = values.max()
    counts, edges = np.histogram(values, BINS)
    density = np.interp(values, (edges[1:] + edges[:-1]) / 2, np.maximum(counts, 1) / values.size)
    amplitudes = np.where(values < low_share * largest, LOW_WEIGHT, 1.0) / np.sqrt(density)
    return np.where(values > NULL * largest, amplitudes, 0.0)
