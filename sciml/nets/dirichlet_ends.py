"""Networks with Dirichlet values at the ends of a box, for bodies that are clamped or pulled there.

>>> from sciml.nets.coordinate import TanhNetwork
>>> bar = DirichletEnds(TanhNetwork(2, 2), lower=[0, 0], upper=[2, 0])
>>> bar(torch.tensor([[1.0, 0.3]])).tolist()
[[2.0, 0.0]]
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sciml.checks import whole_number
from sciml.errors import InputError
from sciml.nets.coordinate import CoordinateNetwork, corners_of
from sciml.numerics.derivatives import Jet, coordinates


class DirichletEnds(nn.Module):
    r"""A network with constant Dirichlet values at one or both ends of an axis of a box, free on the other sides.

    a + (b - a) s + 4 s (1 - s) N(x) with s = (x_i - l_i) / (u_i - l_i), N the network and a, b the values at s = 0, 1;
    with one end only, a + s N(x) or b + (1 - s) N(x). It is called as the network is; the derivatives are exact.

    Parameters
    ----------
    network : of coordinates
    lower, upper : values at the ends, one per channel; None for an end that is free
    axis : i, counted from 0
    box : lower and upper corner; [-1, 1] along every axis by default

    Raises
    ------
    InputError
        If neither end has values, or values, axis or corners do not suit the network.
    """

    def __init__(
        self,
        network: CoordinateNetwork,
        lower: Sequence[float] | None = None,
        upper: Sequence[float] | None = None,
        axis: int = 0,
        box: Sequence[Sequence[float]] | None = None,
    ) -> None:
        super().__init__()
        self.network, self.inputs, self.outputs, self.axis = network, network.inputs, network.outputs, axis
        if lower is None and upper is None:
            raise InputError(
                "neither end has values, expected Dirichlet values at one end or both; give lower or upper."
            )
        for values in (lower, upper):
            if values is not None and (len(values) != self.outputs or not all(math.isfinite(v) for v in values)):
                raise InputError(f"the values at an end are {values!r}, expected {self.outputs} finite numbers.")
        whole_number("the axis", axis, at_least=0, at_most=self.inputs - 1)
        corners = corners_of(self.inputs, box)
        self._start, self._length = float(corners[0, axis]), float(corners[1, axis] - corners[0, axis])
        self._ends = (lower is not None, upper is not None)
        first = lower if lower is not None else upper
        last = upper if upper is not None else lower
        self.register_buffer("first", torch.tensor(first, dtype=torch.float64))
        self.register_buffer("rise", torch.tensor(last, dtype=torch.float64) - self.first)

    def forward(self, points: Tensor, order: int | None = None, directions: Tensor | None = None) -> Tensor | Jet:
        """Evaluate at points ``(n, inputs)``, with derivatives up to ``order`` if one is given."""
        place = coordinates(points, order or 0, directions).channel(self.axis)
        place = Jet(place.shifted(place.value.new_tensor(-self._start)).rows / self._length, place.order)
        dtype = points.dtype
        lift = Jet(place.rows * self.rise.to(dtype), place.order).shifted(self.first.to(dtype))
        jet = lift + self._factor(place) * self.network(points, order or 0, directions)
        return jet.value if order is None else jet

    def _factor(self, place: Jet) -> Jet:
        """Return a factor that vanishes at the ends with Dirichlet values."""
        s, one = place.value, torch.ones_like(place.value)
        if self._ends == (True, True):
            return place.apply(4 * s * (1 - s), 4 - 8 * s, -8 * one)
        return place.apply(s, one, 0 * one) if self._ends[0] else place.apply(1 - s, -one, 0 * one)
