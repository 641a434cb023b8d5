r"""The similarity solution of diffusion-sorption: a front that enters a half-line of constant concentration.

On x > 0 with u(0, t) = left and u(x, 0) = start, two numbers, the solution is a function f of s = x / \sqrt{D t} alone,

    f'' + s / 2 R(f) f' = 0,    f(0) = left,    f(\infty) = start.

On the interval of :mod:`sciml.reference.diffusion_sorption` it holds until the front from the other end arrives. No
differential equation in x and t is solved, so that it is a test of those solvers, and tells how u begins at the corner
x = t = 0, where it is discontinuous.

Reference: Crank, The Mathematics of Diffusion, 1975, section 7.2 (Boltzmann's transformation).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from sciml.checks import number, positive, real_array
from sciml.reference.diffusion_sorption import Sorption

WIDTHS = 13.0  # of s sqrt(R), beyond which the front is below e^{-42}
TOLERANCE = 1e-13


class SimilarityFront:
    """The solution on the half-line x > 0, to about eleven digits.

    Parameters
    ----------
    start : value of u at t = 0, at least 0
    equation : its parameters and the value at x = 0; those of PDEBench by default

    Examples
    --------
    >>> front = SimilarityFront(0.1)
    >>> float(front(0.0, 5.0)), round(float(front(0.5, 5.0)), 9)
    (1.0, 0.1)
    """

    def __init__(self, start: float, equation: Sorption | None = None) -> None:
        self.start = number("the start of a front", start, at_least=0)
        self.equation = Sorption() if equation is None else equation

    def __call__(self, x: np.ndarray | float, t: np.ndarray | float) -> np.ndarray:
        """Return u at positions x >= 0 and times t > 0 that broadcast.

        Parameters
        ----------
        x : (...) in metres
        t : (...) in seconds
        """
        x, t = real_array("the positions of a front", x), real_array("the times of a front", t)
        number("the least position of a front", x.min(initial=0.0), at_least=0)
        positive("the least time of a front", t.min(initial=1.0))
        variable = x / np.sqrt(self.equation.diffusivity * t)
        inside = np.minimum(variable, self._end).ravel()
        values = self._profile(np.append(inside, self._end))[0, :-1]  # the last one, for SciPy refuses no point at all
        return np.where(variable < self._end, values.reshape(variable.shape), self.start)

    @property
    def slope_at_the_wall(self) -> float:
        """The derivative f'(0), with which the flux into the medium is -sqrt(D / t) f'(0)."""
        return self._slope

    @cached_property
    def _end(self) -> float:
        return WIDTHS / np.sqrt(self._retardations.min())

    @property
    def _retardations(self) -> np.ndarray:
        return self.equation.retardation(np.array([self.start, self.equation.left]))

    @cached_property
    def _slope(self) -> float:
        """Shooting: f(infinity) falls with the slope, which lies between those of the two constant retardations."""
        from scipy.optimize import brentq

        drop = self.equation.left - self.start
        if drop == 0.0:
            return 0.0
        low, high = np.sort(np.sqrt(self._retardations / np.pi))
        bounds = -drop * 0.99 * low, -drop * 1.01 * high
        return float(brentq(lambda slope: self._shot(slope).y[0, -1] - self.start, *bounds, xtol=1e-15, rtol=1e-15))

    @cached_property
    def _profile(self):  # noqa: ANN202 - a class that SciPy does not publish
        return self._shot(self._slope, dense=True).sol

    def _shot(self, slope: float, dense: bool = False):  # noqa: ANN202 - as above
        from scipy.integrate import solve_ivp

        def change(s: float, state: np.ndarray) -> list[float]:
            return [state[1], -0.5 * s * self.equation.retardation(state[0]) * state[1]]

        start = [self.equation.left, slope]
        return solve_ivp(
            change, (0.0, self._end), start, "DOP853", dense_output=dense, rtol=TOLERANCE, atol=TOLERANCE / 100.0
        )
