r"""Diffusion of a solute that sorbs to the grains of a porous medium, by finite volumes.

With porosity \phi, density of the grains \rho and Freundlich's isotherm k u^n, a retardation R slows diffusion down,

    u_t = D / R(u) u_xx on 0 < x < 1,    R(u) = 1 + (1 - \phi) / \phi \rho k n (max(u, 0) + 10^{-6})^{n - 1},
    u(0, t) = left,    u(1, t) = -D u_x(1, t),    u(x, 0) = start.

Lengths are in metres, times in seconds. Values at the centres of equal cells change by central differences of second
order, both conditions holding at the outer faces; the stiff system is integrated by LSODA with a banded Jacobian. The
error has even powers of the spacing only, where the start is smooth, so that :func:`extrapolated` removes the first.

Two faults of the published problem are options here. PDEBench lets the left value hold half a cell outside of the
domain (``scheme="pdebench"``), which makes its data first-order accurate. The paper prints u(1, t) = +D u_x(1, t)
(``right_sign=1``): then u = exp((x - 1) / D + t / (R D)) solves the linearised problem, and grows by a factor of e each
R D seconds; see :func:`growth_rate`.

References: Takamoto et al., PDEBench, NeurIPS 2022, appendix D.4 (the data); Chalapathi, Du and Krishnapriyan, Scaling
physics-informed hard constraints with mixture-of-experts, ICLR 2024, section 4.1; Petzold, SIAM J. Sci. Stat. Comput. 4
(1983) 136 (LSODA).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sciml.checks import choice, number, positive, real_array, rising, shape, whole_number
from sciml.errors import DivergenceError, InputError
from sciml.reference.arrays import Array

SMALLEST = 1e-6  # of the published retardation, which is infinite at u = 0 without it
LARGEST = 1e6  # of u, in units of the solubility: LSODA never returns where a square overflows
LARGEST_DIFFUSIVITY = 1e6  # likewise
SHORTEST = 1e-100  # last time, likewise
LARGEST_TOLERANCE = 0.1
SCHEMES = ("consistent", "pdebench")
METHODS = ("LSODA", "RK45")
Start = Callable[[np.ndarray], np.ndarray] | float


@dataclass(frozen=True)
class Sorption:
    """The equation and the conditions at both ends; the defaults are those of PDEBench.

    Parameters
    ----------
    diffusivity : D in m^2/s, at most 1e6
    porosity : phi, between 0 and 1
    density : rho of the grains in kg/m^3
    coefficient : k >= 0 of Freundlich's isotherm; without sorption, 0, the equation is linear
    exponent : n of the isotherm, between 0 and 1
    left : value of u at x = 0
    right_sign : -1 for u = -D u_x at x = 1; the 1 of the paper makes a problem that no fine grid can solve

    Raises
    ------
    InputError
        If a number is out of its range.
    """

    diffusivity: float = 5e-4
    porosity: float = 0.29
    density: float = 2880.0
    coefficient: float = 3.5e-4
    exponent: float = 0.874
    left: float = 1.0
    right_sign: int = -1

    def __post_init__(self) -> None:
        number("the diffusivity of sorption", self.diffusivity, above=0, at_most=LARGEST_DIFFUSIVITY)
        number("the porosity of sorption", self.porosity, above=0, below=1)
        positive("the density of sorption", self.density)
        number("the coefficient of sorption", self.coefficient, at_least=0)
        number("the exponent of sorption", self.exponent, above=0, below=1)
        number("the left value of sorption", self.left, at_least=0, at_most=LARGEST)
        choice("the right sign of sorption", self.right_sign, (-1, 1))

    @property
    def grains(self) -> float:
        """Mass of the grains in kg for each cubic metre of pores, by which the coefficient is multiplied."""
        return (1.0 - self.porosity) / self.porosity * self.density

    @property
    def strength(self) -> float:
        """The factor of the power of u in R - 1."""
        return self.grains * self.coefficient * self.exponent

    def retardation(self, u: Array) -> Array:
        """Return R(u), of the shape and kind (NumPy, torch, a number) of u."""
        return retardation(u, self.strength, self.exponent)

    def retardation_slope(self, u: Array) -> Array:
        """Return dR/du, which is 0 for u <= 0, of the shape and kind of u."""
        power = (_nonnegative(u) + SMALLEST) ** (self.exponent - 2.0)
        return (self.exponent - 1.0) * self.strength * power * (u > 0.0)


def retardation(u: Array, strength: float | Array, exponent: float | Array) -> Array:
    """Return R(u), of the shape and kind (NumPy, torch, a number) of u.

    Parameters
    ----------
    u : of any sign; below 0, R is what it is at 0
    strength : the factor of the power of u in R - 1
    exponent : n of the isotherm
    """
    return 1.0 + strength * (_nonnegative(u) + SMALLEST) ** (exponent - 1.0)


def cell_centres(cells: int) -> np.ndarray:
    """Return the centres (i + 1/2) / n of n equal cells of the unit interval."""
    return (np.arange(whole_number("the number of cells", cells, at_least=3)) + 0.5) / cells


def finite_volumes(
    start: Start,
    cells: int,
    times: np.ndarray,
    equation: Sorption | None = None,
    *,
    scheme: str = "consistent",
    method: str = "LSODA",
    tolerance: float = 1e-10,
) -> np.ndarray:
    """Solve for u at the centres of equal cells, to second order in their width.

    Parameters
    ----------
    start : u(x, 0), maps positions (n,) to values (n,), or a number
    cells : n
    times : (steps,) in seconds, rising from 0 or later
    equation : its parameters; those of PDEBench by default
    scheme : "consistent", or "pdebench" for the conditions as PDEBench has them: the left value at x = -h / 2, and the
        value -D u_x of the last two cells at x = 1 + h / 2
    method : "LSODA" with a banded Jacobian, or "RK45", explicit as PDEBench has it, with steps of at most about
        h^2 R / D
    tolerance : relative, of the integration in time, at most 0.1; the absolute one is a hundredth of it

    Returns
    -------
    ndarray
        (steps, n).

    Raises
    ------
    InputError
        If a number is out of its range, or the cells are too fine for the published sign.
    DivergenceError
        If the integration in time fails.
    """
    from scipy.integrate import solve_ivp

    equation = Sorption() if equation is None else equation
    centres, times = cell_centres(cells), rising("the times of sorption", times, at_least=0)
    number("the tolerance of sorption", tolerance, above=0, at_most=LARGEST_TOLERANCE)
    if times[-1]:
        number("the last time of sorption", times[-1], at_least=SHORTEST)
    choice("the method of sorption", method, METHODS)
    system = _System(equation, cells, choice("the scheme of sorption", scheme, SCHEMES))
    if equation.right_sign > 0 and cells * 2.0 * equation.diffusivity >= 1.0:
        raise InputError(
            f"the number of cells is {cells} with the right sign 1, expected fewer than {0.5 / equation.diffusivity:g} "
            "(1 / 2D): finer cells resolve a mode that grows at the rate 1 / (R D); take the right sign -1."
        )
    values = real_array("the start of sorption", start(centres) if callable(start) else start)
    if values.ndim:
        shape("the start of sorption", values, centres.shape)
    values = np.broadcast_to(values, centres.shape)
    number("the largest value of the start of sorption", np.abs(values).max(), at_most=LARGEST)
    options = {"jac": system.jacobian, "lband": 1, "uband": 1} if method == "LSODA" else {}
    if times[-1] == 0.0:
        return np.repeat(values[None], len(times), 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the sentence below answers
        found = solve_ivp(
            system.change,
            (0.0, times[-1]),
            values,
            t_eval=np.unique(times),
            method=method,
            rtol=tolerance,
            atol=tolerance / 100.0,
            **options,
        )
    if not found.success or not np.isfinite(found.y).all():
        raise DivergenceError(
            f"sorption by {method} on {cells} cells stopped before t = {times[-1]:g}; take a tolerance above "
            f"{tolerance:g}."
        )
    return np.ascontiguousarray(found.y.T[np.searchsorted(found.t, times)])


def extrapolated(
    start: Start, cells: int, times: np.ndarray, equation: Sorption | None = None, *, tolerance: float = 1e-10
) -> np.ndarray:
    """Solve for u at the centres of equal cells, to fourth order in their width where the start is smooth.

    Richardson's extrapolation from n and 3 n cells: each centre of a coarse cell is that of a fine one, so that the
    values combine without interpolation.

    Parameters
    ----------
    start, cells, times, equation, tolerance : as in :func:`finite_volumes`

    Returns
    -------
    ndarray
        (steps, n).
    """
    coarse = finite_volumes(start, cells, times, equation, tolerance=tolerance)
    fine = finite_volumes(start, 3 * cells, times, equation, tolerance=tolerance)[:, 1::3]
    return fine + (fine - coarse) / 8.0


def growth_rate(cells: int, value: float, equation: Sorption | None = None) -> float:
    """Return the largest eigenvalue in 1/s of the finite volumes with R frozen at one value of u.

    With u = -D u_x at x = 1 it is negative on each grid. With the published sign it becomes about 1 / (R D) as soon as
    the cells resolve the mode exp((x - 1) / D), that is the problem has no solution that depends on its data.

    Parameters
    ----------
    cells : n
    value : u
    equation : its parameters; those of PDEBench by default
    """
    from scipy.linalg import eigh_tridiagonal

    equation = Sorption() if equation is None else equation
    system = _System(equation, whole_number("the number of cells", cells, at_least=3), "consistent")
    last = cells - 1
    largest = eigh_tridiagonal(system.diagonal, system.lower, True, "i", (last, last))[0]
    return float(largest * equation.diffusivity / equation.retardation(value))


class _System:
    """The system of ordinary differential equations for the values of the cells: y' = D / R(y) (A y + g)."""

    def __init__(self, equation: Sorption, cells: int, scheme: str) -> None:
        self.equation = equation
        spacing = 1.0 / cells
        self.lower, self.upper = np.ones((2, cells - 1))
        self.diagonal, self.source = np.full(cells, -2.0), np.zeros(cells)
        slip = equation.right_sign * equation.diffusivity / spacing
        if scheme == "pdebench":
            self.source[0] = equation.left
            self.diagonal[-1] += slip
            self.lower[-1] -= slip
        else:
            # the value beyond a face is such that the mean, and the difference, of both sides obey the condition
            self.diagonal[0] -= 1.0
            self.source[0] = 2.0 * equation.left
            self.diagonal[-1] -= (0.5 + slip) / _unlike_zero(0.5 - slip)
        for part in (self.lower, self.diagonal, self.upper, self.source):
            part /= spacing**2

    def change(self, _: float, y: np.ndarray) -> np.ndarray:
        """Return dy/dt, (n,)."""
        return self.equation.diffusivity / self.equation.retardation(y) * self._laplacian(y)

    def jacobian(self, _: float, y: np.ndarray) -> np.ndarray:
        """Return the derivative of :meth:`change`, its three diagonals as rows (3, n) in the order of LAPACK."""
        retardation = self.equation.retardation(y)
        rate = self.equation.diffusivity / retardation
        bands = np.zeros((3, len(y)))
        bands[0, 1:] = rate[:-1] * self.upper
        bands[1] = rate * (self.diagonal - self.equation.retardation_slope(y) / retardation * self._laplacian(y))
        bands[2, :-1] = rate[1:] * self.lower
        return bands

    def _laplacian(self, y: np.ndarray) -> np.ndarray:
        result = self.diagonal * y + self.source
        result[:-1] += self.upper * y[1:]
        result[1:] += self.lower * y[:-1]
        return result


def _nonnegative(u: Array) -> Array:
    return u.clip(min=0.0) if hasattr(u, "clip") else max(u, 0.0)


def _unlike_zero(value: float) -> float:
    return value if value else np.finfo(float).eps
