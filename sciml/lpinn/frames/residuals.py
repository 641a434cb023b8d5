"""The residuals of a transport problem on moving labels, for any frame."""

from __future__ import annotations

from torch import Tensor

from sciml.lpinn.frames.base import Frame
from sciml.lpinn.frames.motion import LabelMotion
from sciml.lpinn.problems import TransportProblem


def residuals(problem: TransportProblem, frame: Frame, drift: Tensor, motion: LabelMotion) -> dict[str, Tensor]:
    """Return the residuals of both equations, unscaled: ``"position"`` ``(n, dim)`` and ``"state"`` ``(n, 1)``.

    That of the state is multiplied by J, which bounds it where labels crowd.

    Parameters
    ----------
    problem : on the labels
    frame : gives the velocity of the labels, and the terms of transport and diffusion
    drift : the velocity that all labels share, ``(dim,)``
    motion : position and state with their derivatives
    """
    position, state, stretch = motion.position, motion.state, motion.stretch
    speed = problem.velocity(position.value, motion.time, state.value)
    moved = position.first[-1] - frame.velocity(drift.to(speed), speed, stretch)
    gradient = motion.gradient
    changed = stretch * state.first[-1]
    transport = frame.transport_term(motion, speed, gradient)
    if transport is not None:
        changed = changed + stretch * transport
    source = problem.source(position.value, motion.time, state.value)
    if source is not None:
        changed = changed - stretch * source
    if problem.viscosity:
        changed = changed - problem.viscosity * stretch * frame.diffusion_term(motion, gradient)
    return {"position": moved, "state": changed}
