r"""Bases of each box by itself: random features in its coordinates, joined at faces or blended by smooth windows.

======================== =============================================================================================
class                    fields
======================== =============================================================================================
:class:`RandomFeatures`  those of a network with one hidden layer of fixed random weights, other ones for each box
:class:`PiecewiseBasis`  those of the box that a point is in
:class:`WindowedBasis`   :math:`\phi_k b_n`, the fields of all boxes times smooth windows that sum to 1
======================== =============================================================================================

References
----------
Anderson, Dolean, Moseley, Pestana, "ELM-FBPINN: efficient finite-basis physics-informed neural networks", 2024 (arXiv
2409.01949), for random features on overlapping subdomains; Moseley, Markham, Nissen-Meyer, "Finite basis
physics-informed neural networks", Adv. Comput. Math. 49, 2023, section 3, for the windows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from sciml.checks import choice, positive, whole_number
from sciml.errors import InputError
from sciml.hcmoe.bases import Basis, Order
from sciml.numerics.partition_of_unity import interval_windows
from sciml.numerics.random import generator

HIGHEST = 3  # sum of the orders of a derivative of random features

Corner = tuple[float, float]  # time and place


@runtime_checkable
class LocalBasis(Protocol):
    """N fields for each box of time and space."""

    def within(self, number: int, lower: Corner, upper: Corner) -> Basis:
        """Return the fields of a box.

        Parameters
        ----------
        number : of the box
        lower, upper : its corners, (time, place)
        """


@dataclass(frozen=True)
class RandomFeatures:
    """The hidden units of a network with one layer, whose inner weights are random and fixed, on each box.

    Both coordinates of a box go from -1 to 1, so that the features of small boxes vary as much within them as those of
    large ones. Each box has inner weights of its own.

    Parameters
    ----------
    count : N of them for each box
    activation : ``"tanh"`` or ``"sine"``
    scale : inner weights and, for ``"tanh"``, shifts are uniform between -scale and scale; the shifts of sines are
        uniform over a period. 1 to 2 suits smooth solutions, more suits fronts within a box
    seed : of the weights
    """

    count: int
    activation: Literal["tanh", "sine"] = "tanh"
    scale: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        whole_number("the number of random features", self.count, at_least=1)
        choice("the activation of random features", self.activation, ("tanh", "sine"))
        positive("the scale of random features", self.scale)
        whole_number("the seed of random features", self.seed, at_least=0)

    def within(self, number: int, lower: Corner, upper: Corner) -> Basis:
        """Return the features of a box, whose derivatives are exact."""
        draws = torch.rand(3, self.count, generator=generator(self.seed, number), dtype=torch.float64)
        draws = self.scale * (2 * draws - 1)
        if self.activation == "sine":
            draws[2] *= math.pi / self.scale
        return _Features(self.activation, draws, lower, upper)


@dataclass(frozen=True, eq=False)
class _Features:
    """The random features of a box: inner weights by time and place, and shifts, ``(3, N)``."""

    activation: str
    weights: Tensor
    lower: Corner
    upper: Corner

    def derivatives(self, orders: Sequence[Order], times: Tensor, x: Tensor) -> Tensor:
        """Return derivatives at all pairs of times and places, ``(1, orders, times, places, N)``."""
        in_time, in_space, shift = self.weights.to(times.device)
        rates = [2 / (high - low) for low, high in zip(self.lower, self.upper, strict=True)]
        t, y = (rate * (each.double() - low) - 1 for rate, each, low in zip(rates, (times, x), self.lower, strict=True))
        slopes = _activation(self.activation, in_time * t[:, None, None] + in_space * y[:, None] + shift)
        factors = rates[0] * in_time, rates[1] * in_space
        if max(map(sum, orders)) > HIGHEST:
            raise InputError(f"random features have derivatives up to the order {HIGHEST}, got {orders}.")
        return torch.stack([slopes[i + j] * factors[0] ** i * factors[1] ** j for i, j in orders])[None]


class PiecewiseBasis:
    """The fields of the box that a point is in; at a face, those of the box before it.

    Parameters
    ----------
    bases : of the boxes in the order of rows
    faces : of the boxes in time and in space, ``(by_time + 1,)`` and ``(by_place + 1,)``
    after : whether a face belongs to the box after it
    """

    def __init__(self, bases: Sequence[Basis], faces: tuple[Tensor, Tensor], after: bool = False) -> None:
        self.bases, self.faces, self.after = bases, faces, after

    @property
    def sides(self) -> tuple[Basis, Basis]:
        """The basis that gives faces to the box before, and the one that gives them to the box after."""
        return PiecewiseBasis(self.bases, self.faces), PiecewiseBasis(self.bases, self.faces, after=True)

    def derivatives(self, orders: Sequence[Order], times: Tensor, x: Tensor) -> Tensor:
        """Return derivatives at all pairs of times and places, ``(1, orders, times, places, N)``."""
        rows, columns = (
            torch.bucketize(each.contiguous(), faces[1:-1], right=self.after)
            for each, faces in zip((times, x), self.faces, strict=True)
        )
        by_place, strips = len(self.faces[1]) - 1, []
        order_of_rows = torch.cat([(rows == i).nonzero()[:, 0] for i in rows.unique()]).argsort()
        order_of_columns = torch.cat([(columns == j).nonzero()[:, 0] for j in columns.unique()]).argsort()
        for i in rows.unique():
            boxes = [
                self.bases[int(i) * by_place + int(j)].derivatives(orders, times[rows == i], x[columns == j])
                for j in columns.unique()
            ]
            strips.append(torch.cat(boxes, 3))
        return torch.cat(strips, 2)[:, :, order_of_rows][:, :, :, order_of_columns]


class WindowedBasis:
    r"""The fields of each box times its window, ``K N`` in all: a combination is :math:`\sum_k \phi_k\, b_k \cdot w_k`.

    The windows, products of those in time and in space, sum to 1 and have infinitely many derivatives, so that a
    combination is as smooth as the fields.

    Parameters
    ----------
    bases : one for each box in the order of rows, or a single one for all
    faces : of the boxes in time and in space, ``(by_time + 1,)`` and ``(by_place + 1,)``
    """

    def __init__(self, bases: Sequence[Basis], faces: tuple[Tensor, Tensor]) -> None:
        self.bases, self.faces = bases, faces

    def derivatives(self, orders: Sequence[Order], times: Tensor, x: Tensor) -> Tensor:
        """Return derivatives by the product rule, ``(instances, orders, times, places, K N)``."""
        most = [max(order[axis] for order in orders) for axis in (0, 1)]
        in_time, in_space = (
            interval_windows(each, faces.to(each), count)
            for each, faces, count in zip((times, x), self.faces, most, strict=True)
        )
        below = sorted({(a, b) for i, j in orders for a in range(i + 1) for b in range(j + 1)})
        own = [basis.derivatives(below, times, x).to(times).unbind(1) for basis in self.bases]
        fields = []
        for number in range(in_time.shape[1] * in_space.shape[1]):
            row, column = divmod(number, in_space.shape[1])
            given = dict(zip(below, own[number % len(own)], strict=True))
            products = [_product(order, in_time[:, row], in_space[:, column], given) for order in orders]
            fields.append(torch.stack(products, 1))
        return torch.cat(fields, -1)


def corners(faces: tuple[Tensor, Tensor], windows: bool) -> list[tuple[int, Corner, Corner]]:
    """Return number, lower and upper corner of each box, or of each window, in the order of rows."""
    spans = [_spans(each, windows) for each in faces]
    pairs = itertools.product(*spans)
    return [(number, *zip(*pair, strict=True)) for number, pair in enumerate(pairs)]


def _spans(faces: Tensor, windows: bool) -> list[tuple[float, float]]:
    """Return where pieces of an interval begin and end; windows reach into their neighbours."""
    reach = torch.zeros_like(faces)
    if windows:
        lengths = faces.diff()
        reach[1:-1] = torch.minimum(lengths[:-1], lengths[1:]) / 2
    return list(zip((faces - reach)[:-1].tolist(), (faces + reach)[1:].tolist(), strict=True))


def _product(order: Order, in_time: Tensor, in_space: Tensor, fields: dict[Order, Tensor]) -> Tensor:
    """Return a derivative of a window times fields, ``(instances, times, places, N)``, by Leibniz' rule."""
    total = torch.zeros_like(fields[0, 0])
    for a in range(order[0] + 1):
        for b in range(order[1] + 1):
            window = in_time[order[0] - a][:, None] * in_space[order[1] - b]
            total = total + math.comb(order[0], a) * math.comb(order[1], b) * window[..., None] * fields[a, b]
    return total


def _activation(name: str, z: Tensor) -> list[Tensor]:
    """Return an activation and its three derivatives."""
    if name == "sine":
        return [torch.sin(z), torch.cos(z), -torch.sin(z), -torch.cos(z)]
    value = torch.tanh(z)
    slope = 1 - value**2
    return [value, slope, -2 * value * slope, slope * (6 * value**2 - 2)]
