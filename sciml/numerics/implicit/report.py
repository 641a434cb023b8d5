"""Reports on a solution and its derivatives: the residuals of the condition and of the adjoint solve."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class DerivativeReport:
    """Residuals of the linear system of a derivative: J^T y = c in reverse mode, J v = r in forward mode.

    Attributes
    ----------
    residual : Euclidean norm of what is left of the right-hand side, ``(*batch,)``
    scale : that of the right-hand side
    iterations : of each item, 0 if the solve is direct
    """

    residual: Tensor
    scale: Tensor
    iterations: Tensor


@dataclass(eq=False)
class ImplicitReport:
    """A report on a solution, to which the passes that compute derivatives add theirs.

    Attributes
    ----------
    residual : Euclidean norm of the condition F(x, p) at the solution, ``(*batch,)``
    info : what the solver returned beside the solution, if anything
    adjoint : of the last reverse pass
    tangent : of the last forward-mode pass
    """

    residual: Tensor | None = None
    info: object = None
    adjoint: DerivativeReport | None = None
    tangent: DerivativeReport | None = None
