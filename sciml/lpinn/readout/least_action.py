r"""The read-out of fitted characteristics past shocks: of all labels at a point, the one of least action.

Without viscosity a conservation law is w = constant along X, and networks of label and time stay smooth where labels
overtake each other. The label of the entropy solution follows from the action A(\xi) = \int w dX/d\xi d\xi at one time,
which the characteristics themselves give, without the flux or a term of the loss at the shock (see
:mod:`sciml.reference.conservation_laws_entropy`, which has the theorem and the search).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.lpinn.characteristics import Characteristics
from sciml.lpinn.readout.field import SpaceTimeField
from sciml.reference import conservation_laws_entropy as conservation
from sciml.reference.trigonometric_series import TrigonometricSeries

MODES = 512  # of displacement and momentum w dX/d label, the last of which should be rounding
ROUNDING = 1e-15


@dataclass(frozen=True)
class EntropyField(SpaceTimeField):
    """The entropy solution of a convex conservation law on a periodic interval, before and after shocks.

    Parameters
    ----------
    characteristics : problem without viscosity, a frame whose labels move with the flow, and network
    weights : of the slabs, ``(slabs, p)``
    """

    labels_may_cross: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _suits(self.characteristics):
            problem, frame = self.characteristics.problem, self.characteristics.frame
            raise InputError(
                "the read-out by least action is for convex laws without viscosity on a periodic interval whose labels "
                f"move with the flow, got {type(problem).__name__} in {problem.domain} with the viscosity "
                f"{problem.viscosity:g} and the frame {type(frame).__name__}; use SpaceTimeField."
            )

    def labels(self, points: Tensor, time: float) -> Tensor:
        """Return the labels of least action, ``(n, 1)``, of points."""
        found = self.at(time).least(points[:, 0].detach().cpu().numpy()).labels
        return torch.from_numpy(found).to(points)[:, None]

    def shocks(self, time: float) -> conservation.Shocks:
        """Return the positions of shocks at a time, with the states on both sides."""
        jumps = np.array(self.at(time).jumps()).reshape(-1, 3)
        positions = jumps[:, 0] % self._period
        order = np.argsort(positions)
        left, right = (self._evaluate(jumps[order, side], time)[1] for side in (1, 2))
        return conservation.Shocks(positions[order], left, right)

    def at(self, time: float) -> conservation.Characteristics:
        """Return position, stretch and action of all labels at a time, from the series of displacement and momentum."""
        displacement = self._series(lambda labels: self._evaluate(labels, time)[0] - labels)
        momentum = self._series(lambda labels: np.multiply(*self._evaluate(labels, time)[1:]))
        return conservation.Characteristics(
            lambda labels: labels + displacement(labels),
            lambda labels: 1 + displacement.slope(labels),
            momentum.antiderivative,
            self._period,
        )

    @property
    def _period(self) -> float:
        box = self.problem.domain
        return box.upper[0] - box.lower[0]

    def _series(self, function: Callable[[np.ndarray], np.ndarray]) -> TrigonometricSeries:
        """Return the Fourier series of a function of the label without modes that are rounding, for fast evaluation."""
        series = TrigonometricSeries.interpolating(function, self._period, MODES)
        sizes = np.hypot(series.cosines, series.sines)
        last = int((sizes > ROUNDING * (abs(series.mean) + sizes.max())).nonzero()[0].max(initial=0)) + 1
        return replace(series, cosines=series.cosines[:last], sines=series.sines[:last])

    def _evaluate(self, labels: np.ndarray, time: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return position, state and stretch of labels, each ``(n,)``; labels may be in other periods."""
        given = torch.from_numpy(labels).to(self.weights)[:, None]
        home = self.home(given)
        position, state, stretch = self.characteristics.evaluate(self.weights, home, time)
        parts = (position + given - home, state, stretch[:, 0])
        return tuple(part[:, 0].cpu().numpy() for part in parts)


def field_of(characteristics: Characteristics, weights: Tensor) -> SpaceTimeField:
    """Return the read-out of a solution: by least action where labels may overtake each other, otherwise one to one."""
    return (EntropyField if _suits(characteristics) else SpaceTimeField)(characteristics, weights)


def _suits(characteristics: Characteristics) -> bool:
    problem, follows = characteristics.problem, characteristics.frame.follows_flow
    circle = problem.domain.dim == 1 and all(problem.domain.periodic)
    return circle and follows and problem.convex and not problem.viscosity
