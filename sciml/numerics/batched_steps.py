"""Damped Gauss-Newton steps of many dense least-squares problems by QR, which never squares a condition number."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor


class FactoredLinearisation:
    """A :class:`~sciml.numerics.batched_least_squares.BatchedLinearisation` by the triangle of residuals and Jacobian.

    ``[J r] = Q [R z]`` gives ``J^T r = R^T z``, and a damped step is the solution of
    ``[R; sqrt(damping) I] d = [-z; 0]``, whose cost does not depend on the number of rows.

    Parameters
    ----------
    cost : half the sum of squares, ``(items,)``
    factors : returns ``[R z]``, or any matrix with the same product ``F^T F``, ``(items, rows, unknowns + 1)``; called
        once, and only if steps are asked for

    References
    ----------
    Moré, "The Levenberg-Marquardt algorithm: implementation and theory", 1978, section 3.
    """

    def __init__(self, cost: Tensor, factors: Callable[[], Tensor]) -> None:
        self.cost, self._factors_of = cost, factors

    @cached_property
    def factors(self) -> Tensor:
        """``[R z]``, ``(items, min(rows, unknowns + 1), unknowns + 1)``."""
        return torch.linalg.qr(self._factors_of(), mode="r").R

    @property
    def triangle(self) -> Tensor:
        """R, with a last row of zeros where there are more rows than unknowns."""
        return self.factors[:, :, :-1]

    @cached_property
    def gradient(self) -> Tensor:
        """The gradient of half the sum of squares, ``J^T r``, of shape ``(items, unknowns)``."""
        return (self.triangle.mT @ self.factors[:, :, -1:])[..., 0]

    @cached_property
    def scale(self) -> Tensor:
        """The mean of the diagonal of ``J^T J``, ``(items,)``."""
        return self.triangle.square().sum((1, 2)) / self.triangle.shape[2]

    def step(self, damping: Tensor) -> Tensor:
        """Return the damped steps for one absolute damping an item, ``(items, unknowns)``."""
        unknowns = self.triangle.shape[2]
        ridge = torch.eye(unknowns, unknowns + 1, dtype=damping.dtype, device=damping.device)
        stacked = torch.cat([self.factors, damping.sqrt()[:, None, None] * ridge], 1)
        factors = torch.linalg.qr(stacked, mode="r").R
        upper, right = factors[:, :unknowns, :unknowns], factors[:, :unknowns, unknowns:]
        return -torch.linalg.solve_triangular(upper, right, upper=True)[..., 0]

    def along(self, basis: Tensor) -> FactoredLinearisation:
        """Return the linearisation in the coordinates y of ``w = Z y``.

        Parameters
        ----------
        basis : Z, ``(items, unknowns, coordinates)``
        """
        return FactoredLinearisation(self.cost, lambda: torch.cat([self.triangle @ basis, self.factors[:, :, -1:]], 2))

    def joined(self, members: int, residual: Tensor, matrix: Tensor) -> FactoredLinearisation:
        """Return the linearisation of groups of consecutive items, with further rows that couple their members.

        Parameters
        ----------
        members : of each group, whose unknowns are one after the other
        residual, matrix : of the further rows, ``(groups, q)`` and ``(groups, q, members * unknowns)``
        """

        def factors() -> Tensor:
            right = torch.cat([self.factors[:, :, -1].reshape(len(residual), -1), residual], 1)
            return torch.cat([torch.cat([block_diagonal(self.triangle, members), matrix], 1), right[..., None]], 2)

        cost = self.cost.reshape(-1, members).sum(1) + 0.5 * residual.square().sum(1)
        return FactoredLinearisation(cost, factors)


class DenseLinearisation(FactoredLinearisation):
    """The linearisation of residuals with dense Jacobians.

    Parameters
    ----------
    residual : r, ``(items, rows)``
    jacobian : returns J, ``(items, rows, unknowns)``; called once, and only if steps are asked for
    """

    def __init__(self, residual: Tensor, jacobian: Callable[[], Tensor]) -> None:
        cost = 0.5 * residual.square().sum(1)
        super().__init__(cost, lambda: torch.cat([jacobian(), residual[..., None]], 2))


def block_diagonal(blocks: Tensor, members: int) -> Tensor:
    """Return matrices with consecutive blocks on their diagonals, ``(groups, members * rows, members * columns)``.

    Parameters
    ----------
    blocks : ``(groups * members, rows, columns)``
    members : blocks of each group
    """
    rows, columns = blocks.shape[1:]
    groups = len(blocks) // members
    matrices = blocks.new_zeros(groups, members, rows, members, columns)
    matrices.diagonal(dim1=1, dim2=3).copy_(blocks.view(groups, members, rows, columns).movedim(1, -1))
    return matrices.view(groups, members * rows, members * columns)
