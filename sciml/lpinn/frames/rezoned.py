"""A frame whose labels are redistributed in every time slab: close together where the state is steep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sciml.checks import positive
from sciml.errors import InputError
from sciml.lpinn.frames.base import Frame, TimeSlabs
from sciml.lpinn.frames.circle_map import CircleMap, derivative, even, rezoned, samples, spacing
from sciml.lpinn.problems import TransportProblem

PASSES = 3  # of rezoning in the first slab, from labels that are even


@dataclass(frozen=True, repr=False)
class Rezoned(Frame):
    """A frame for fronts on a periodic interval: in every time slab labels are distributed anew, close at the fronts.

    Labels move with the mean velocity. As functions of such labels fronts are smooth, with few Fourier modes. Fronts
    that move relative to the mean velocity need slabs in which they move by little.
    :mod:`sciml.lpinn.frames.circle_map` says how labels are distributed.

    Parameters
    ----------
    grading : how fast the spacing may grow with the distance from a front; smaller for more labels between fronts
    modes : of the map of the labels; its k-th Fourier mode is multiplied by ``exp(-(k / modes)^2 / 2)``
    """

    rezones: ClassVar[bool] = True
    grading: float = 0.5
    modes: float = 6.0

    def __post_init__(self) -> None:
        positive("the grading of a frame", self.grading)
        positive("the modes of a frame", self.modes)

    def velocity(self, drift: Tensor, speed: Tensor, stretch: Tensor) -> Tensor:
        """Return the drift, which does not depend on position."""
        return drift.expand_as(speed)

    def check(self, problem: TransportProblem) -> None:
        """Refuse problems that are not on a periodic interval."""
        dim, periodic = problem.domain.dim, all(problem.domain.periodic)
        if not (periodic and dim == 1):
            raise InputError(
                f"the frame Rezoned is for periodic intervals, and {type(problem).__name__} is on a box of {dim} "
                f"dimensions{'' if periodic else ' that is not periodic'}; use the frame Ale or Eulerian."
            )

    @torch.no_grad()
    def slab_map(self, characteristics: TimeSlabs, weights: Sequence[Tensor], slab: int) -> CircleMap:
        """Return the map that the state asks for with which the slab begins, on the labels of the slab before."""
        problem, now = characteristics.labelled_problem, slab * characteristics.length
        (lower,), (upper,) = problem.domain.lower, problem.domain.upper
        zones = characteristics.label_map(weights, slab - 1) if slab else even(lower, upper - lower)
        for _ in range(1 if slab else PASSES):
            position, state = characteristics.initial_on(zones, weights, slab, samples(zones).to(weights), 1)
            at, times = problem.domain.wrap(position.value), torch.full_like(state.value, now)
            speed = (problem.velocity(at, times, state.value) - characteristics.drift.to(at))[:, 0]
            stretch = position.first[0, :, 0]
            compression = -characteristics.length * derivative(speed, zones.period) / stretch
            steepness = state.first[0, :, 0].abs() / (characteristics.size * stretch)
            difference = float(speed.max() - speed.min())
            thinnest = (
                2 * problem.viscosity / max(difference, 2 * problem.viscosity / zones.period) if difference else 1.0
            )
            wanted = spacing(steepness, compression, zones.period, thinnest)
            zones = rezoned(zones, wanted.cpu(), self.grading, self.modes)
        return zones
