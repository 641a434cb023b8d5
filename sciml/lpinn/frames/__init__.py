"""Frames of reference: the velocity with which the labels of the characteristics move.

A frame is one class in one file. It says how its labels move, which terms of the equation are left in it, on which
problems it can be used and what is known to go wrong; nothing outside of that file has to know it.

===================================== ================================================================================
:class:`~sciml.lpinn.Lagrangian`      labels move with the velocity of the problem, as published
:class:`~sciml.lpinn.Ale`             labels move with the mean velocity and, with a relaxation, partly with the flow
:class:`~sciml.lpinn.Rezoned`         labels move with the mean velocity and are redistributed in every time slab
:class:`~sciml.lpinn.Eulerian`        labels do not move: the standard PINN
===================================== ================================================================================
"""

from sciml.lpinn.frames.ale import Ale
from sciml.lpinn.frames.base import Frame
from sciml.lpinn.frames.eulerian import Eulerian
from sciml.lpinn.frames.lagrangian import Lagrangian
from sciml.lpinn.frames.motion import LabelMotion, label_directions
from sciml.lpinn.frames.residuals import residuals
from sciml.lpinn.frames.rezoned import Rezoned
from sciml.lpinn.problems import TransportProblem

__all__ = [
    "Ale",
    "Eulerian",
    "Frame",
    "LabelMotion",
    "Lagrangian",
    "Rezoned",
    "default_frame",
    "label_directions",
    "residuals",
]


def default_frame(problem: TransportProblem) -> Frame:
    """Return ALE for a velocity that depends on u if there is viscosity, otherwise the Lagrangian frame."""
    return Ale() if problem.viscosity and not problem.passive else Lagrangian()
