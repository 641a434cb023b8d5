r"""The Lagrangian frame, in which labels move with the flow.

Without viscosity a value is carried along a straight line if the velocity depends on it alone, X = \xi + t v_0(\xi)
with v_0 the initial velocity. F = I + t dv_0/d\xi is singular first at t = -1 / (least real eigenvalue of dv_0/d\xi).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from sciml.checks import choice
from sciml.lpinn.frames.base import Frame
from sciml.lpinn.frames.motion import LabelMotion
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.problems.through_flow import ThroughFlow
from sciml.numerics.derivatives import jet_of

RIGID = 1e-9  # strain, relative to the slopes of the velocity, that counts as none
SAMPLED = 1e-6  # relative error of a least slope among probes


@dataclass(frozen=True, repr=False)
class Lagrangian(Frame):
    """The Lagrangian frame: labels move with the velocity of the problem, as published.

    What flows into an interval is labelled beforehand (:class:`~sciml.lpinn.ThroughFlow`).

    Parameters
    ----------
    diffusion : ``"physical"``, or ``"label"`` as in the official code, which differentiates by the label instead of
        the position: right for a constant velocity only, and wrong by 1 to 5 % for Burgers' equation
    """

    moves: ClassVar[bool] = True
    follows_flow: ClassVar[bool] = True
    diffusion: Literal["physical", "label"] = "physical"

    def __post_init__(self) -> None:
        choice("diffusion", self.diffusion, ("physical", "label"))

    def velocity(self, drift: Tensor, speed: Tensor, stretch: Tensor) -> Tensor:
        """Return the velocity of the problem."""
        return speed

    def transport_term(self, motion: LabelMotion, speed: Tensor, gradient: Tensor) -> None:
        """Return None: the label moves with the flow, and the term is left out, as published."""

    def diffusion_term(self, motion: LabelMotion, gradient: Tensor) -> Tensor:
        """Return the Laplacian of u in space, or of w by the label."""
        if self.diffusion == "label":
            return motion.state.second[: motion.dim].sum(0)
        return super().diffusion_term(motion, gradient)

    def labelled(self, problem: TransportProblem) -> TransportProblem:
        """Return the problem with labels for what flows in (:class:`~sciml.lpinn.ThroughFlow`), if anything does."""
        return ThroughFlow(problem) if problem.has_boundary_values else problem

    def cautions(self, problem: TransportProblem) -> list[str]:
        """Return sentences about characteristics that cross during the run, and about diffusion by label."""
        found, name = [], type(problem).__name__
        if not problem.passive and not problem.viscosity:
            time = crossing_time(problem)
            if time < problem.duration * (1 + SAMPLED):
                found.append(
                    f"characteristics of {name} cross at t = {time:.4g}, within its duration {problem.duration:g}: in "
                    "the Lagrangian frame there is no field from then on. Shorten the duration, add viscosity in the "
                    "frame Ale, or use the least-action read-out of conservation laws."
                )
        if self.diffusion == "label" and problem.viscosity and not problem.passive:
            found.append(
                f"the velocity of {name} depends on u, so that diffusion by label is another equation: its solution is "
                "off by 1 to 5 % for Burgers' equation, which no training removes. Use diffusion physical for results."
            )
        elif self.diffusion == "label" and problem.viscosity and _strains(problem):
            found.append(
                f"the velocity of {name} varies in space, so that diffusion by label is another equation; use "
                "diffusion physical for results."
            )
        return found


def crossing_time(problem: TransportProblem) -> float:
    """Return when characteristics first cross if the velocity depends on u alone; infinity if they never do."""
    slopes = torch.linalg.eigvals(initial_slopes(problem))
    real = slopes.real[slopes.imag.abs() <= RIGID * slopes.abs()]
    least = float(real.min()) if len(real) else 0.0
    return -1.0 / least if least < 0 else float("inf")


def initial_slopes(problem: TransportProblem) -> Tensor:
    """Return the derivatives of the initial velocity by the label at the probes of a problem, ``(n, dim, dim)``."""

    def velocity(labels: Tensor) -> Tensor:
        return problem.velocity(labels, torch.zeros_like(labels[:, :1]), problem.initial(labels))

    return jet_of(velocity, problem.probes(), 1).first.permute(1, 2, 0)


def _strains(problem: TransportProblem) -> bool:
    """Return whether the initial velocity deforms anything, rather than moving and turning it."""
    slopes = initial_slopes(problem)
    strain = slopes + slopes.transpose(1, 2)
    return bool(strain.abs().max() > RIGID * (slopes.abs().max() + torch.finfo(slopes.dtype).tiny))
