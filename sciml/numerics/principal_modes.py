r"""Proper orthogonal decomposition: the orthonormal modes in which data are nearest to their mean, in least squares.

.. math:: u \approx \bar u + \sum_{k \le r} a_k v_k, \qquad a_k = \langle u - \bar u, v_k \rangle

The modes are the eigenvectors of the covariance with the largest eigenvalues; what they miss of the data has the mean
square of the eigenvalues left out, the least of all r-dimensional spaces. Source: Sirovich, "Turbulence and the
dynamics of coherent structures", Quarterly of Applied Mathematics 45, 1987 (the method of snapshots); in statistics,
principal component analysis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sciml.checks import finite, real_tensor, shape, whole_number
from sciml.errors import InputError

RANK = 1e-12  # of the largest eigenvalue, below which one is rounding


@dataclass(frozen=True)
class PrincipalModes:
    """A mean and orthonormal modes about it, in double precision.

    Attributes
    ----------
    mean : ``(...)``
    modes : ``(count, ...)``, orthonormal
    variances : mean squares of the coefficients over the data, decreasing, ``(count,)``
    left_out : mean square of what the modes miss, summed over the entries of an item
    """

    mean: Tensor
    modes: Tensor
    variances: Tensor
    left_out: float

    def encode(self, items: Tensor) -> Tensor:
        """Return the coefficients of items ``(..., *entries)``, ``(..., count)``, in their type."""
        shape("the items", items, (..., *self.mean.shape))
        batch = items.shape[: items.ndim - self.mean.ndim]
        return (items - self.mean.to(items)).reshape(*batch, -1) @ self.modes.flatten(1).T.to(items)

    def decode(self, coefficients: Tensor) -> Tensor:
        """Return the items of coefficients ``(..., count)``, in their type."""
        shape("the coefficients", coefficients, (..., len(self.modes)))
        flat = coefficients @ self.modes.flatten(1).to(coefficients)
        return flat.reshape(*coefficients.shape[:-1], *self.mean.shape) + self.mean.to(coefficients)


def principal_modes(data: Tensor, count: int) -> PrincipalModes:
    """Return the mean of data and their first principal modes.

    Parameters
    ----------
    data : items ``(n, ...)``
    count : number of modes, at most the rank of the data about their mean

    Raises
    ------
    InputError
        The data are not finite or have too small a rank.
    """
    items = finite("the data", real_tensor("the data", data)).double()
    n, width = len(items), math.prod(items.shape[1:])
    whole_number("the number of modes", count, at_least=1, at_most=min(n - 1, width))
    mean = items.mean(0)
    rows = (items - mean).flatten(1)
    few = n <= width  # the smaller of the two matrices of inner products
    values, vectors = torch.linalg.eigh(rows @ rows.T if few else rows.T @ rows)
    first = vectors[:, -count:].flip(1)
    variances = values[-count:].flip(0) / n
    if not variances[-1] > RANK * variances[0]:
        rank = int((values > RANK * values[-1]).sum())
        raise InputError(f"the number of modes is {count}, expected at most the rank of the data, {rank}.")
    spanned = rows.T @ first if few else first
    basis, triangle = torch.linalg.qr(spanned)  # removes the rounding of the products
    modes = (basis * triangle.diagonal().sign()).T
    left = max(0.0, float(values.clamp(min=0).sum() / n - variances.sum()))
    return PrincipalModes(mean, modes.reshape(count, *mean.shape), variances, left)
