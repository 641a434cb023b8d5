r"""Darcy flow through a smooth random medium on the unit square, to spectral accuracy.

    -div(k grad u) = f on (0, 1)^2,    u = 0 on the boundary.

Galerkin's method with the polynomials (L_i - L_{i+2}) / \sqrt{4 i + 6}, L the Legendre polynomials, which vanish at
both ends and whose derivatives are orthonormal: the matrix is well conditioned at any degree, and needs values of k
alone. The pressure behaves like r^2 log r at the corners, so that the error falls as a high power of the degree, not
exponentially. Where k jumps, :func:`sciml.reference.upscaling.fine_transmissibilities` is the reference, with all sides
held at 0, to second order.

References: Shen, SIAM J. Sci. Comput. 15 (1994) 1489 (the basis); Li et al., Fourier neural operator, ICLR 2021,
section 5.2 (the covariance of the media); Négiar, Mahoney and Krishnapriyan, Learning differentiable solvers for
systems with hard constraints, ICLR 2023 (Darcy flow under constraints).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.polynomial import legendre

from sciml.checks import number, real_array, shape, shown, whole_number
from sciml.errors import InputError, SingularSystemError
from sciml.reference.arrays import Array, array_module

LARGEST_DEGREE = 80  # a dense matrix of 0.3 GB
LARGEST_DEVIATION = 5.0  # of log k: k then varies by e^{30}
ROUNDING = 1e-12  # by which points may be outside of the unit square


@dataclass(frozen=True, eq=False)
class LognormalCosines:
    r"""The permeability k(x, y) = exp(\sum_{ij} a_{ij} cos(i \pi x) cos(j \pi y)).

    Parameters
    ----------
    amplitudes : a, (m, m)
    """

    amplitudes: np.ndarray

    def __post_init__(self) -> None:
        values = real_array("the amplitudes of a medium", self.amplitudes, shape=("m", "m"))
        shape("the amplitudes of a medium", values, (len(values), len(values)))

    def __call__(self, points: Array) -> Array:
        """Return k (...) at points (..., 2), NumPy or torch."""
        return array_module(points).exp(self._sum(points, 0, 0))

    def gradient(self, points: Array) -> Array:
        """Return the gradient of k, (..., 2), at points (..., 2)."""
        k = self(points)
        return array_module(points).stack([k * self._sum(points, 1, 0), k * self._sum(points, 0, 1)], -1)

    def _sum(self, points: Array, along: int, across: int) -> Array:
        """Return the exponent, differentiated once or not at all with respect to x and y."""
        xp = array_module(points)
        points = shape(
            "the points of a medium", real_array("the points of a medium", points) if xp is np else points, (..., 2)
        )
        waves = pi * np.arange(len(self.amplitudes))
        amplitudes = waves[:, None] ** along * self.amplitudes * waves**across * (-1.0) ** (along + across)
        if xp is not np:
            waves, amplitudes = (
                xp.as_tensor(each, dtype=points.dtype, device=points.device) for each in (waves, amplitudes)
            )
        first = (xp.sin if along else xp.cos)(points[..., :1] * waves)
        second = (xp.sin if across else xp.cos)(points[..., 1:] * waves)
        return ((first @ amplitudes) * second).sum(-1)


def random_medium(random: np.random.Generator, waves: int = 4, deviation: float = 1.0) -> LognormalCosines:
    """Return a permeability whose logarithm is Gaussian with the covariance (9 - Laplacian)^-2, without its mean.

    The Laplacian has no flow through the boundary. Of its eigenfunctions, products of cosines, those up to ``waves``
    along each axis are kept.

    Parameters
    ----------
    random : draws the amplitudes
    waves : largest wave number, from 1 to 80
    deviation : sigma >= 0 of log k: the expected mean square over the square is sigma^2
    """
    numbers = np.arange(
        whole_number("the largest wave number of a medium", waves, at_least=1, at_most=LARGEST_DEGREE) + 1
    )
    number("the deviation of a medium", deviation, at_least=0, at_most=LARGEST_DEVIATION)
    squares = numbers[:, None] ** 2 + numbers**2
    sizes = np.where(squares > 0, 1.0 / (9.0 + pi**2 * squares), 0.0)
    sizes *= deviation / np.sqrt((sizes**2).sum())
    norms = np.where(numbers, np.sqrt(2.0), 1.0)  # of the cosines in the mean square
    return LognormalCosines(random.standard_normal(sizes.shape) * sizes * norms[:, None] * norms)


@dataclass(frozen=True, eq=False)
class DarcyPressure:
    """The pressure as a polynomial along both axes.

    Parameters
    ----------
    coefficients : (n, n), of products of two functions of the basis
    """

    coefficients: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return u (...) at points (..., 2) of the unit square."""
        return self._sum(points, 0, 0)

    def gradient(self, points: np.ndarray) -> np.ndarray:
        """Return the gradient of u, (..., 2), at points (..., 2)."""
        return np.stack([self._sum(points, 1, 0), self._sum(points, 0, 1)], -1)

    @property
    def unresolved_share(self) -> float:
        """The share of the squared coefficients in the highest quarter of the degrees, along either axis.

        For the media of :func:`random_medium` it is above 4e-4 wherever the relative error is above 1e-3, or nearly so.
        """
        count = len(self.coefficients)
        degrees = np.arange(count)
        high = np.maximum(degrees[:, None], degrees) >= 0.75 * count
        squares = self.coefficients**2
        return float(squares[high].sum() / max(squares.sum(), np.finfo(float).tiny))

    def _sum(self, points: np.ndarray, along: int, across: int) -> np.ndarray:
        count = len(self.coefficients)
        points = real_array("the points of a pressure", points, shape=(..., 2))
        for bound, found in (("least", points.min(initial=0.0)), ("largest", points.max(initial=1.0))):
            number(f"the {bound} coordinate of the points", found, at_least=-ROUNDING, at_most=1 + ROUNDING)
        first = _basis(2.0 * points[..., 0] - 1.0, count)[along]
        second = _basis(2.0 * points[..., 1] - 1.0, count)[across]
        values = 2.0 ** (along + across) * ((first @ self.coefficients) * second).sum(-1)
        return values.reshape(points.shape[:-1])  # the functions of one number are a row


