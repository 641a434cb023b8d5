"""Arbitrary Lagrangian-Eulerian (ALE) frames, in which labels follow the flow as far as that is harmless."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from sciml.checks import positive
from sciml.lpinn.frames.base import Frame


@dataclass(frozen=True, repr=False)
class Ale(Frame):
    """An ALE frame: labels move with the mean velocity and, with a relaxation, with the flow where labels do not crowd.

    Parameters
    ----------
    relaxation : None for the drift alone, without an unknown position. Otherwise X_t = drift + J / (J + relaxation)
        * (velocity - drift): where characteristics converge, J decreases and labels follow the flow less and less
    """

    relaxation: float | None = None

    def __post_init__(self) -> None:
        if self.relaxation is not None:
            positive("the relaxation of a frame", self.relaxation)

    @property
    def moves(self) -> bool:
        """True if there is an unknown position: only with a relaxation."""
        return self.relaxation is not None

    def velocity(self, drift: Tensor, speed: Tensor, stretch: Tensor) -> Tensor:
        """Return the drift, plus a share of the remaining velocity."""
        if self.relaxation is None:
            return drift.expand_as(speed)
        share = stretch.clamp_min(0)
        return drift + share / (share + self.relaxation) * (speed - drift)
