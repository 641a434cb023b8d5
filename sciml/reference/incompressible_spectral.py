r"""Incompressible flow in the box [-1, 1]^2 with slip walls, to spectral accuracy: the reference for plane flows.

Continued by odd reflection of stream function and vorticity, the flow is periodic with period 4. With
X = (x + 1) / 2, Y = (y + 1) / 2

    \omega = \sum_{k, l >= 1} w_{kl} sin(k \pi X) sin(l \pi Y),    -\Delta \psi = \omega,
    \omega_t + u \omega_x + v \omega_y = \nu \Delta \omega,        (u, v) = (\psi_y, -\psi_x).

Walls are closed, and free of vorticity, which with \nu > 0 means free of shear stress. Products are computed on nodes,
free of aliasing by the two-thirds rule, so that the truncated inviscid system keeps energy and enstrophy; time steps
by the classical Runge-Kutta method, with viscosity exact by an integrating factor.

References: Canuto, Hussaini, Quarteroni and Zang, Spectral Methods: Fundamentals in Single Domains, 2006, section 3.4;
Orszag, J. Atmos. Sci. 28 (1971) 1074.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import dct, dst

from sciml.checks import finite, number, positive, rising, shape, shown, whole_number
from sciml.errors import DivergenceError, InputError
from sciml.reference.integrating_factor import runge_kutta_step
from sciml.reference.time_steps import equal_steps

POINTS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class BoxFlow:
    """A flow in the box at several times, as the coefficients of its series.

    Parameters
    ----------
    times : (steps,)
    vorticity_modes : (steps, K, K), w_kl for k, l = 1 ... K
    """

    times: np.ndarray
    vorticity_modes: np.ndarray

    def stream_function(self, step: int, points: np.ndarray) -> np.ndarray:
        """Return psi (m,) at points (m, 2) at the time with the number ``step``."""
        return _series(self._stream_modes(step), points, "sin", "sin")

    def velocity(self, step: int, points: np.ndarray) -> np.ndarray:
        """Return (u, v), shape (m, 2), at points (m, 2) at the time with the number ``step``."""
        return _velocity(self._stream_modes(step), points)

    def vorticity(self, step: int, points: np.ndarray) -> np.ndarray:
        """Return omega (m,) at points (m, 2) at the time with the number ``step``."""
        return _series(self.vorticity_modes[step], points, "sin", "sin")

    def origins(self, step: int, points: np.ndarray) -> np.ndarray:
        """Return where the particles that are at the points at one time were at the first time.

        A passive density s is carried along: s(x, t) = s(origins(x), t_0), however sharp it is. Paths are integrated
        backwards by the classical Runge-Kutta method with one step per time of this flow, and velocities between the
        times interpolated by cubic polynomials: order four in the distance of the times, of which there must be four.

        Parameters
        ----------
        step : number of the time
        points : (m, 2)

        Returns
        -------
        ndarray
            (m, 2).
        """
        whole_number("the number of times", len(self.times), at_least=4, remedy="ask flow_in_box for more")
        places = np.asarray(points, float)
        for now in range(range(len(self.times))[step], 0, -1):
            span = self.times[now - 1] - self.times[now]
            before, after = self._stream_modes(now - 1), self._stream_modes(now)
            between = self._stream_modes_at((self.times[now - 1] + self.times[now]) / 2, now)
            first = _velocity(after, places)
            second = _velocity(between, places + span / 2 * first)
            third = _velocity(between, places + span / 2 * second)
            fourth = _velocity(before, places + span * third)
            places = places + span / 6 * (first + 2 * second + 2 * third + fourth)
        return places

    @property
    def energy(self) -> np.ndarray:
        """Half of the integral of u^2 + v^2 over the box, (steps,)."""
        return 0.5 * (self.vorticity_modes**2 / _squares(self.vorticity_modes.shape[-1])).sum((1, 2))

    @property
    def enstrophy(self) -> np.ndarray:
        """Half of the integral of omega^2 over the box, (steps,)."""
        return 0.5 * (self.vorticity_modes**2).sum((1, 2))

    @property
    def tail(self) -> np.ndarray:
        """Share of the enstrophy in modes with a wave number above three quarters of the largest, (steps,).

        Small where the series resolves the flow; a few percent mean that it does not, and that it is not a reference.
        """
        count = self.vorticity_modes.shape[-1]
        high = np.maximum(*np.ogrid[1 : count + 1, 1 : count + 1]) > 0.75 * count
        return (self.vorticity_modes**2)[:, high].sum(1) / np.maximum(2.0 * self.enstrophy, np.finfo(float).tiny)

    def _stream_modes(self, step: int) -> np.ndarray:
        return self.vorticity_modes[step] / _squares(self.vorticity_modes.shape[-1])

    def _stream_modes_at(self, time: float, now: int) -> np.ndarray:
        """Return the modes interpolated in time between the times now - 1 and now."""
        first = int(np.clip(now - 2, 0, len(self.times) - 4))
        nodes = self.times[first : first + 4]
        weights = [np.prod([(time - b) / (a - b) for b in nodes if b != a]) for a in nodes]
        return sum(weight * self._stream_modes(first + i) for i, weight in enumerate(weights))


def flow_in_box(
    vorticity: Callable[[np.ndarray], np.ndarray],
    cells: int,
    times: Sequence[float],
    time_step: float,
    viscosity: float = 0.0,
) -> BoxFlow:
    """Solve for the flow with a given initial vorticity.

    Parameters
    ----------
    vorticity : omega at t = 0, of points (m, 2); zero on the walls
    cells : intervals between nodes along each axis, of length 2 / cells; the series has modes below two thirds of it
    times : rising from 0 or later, at which the flow is wanted
    time_step : longest step; max|u| time_step cells must be at most about 1.5
    viscosity : nu >= 0

    Returns
    -------
    BoxFlow
        At ``times``.

    Raises
    ------
    InputError
        If the times do not rise, or a number is out of its range.
    DivergenceError
        If the time step is too long.
    """
    times = rising("the times of a flow in a box", times, at_least=0)
    if np.any(np.diff(times) == 0.0):
        raise InputError(f"the times of a flow in a box are {shown(times.tolist())}, expected each one once.")
    whole_number("the number of cells", cells, at_least=4)
    positive("the time step", time_step)
    number("the viscosity", viscosity, at_least=0)
    system = _Galerkin(cells, viscosity)
    # The initial vorticity on a grid twice as fine: less of what the series cannot hold is mistaken for what it can.
    modes, now, kept = system.analysis(_at_inner_nodes(vorticity, 2 * cells)), 0.0, []
    for target in times:
        count = equal_steps(target - now, time_step)
        with np.errstate(over="ignore", invalid="ignore"):  # the sentence below answers
            for _ in range(count):
                modes = system.step(modes, (target - now) / count)
        if not np.all(np.isfinite(modes)):
            raise DivergenceError(
                f"the flow became infinite before t = {target:g}; take a time step below {time_step:g}, so that "
                "max|u| time_step cells is at most about 1.5."
            )
        now = target
        kept.append(modes)
    return BoxFlow(times, np.stack(kept))


class _Galerkin:
    """The system of ordinary differential equations for the coefficients of the vorticity, and its time step."""

    def __init__(self, cells: int, viscosity: float) -> None:
        self.cells, self.count = cells, (2 * cells - 1) // 3
        self.waves, self.squares = _waves(self.count), _squares(self.count)
        self.decay = -viscosity * self.squares

    def analysis(self, values: np.ndarray) -> np.ndarray:
        """Return the coefficients that are kept of values at the inner nodes of this grid or of a finer one."""
        along = dst(values, 1, axis=0)[: self.count]
        return dst(along, 1, axis=1)[:, : self.count] / (len(values) + 1) ** 2

    def synthesis(self, modes: np.ndarray, first: str, second: str) -> np.ndarray:
        """Return the values at the inner nodes of a series of sines or cosines of k, l = 1 ... K along the axes."""
        for axis, kind in enumerate((first, second)):
            # A series of cosines has entries 0 and n, too, in the type of transform that lives on these nodes.
            extra = int(kind == "cos")
            shape = [(extra, self.cells - 1 - self.count + extra) if a == axis else (0, 0) for a in (0, 1)]
            modes = (dct if extra else dst)(np.pad(modes, shape), 1, axis=axis) / 2.0
            if extra:
                modes = modes[(slice(None),) * axis + (slice(1, -1),)]
        return modes

    def step(self, modes: np.ndarray, step: float) -> np.ndarray:
        """Take a step of the Runge-Kutta method in the variable exp(nu |k|^2 t) w."""
        return runge_kutta_step(modes, self.convection, self.decay, step)

    def convection(self, modes: np.ndarray) -> np.ndarray:
        """Return the coefficients of -u omega_x - v omega_y."""
        stream, rows, columns = modes / self.squares, self.waves[:, None], self.waves
        advected = self.synthesis(stream * columns, "sin", "cos") * self.synthesis(modes * rows, "cos", "sin")
        advected -= self.synthesis(stream * rows, "cos", "sin") * self.synthesis(modes * columns, "sin", "cos")
        return -self.analysis(advected)


def _at_inner_nodes(vorticity: Callable[[np.ndarray], np.ndarray], cells: int) -> np.ndarray:
    axis = np.linspace(-1.0, 1.0, cells + 1)[1:-1]
    nodes = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    values = shape("the vorticity", np.asarray(vorticity(nodes), float), (len(nodes),))
    finite("the vorticity", values)
    return values.reshape(cells - 1, cells - 1)


def _velocity(stream_modes: np.ndarray, points: np.ndarray) -> np.ndarray:
    waves = _waves(len(stream_modes))
    along = _series(stream_modes * waves, points, "sin", "cos")
    across = _series(stream_modes * waves[:, None], points, "cos", "sin")
    return np.stack([along, -across], axis=-1)


def _series(modes: np.ndarray, points: np.ndarray, first: str, second: str) -> np.ndarray:
    """Return the sum of a series of sines or cosines of k, l = 1 ... K along the axes at arbitrary points."""
    points = shape("the points", np.asarray(points, float), ("number of points", 2))
    functions, result = {"sin": np.sin, "cos": np.cos}, np.empty(len(points))
    for begin in range(0, len(points), POINTS_AT_ONCE):
        some = slice(begin, begin + POINTS_AT_ONCE)
        phases = (points[some, :, None] + 1.0) * _waves(len(modes))
        result[some] = ((functions[first](phases[:, 0]) @ modes) * functions[second](phases[:, 1])).sum(1)
    return result


def _waves(count: int) -> np.ndarray:
    return 0.5 * np.pi * np.arange(1, count + 1)


def _squares(count: int) -> np.ndarray:
    waves = _waves(count)
    return waves[:, None] ** 2 + waves**2
