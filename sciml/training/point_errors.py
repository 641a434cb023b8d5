"""Errors of a field against the exact solution at many fixed points."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sciml.domains import Domain
from sciml.domains.output_points import evaluation_points
from sciml.metrics import relative_l2

ERRORS = ("mean_absolute_error", "relative_l2", "mean_square_error")


class PointErrors:
    """Errors of one field where the exact solution is known, as means over fixed points and channels.

    Parameters
    ----------
    domain : of the points, which are those of :func:`~sciml.domains.output_points.evaluation_points`
    exact : the exact field ``(n, channels)`` at points ``(n, dim)`` and a time; None where it is not known
    """

    def __init__(self, domain: Domain, exact: Callable[[Tensor, float], Tensor | None]) -> None:
        self._exact = exact
        self.points = evaluation_points(domain)
        self.known = exact(self.points[:1], 0.0) is not None

    def __call__(
        self, field: Callable[[Tensor], Tensor], time: float, device: torch.device | str = "cpu"
    ) -> dict[str, float]:
        """Return the mean absolute, relative L2 and mean square error; nothing where the exact field is not known.

        The relative error is left out where the exact field is zero at all points.

        Parameters
        ----------
        field : evaluates at points ``(n, dim)``
        time : at which the exact field is evaluated
        device : on which the points are
        """
        if not self.known:
            return {}
        points = self.points.to(device)
        exact = self._exact(points, time)
        values, reference = (found.detach().cpu().numpy() for found in (field(points).to(exact), exact))
        error = {"mean_absolute_error": float(np.abs(values - reference).mean())}
        if np.any(reference):
            error["relative_l2"] = relative_l2(values, reference)
        return error | {"mean_square_error": float(np.square(values - reference).mean())}
