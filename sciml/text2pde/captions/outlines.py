"""Obstacles as a caption describes them: shape, place and size, of which any may be left out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import ClassVar

from sciml.errors import InputError
from sciml.mesh.obstacles import Circle, Ellipse, Obstacle, Polygon

Pair = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Outline(ABC):
    """The outline of an obstacle in a channel, whose inlet is at x = 0 and whose lower wall is at y = 0."""

    shape: ClassVar[str]
    """The name of the shape."""

    @abstractmethod
    def at(self, x: float, y: float) -> Obstacle:
        """Return the obstacle of this size and angle at a place.

        Parameters
        ----------
        x, y : its centre [m]
        """

    @property
    @abstractmethod
    def place(self) -> Pair:
        """The place at which :meth:`at` makes the obstacle that is described."""

    @property
    @abstractmethod
    def missing(self) -> tuple[str, ...]:
        """The names of what is not known of it."""

    @abstractmethod
    def numbers(self) -> dict[str, float]:
        """Return what is known of it by name, lengths in m and angles in degrees."""

    @abstractmethod
    def mirrored(self, height: float) -> Outline:
        """Return the outline in the channel that is turned upside down, y to height - y.

        Parameters
        ----------
        height : of the channel [m]
        """

    def obstacle(self) -> Obstacle:
        """Return the obstacle of which all is known.

        Raises
        ------
        InputError
            If something is not known of it, or there is no such obstacle.
        """
        if self.missing:
            raise InputError(
                f"the prompt says nothing of the {' and the '.join(self.missing)} of the {self.shape}, expected all of "
                "its geometry; add it, or give a mesh."
            )
        return self.at(*self.place)

    def height(self) -> float | None:
        """Return the extent across the channel [m], the length of the Reynolds number; None if it is not known."""
        sizes = set(self.missing) - {"position"}
        return None if sizes else self.at(0.0, 0.0).height


@dataclass(frozen=True, kw_only=True)
class CentredOutline(Outline):
    """An outline with a centre and a size.

    Parameters
    ----------
    x, y : its centre [m]; None where a caption does not say it
    """

    x: float | None = None
    y: float | None = None
    sizes: ClassVar[tuple[str, ...]]
    """The fields that are its size."""
    size: ClassVar[str]
    """What its size is called."""

    @property
    def place(self) -> Pair:
        """The centre of the obstacle."""
        return self.x, self.y

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of what is not known of it."""
        size = (self.size,) if any(getattr(self, name) is None for name in self.sizes) else ()
        return (*size, *(("position",) if self.x is None or self.y is None else ()))

    def numbers(self) -> dict[str, float]:
        """Return what is known of it by name, lengths in m and angles in degrees."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in given.items() if value is not None}

    def mirrored(self, height: float) -> CentredOutline:
        """Return the outline in the channel that is turned upside down, y to height - y.

        Parameters
        ----------
        height : of the channel [m]
        """
        return replace(self, y=None if self.y is None else below(height, self.y))


@dataclass(frozen=True, kw_only=True)
class CircleOutline(CentredOutline):
    """A circle, the cross-section of a cylinder.

    Parameters
    ----------
    x, y : its centre [m]; None where a caption does not say it
    radius : [m]; None where a caption does not say it
    """

    radius: float | None = None
    shape: ClassVar[str] = "circle"
    sizes: ClassVar[tuple[str, ...]] = ("radius",)
    size: ClassVar[str] = "radius"

    def at(self, x: float, y: float) -> Obstacle:
        """Return the circle of this radius at a place.

        Parameters
        ----------
        x, y : its centre [m]
        """
        return Circle((x, y), self.radius)


@dataclass(frozen=True, kw_only=True)
class TurnedOutline(CentredOutline):
    """An outline with two lengths, turned anticlockwise.

    Parameters
    ----------
    x, y : its centre [m]; None where a caption does not say it
    angle : from the axis of the channel to that of the first length [degrees]
    """

    angle: float = 0.0

    def mirrored(self, height: float) -> TurnedOutline:
        """Return the outline in the channel that is turned upside down, y to height - y.

        Parameters
        ----------
        height : of the channel [m]
        """
        return replace(super().mirrored(height), angle=-self.angle if self.angle else 0.0)


@dataclass(frozen=True, kw_only=True)
class EllipseOutline(TurnedOutline):
    """An ellipse, the cross-section of an elliptical cylinder.

    Parameters
    ----------
    x, y : its centre [m]; None where a caption does not say it
    angle : of the first semi-axis [degrees]
    first, second : semi-axes [m], along the channel and across it before it is turned; None where not known
    """

    first: float | None = None
    second: float | None = None
    shape: ClassVar[str] = "ellipse"
    sizes: ClassVar[tuple[str, ...]] = ("first", "second")
    size: ClassVar[str] = "semi-axes"

    def at(self, x: float, y: float) -> Obstacle:
        """Return the ellipse of these semi-axes at a place.

        Parameters
        ----------
        x, y : its centre [m]
        """
        return Ellipse((x, y), (self.first, self.second), self.angle)


@dataclass(frozen=True, kw_only=True)
class RectangleOutline(TurnedOutline):
    """A rectangle, or a square.

    Parameters
    ----------
    x, y : its centre [m]; None where a caption does not say it
    angle : of the side along the channel [degrees]
    length, depth : sides [m], along the channel and across it before it is turned; None where not known
    """

    length: float | None = None
    depth: float | None = None
    shape: ClassVar[str] = "rectangle"
    sizes: ClassVar[tuple[str, ...]] = ("length", "depth")
    size: ClassVar[str] = "sides"

    def at(self, x: float, y: float) -> Obstacle:
        """Return the rectangle of these sides at a place.

        Parameters
        ----------
        x, y : its centre [m]
        """
        return Polygon.rectangle((x, y), (self.length, self.depth), self.angle)


@dataclass(frozen=True, kw_only=True)
class PolygonOutline(Outline):
    """A polygon by its corners, which are its place, too.

    Parameters
    ----------
    corners : in order around it [m]; empty where a caption does not say them
    """

    corners: tuple[Pair, ...] = ()
    shape: ClassVar[str] = "polygon"

    @property
    def place(self) -> Pair:
        """The vector by which the corners are moved, zero."""
        return 0.0, 0.0

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of what is not known of it."""
        return () if self.corners else ("corners",)

    def at(self, x: float, y: float) -> Obstacle:
        """Return the polygon moved by a vector.

        Parameters
        ----------
        x, y : the vector [m]
        """
        return Polygon(tuple((a + x, b + y) for a, b in self.corners))

    def numbers(self) -> dict[str, float]:
        """Return the coordinates of its corners by name."""
        return {
            f"{axis}{index}": value
            for index, pair in enumerate(self.corners, 1)
            for axis, value in zip("xy", pair, strict=True)
        }

    def mirrored(self, height: float) -> PolygonOutline:
        """Return the polygon in the channel that is turned upside down, its corners still in their order.

        Parameters
        ----------
        height : of the channel [m]
        """
        return replace(self, corners=tuple((x, below(height, y)) for x, y in self.corners))


OUTLINES: Mapping[str, type[Outline]] = {
    each.shape: each for each in (CircleOutline, EllipseOutline, RectangleOutline, PolygonOutline)
}
"""The outlines by the names of their shapes."""


def below(height: float, y: float) -> float:
    """Return height - y without rounding: the difference of the decimals that the two numbers are written as.

    Parameters
    ----------
    height, y : [m]

    Examples
    --------
    >>> below(0.41, 0.18), 0.41 - 0.18
    (0.23, 0.22999999999999998)
    """
    return float(exact(height) - exact(y))


def exact(value: float) -> Decimal:
    """Return the decimal that a number is written as.

    Parameters
    ----------
    value : such as 0.1, of which the binary number differs

    Examples
    --------
    >>> exact(0.1)
    Decimal('0.1')
    """
    return Decimal(repr(float(value)))
