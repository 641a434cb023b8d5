"""Derivatives of a network along chosen directions, carried forward through its layers.

A :class:`Jet` holds a function of the points and its first and second derivatives along some directions; each
operation maps jets to jets by the chain rule. For networks that is one pass with a few more rows, where nested
automatic differentiation needs a backward pass per output and order; the values are the same. ``sciml bench insr --only
jets`` measures how much faster that is.

>>> x = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None]
>>> wave = sine(coordinates(x, order=2), frequency=3.0)
>>> bool(torch.allclose(wave.second[0], -9 * torch.sin(3 * x)))
True

References
----------
Bettencourt, Johnson, Duvenaud, "Taylor-mode automatic differentiation for higher-order derivatives in JAX", 2019.
Equivalent to ``torch.func.jvp`` of ``torch.func.jvp``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import jvp

from sciml.checks import shape, whole_number
from sciml.errors import InputError

LARGEST_ORDER = 2


@dataclass(frozen=True)
class Jet:
    """A function of ``n`` points with its derivatives along ``k`` directions.

    Attributes
    ----------
    rows : (1 + order * k, n, channels); the value, then the first derivatives, then the second ones
    order : highest derivative, 0 to 2
    """

    rows: Tensor
    order: int

    @property
    def value(self) -> Tensor:
        """The values of the function, ``(n, channels)``."""
        return self.rows[0]

    @property
    def first(self) -> Tensor:
        """First derivatives, ``(k, n, channels)``; the gradient if the directions are the axes."""
        self._need("first", 1)
        return self.rows[1 : 1 + self.count]

    @property
    def second(self) -> Tensor:
        """Second derivatives along each direction twice, ``(k, n, channels)``; the diagonal of the Hessian."""
        self._need("second", 2)
        return self.rows[1 + self.count :]

    @property
    def count(self) -> int:
        """The number ``k`` of directions of the derivatives."""
        return (len(self.rows) - 1) // self.order if self.order else 0

    def _need(self, name: str, order: int) -> None:
        """Refuse derivatives that the jet does not have: an empty tensor would be summed to zero."""
        if self.order < order:
            raise InputError(
                f"order is {self.order}, u.{name} needs order = {order}: set it in the class of the problem; "
                "conditions on the boundary have first derivatives alone."
            )

    def channel(self, index: int) -> Jet:
        """Return the jet of one channel, which remains an axis of length 1."""
        return Jet(self.rows[..., index : index + 1], self.order)

    def __mul__(self, other: Jet) -> Jet:
        """Return the product by Leibniz' rule; channels broadcast."""
        a, b = self, _alike(self, other)
        rows = [(a.value * b.value)[None]]
        if self.order >= 1:
            rows.append(a.first * b.value + a.value * b.first)
        if self.order == 2:
            rows.append(a.second * b.value + 2 * a.first * b.first + a.value * b.second)
        return Jet(torch.cat(rows), self.order)

    def __add__(self, other: Jet) -> Jet:
        """Return the sum of two jets with the same derivatives."""
        return Jet(self.rows + _alike(self, other).rows, self.order)

    def shifted(self, offset: Tensor) -> Jet:
        """Return the sum with a constant offset."""
        return Jet(torch.cat([self.rows[:1] + offset, self.rows[1:]]), self.order)

    def apply(self, value: Tensor, slope: Tensor | None = None, curvature: Tensor | None = None) -> Jet:
        """Return ``f(self)`` from ``f``, ``f'`` and ``f''`` at the value, as far as the order needs them."""
        rows = [value[None]]
        if self.order >= 1:
            rows.append(slope * self.first)
        if self.order == 2:
            rows.append(slope * self.second + curvature * self.first.square())
        return Jet(torch.cat(rows), self.order)


