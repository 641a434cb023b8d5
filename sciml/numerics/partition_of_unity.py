r"""Smooth windows that sum to one on a periodic axis: the weights by which local fields are blended into global ones.

K windows are translates of a Fejér kernel, a trigonometric polynomial of degree K - 1 that is not negative:

.. math::

    \phi_k(x) = \frac1{K^2} \frac{\sin^2 \pi K (x - x_k)}{\sin^2 \pi (x - x_k)}
              = \frac1K \Big(1 + 2 \sum_{j=1}^{K-1} \big(1 - \tfrac jK\big) \cos 2 \pi j (x - x_k)\Big),
    \qquad x_k = \frac{k + 1/2}K .

Each is 1 at the centre of its own interval ``[k / K, (k + 1) / K)`` and 0 at those of the others, and two of them are
``cos^2`` and ``sin^2``. Since windows have infinitely many derivatives and few Fourier modes, a field times a window
is as smooth as the field.

>>> x = torch.linspace(0, 1, 9, dtype=torch.float64)[:-1]
>>> bool(torch.allclose(periodic_windows(x, 3).sum(0), torch.ones_like(x), atol=1e-15))
True

Reference: Katznelson, An Introduction to Harmonic Analysis, 3rd ed., 2004, section I.2.5 (the kernel); Melenk and
Babuška, Comput. Methods Appl. Mech. Eng. 139 (1996) 289 (what such partitions are for).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sciml.checks import real_tensor, shape, whole_number
from sciml.errors import InputError


def periodic_windows(points: Tensor, count: int) -> Tensor:
    """Return windows at points of an axis of period 1, which sum to one at each; one window is the constant 1.

    Parameters
    ----------
    points : ``(n,)``
    count : K, at least 1

    Returns
    -------
    Tensor
        ``(K, n)``, a differentiable function of the points.
    """
    shape("the points of windows", real_tensor("the points of windows", points), ("n",))
    whole_number("the number of windows", count, at_least=1)
    centres = (torch.arange(count, dtype=points.dtype, device=points.device) + 0.5) / count
    angles = 2 * torch.pi * (points - centres[:, None])
    waves = [2 * (1 - j / count) * torch.cos(j * angles) for j in range(1, count)]
    return (1 + sum(waves, torch.zeros_like(angles))) / count


def product_windows(axes: Sequence[Tensor], counts: Sequence[int]) -> Tensor:
    """Return the products of the windows of several axes, which sum to one on their grid.

    Parameters
    ----------
    axes : the points of each axis, ``(n_1,)``, ``(n_2,)``, ...
    counts : windows along each axis

    Returns
    -------
    Tensor
        ``(K_1 K_2 ..., n_1, n_2, ...)``, the windows in the order of rows.
    """
    if len(axes) != len(counts) or not len(axes):
        raise InputError(f"there are {len(axes)} axes and {len(counts)} numbers of windows, expected as many of both.")
    result = periodic_windows(axes[0], counts[0])
    for points, count in zip(axes[1:], counts[1:], strict=True):
        windows = periodic_windows(points, count)
        result = torch.einsum("k...,ln->kl...n", result, windows).flatten(0, 1)
    return result
