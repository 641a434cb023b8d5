r"""Problems on intervals whose inflow is labelled beforehand, so that labels may move with the flow.

A label upstream of a face where the flow enters has the initial value with which it arrives at the face with the
boundary value. From the face at a time s the characteristic is followed back to time 0,

    dx/dt = velocity(x, t, u),    du/dt = source(x, t, u),    x(s) = face,    u(s) = inflow(face, s),

which gives label \xi(s) and its initial value u_0(\xi(s)). Velocity and source are continued beyond the face; u inside
does not depend on how. If the initial condition does not match the boundary value at time 0, there is a jump, which is
carried exactly, because nothing is fitted to the state on passive labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.polynomial import Chebyshev
from scipy.integrate import solve_ivp
from torch import Tensor

from sciml.checks import choice
from sciml.domains import Box
from sciml.errors import InputError
from sciml.lpinn.problems.base import TransportProblem

INSTANTS = 257  # at which the flow through a face is sampled
DEGREES = (16, 32, 64, 128)
ROUNDING = 1e-11  # of the last coefficients of a series, relative to the largest
ODE = {"method": "DOP853", "rtol": 1e-13, "atol": 1e-14}
OTHERWISE = 'set beyond to "face", or use the frame Eulerian'


class ThroughFlow(TransportProblem):
    """A problem on an interval with labels for everything that enters during the run, as far upstream as needed.

    The Lagrangian frame solves a problem with boundary values in this form; the problem that was given stays
    :attr:`problem`, here and in :class:`~sciml.lpinn.Characteristics`.

    Parameters
    ----------
    problem : on an interval, without viscosity, with ``inflow``; through each face the flow either enters or leaves at
        all times. The velocity may depend on u as long as characteristics do not cross, also upstream
    beyond : how velocity and source are continued beyond the interval: by their ``"formula"``, or constant from the
        ``"face"`` on, which is always defined, but makes a kink in the map that networks fit less well

    Raises
    ------
    InputError
        If the problem is not of this kind, or the labels of what enters do not depend smoothly on the time of entry.
    """

    def __init__(self, problem: TransportProblem, beyond: Literal["formula", "face"] = "formula") -> None:
        choice("beyond", beyond, ("formula", "face"))
        name, box = type(problem).__name__, problem.domain
        if type(box) is not Box or box.dim != 1 or box.periodic[0]:
            raise InputError(
                f"inflow can be labelled on intervals only, but the domain of {name} is {box}; use the frame Eulerian."
            )
        if problem.viscosity:
            raise InputError(
                f"inflow can be labelled without viscosity only, but that of {name} is {problem.viscosity:g}; "
                "use the frame Eulerian."
            )
        problem.check()
        self.problem, self.beyond = problem, beyond
        self.domain, self.duration, self.passive = box, problem.duration, problem.passive
        faces = (Face(box.lower[0], 1), Face(box.upper[0], -1))
        self.entries = tuple(self._entry(face) for face in faces if self._enters(face))

    @property
    def labels(self) -> Box:
        """The domain together with the interval from which the inflow comes."""
        ends = [*self.domain.lower, *self.domain.upper, *(entry.far for entry in self.entries)]
        return Box([min(ends)], [max(ends)])

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """Return that of the problem, continued beyond the interval."""
        return self.problem.velocity(self._continued(x), t, u)

    def source(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor | None:
        """Return that of the problem, continued beyond the interval."""
        return self.problem.source(self._continued(x), t, u)

    def initial(self, x: Tensor) -> Tensor:
        """Return the initial condition, and upstream the values that arrive at the face with the boundary value."""
        found = self.problem.initial(self.domain.clamp(x))
        for entry in self.entries:
            found = torch.where(entry.face.inwards * (x - entry.face.place) < 0, entry.initial(x), found)
        return found

    def exact(self, x: Tensor, t: float) -> Tensor | None:
        """Return that of the problem."""
        return self.problem.exact(x, t)

    def _continued(self, x: Tensor) -> Tensor:
        return self.domain.clamp(x) if self.beyond == "face" else x

    def _enters(self, face: Face) -> bool:
        times = torch.linspace(0, self.duration, INSTANTS, dtype=torch.float64)[:, None]
        at = torch.full_like(times, face.place)
        values = self._values(at, times)
        inwards = face.inwards * self.problem.velocity(at, times, values)
        if bool((inwards > 0).all()):
            return True
        if bool((inwards <= 0).all()):
            return False
        raise InputError(
            f"the flow of {type(self.problem).__name__} enters at {face.place:g} at some times and stands still or "
            "leaves at others; use the frame Eulerian."
        )

    def _values(self, at: Tensor, times: Tensor) -> Tensor:
        values = self.problem.inflow(at, times)
        if values is None or values.shape != at.shape or not bool(values.isfinite().all()):
            got = "None" if values is None else f"values of shape {tuple(values.shape)}, or not finite"
            raise InputError(
                f"inflow of {type(self.problem).__name__} returned {got}, expected finite values of shape "
                f"{tuple(at.shape)} on the faces."
            )
        return values

    def _entry(self, face: Face) -> Entry:
        """Return labels, times of entry and initial values of what enters through a face."""
        at = torch.full((1, 1), face.place, dtype=torch.float64)
        zero = torch.zeros_like(at)
        sourced = self.source(at, zero, zero) is not None

        def label(times: np.ndarray) -> np.ndarray:
            return self._back(face, times)[0]

        place = _series(label, 0.0, self.duration, face)
        fine = np.linspace(0.0, self.duration, 4 * INSTANTS)
        if not (face.inwards * place.deriv()(fine) < 0).all():
            raise InputError(f"characteristics cross before they enter at {face.place:g}; {OTHERWISE}.")
        far = float(place(self.duration))

        def time(labels: np.ndarray) -> np.ndarray:
            ahead = np.argsort(place(fine))
            found, slope = np.interp(labels, place(fine)[ahead], fine[ahead]), place.deriv()
            for _ in range(6):
                found = found - (place(found) - labels) / slope(found)
            return found

        times = _series(time, *sorted((far, face.place)), face)
        values = _series(lambda t: self._back(face, t)[1], 0.0, self.duration, face) if sourced else None
        return Entry(face, far, times, values, self.problem, self.duration)

    def _back(self, face: Face, times: np.ndarray) -> np.ndarray:
        """Return position and value at time 0 of what is on the face at some times, ``(2, n)``."""
        ends = torch.from_numpy(np.asarray(times, dtype=float))[:, None]
        at = torch.full_like(ends, face.place)
        begin = torch.cat([at, self._values(at, ends)])[:, 0].numpy()

        def rate(share: float, state: np.ndarray) -> np.ndarray:
            x, u = torch.from_numpy(state)[:, None].chunk(2)
            t = ends * (1 - share)
            speed, source = self.velocity(x, t, u), self.source(x, t, u)
            return -torch.cat([ends * speed, ends * (0 * u if source is None else source)])[:, 0].numpy()

        found = solve_ivp(rate, (0.0, 1.0), begin, **ODE)
        if not found.success or not np.isfinite(found.y).all():
            raise InputError(
                f"the flow of {type(self.problem).__name__} cannot be followed back from {face.place:g}, where it "
                f"enters: its formula may not hold there; {OTHERWISE}."
            )
        return found.y[:, -1].reshape(2, -1)


@dataclass(frozen=True)
class Face:
    """An end of an interval, with the sign of the velocities that enter there."""

    place: float
    inwards: int


@dataclass(frozen=True)
class Entry:
    """The inflow through a face during a run.

    Attributes
    ----------
    face : where it enters
    far : label of what enters at the final time
    times : time of entry as a function of the label
    values : initial value as a function of the time of entry; None without a source, where it is the boundary value
    problem, duration : of the boundary values
    """

    face: Face
    far: float
    times: Chebyshev
    values: Chebyshev | None
    problem: TransportProblem
    duration: float

    def initial(self, labels: Tensor) -> Tensor:
        """Return the initial values of labels upstream, ``(n, 1)``."""
        low, high = sorted((self.far, self.face.place))
        times = _evaluate(self.times, labels.clamp(low, high)).clamp(0.0, self.duration)
        if self.values is not None:
            return _evaluate(self.values, times)
        return self.problem.inflow(torch.full_like(times, self.face.place), times)


def _series(function: Callable[[np.ndarray], np.ndarray], lower: float, upper: float, face: Face) -> Chebyshev:
    """Return the Chebyshev series of a smooth function, to about rounding errors."""
    for degree in DEGREES:
        found = Chebyshev.interpolate(function, degree, [lower, upper])
        size = np.abs(found.coef)
        if size[-2:].max() <= ROUNDING * size.max():
            return found.cutdeg(int((size > 1e-16 * size.max()).nonzero()[0].max()))
    raise InputError(f"labels of what enters at {face.place:g} do not depend smoothly on the time; {OTHERWISE}.")


def _evaluate(series: Chebyshev, x: Tensor) -> Tensor:
    """Return the values of a series by Clenshaw's recurrence, which can be differentiated."""
    lower, upper = (float(end) for end in series.domain)
    y = (2 * x - (lower + upper)) / (upper - lower)
    last = before = torch.zeros_like(x)
    for coefficient in series.coef[:0:-1]:
        last, before = 2 * y * last - before + float(coefficient), last
    return y * last - before + float(series.coef[0])
