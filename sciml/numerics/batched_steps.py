"""Damped Gauss-Newton steps of many dense least-squares problems by QR, which never squares a condition number."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor


class DenseLinearisation:
    """A :class:`~sciml.numerics.batched_least_squares.BatchedLinearisation` of residuals with dense Jacobians.

    The triangle of ``[J r] = Q [R z]`` is all that is kept: ``J^T r = R^T z``, and a damped step is the solution of
    ``[R; sqrt(damping) I] d = [-z; 0]``, whose cost does not depend on the number of rows.

    Parameters
    ----------
    residual : r, ``(items, rows)``
    jacobian : returns J, ``(items, rows, unknowns)``; called once, and only if steps are asked for

    References
    ----------
    Moré, "The Levenberg-Marquardt algorithm: implementation and theory", 1978, section 3.
    """

    def __init__(self, residual: Tensor, jacobian: Callable[[], Tensor]) -> None:
        self.residual, self.jacobian = residual, jacobian

    @cached_property
    def cost(self) -> Tensor:
        """Half the sum of squares, ``(items,)``."""
        return 0.5 * self.residual.square().sum(1)

    @cached_property
    def gradient(self) -> Tensor:
        """``J^T r``, ``(items, unknowns)``."""
        return (self.triangle.mT @ self._right)[..., 0]

    @cached_property
    def scale(self) -> Tensor:
        """The mean of the diagonal of ``J^T J``, ``(items,)``."""
        return self.triangle.square().sum((1, 2)) / self.triangle.shape[2]

    def step(self, damping: Tensor) -> Tensor:
        """Return the damped steps for one absolute damping an item, ``(items, unknowns)``."""
        unknowns = self.triangle.shape[2]
        ridge = torch.eye(unknowns, unknowns + 1, dtype=damping.dtype, device=damping.device)
        stacked = torch.cat([self._factors, damping.sqrt()[:, None, None] * ridge], 1)
        factors = torch.linalg.qr(stacked, mode="r").R
        upper, right = factors[:, :unknowns, :unknowns], factors[:, :unknowns, unknowns:]
        return -torch.linalg.solve_triangular(upper, right, upper=True)[..., 0]

    @property
    def triangle(self) -> Tensor:
        """R, ``(items, min(rows, unknowns + 1), unknowns)``."""
        return self._factors[:, :, :-1]

    @property
    def _right(self) -> Tensor:
        return self._factors[:, :, -1:]

    @cached_property
    def _factors(self) -> Tensor:
        return torch.linalg.qr(torch.cat([self.jacobian(), self.residual[..., None]], 2), mode="r").R
