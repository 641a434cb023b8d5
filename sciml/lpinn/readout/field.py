"""The field u(x, t) of fitted characteristics, by Newton's method for X(label, t) = x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from sciml.checks import shape
from sciml.domains import Box
from sciml.errors import InputError, SciMLError
from sciml.lpinn.characteristics import Characteristics
from sciml.lpinn.problems.base import PROBES, TransportProblem
from sciml.lpinn.readout.folds import no_inverse
from sciml.numerics.derivatives import Jet
from sciml.numerics.pointwise_roots import differentiable_root

NEWTON = 30  # largest number of steps
CLOSE = 1e-12  # relative to the box
ROUNDING = 1e-15
BEYOND = 0.05  # of a side of the box of labels, by which networks extrapolate
SAMPLES = 512  # labels of the table of initial guesses in one dimension, which also shows crossings
FINE = 8  # times as many at which the sign of J is looked at
BACKWARD = 16  # time steps to the initial guess in more dimensions


class Readout(Protocol):
    """A solution that can be evaluated at points ``(n, dim)`` and a time: ``(n, 1)``."""

    @property
    def problem(self) -> TransportProblem:
        """The problem that was solved."""

    def __call__(self, points: Tensor, time: float) -> Tensor:
        """Return u at points and a time."""


class Followed(Readout, Protocol):
    """A read-out that also gives what happens to single labels."""

    @property
    def device(self) -> torch.device:
        """The device of the read-out, which computes in double precision."""

    @property
    def label_box(self) -> Box:
        """The box of the labels."""

    @property
    def labels_are_particles(self) -> bool:
        """True if labels move with exactly the velocity of the problem."""

    def home(self, points: Tensor) -> Tensor:
        """Return points moved by whole periods into the domain, where axes are periodic."""

    def follow(self, labels: Tensor, time: float) -> tuple[Tensor, Tensor]:
        """Return position ``(n, dim)`` and state ``(n, 1)`` of labels at a time."""

    def stretch(self, time: float) -> Tensor:
        """Return the smallest J of the labels at a time."""


@dataclass(frozen=True)
class SpaceTimeField:
    """The solution u as a function of points and time, ``field(points, time)``.

    Parameters
    ----------
    characteristics : problem, frame and network
    weights : of the slabs, ``(slabs, p)``
    """

    labels_may_cross: ClassVar[bool] = False
    """Whether several labels may be at one point, one of which is chosen."""

    characteristics: Characteristics
    weights: Tensor

    def __post_init__(self) -> None:
        self.characteristics.check_weights(self.weights)

    @property
    def problem(self) -> TransportProblem:
        """The problem that was solved."""
        return self.characteristics.problem

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.weights.device

    @property
    def label_box(self) -> Box:
        """The box of the labels, which contains those of everything that enters the domain."""
        return self.characteristics.labelled_problem.labels

    @property
    def labels_are_particles(self) -> bool:
        """True if labels move with exactly the velocity of the problem, as in the frame Lagrangian."""
        return self.characteristics.frame.follows_flow

    def __call__(self, points: Tensor, time: float | Tensor) -> Tensor:
        """Return u at points ``(n, dim)`` and a time: ``(n, 1)``.

        It has exact derivatives of any order by the points and, if that is a tensor ``(n, 1)`` of equal numbers, by the
        time: labels are roots of X(label, t) = x, which are differentiated by the implicit function theorem.

        Raises
        ------
        CharacteristicCrossingError
            If several labels are at one point.
        PoorFitError
            If the residual is too large for the labels to be found.
        InputError
            If points or time are outside of the domain, or come from labels that were not fitted.
        """
        characteristics, moment = self.characteristics, _moment(time)
        slab = characteristics.slab_of(moment)
        points = self.checked(points)
        labels = self._differentiable(self.labels(points.detach(), moment), points, time, slab)
        if characteristics.restarts:
            for before in range(slab - 1, -1, -1):
                end = (before + 1) * characteristics.length
                labels = self._differentiable(self._invert(labels.detach(), end, before), labels, end, before)
            return characteristics.labelled_problem.initial(self.home(labels))
        return self._motion(self.home(labels), time, slab, 0)[1].value

    def labels(self, points: Tensor, time: float) -> Tensor:
        """Return the labels of points, ``(n, dim)``, in the slab that contains the time."""
        return self._invert(points, time, self.characteristics.slab_of(time))

    def origin(self, points: Tensor, time: float) -> tuple[Tensor, Tensor]:
        """Return the initial labels, ``(n, dim)``, of points at a time, and J of the map between, ``(n, 1)``."""
        characteristics, labels, stretch = self.characteristics, self.checked(points), 1.0
        last = characteristics.slab_of(time)
        for slab in range(last, -1 if characteristics.restarts else last - 1, -1):
            end = time if slab == last else (slab + 1) * characteristics.length
            labels = self._invert(labels, end, slab)
            stretch = stretch * torch.linalg.det(self._at(self.home(labels), end, slab)[1])[:, None]
        return self.home(labels), stretch

    def checked(self, points: Tensor) -> Tensor:
        """Return points ``(n, dim)`` with data type and device of the weights; refuse those outside of the domain."""
        box = self.problem.domain
        shape("the points", points, ("number of points", box.dim))
        if points.is_complex():
            raise InputError(f"the points are of the type {points.dtype}, expected a tensor of real numbers.")
        if not bool(box.contains(box.wrap(points)).all()) or bool((box.wrap(points) - points)[:, ~self._wraps].any()):
            raise InputError("some points are outside of the domain, expected all inside; leave them out.")
        return points.to(self.weights)

    def follow(self, labels: Tensor, time: float) -> tuple[Tensor, Tensor]:
        """Return position ``(n, dim)``, not wrapped into the box, and state ``(n, 1)`` of initial labels at a time.

        Nothing is inverted, so that both exist even where characteristics have crossed.
        """
        characteristics = self.characteristics
        if characteristics.frame.rezones:  # the initial labels are not those of later slabs
            position = labels + characteristics.drift.to(labels) * time
            return position, self(self.home(position), time)
        if not characteristics.restarts:
            return characteristics.evaluate(self.weights, labels, time)[:2]
        position, last = labels, characteristics.slab_of(time)
        for slab in range(last + 1):
            home = self.home(position)
            end = time if slab == last else (slab + 1) * characteristics.length
            position = position - home + self._at(home, end, slab)[0]
        return position, characteristics.labelled_problem.initial(self.home(labels))

    def stretch(self, time: float, count: int = SAMPLES) -> Tensor:
        """Return the smallest J of evenly spread labels at a time; they have crossed if it is not positive."""
        labels = self.problem.probes(self.label_box)[:: max(1, PROBES // count)].to(self.weights)
        return torch.linalg.det(self.characteristics.evaluate(self.weights, labels, time)[2]).min()

    @property
    def _wraps(self) -> Tensor:
        return torch.tensor(self.problem.domain.periodic)

    def home(self, labels: Tensor) -> Tensor:
        """Return labels moved by whole periods into the box, along periodic axes."""
        box = self.problem.domain
        return torch.where(self._wraps.to(labels.device), box.wrap(labels), labels)

    def _at(self, labels: Tensor, time: float, slab: int) -> tuple[Tensor, Tensor]:
        """Return X and F in a given slab, at its final time or before."""
        with torch.no_grad():
            position, _ = self._motion(labels, time, slab, 1)
        return position.value, position.first.permute(1, 2, 0)

    def _motion(self, labels: Tensor, time: float | Tensor, slab: int, order: int) -> tuple[Jet, Jet]:
        """Return X and w in a given slab as jets along the directions in label space."""
        start = self.characteristics.initial(self.weights, slab, labels, order)
        return self.characteristics.between(self.weights[slab], slab, labels, time, start)

    def _differentiable(self, labels: Tensor, points: Tensor, time: float | Tensor, slab: int) -> Tensor:
        """Return labels that were found for points as a function of points and time."""

        def off(labels: Tensor, points: Tensor, *times: Tensor) -> Tensor:
            position = self._motion(self.home(labels), times[0] if times else time, slab, 0)[0].value
            return position + labels - self.home(labels) - points

        times = [time] if isinstance(time, Tensor) else []
        return differentiable_root(off, labels, points, *times)

    def _invert(self, points: Tensor, time: float, slab: int) -> Tensor:
        characteristics = self.characteristics
        if not characteristics.frame.moves:
            labels = characteristics.labels_at(self.weights, points, time)
            self._check_labels(labels, None, time, slab)
            return labels
        labels = self._guess(points, time, slab)
        box = characteristics.problem.domain
        sides = points.new_tensor(box.upper) - points.new_tensor(box.lower)
        last = torch.inf
        for _ in range(NEWTON):
            position, deformation = self._at(labels, time, slab)
            left = position - points
            error = float((left / sides).abs().max())
            close = CLOSE + ROUNDING * float((labels / sides).abs().max())  # of labels far away, X is coarser
            if error < close and error >= last / 2:
                self._check_labels(labels, deformation, time, slab)
                return labels
            labels, last = labels - _solved(deformation, left), error
        raise self._no_inverse(labels, time, slab)

    def _no_inverse(self, labels: Tensor, time: float, slab: int) -> SciMLError:
        """Return the error of labels that Newton's method has not found; J is looked at there and everywhere else."""
        if labels.shape[1] == 1:
            (lower,), (upper,) = self.label_box.lower, self.label_box.upper
            spread = torch.linspace(lower, upper, FINE * SAMPLES + 1, dtype=labels.dtype, device=labels.device)[:, None]
        else:
            spread = self.problem.probes(self.label_box).to(labels)
        labels = torch.cat([spread, labels[labels.isfinite().all(1)]])
        stretch = torch.linalg.det(self._at(self.home(labels), time, slab)[1])
        return no_inverse(self.characteristics, self.weights, stretch, labels, time, slab)

    def _check_labels(self, labels: Tensor, deformation: Tensor | None, time: float, slab: int) -> None:
        """Refuse labels behind a fold, or far from those that were fitted."""
        if deformation is not None and not bool((torch.linalg.det(deformation) > 0).all()):
            raise self._no_inverse(labels, time, slab)
        box = self.label_box
        lower, upper = labels.new_tensor(box.lower), labels.new_tensor(box.upper)
        margin = BEYOND * (upper - lower)
        outside = ((labels < lower - margin) | (labels > upper + margin)) & ~self._wraps.to(labels.device)
        if bool(outside.any()):
            raise InputError(
                f"some points at t = {time:.4g} come from outside of the box of labels {box}, where nothing was "
                "fitted; enlarge the box of labels of the problem, or evaluate elsewhere."
            )

    def _guess(self, points: Tensor, time: float, slab: int) -> Tensor:
        if points.shape[1] == 1:
            return self._from_table(points, time, slab)
        characteristics, begin = self.characteristics, slab * self.characteristics.length
        if not (characteristics.problem.passive and characteristics.frame.follows_flow):
            return self._continued(points, time)
        if not characteristics.restarts:
            begin = 0.0
        step, labels = (begin - time) / BACKWARD, points
        zero = points.new_zeros(len(points), 1)

        def speed(at: Tensor, t: float) -> Tensor:
            return characteristics.labelled_problem.velocity(at, zero + t, zero)

        for number in range(BACKWARD):
            t = time + number * step
            first = speed(labels, t)
            second = speed(labels + step / 2 * first, t + step / 2)
            labels = labels + step * speed(labels + step / 2 * second, t + step / 2)
        return labels

    def _continued(self, points: Tensor, time: float) -> Tensor:
        """Return labels by continuation in time, with one Newton step at each of several times."""
        labels, characteristics = points, self.characteristics
        for number in range(1, BACKWARD):
            t = time * number / BACKWARD
            position, deformation = self._at(labels, t, characteristics.slab_of(t))
            labels = labels - _solved(deformation, position - points)
        return labels

    def _from_table(self, points: Tensor, time: float, slab: int) -> Tensor:
        """Return labels by linear interpolation in a table of X, wrapped if the axis is periodic."""
        box = self.label_box
        (lower,), (upper,) = box.lower, box.upper
        table = torch.linspace(lower, upper, SAMPLES + 1, dtype=points.dtype, device=points.device)[:, None]
        position = self._at(table, time, slab)[0][:, 0]
        table = table[:, 0]
        if bool((position[1:] <= position[:-1]).any()):
            raise self._no_inverse(table[:, None], time, slab)
        period = upper - lower
        wanted = points[:, 0]
        if box.periodic[0]:
            turns = torch.floor((wanted - position[0]) / period)
            wanted = wanted - turns * period
        place = torch.searchsorted(position, wanted.contiguous()).clamp(1, SAMPLES)
        left, right = position[place - 1], position[place]
        labels = table[place - 1] + (wanted - left) / (right - left) * (table[place] - table[place - 1])
        if box.periodic[0]:
            labels = labels + turns * period
        return labels[:, None]


def _moment(time: float | Tensor) -> float:
    """Return a time as a number; a tensor has the same one in every row."""
    return float(time.detach().flatten()[0]) if isinstance(time, Tensor) else time


def _solved(deformation: Tensor, right: Tensor) -> Tensor:
    """Return F^{-1} times a vector at each label; not finite where F is singular, which Newton's method detects."""
    return torch.linalg.solve_ex(deformation, right[..., None])[0][..., 0]
