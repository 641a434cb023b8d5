"""The elements that an interval is cut in, the slabs that time is cut in, and their polynomials."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sciml.checks import instance, number, whole_number
from sciml.errors import InputError
from sciml.numerics.polynomials import from_zero, smooth_element

MOST_ELEMENTS = 2**16
MOST_SLABS = 10**6
SMALLEST = 1e-10  # element, relative to the interval: in smaller ones, the rounding of positions spoils derivatives


@dataclass(frozen=True)
class Elements:
    """The elements that an interval is cut in: of equal size, or graded geometrically towards points.

    Parameters
    ----------
    count : their number, one expert on each
    degree : of the polynomials in space, at least 4
    towards : points at which elements are small, in increasing order; fronts, layers and kinks
    smallest : size of the elements at these points; needed with ``towards``
    """

    count: int = 16
    degree: int = 12
    towards: list[float] = field(default_factory=list)
    smallest: float | None = None

    def __post_init__(self) -> None:
        whole_number("the count of elements", self.count, at_least=1, at_most=MOST_ELEMENTS)
        whole_number("the degree of the elements", self.degree, at_least=4, at_most=40)
        instance("towards", self.towards, list | tuple, "a list of points")
        if bool(self.towards) != (self.smallest is not None):
            raise InputError(
                f"the elements have towards = {self.towards} and smallest = {self.smallest}, expected both or neither."
            )
        for point in self.towards:
            number("a point that elements are graded towards", point)
        if self.smallest is not None:
            number("the smallest element", self.smallest, above=0)

    def faces(self, lower: float, upper: float) -> Tensor:
        """Return the faces of the elements from the lower end to the upper one, ``(count + 1,)``.

        Raises
        ------
        InputError
            If a point is outside of the interval, the elements cannot be shared evenly among the sides of the points,
            or one of them is too small for double precision.
        """
        sides = self._sides(lower, upper)
        each = self.count // len(sides)
        if each * len(sides) != self.count:
            raise InputError(
                f"there are {self.count} elements for {len(sides)} sides of the points {self.towards}, expected a "
                "multiple of the number of sides."
            )
        cuts = [torch.tensor([lower], dtype=torch.float64)]
        for begin, end in sides:
            first, length = min(begin, end), abs(end - begin)
            shares = self._shares(each, length)
            cuts.append(first + length * (shares if begin < end else 1 - shares.flip(0))[1:])
        faces = torch.cat(cuts)
        least = float(faces.diff().min())
        if not least >= SMALLEST * (upper - lower):
            raise InputError(
                f"the smallest element has the size {least:.3g}, expected at least {SMALLEST * (upper - lower):.3g}, "
                f"{SMALLEST:g} of the interval; take a larger one, or fewer elements."
            )
        return faces

    def _sides(self, lower: float, upper: float) -> list[tuple[float, float]]:
        """Return the parts of the interval, each from where elements are small to where they are large."""
        points = self.towards
        if not points:
            return [(lower, upper)]
        if sorted(set(points)) != list(points) or points[0] < lower or points[-1] > upper:
            raise InputError(
                f"elements are graded towards {points}, expected increasing points from {lower:g} to {upper:g}."
            )
        sides = [(points[0], lower)] if points[0] > lower else []
        for left, right in itertools.pairwise(points):
            sides += [(left, 0.5 * (left + right)), (right, 0.5 * (left + right))]
        return sides + ([(points[-1], upper)] if points[-1] < upper else [])

    def _shares(self, count: int, length: float) -> Tensor:
        if self.smallest is None or count == 1:
            return torch.linspace(0, 1, count + 1, dtype=torch.float64)
        return _geometric(count, self.smallest / length, "the smallest element")


@dataclass(frozen=True)
class Slabs:
    """The slabs that time is cut in, solved one after the other: of equal length, or growing geometrically.

    Parameters
    ----------
    count : their number
    degree : of the polynomials in time, at least 1
    first : end of the first slab, as a share of the duration; equal slabs without it
    """

    count: int = 20
    degree: int = 8
    first: float | None = None

    def __post_init__(self) -> None:
        whole_number("the count of time slabs", self.count, at_least=1, at_most=MOST_SLABS)
        whole_number("the degree in time", self.degree, at_least=1, at_most=40)
        if self.first is not None:
            number("the end of the first slab", self.first, above=0, below=1)

    def cuts(self, duration: float, power: float = 1.0) -> Tensor:
        """Return the ends of the slabs in ``tau = t^(1 / power)``, from 0 on, ``(count + 1,)``."""
        end = duration ** (1 / power)
        if self.first is None or self.count == 1:
            return torch.linspace(0, end, self.count + 1, dtype=torch.float64)
        return end * _geometric(self.count, self.first ** (1 / power), "the first slab")


def _geometric(count: int, first: float, name: str) -> Tensor:
    """Return 0 and ``count`` numbers from ``first`` to 1 with equal ratios."""
    if first * count > 1:
        raise InputError(
            f"{name} is {first:.3g} of the whole, expected at most 1 / {count}, the size of {count} equal ones."
        )
    exponents = torch.linspace(1, 0, count, dtype=torch.float64)
    cuts = torch.cat([torch.zeros(1, dtype=torch.float64), first**exponents])
    cuts[-1] = 1.0
    return cuts


class ElementBasis:
    """Polynomials on the elements of an interval that share values and slopes at faces.

    The coefficients of an element are those of :func:`~sciml.numerics.polynomials.smooth_element`, slopes in multiples
    of a length of the face, so that a coefficient of a face means the same to both of its elements.

    Parameters
    ----------
    faces : of the elements, increasing, ``(K + 1,)``
    degree : of the polynomials

    Attributes
    ----------
    half : half the sizes of the elements, ``(K,)``
    lengths : of the faces: the smaller half size of their elements, ``(K + 1,)``
    size : number of functions on an element
    """

    def __init__(self, faces: Tensor, degree: int) -> None:
        self.face_points, self.degree, self.size = faces, degree, degree + 1
        self.half = 0.5 * faces.diff()
        self.middle = 0.5 * (faces[:-1] + faces[1:])
        self.lengths = torch.minimum(torch.cat([self.half[:1], self.half]), torch.cat([self.half, self.half[-1:]]))
        self._scales = torch.ones(len(self.half), self.size, dtype=faces.dtype)
        self._scales[:, -3] = self.half / self.lengths[:-1]
        self._scales[:, -1] = self.half / self.lengths[1:]

    def __len__(self) -> int:
        """Return the number of elements."""
        return len(self.half)

    def points(self, nodes: Tensor) -> Tensor:
        """Return nodes of the reference interval on all elements, ``(K, n)``."""
        return self.middle[:, None] + self.half[:, None] * nodes

    def tables(self, nodes: Tensor, order: int) -> Tensor:
        """Return the functions of all elements and their derivatives by x at nodes, ``(order + 1, K, n, size)``."""
        table = smooth_element(nodes, self.degree, order)[:, None] * self._scales[None, :, None]
        powers = torch.arange(order + 1)[:, None]
        return table / (self.half[None] ** powers)[..., None, None]

    def at(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the element of each point, ``(n,)``, and its functions there, ``(n, size)``, differentiable."""
        inner = self.face_points[1:-1].to(points.device)
        element = torch.bucketize(points.detach(), inner, right=True)
        middle, half = self.middle.to(points)[element], self.half.to(points)[element]
        reference = (points - middle) / half
        return element, smooth_element(reference, self.degree)[0] * self._scales.to(points)[element]


def slab_basis(times: Tensor, begin: Tensor | float, end: Tensor | float, degree: int, order: int = 0) -> Tensor:
    """Return polynomials that vanish at the start of a slab, and their derivatives, ``(order + 1, n, degree)``."""
    half = 0.5 * (end - begin)
    table = from_zero((times - begin) / half - 1, degree, order)
    return torch.stack([table[k] / half**k for k in range(order + 1)])