Function = Callable[[np.ndarray], np.ndarray]


def solve_darcy(permeability: Function | float, source: Function | float = 1.0, degree: int = 48) -> DarcyPressure:
    """Solve for the pressure of a flow that a source drives through a medium.

    Parameters
    ----------
    permeability : k > 0, maps points (..., 2) to (...), or a number
    source : f, a function of points likewise or a number
    degree : of the polynomials along each axis, at least 2; for the media of :func:`random_medium` the relative error
        is about 1e-4 at 16, 5e-8 at 32, and 5e-9 at 48, which takes 0.2 s

    Returns
    -------
    DarcyPressure
        A function of points.

    Raises
    ------
    InputError
        If a value of k is not positive or one of f is not finite.
    SingularSystemError
        If k varies too much for double precision.
    """

    count = whole_number("the degree of a pressure", degree, at_least=2, at_most=LARGEST_DEGREE) - 1
    nodes, weights = legendre.leggauss(degree + degree // 2 + 8)
    places = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1) / 2.0 + 0.5
    k = _evaluated("the permeability", permeability, places)
    if not k.min() > 0.0:
        raise InputError(f"the least permeability is {shown(k.min())}, expected a positive number.")
    f = _evaluated("the source", source, places)
    values, slopes = _basis(nodes, count)
    masses, stiffnesses = (np.einsum("pi,pk->pik", each, each).reshape(len(nodes), -1) for each in (values, slopes))
    weighted = weights[:, None] * weights * k
    matrix = stiffnesses.T @ weighted @ masses + masses.T @ weighted @ stiffnesses  # rows (i, k), columns (j, l)
    matrix = matrix.reshape((count,) * 4).swapaxes(1, 2).reshape(count**2, count**2)
    right = values.T @ (weights[:, None] * weights * f / 4.0) @ values
    solution = _solved(matrix, right.reshape(-1))
    if solution is None:
        raise SingularSystemError(
            f"the permeability varies by a factor of {k.max() / k.min():.1g}, which the equations do not survive in "
            "double precision; take a medium of less contrast."
        )
    return DarcyPressure(solution.reshape(count, count))


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """Return the solution of a positive definite system; None where rounding leaves no digit of it."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve
    from scipy.linalg.lapack import dpocon

    size = np.linalg.norm(matrix, 1)
    try:
        factor, lower = cho_factor(matrix, overwrite_a=True)
    except LinAlgError:
        return None
    reciprocal_condition, _ = dpocon(factor, size)
    return cho_solve((factor, lower), right) if reciprocal_condition > np.finfo(float).eps else None


def _basis(s: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first functions and their derivatives at s (...) in [-1, 1], each (..., count)."""
    polynomials = legendre.legvander(s, count + 1)
    degrees = np.arange(count)
    norms = np.sqrt(4.0 * degrees + 6.0)
    values = (polynomials[..., :count] - polynomials[..., 2:]) / norms
    return values, -(2.0 * degrees + 3.0) / norms * polynomials[..., 1 : count + 1]


def _evaluated(name: str, function: Function | float, places: np.ndarray) -> np.ndarray:
    expected = places.shape[:-1]
    if not callable(function):
        return np.full(expected, real_array(name, function, shape=()))
    return real_array(name, function(places), shape=expected)
