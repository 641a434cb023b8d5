"""The Eulerian frame, in which labels do not move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sciml.lpinn.frames.base import Frame
from sciml.lpinn.problems import TransportProblem


@dataclass(frozen=True, repr=False)
class Eulerian(Frame):
    """The Eulerian frame: labels are points, and the network is the standard PINN of space and time.

    Boundary values are met by the form of the state where all faces of a box have some (see
    :mod:`sciml.lpinn.boundary_form`), and are terms of the residual elsewhere.
    """

    fixed: ClassVar[bool] = True

    def drift(self, problem: TransportProblem) -> Tensor:
        """Return zero: this frame does not drift."""
        return torch.zeros(problem.domain.dim, dtype=torch.float64)

    def velocity(self, drift: Tensor, speed: Tensor, stretch: Tensor) -> Tensor:
        """Return zero: labels of this frame do not move."""
        return torch.zeros_like(speed)

    def labelled(self, problem: TransportProblem) -> TransportProblem:
        """Return the problem itself: what enters has the label of the point where it enters."""
        return problem
