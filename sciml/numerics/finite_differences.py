r"""Derivatives of grid functions by finite differences of any even order, as linear operators along one axis.

On n points with the spacing h, the derivative of order d at the point i is

    u_i^{(d)} \approx h^{-d} \sum_k w_k u_{i + k},

with weights w that are exact on polynomials up to the degree d + p - 1. Stencils are centred inside; at the ends of a
grid that is not periodic they are one-sided, and one point longer where the order p needs it. A basis of fields is one
tensor: the other axes are carried along, and gradients flow through.

References: Fornberg, Math. Comp. 51 (1988) 699 (weights); LeVeque, Finite Difference Methods, 2007, chapter 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import factorial, prod

import numpy as np
import torch
from torch import Tensor

from sciml.checks import choice, instance, number, real_tensor, whole_number
from sciml.errors import InputError

LARGEST_DERIVATIVE = 4
ORDERS = (2, 4, 6, 8)
SMALLEST = 1e-70  # spacing, whose fourth power has to have an inverse


def stencil_weights(offsets: Sequence[int], derivative: int) -> np.ndarray:
    """Return the weights of values at 0 + offsets for a derivative at 0, on points one apart.

    They are exact on polynomials with as many coefficients as there are points.

    Parameters
    ----------
    offsets : different whole numbers, more than ``derivative``
    derivative : order of the derivative, 0 for interpolation

    Returns
    -------
    ndarray
        One weight for each offset.

    Examples
    --------
    >>> stencil_weights([-1, 0, 1], 2).tolist()
    [1.0, -2.0, 1.0]
    """
    whole_number("the derivative of a stencil", derivative, at_least=0)
    instance("the offsets of a stencil", offsets, Sequence, "a sequence of whole numbers")
    for offset in offsets:
        whole_number("an offset of a stencil", offset)
    if len(set(offsets)) < max(len(offsets), derivative + 1):
        raise InputError(
            f"the offsets of a stencil are {list(offsets)}, expected more than {derivative} different whole numbers."
        )
    weights = []
    for place in offsets:  # the derivative of the Lagrange polynomial of each point, in whole numbers: no rounding
        others = [other for other in offsets if other != place]
        coefficients = [1]
        for other in others:
            shifted, scaled = [0, *coefficients], [other * each for each in coefficients] + [0]
            coefficients = [high - low for high, low in zip(shifted, scaled, strict=True)]
        whole = factorial(derivative) * coefficients[derivative]
        weights.append(whole / prod(place - other for other in others))
    return np.array(weights)


@dataclass(frozen=True)
class FiniteDifference:
    """The derivative along one axis of a tensor that holds values on equally spaced points.

    Parameters
    ----------
    points : n
    spacing : h
    derivative : d, 1 to 4
    order : p of the error h^p: 2, 4, 6 or 8
    periodic : whether the point after the last one is the first

    Raises
    ------
    InputError
        If a number is out of its range, or there are fewer points than the stencil needs.

    Examples
    --------
    >>> x = torch.linspace(0, 1, 5, dtype=torch.float64)
    >>> slope = FiniteDifference(5, 0.25)
    >>> bool(torch.allclose(slope(x**2), 2 * x))
    True
    """

    points: int
    spacing: float
    derivative: int = 1
    order: int = 2
    periodic: bool = False

    def __post_init__(self) -> None:
        number("the spacing of finite differences", self.spacing, at_least=SMALLEST, at_most=1 / SMALLEST)
        whole_number("the derivative of finite differences", self.derivative, at_least=1, at_most=LARGEST_DERIVATIVE)
        choice("the order of finite differences", self.order, ORDERS)
        instance("periodic", self.periodic, bool, "True or False")
        least = 2 * self._reach + 1 if self.periodic else self._longest
        whole_number("the number of points of finite differences", self.points, at_least=least)

    def __call__(self, values: Tensor, axis: int = -1) -> Tensor:
        """Return the derivative, in the shape and type of the values.

        Parameters
        ----------
        values : (..., n, ...), of floating-point numbers
        axis : that of the n points

        Raises
        ------
        InputError
            If the axis is not there or has another length.
        """
        real_tensor("what is differentiated by finite differences", values)
        whole_number("the axis of finite differences", axis)
        if not -values.ndim <= axis < values.ndim or values.shape[axis] != self.points:
            raise InputError(
                f"finite differences along axis {axis} of values of shape {tuple(values.shape)}, expected "
                f"{self.points} points there."
            )
        lengths = [1] * values.ndim
        lengths[axis] = self.points
        result = torch.zeros_like(values)
        for place, weight in zip(self._places.T, self._weights.T, strict=True):
            column = torch.as_tensor(weight, dtype=values.dtype, device=values.device).reshape(lengths)
            chosen = torch.as_tensor(place, device=values.device)
            result = result + column * values.index_select(axis, chosen)
        return result

    @property
    def matrix(self) -> np.ndarray:
        """The operator as a dense matrix, (n, n)."""
        result = np.zeros((self.points, self.points))
        np.add.at(result, (np.arange(self.points)[:, None], self._places), self._weights)
        return result

    @property
    def _reach(self) -> int:
        """Points on each side of a centred stencil; symmetry gives even derivatives one order more."""
        return (self.derivative + 1) // 2 - 1 + self.order // 2

    @property
    def _longest(self) -> int:
        """Points of a stencil without symmetry."""
        return self.derivative + self.order

    @cached_property
    def _places(self) -> np.ndarray:
        """The points that each derivative uses, (n, stencil)."""
        return self._stencils[0]

    @cached_property
    def _weights(self) -> np.ndarray:
        """Their weights, (n, stencil)."""
        return self._stencils[1]

    @cached_property
    def _stencils(self) -> tuple[np.ndarray, np.ndarray]:
        reach, count = self._reach, self.points
        centred = np.arange(-reach, reach + 1)
        places = np.arange(count)[:, None] + centred
        weights = np.tile(stencil_weights(centred.tolist(), self.derivative), (count, 1))
        if self.periodic:
            return places % count, weights / self.spacing**self.derivative
        length = max(self._longest, len(centred))
        # every row has the length of the longest stencil: inside, zeros are added to points that exist
        places = np.pad(places.clip(0, count - 1), ((0, 0), (0, length - len(centred))), mode="edge")
        weights = np.pad(weights, ((0, 0), (0, length - len(centred))))
        for row in (*range(reach), *range(count - reach, count)):
            first = 0 if row < reach else count - self._longest
            offsets = np.arange(first, first + self._longest) - row
            places[row, : self._longest], weights[row] = offsets + row, 0.0
            weights[row, : self._longest] = stencil_weights(offsets.tolist(), self.derivative)
        return places, weights / self.spacing**self.derivative
