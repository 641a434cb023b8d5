r"""What is known to go wrong, told before training: characteristics that will cross, diffusion by label.

Without viscosity a value is carried along a straight line if the velocity depends on it alone, X = \xi + t v_0(\xi)
with v_0 the velocity of the start. F = I + t dv_0/d\xi is singular first at t = -1 / (least real eigenvalue of
dv_0/d\xi).
"""

from __future__ import annotations

import sys
import warnings

import torch
from torch import Tensor

from sciml.lpinn.frames import Frame, Lagrangian
from sciml.lpinn.problems import TransportProblem
from sciml.numerics.derivatives import jet_of

RIGID = 1e-9  # strain, relative to the slopes of the velocity, that counts as none
SAMPLED = 1e-6  # relative error of a least slope among probes


def start_slopes(problem: TransportProblem) -> Tensor:
    """Derivatives of the velocity of the start by label at the probes of a problem, ``(n, dim, dim)``."""

    def velocity(labels: Tensor) -> Tensor:
        return problem.velocity(labels, torch.zeros_like(labels[:, :1]), problem.initial(labels))

    return jet_of(velocity, problem.probes(), 1).first.permute(1, 2, 0)


def crossing_time(problem: TransportProblem) -> float:
    """When characteristics cross first, if the velocity depends on the carried value alone; infinity for never."""
    slopes = torch.linalg.eigvals(start_slopes(problem))
    real = slopes.real[slopes.imag.abs() <= RIGID * slopes.abs()]
    least = float(real.min()) if len(real) else 0.0
    return -1.0 / least if least < 0 else float("inf")


def cautions(problem: TransportProblem, frame: Frame) -> list[str]:
    """Sentences about a problem in a frame; none where nothing is known to go wrong."""
    found = []
    if not isinstance(frame, Lagrangian):
        return found
    name = type(problem).__name__
    if not problem.passive and not problem.viscosity:
        time = crossing_time(problem)
        if time < problem.duration * (1 + SAMPLED):
            found.append(
                f"characteristics of {name} cross at t = {time:.4g}, within its duration {problem.duration:g}: in the "
                "Lagrangian frame there is no field from then on. Shorten the duration, add viscosity in the frame "
                "Ale, or use the least-action read-out of conservation laws."
            )
    if frame.diffusion == "label" and problem.viscosity and not problem.passive:
        found.append(
            f"the velocity of {name} depends on u, so that diffusion by label is another equation: its solution is "
            "off by 1 to 5 % for Burgers' equation, which no training removes. Use diffusion physical for results."
        )
    elif frame.diffusion == "label" and problem.viscosity and _strains(problem):
        found.append(
            f"the velocity of {name} varies in space, so that diffusion by label is another equation; use diffusion "
            "physical for results."
        )
    return found


def warn(sentences: list[str]) -> None:
    """Warn in the name of the first caller outside of this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(__name__.split(".")[0]):
        frame, level = frame.f_back, level + 1
    for sentence in sentences:
        warnings.warn(sentence, UserWarning, stacklevel=level)


def _strains(problem: TransportProblem) -> bool:
    """Whether the velocity of the start deforms anything, rather than moving and turning it."""
    slopes = start_slopes(problem)
    strain = slopes + slopes.transpose(1, 2)
    return bool(strain.abs().max() > RIGID * (slopes.abs().max() + torch.finfo(slopes.dtype).tiny))
