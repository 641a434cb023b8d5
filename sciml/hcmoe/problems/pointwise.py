"""The residual of a space-time problem as least squares over points take it."""

from __future__ import annotations

from torch import Tensor

from sciml.hcmoe.problems.base import Points, SpaceTimeProblem
from sciml.numerics.pointwise_residuals import PointwiseResidual


class EquationResidual(PointwiseResidual):
    """The residual of a problem, of which time and place are the first two coefficients."""

    def __init__(self, problem: SpaceTimeProblem, names: list[str]) -> None:
        self.problem, self.names, self.linear = problem, names, problem.linear

    def __str__(self) -> str:
        return type(self.problem).__name__

    def value(self, v: Tensor, *coefficients: Tensor) -> Tensor:
        """Return the residual of the equation."""
        t, x, *values = coefficients
        return self.problem.residual(v.unbind(1), Points(x, t, dict(zip(self.names, values, strict=True))))
