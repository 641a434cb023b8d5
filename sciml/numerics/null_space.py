"""Linear equality constraints ``C w = d`` of many small problems, by a basis of the null space of C."""

from __future__ import annotations

import torch
from torch import Tensor

from sciml.checks import finite, real_tensor, shape
from sciml.errors import InputError

LOST = 1e-12  # smallest singular value, relative to the largest, of constraints that count as independent


class NullSpace:
    """The points ``w = C^+ d + Z y`` that meet the constraints, with an orthonormal basis Z of the null space of C.

    Parameters
    ----------
    constraints : C, ``(items, c, unknowns)``; c may be 0

    Attributes
    ----------
    basis : Z, ``(items, unknowns, unknowns - c)``; None without constraints, for the identity

    Raises
    ------
    InputError
        If the constraints are not finite, or those of an item are dependent or leave it no freedom.

    References
    ----------
    Nocedal, Wright, "Numerical optimization", 2nd ed., 2006, section 15.3.
    """

    def __init__(self, constraints: Tensor) -> None:
        shape("the constraints", real_tensor("the constraints", constraints), ("items", "c", "unknowns"))
        finite("the constraints", constraints)
        count, unknowns = constraints.shape[1:]
        self.basis: Tensor | None = None
        self._range = constraints.mT
        self._triangle = constraints.new_zeros(len(constraints), 0, 0)
        if not count:
            return
        if count >= unknowns:
            raise InputError(
                f"there are {count} equality constraints for {unknowns} unknowns, expected fewer constraints than "
                "unknowns; drop some, or weight them as rows."
            )
        q, r = torch.linalg.qr(constraints.mT, mode="complete")
        self._range, self.basis = q[:, :, :count], q[:, :, count:]
        self._triangle = r[:, :count]
        values = torch.linalg.svdvals(self._triangle)
        dependent = ~(values[:, -1] > LOST * values[:, 0])
        if bool(dependent.any()):
            item = int(dependent.nonzero()[0])
            rank = int((values[item] > LOST * values[item, 0]).sum())
            raise InputError(
                f"the {count} equality constraints of item {item} have the rank {rank}, expected independent ones; "
                "drop those that follow from the others, or weight them as rows."
            )

    def particular(self, levels: Tensor) -> Tensor:
        """Return the shortest vectors that meet the constraints, ``C^+ d``.

        Parameters
        ----------
        levels : d, ``(items, c)``
        """
        found = torch.linalg.solve_triangular(self._triangle.mT, levels[..., None], upper=False)
        return (self._range @ found)[..., 0]

    def multipliers(self, force: Tensor) -> Tensor:
        """Return the multipliers whose force ``C^T multipliers`` is nearest to a given one, ``(items, c)``."""
        return torch.linalg.solve_triangular(self._triangle, self._range.mT @ force[..., None], upper=True)[..., 0]

    def restrict(self, matrices: Tensor) -> Tensor:
        """Return ``Z^T M Z``: symmetric matrices on the null space."""
        return matrices if self.basis is None else self.basis.mT @ matrices @ self.basis

    def coordinates(self, vectors: Tensor) -> Tensor:
        """Return ``Z^T v``, ``(items, unknowns - c)``."""
        return vectors if self.basis is None else (self.basis.mT @ vectors[..., None])[..., 0]

    def expand(self, coordinates: Tensor, items: Tensor | slice = slice(None)) -> Tensor:
        """Return ``Z y`` of some items."""
        return coordinates if self.basis is None else (self.basis[items] @ coordinates[..., None])[..., 0]
