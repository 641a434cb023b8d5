r"""Smooth windows that sum to one on an axis: the weights by which local fields are blended into global ones.

On a periodic axis, K windows are translates of a Fejér kernel, a trigonometric polynomial of degree K - 1 that is not
negative:

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

Windows of an interval, :func:`interval_windows`, overlap with their neighbours alone: each is the difference of two
steps with infinitely many derivatives, around its faces.

Reference: Katznelson, An Introduction to Harmonic Analysis, 3rd ed., 2004, section I.2.5 (the kernel); Melenk and
Babuška, Comput. Methods Appl. Mech. Eng. 139 (1996) 289 (what such partitions are for).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sciml.checks import real_tensor, shape, whole_number
from sciml.errors import InputError

SMALLEST = 1e-3  # of s, where a step and its derivatives are 0 in double precision


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


def interval_windows(points: Tensor, faces: Tensor, order: int = 0) -> Tensor:
    r"""Return windows of the pieces of an interval, which sum to one at each point, and their derivatives.

    The step around a face is :math:`1 / (1 + e^{1/s - 1/(1 - s)})`, where s goes from 0 to 1 over half of the smaller
    of its pieces to either side; it has infinitely many derivatives, and is constant beyond. A point is thus in two
    windows at most.

    Parameters
    ----------
    points : ``(n,)``
    faces : of the K pieces, rising, ``(K + 1,)``; the first window goes on below, and the last above
    order : of the highest derivative, at most 2

    Returns
    -------
    Tensor
        ``(order + 1, K, n)``.
    """
    shape("the points of windows", real_tensor("the points of windows", points), ("n",))
    whole_number("the order of a derivative of windows", order, at_least=0, at_most=2)
    lengths = faces.diff()
    if len(faces) < 2 or not bool((lengths > 0).all()):
        raise InputError(f"the faces of windows are {faces.tolist()}, expected two or more that rise.")
    reach = torch.minimum(lengths[:-1], lengths[1:])[:, None]  # of the step around each inner face
    s = (0.5 + (points - faces[1:-1, None]) / reach).clamp(SMALLEST, 1 - SMALLEST)
    slope, curvature = 1 / (1 - s) ** 2 + 1 / s**2, 2 / (1 - s) ** 3 - 2 / s**3
    step = torch.sigmoid(1 / (1 - s) - 1 / s)
    rise = step * torch.sigmoid(1 / s - 1 / (1 - s))
    steps = [step, rise * slope / reach, rise * ((1 - 2 * step) * slope**2 + curvature) / reach**2]
    one, zero = points.new_ones(1, len(points)), points.new_zeros(1, len(points))
    whole = [torch.cat([one if k == 0 else zero, steps[k], zero]) for k in range(order + 1)]
    return torch.stack([each[:-1] - each[1:] for each in whole])
