r"""Polynomial bases on the reference interval [-1, 1] from Chebyshev polynomials, with their derivatives.

They are torch functions of the points, so that fields made of them can be differentiated further.

- :func:`chebyshev`: T_0, ..., T_p
- :func:`smooth_element`: a basis for functions that are continuously differentiable across elements
- :func:`from_zero`: polynomials that vanish at -1, such as increments from the start of a time slab
- :func:`gauss_legendre`: nodes and weights
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sciml.checks import real_tensor, shape, whole_number

ENDS = 4  # functions of a smooth element that do not vanish at its ends together with their slopes
SMALLEST_DEGREE = 3  # of a smooth element


def chebyshev(points: Tensor, degree: int, order: int = 0) -> Tensor:
    r"""Return the Chebyshev polynomials and their derivatives at points, by T_{k+1} = 2 x T_k - T_{k-1}.

    Parameters
    ----------
    points : ``(n,)`` in [-1, 1]
    degree : p, at least 0
    order : of the highest derivative, at least 0

    Returns
    -------
    Tensor
        ``(order + 1, n, degree + 1)``. Equivalent to ``numpy.polynomial.chebyshev.chebvander`` and ``chebder``.
    """
    shape("the points of a Chebyshev basis", real_tensor("the points of a Chebyshev basis", points), ("n",))
    whole_number("the degree of a Chebyshev basis", degree, at_least=0)
    whole_number("the order of a derivative", order, at_least=0)
    one, zero = torch.ones_like(points), torch.zeros_like(points)
    columns = [[one] + [zero] * order]
    if degree:
        columns.append([points, one, *[zero] * order][: order + 1])
    for _ in range(1, degree):
        last, before = columns[-1], columns[-2]
        # the derivative of order k of 2 x T is 2 x T^(k) + 2 k T^(k-1)
        below = [zero, *last[:-1]]
        columns.append([2 * points * last[k] + 2 * k * below[k] - before[k] for k in range(order + 1)])
    return torch.stack([torch.stack([column[k] for column in columns], -1) for k in range(order + 1)])


def smooth_element(points: Tensor, degree: int, order: int = 0) -> Tensor:
    r"""Return a basis of the polynomials on an element in which values and slopes at the ends are coefficients.

    The first p - 3 functions are bubbles, which vanish at both ends together with their slopes,
    T_k - 2 (k + 2) / (k + 3) T_{k+2} + (k + 1) / (k + 3) T_{k+4}; the last four are Hermite's cubics of value and slope
    at -1, value and slope at 1. Elements that share these four are continuously differentiable across their faces.

    Parameters
    ----------
    points : ``(n,)`` in [-1, 1]
    degree : p, at least 3
    order : of the highest derivative

    Returns
    -------
    Tensor
        ``(order + 1, n, degree + 1)``.

    References
    ----------
    Shen, "Efficient spectral-Galerkin method II", SIAM J. Sci. Comput. 16, 1995, equation (3.4) for the bubbles.
    """
    whole_number("the degree of an element", degree, at_least=SMALLEST_DEGREE)
    table = chebyshev(points, degree, order)
    return table @ _in_chebyshev(degree).to(table)


def from_zero(points: Tensor, degree: int, order: int = 0) -> Tensor:
    r"""Return the basis T_k - T_k(-1), k = 1, ..., q, of the polynomials that vanish at -1, and its derivatives.

    Parameters
    ----------
    points : ``(n,)`` in [-1, 1]
    degree : q, at least 1
    order : of the highest derivative

    Returns
    -------
    Tensor
        ``(order + 1, n, degree)``.
    """
    whole_number("the degree of a basis that vanishes at the start", degree, at_least=1)
    table = chebyshev(points, degree, order)[:, :, 1:]
    start = (-1.0) ** torch.arange(1, degree + 1, dtype=table.dtype, device=table.device)
    return torch.cat([table[:1] - start, table[1:]])


def gauss_legendre(count: int) -> tuple[Tensor, Tensor]:
    """Return the nodes and the weights of the rule on [-1, 1] that is exact up to the degree ``2 count - 1``."""
    nodes, weights = np.polynomial.legendre.leggauss(whole_number("Gauss points", count, at_least=1))
    return torch.from_numpy(nodes), torch.from_numpy(weights)


def _in_chebyshev(degree: int) -> Tensor:
    """Return the coefficients of the smooth element's functions in Chebyshev polynomials, one column for each."""
    matrix = torch.zeros(degree + 1, degree + 1, dtype=torch.float64)
    for k in range(degree - 3):
        matrix[k, k], matrix[k + 2, k], matrix[k + 4, k] = 1.0, -2 * (k + 2) / (k + 3), (k + 1) / (k + 3)
    # in T_0, ..., T_3: (2 - 3 x + x^3) / 4, (1 - x - x^2 + x^3) / 4, and their mirror images
    cubics = [[8, -9, 0, 1], [2, -1, -2, 1], [8, 9, 0, -1], [-2, -1, 2, 1]]
    matrix[:4, degree - 3 :] = torch.tensor(cubics, dtype=torch.float64).T / 16
    return matrix
