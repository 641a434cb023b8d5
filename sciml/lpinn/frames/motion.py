"""`LabelMotion`: the motion of labels and the state on them, with all derivatives that the equations need."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sciml.numerics.derivatives import Jet


@dataclass(frozen=True)
class LabelMotion:
    """Position and state with their derivatives by label and time at ``n`` points.

    Attributes
    ----------
    position : jet of X along the axes of the labels, the sums of two of them, and time, in this order
    state : jet of w along the same directions
    time : ``(n, 1)``
    """

    position: Jet
    state: Jet
    time: Tensor

    @property
    def dim(self) -> int:
        """The number of components of a label."""
        return self.position.value.shape[1]

    @property
    def deformation(self) -> Tensor:
        """The deformation gradient F = dX/d label, ``(n, dim, dim)``: row i has the derivatives of X_i."""
        return self.position.first[: self.dim].permute(1, 2, 0)

    @property
    def gradient(self) -> Tensor:
        """The gradient of u in space, ``(n, dim)``: F^{-T} grad w; not finite where F is singular."""
        slopes = self.state.first[: self.dim, :, 0].T
        return torch.linalg.solve_ex(self.deformation.transpose(1, 2), slopes[..., None])[0][..., 0]

    @property
    def stretch(self) -> Tensor:
        """The Jacobian determinant J = det F, ``(n, 1)``."""
        return torch.linalg.det(self.deformation)[:, None]

    def laplacian(self, gradient: Tensor) -> Tensor:
        r"""Return Laplace u, ``(n, 1)``: the sum of M_{kl} (w_{kl} - g . X_{kl}), M = F^{-1} F^{-T}, for any map."""
        inverse = torch.linalg.inv_ex(self.deformation)[0]
        metric = inverse @ inverse.transpose(1, 2)
        bent = _hessian(self.state, self.dim)[..., 0] - (_hessian(self.position, self.dim) * gradient).sum(-1)
        return (metric * bent.permute(2, 0, 1)).sum((1, 2))[:, None]


def label_directions(dim: int, order: int) -> Tensor:
    """Return the directions in label space: the axes and, for mixed derivatives, the sums of two of them."""
    axes = torch.eye(dim, dtype=torch.float64)
    pairs = [axes[k] + axes[m] for k in range(dim) for m in range(k)] if order == 2 else []
    return torch.cat([axes, *(pair[None] for pair in pairs)])


def _hessian(jet: Jet, dim: int) -> Tensor:
    """Return all second derivatives by label, ``(dim, dim, n, channels)``, by polarisation."""
    rows = [[jet.second[k] if k == m else None for m in range(dim)] for k in range(dim)]
    number = dim
    for k in range(dim):
        for m in range(k):
            rows[k][m] = rows[m][k] = (jet.second[number] - jet.second[k] - jet.second[m]) / 2
            number += 1
    return torch.stack([torch.stack(row) for row in rows])
