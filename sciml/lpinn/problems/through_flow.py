r"""What flows into an interval, labelled beforehand, so that labels may move with the flow.

A label beyond a face where the flow enters starts with what it must have to arrive with the value on the face. From the
face at a time s the characteristic runs back to time 0,

    dx/dt = velocity(x, t, u),    du/dt = source(x, t, u),    x(s) = face,    u(s) = inflow(face, s),

which is label \xi(s) with its start u_0(\xi(s)). Velocity and source are continued beyond the face: u inside does not
depend on how. A start that does not meet the first value on the face is a jump, carried exactly, as nothing is fitted
of what passive labels carry.
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

INSTANTS = 257  # at which the flow through a face is looked at
DEGREES = (16, 32, 64, 128)
ROUNDING = 1e-11  # of the last coefficients of a series, relative to the largest
ODE = {"method": "DOP853", "rtol": 1e-13, "atol": 1e-14}
OTHERWISE = 'set beyond to "face", or use the frame Eulerian'


class ThroughFlow(TransportProblem):
    """A problem on an interval whose labels begin as far upstream as what enters during the run comes from.

    The frame Lagrangian makes it of any problem that has values on its faces.

    Parameters
    ----------
    problem : on an interval, without viscosity, with ``inflow``; through each face the flow enters or leaves all the
        time. A velocity that depends on u is allowed as long as characteristics do not cross, upstream included
    beyond : how velocity and source go on beyond the interval: by their ``"formula"``, or as at the ``"face"``, which
        is never undefined, but leaves a kink in the map that networks learn less well

    Raises
    ------
    InputError
        If the problem is none of these, or the continued flow does not reach the face from a smooth set of labels.
    """

    def __init__(self, problem: TransportProblem, beyond: Literal["formula", "face"] = "formula") -> None:
        choice("beyond", beyond, ("formula", "face"))
        name, box = type(problem).__name__, problem.domain
        if type(box) is not Box or box.dim != 1 or box.periodic[0]:
            raise InputError(f"what flows in is labelled on intervals, but {name} is in {box}; use the frame Eulerian.")
        if problem.viscosity:
            raise InputError(
                f"what flows in keeps its value without viscosity only, but that of {name} is {problem.viscosity:g}; "
                "use the frame Eulerian."
            )
        problem.check()
        self.problem, self.beyond = problem, beyond
        self.domain, self.duration, self.passive = box, problem.duration, problem.passive
        faces = (Face(box.lower[0], 1), Face(box.upper[0], -1))
        self.entries = tuple(self._entry(face) for face in faces if self._enters(face))

    @property
    def labels(self) -> Box:
        """The domain and what will enter it."""
        ends = [*self.domain.lower, *self.domain.upper, *(entry.far for entry in self.entries)]
        return Box([min(ends)], [max(ends)])

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """That of the problem, continued."""
        return self.problem.velocity(self._continued(x), t, u)

    def source(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor | None:
        """That of the problem, continued."""
        return self.problem.source(self._continued(x), t, u)

    def initial(self, x: Tensor) -> Tensor:
        """The start, and upstream what arrives at the face with the value there."""
        found = self.problem.initial(self.domain.clamp(x))
        for entry in self.entries:
            found = torch.where(entry.face.inwards * (x - entry.face.place) < 0, entry.start(x), found)
        return found

    def exact(self, x: Tensor, t: float) -> Tensor | None:
        """That of the problem."""
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
        """Labels, times and values of what enters through a face."""
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
        """Place and value at time 0 of what is on the face at some times, ``(2, n)``."""
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
    """An end of an interval, and the sign of velocities that enter there."""

    place: float
    inwards: int


@dataclass(frozen=True)
class Entry:
    """What enters through a face during a run.

    Attributes
    ----------
    face : where it enters
    far : label of what enters at the end
    times : of entry, by label
    values : of the start, by time of entry; None without a source, where they are those on the face
    problem, duration : what has values on the face, for how long
    """

    face: Face
    far: float
    times: Chebyshev
    values: Chebyshev | None
    problem: TransportProblem
    duration: float

    def start(self, labels: Tensor) -> Tensor:
        """Values of labels upstream at time 0, ``(n, 1)``."""
        low, high = sorted((self.far, self.face.place))
        times = _evaluate(self.times, labels.clamp(low, high)).clamp(0.0, self.duration)
        if self.values is not None:
            return _evaluate(self.values, times)
        return self.problem.inflow(torch.full_like(times, self.face.place), times)


def _series(function: Callable[[np.ndarray], np.ndarray], lower: float, upper: float, face: Face) -> Chebyshev:
    """Chebyshev's series of a smooth function, to about rounding."""
    for degree in DEGREES:
        found = Chebyshev.interpolate(function, degree, [lower, upper])
        size = np.abs(found.coef)
        if size[-2:].max() <= ROUNDING * size.max():
            return found.cutdeg(int((size > 1e-16 * size.max()).nonzero()[0].max()))
    raise InputError(f"labels of what enters at {face.place:g} do not depend smoothly on the time; {OTHERWISE}.")


def _evaluate(series: Chebyshev, x: Tensor) -> Tensor:
    """A series by Clenshaw's recurrence, which derivatives go through."""
    lower, upper = (float(end) for end in series.domain)
    y = (2 * x - (lower + upper)) / (upper - lower)
    last = before = torch.zeros_like(x)
    for coefficient in series.coef[:0:-1]:
        last, before = 2 * y * last - before + float(coefficient), last
    return y * last - before + float(series.coef[0])