def coordinates(points: Tensor, order: int = 0, directions: Tensor | None = None) -> Jet:
    """Return the jet of the coordinates themselves, from which every other jet is made.

    Parameters
    ----------
    points : (n, dim)
    order : highest derivative, 0 to 2
    directions : (k, dim); the axes by default. Second derivatives along one direction cost the same in any
        dimension, which is what transport along a constant velocity needs.

    Raises
    ------
    InputError
        If the order or a shape is wrong.
    """
    whole_number("the order of a jet", order, at_least=0, at_most=LARGEST_ORDER)
    shape("the points", points, ("number of points", "dimension"))
    rows = [points[None]]
    if order >= 1:
        if directions is None:
            directions = torch.eye(points.shape[1], dtype=points.dtype, device=points.device)
        shape("the directions", directions, ("number of directions", points.shape[1]))
        rows.append(directions[:, None, :].expand(-1, len(points), -1))
    if order == 2:
        rows.append(torch.zeros_like(rows[1]))
    return Jet(torch.cat(rows), order)


def jet_of(function: Callable[[Tensor], Tensor], points: Tensor, order: int, directions: Tensor | None = None) -> Jet:
    """Return the jet of any function of the points ``(n, dim) -> (n, channels)``, by nested forward differentiation.

    For what is evaluated once, such as an initial condition in closed form; parameters as in :func:`coordinates`.
    """
    tangents = coordinates(points, order, directions).first if order else ()
    rows = [function(points)[None]]
    if order >= 1:
        rows += [_along(function, tangent)(points)[None] for tangent in tangents]
    if order == 2:
        rows += [_along(_along(function, tangent), tangent)(points)[None] for tangent in tangents]
    return Jet(torch.cat(rows), order)


def _along(function: Callable[[Tensor], Tensor], tangent: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda points: jvp(function, (points,), (tangent.contiguous(),))[1]


def _alike(jet: Jet, other: Jet) -> Jet:
    """Return the other jet, if the two have the same derivatives; broadcasting would mix them up."""
    if jet.order != other.order or jet.count != other.count:
        raise InputError(
            f"a jet of order {jet.order} along {jet.count} directions meets one of order {other.order} along "
            f"{other.count}; expected the same."
        )
    return other


def linear(jet: Jet, weight: Tensor, bias: Tensor | None = None) -> Jet:
    """Return ``x weight^T + bias`` for the channels: weight ``(outputs, inputs)``, bias ``(outputs,)``."""
    rows = jet.rows @ weight.T
    if bias is None:
        return Jet(rows, jet.order)
    return Jet(torch.cat([rows[:1] + bias, rows[1:]]), jet.order)


def sine(jet: Jet, frequency: float | Tensor = 1.0) -> Jet:
    """Return ``sin(frequency * x)``, elementwise."""
    argument = frequency * jet.value
    value = torch.sin(argument)
    if not jet.order:
        return jet.apply(value)
    slope = frequency * torch.cos(argument)
    return jet.apply(value, slope, -(frequency * frequency) * value if jet.order == 2 else None)


def tanh(jet: Jet) -> Jet:
    """Return the hyperbolic tangent ``tanh(x)``, elementwise."""
    value = torch.tanh(jet.value)
    if not jet.order:
        return jet.apply(value)
    slope = 1 - value.square()
    return jet.apply(value, slope, -2 * value * slope if jet.order == 2 else None)


def exponential(jet: Jet) -> Jet:
    """Return the exponential function ``exp(x)``, elementwise."""
    value = torch.exp(jet.value)
    return jet.apply(value, value if jet.order else None, value if jet.order == 2 else None)


def concatenate(*jets: Jet) -> Jet:
    """Return one jet with the channels of several jets side by side."""
    return Jet(torch.cat([_alike(jets[0], jet).rows for jet in jets], -1), jets[0].order)


def laplacian(jet: Jet) -> Tensor:
    """Return the Laplacian, ``(n, channels)``, of a jet of order 2 along the axes."""
    return jet.second.sum(0)
