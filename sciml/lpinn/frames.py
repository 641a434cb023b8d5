r"""Frames of reference, and the residuals of a transport problem in them.

A map X(\xi, t) says where label \xi is, and w(\xi, t) = u(X(\xi, t), t). With F = dX/d\xi, J = det F, and g = F^{-T}
grad_\xi w the gradient of u in space,

    w_t + (velocity - X_t) . g = viscosity * Laplace u + source,        X_t = the velocity of the frame.

The first equation holds for every map without folds, so that errors of the map are none of u. The velocity of the frame
is that of the problem (Lagrangian, the paper), a mean of it, or 0 (Eulerian, the usual PINN); where labels begin in a
slab of time is free too (Rezoned).

References
----------
Mojgani, Balajewicz, Hassanzadeh, "Kolmogorov n-width and Lagrangian physics-informed neural networks", CMAME 404, 2023.
Donea et al., "Arbitrary Lagrangian-Eulerian methods", Encyclopedia of Computational Mechanics, 2004.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.lpinn.problems import TransportProblem
from sciml.numerics.derivatives import Jet


class Frame(ABC):
    """How labels move.

    Attributes
    ----------
    moves : whether the position of a label is unknown, beyond a drift
    """

    moves: ClassVar[bool]

    @abstractmethod
    def drift(self, problem: TransportProblem) -> Tensor:
        """Constant velocity that all labels share, ``(dim,)``."""

    def velocity(self, drift: Tensor, speed: Tensor, stretch: Tensor) -> Tensor:
        """Velocity of the labels, ``(n, dim)``, from that of the problem and ``J``, ``(n, 1)``."""
        return drift.expand_as(speed)


@dataclass(frozen=True)
class Lagrangian(Frame):
    """Labels move with the problem's velocity, as published.

    Parameters
    ----------
    diffusion : ``"physical"``, or ``"label"`` for the official code, which differentiates by the label where it should
        by the position: right for a constant velocity only, and wrong by 1 to 5 % for Burgers' equation
    """

    moves: ClassVar[bool] = True
    diffusion: Literal["physical", "label"] = "physical"

    def __post_init__(self) -> None:
        if self.diffusion not in ("physical", "label"):
            raise InputError(f"there is no diffusion {self.diffusion!r}, expected physical or label.")

    def drift(self, problem: TransportProblem) -> Tensor:
        """The mean velocity, known beforehand."""
        return problem.drift()

    def velocity(self, drift: Tensor, speed: Tensor, stretch: Tensor) -> Tensor:
        """That of the problem."""
        return speed


@dataclass(frozen=True)
class Ale(Frame):
    """Labels move with the mean velocity of the start; with a relaxation, with the flow where that is harmless.

    Parameters
    ----------
    relaxation : without it there is only the drift and no unknown position. With it, X_t = drift + J / (J +
        relaxation) * (velocity - drift): where characteristics converge, J falls and labels follow less and less
    """

    relaxation: float | None = None

    def __post_init__(self) -> None:
        if self.relaxation is not None and not 0 < self.relaxation < float("inf"):
            raise InputError(f"the relaxation of a frame is {self.relaxation!r}, expected a number over 0.")

    @property
    def moves(self) -> bool:
        """Only with a relaxation."""
        return self.relaxation is not None

    def drift(self, problem: TransportProblem) -> Tensor:
        """The mean velocity."""
        return problem.drift()

    def velocity(self, drift: Tensor, speed: Tensor, stretch: Tensor) -> Tensor:
        """The drift, and some of the rest."""
        if self.relaxation is None:
            return super().velocity(drift, speed, stretch)
        share = stretch.clamp_min(0)
        return drift + share / (share + self.relaxation) * (speed - drift)


@dataclass(frozen=True)
class Rezoned(Frame):
    """Labels move with the mean velocity, and are spread anew in every slab: close where the state is steep.

    For fronts on a circle: on such labels they are smooth functions of few waves. Fronts that move beside the mean
    need slabs in which they move by little. :mod:`sciml.lpinn.rezoning` says how labels are spread.

    Parameters
    ----------
    grading : how fast the spacing may grow with the distance from a front; smaller for more labels between fronts
    waves : of the map of the labels; its k-th wave is multiplied by ``exp(-(k / waves)^2 / 2)``
    """

    moves: ClassVar[bool] = False
    grading: float = 0.5
    waves: float = 6.0

    def __post_init__(self) -> None:
        for name in ("grading", "waves"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(f"the {name} of a frame is {getattr(self, name)!r}, expected a number over 0.")

    def drift(self, problem: TransportProblem) -> Tensor:
        """The mean velocity."""
        return problem.drift()


@dataclass(frozen=True)
class Eulerian(Frame):
    """Labels stay: the usual network of space and time."""

    moves: ClassVar[bool] = False

    def drift(self, problem: TransportProblem) -> Tensor:
        """None."""
        return torch.zeros(problem.domain.dim, dtype=torch.float64)


@dataclass(frozen=True)
class Motion:
    """Derivatives of position and state by label and time at ``n`` points.

    Attributes
    ----------
    position : jet of X along the labels' axes, the sums of two of them, and time, in this order
    state : jet of w along the same
    time : ``(n, 1)``
    """

    position: Jet
    state: Jet
    time: Tensor

    @property
    def dim(self) -> int:
        """Number of axes of a label."""
        return self.position.value.shape[1]

    @property
    def deformation(self) -> Tensor:
        """F = dX/d label, ``(n, dim, dim)``: row i has the derivatives of X_i."""
        return self.position.first[: self.dim].permute(1, 2, 0)

    @property
    def gradient(self) -> Tensor:
        """Of u in space, ``(n, dim)``: F^{-T} grad w; not finite where F is singular."""
        slopes = self.state.first[: self.dim, :, 0].T
        return torch.linalg.solve_ex(self.deformation.transpose(1, 2), slopes[..., None])[0][..., 0]

    @property
    def stretch(self) -> Tensor:
        """J = det F, ``(n, 1)``."""
        return torch.linalg.det(self.deformation)[:, None]

    def laplacian(self, gradient: Tensor) -> Tensor:
        r"""Of u in space, ``(n, 1)``: sum over M = F^{-1} F^{-T} of w_{kl} - g . X_{kl}, exact for any map."""
        inverse = torch.linalg.inv_ex(self.deformation)[0]
        metric = inverse @ inverse.transpose(1, 2)
        bent = _hessian(self.state, self.dim)[..., 0] - (_hessian(self.position, self.dim) * gradient).sum(-1)
        return (metric * bent.permute(2, 0, 1)).sum((1, 2))[:, None]


def residuals(problem: TransportProblem, frame: Frame, drift: Tensor, motion: Motion) -> dict[str, Tensor]:
    """Residuals of the two equations by name, ``"position"`` ``(n, dim)`` and ``"state"`` ``(n, 1)``, unscaled.

    That of the state is multiplied by J, which bounds it where labels crowd. In the Lagrangian frame the velocity of a
    label is that of the problem, and the transport term is left out, as published.
    """
    position, state, stretch = motion.position, motion.state, motion.stretch
    speed = problem.velocity(position.value, motion.time, state.value)
    wanted = frame.velocity(drift.to(speed), speed, stretch)
    found = {"position": position.first[-1] - wanted}
    gradient = motion.gradient
    left = stretch * state.first[-1]
    if not isinstance(frame, Lagrangian):
        left = left + stretch * ((speed - position.first[-1]) * gradient).sum(1, keepdim=True)
    source = problem.source(position.value, motion.time, state.value)
    if source is not None:
        left = left - stretch * source
    if problem.viscosity:
        by_label = isinstance(frame, Lagrangian) and frame.diffusion == "label"
        spread = state.second[: motion.dim].sum(0) if by_label else motion.laplacian(gradient)
        left = left - problem.viscosity * stretch * spread
    found["state"] = left
    return found


def label_directions(dim: int, order: int) -> Tensor:
    """Directions of the jets of a motion without time: the axes and, for mixed derivatives, the sums of two of them."""
    axes = torch.eye(dim, dtype=torch.float64)
    pairs = [axes[k] + axes[m] for k in range(dim) for m in range(k)] if order == 2 else []
    return torch.cat([axes, *(pair[None] for pair in pairs)])


def _hessian(jet: Jet, dim: int) -> Tensor:
    """All second derivatives by label, ``(dim, dim, n, channels)``, by polarisation."""
    rows = [[jet.second[k] if k == m else None for m in range(dim)] for k in range(dim)]
    number = dim
    for k in range(dim):
        for m in range(k):
            rows[k][m] = rows[m][k] = (jet.second[number] - jet.second[k] - jet.second[m]) / 2
            number += 1
    return torch.stack([torch.stack(row) for row in rows])
