"""Obstacles in a plane channel: circles, ellipses and polygons, with signed distance and nodes on their outline.

>>> obstacle = Circle((0.2, 0.2), 0.05)
>>> obstacle.height, obstacle.signed_distance([[0.3, 0.2]]).round(6)
(0.1, array([0.05]))
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from sciml.checks import number, positive, real_array
from sciml.errors import InputError

Pair = tuple[float, float]
_HALVINGS = 60  # of an interval that holds the foot of a perpendicular, down to rounding
_TURN = np.pi / 4  # of the outline along one edge, at most: a circle has eight nodes at least
_PIECES = 4096  # in which the arc of an ellipse is measured


@dataclass(frozen=True)
class Obstacle(ABC):
    """A solid in the plane, bounded by one closed curve without self-intersections."""

    @abstractmethod
    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Return the distance of points to the outline, negative inside the obstacle, (number,).

        Parameters
        ----------
        points : (number, 2)
        """

    @abstractmethod
    def nodes(self, size: float) -> np.ndarray:
        """Return nodes exactly on the outline, anticlockwise and about equally far apart along it, (number, 2).

        Parameters
        ----------
        size : distance of neighbours, to which the nearest whole number of edges is taken

        Raises
        ------
        InputError
            If so few nodes would not show the shape.
        """

    @property
    @abstractmethod
    def bounds(self) -> tuple[Pair, Pair]:
        """The lower and the upper corner of the smallest box around it."""

    @abstractmethod
    def mirrored(self, height: float) -> Obstacle:
        """Return its image in a channel that is turned upside down, y to height - y.

        Parameters
        ----------
        height : of the channel
        """

    @property
    def height(self) -> float:
        """The extent along y, across a channel: the length of the Reynolds number."""
        (_, lower), (_, upper) = self.bounds
        return upper - lower


@dataclass(frozen=True)
class Circle(Obstacle):
    """A circle, the cross-section of a cylinder.

    Parameters
    ----------
    centre : its coordinates
    radius : positive

    Raises
    ------
    InputError
        If a coordinate is no finite number or the radius is not positive.
    """

    centre: Pair
    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", _pair("the centre of the circle", self.centre))
        object.__setattr__(self, "radius", positive("the radius of the circle", self.radius))

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Return the distance of points to the circle, negative inside it, (number,).

        Parameters
        ----------
        points : (number, 2)
        """
        return np.linalg.norm(_points(points) - self.centre, axis=1) - self.radius

    def nodes(self, size: float) -> np.ndarray:
        """Return nodes on the circle, anticlockwise and equally far apart, (number, 2).

        Parameters
        ----------
        size : distance of neighbours along the arc
        """
        _check_size(size, self.radius)
        count = round(2 * np.pi * self.radius / size)
        angles = 2 * np.pi * np.arange(count) / count
        return self.centre + self.radius * np.column_stack([np.cos(angles), np.sin(angles)])

    @property
    def bounds(self) -> tuple[Pair, Pair]:
        """The lower and the upper corner of the smallest box around it."""
        (x, y), r = self.centre, self.radius
        return (x - r, y - r), (x + r, y + r)

    @property
    def height(self) -> float:
        """The diameter, the length of the Reynolds number."""
        return 2 * self.radius

    def mirrored(self, height: float) -> Circle:
        """Return its image in a channel that is turned upside down, y to height - y.

        Parameters
        ----------
        height : of the channel
        """
        return replace(self, centre=(self.centre[0], height - self.centre[1]))


@dataclass(frozen=True)
class Ellipse(Obstacle):
    """An ellipse with two semi-axes, turned anticlockwise.

    Parameters
    ----------
    centre : its coordinates
    semi_axes : positive
    angle : from the x-axis to the first semi-axis [degrees]

    Raises
    ------
    InputError
        If a number is not finite or a semi-axis is not positive.
    """

    centre: Pair
    semi_axes: Pair
    angle: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", _pair("the centre of the ellipse", self.centre))
        object.__setattr__(self, "semi_axes", _lengths("semi-axis of the ellipse", self.semi_axes))
        object.__setattr__(self, "angle", number("the angle of the ellipse", self.angle))

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Return the distance of points to the ellipse, negative inside it, (number,).

        The foot of the perpendicular from (x, y) is (a^2 x / (t + a^2), b^2 y / (t + b^2)), with the one root t > -b^2,
        b the smaller semi-axis, of the equation of the ellipse, found by halving intervals.

        Parameters
        ----------
        points : (number, 2)

        References
        ----------
        Eberly, "Distance from a point to an ellipse, an ellipsoid, or a hyperellipsoid", 2013.
        """
        turned = np.abs((_points(points) - self.centre) @ _rotation(self.angle))
        axes = np.array(self.semi_axes)
        order = np.argsort(-axes, kind="stable")  # the larger semi-axis first
        (a, b), (x, y) = axes[order], turned[:, order].T
        low, high = b * y - b * b, np.hypot(a * x, b * y) - b * b
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            outside = _on_ellipse(x, y, a, b, middle) > 1
            low, high = np.where(outside, middle, low), np.where(outside, high, middle)
        foot = _foot(x, y, a, b, (low + high) / 2)
        distance = np.hypot(x - foot[0], y - foot[1])
        return np.where(np.square(x / a) + np.square(y / b) < 1, -distance, distance)

    def nodes(self, size: float) -> np.ndarray:
        """Return nodes on the ellipse, anticlockwise and equally far apart along the arc, (number, 2).

        Parameters
        ----------
        size : distance of neighbours along the arc
        """
        a, b = self.semi_axes
        _check_size(size, min(a, b) ** 2 / max(a, b))
        t = np.linspace(0, 2 * np.pi, _PIECES + 1)
        speed = np.hypot(a * np.sin(t), b * np.cos(t))
        arc = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2)]) * t[1]
        count = round(arc[-1] / size)
        t = np.interp(arc[-1] * np.arange(count) / count, arc, t)
        return self.centre + np.column_stack([a * np.cos(t), b * np.sin(t)]) @ _rotation(self.angle).T

    @property
    def bounds(self) -> tuple[Pair, Pair]:
        """The lower and the upper corner of the smallest box around it."""
        half = np.hypot(*(_rotation(self.angle) * self.semi_axes).T)
        return _pair("", np.subtract(self.centre, half)), _pair("", np.add(self.centre, half))

    def mirrored(self, height: float) -> Ellipse:
        """Return its image in a channel that is turned upside down, y to height - y.

        Parameters
        ----------
        height : of the channel
        """
        return replace(self, centre=(self.centre[0], height - self.centre[1]), angle=-self.angle)


@dataclass(frozen=True)
class Polygon(Obstacle):
    """A polygon by its corners, without self-intersections.

    Parameters
    ----------
    corners : at least three, in order around it; they are kept anticlockwise

    Raises
    ------
    InputError
        If there are fewer corners, or two edges meet elsewhere than in the corner they share.
    """

    corners: tuple[Pair, ...]

    def __post_init__(self) -> None:
        found = real_array("the corners of the polygon", self.corners, shape=("corners", 2))
        if len(found) < 3:
            raise InputError(f"the polygon has {len(found)} corners, expected at least three.")
        if _intersect(found):
            raise InputError(
                f"the edges of the polygon with the corners {found.tolist()} intersect, expected a simple polygon; "
                "give the corners in order around it."
            )
        if _area(found) < 0:
            found = found[::-1]
        object.__setattr__(self, "corners", tuple(map(tuple, found.tolist())))

    @classmethod
    def rectangle(cls, centre: Pair, sides: Pair, angle: float = 0.0) -> Polygon:
        """Return a rectangle, turned anticlockwise.

        Parameters
        ----------
        centre : its coordinates
        sides : along x and along y before it is turned
        angle : from the x-axis to the first side [degrees]

        Raises
        ------
        InputError
            If a number is not finite or a side is not positive.
        """
        half = np.array(_lengths("side of the rectangle", sides)) / 2
        signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        rotation = _rotation(number("the angle of the rectangle", angle))
        corners = _pair("the centre of the rectangle", centre) + (signs * half) @ rotation.T
        return cls(tuple(map(tuple, corners.tolist())))

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Return the distance of points to the polygon, negative inside it, (number,).

        Parameters
        ----------
        points : (number, 2)
        """
        found = _points(points)
        distance, inside = np.full(len(found), np.inf), np.zeros(len(found), dtype=bool)
        for start, end in _edges(np.array(self.corners)):
            edge, offsets = end - start, found - start
            along = np.clip(offsets @ edge / (edge @ edge), 0, 1)
            distance = np.minimum(distance, np.linalg.norm(offsets - along[:, None] * edge, axis=1))
            between = (start[1] > found[:, 1]) != (end[1] > found[:, 1])  # a ray along x meets the edge's line
            left = _cross(edge, offsets) > 0
            inside ^= between & (left == (edge[1] > 0))
        return np.where(inside, -distance, distance)

    def nodes(self, size: float) -> np.ndarray:
        """Return nodes on the edges, anticlockwise, the corners among them, (number, 2).

        Parameters
        ----------
        size : distance of neighbours, to which each edge is divided into equal parts
        """
        edges = list(_edges(np.array(self.corners)))
        shortest = min(float(np.hypot(*(end - start))) for start, end in edges)
        if size > 1.5 * shortest:
            raise InputError(
                f"a size of {size:.3g} is too coarse for a polygon with an edge of {shortest:.3g}; take at most that."
            )
        counts = [max(round(float(np.hypot(*(end - start))) / size), 1) for start, end in edges]
        return np.concatenate(
            [
                start + (end - start) * (np.arange(count) / count)[:, None]
                for (start, end), count in zip(edges, counts, strict=True)
            ]
        )

    @property
    def bounds(self) -> tuple[Pair, Pair]:
        """The lower and the upper corner of the smallest box around it."""
        found = np.array(self.corners)
        return _pair("", found.min(0)), _pair("", found.max(0))

    def mirrored(self, height: float) -> Polygon:
        """Return its image in a channel that is turned upside down, y to height - y.

        Parameters
        ----------
        height : of the channel
        """
        return Polygon(tuple((x, height - y) for x, y in reversed(self.corners)))


def _check_size(size: float, radius: float) -> None:
    """Refuse edges that are too long for an outline with a least radius of curvature."""
    most = _TURN * radius
    if size > most:
        raise InputError(
            f"a size of {size:.3g} is too coarse for an obstacle with a radius of curvature of {radius:.3g}; "
            f"take a size of at most {most:.3g}."
        )


def _points(values: np.ndarray) -> np.ndarray:
    return real_array("the points", values, shape=("number", 2))


def _pair(name: str, values: object) -> Pair:
    x, y = real_array(name, values, shape=(2,)).tolist()
    return x, y


def _lengths(name: str, values: object) -> Pair:
    first, second = _pair(f"each {name}", values)
    return positive(f"the first {name}", first), positive(f"the second {name}", second)


def _rotation(angle: float) -> np.ndarray:
    """Return the matrix of a rotation by an angle in degrees."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.array([[cosine, -sine], [sine, cosine]])


def _foot(x: np.ndarray, y: np.ndarray, a: float, b: float, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the foot of the perpendicular for a root; the second one from the first if the point is on the axis."""
    foot = np.clip(a * a * x / np.maximum(t + a * a, np.finfo(float).tiny), 0, a)
    return foot, b * np.sqrt(1 - np.square(foot / a))


def _on_ellipse(x: np.ndarray, y: np.ndarray, a: float, b: float, t: np.ndarray) -> np.ndarray:
    """Return the left side of the equation of the ellipse, 1 on it, for the foot that belongs to t."""
    tiny = np.finfo(float).tiny
    return np.square(a * x / np.maximum(t + a * a, tiny)) + np.square(b * y / np.maximum(t + b * b, tiny))


def _edges(corners: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return zip(corners, np.roll(corners, -1, axis=0), strict=True)


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def _area(corners: np.ndarray) -> float:
    """Return the signed area of a polygon, positive if its corners are anticlockwise."""
    return float(_cross(corners, np.roll(corners, -1, axis=0)).sum() / 2)


def _intersect(corners: np.ndarray) -> bool:
    """Return whether two edges meet elsewhere than in the corner they share, or an edge has no length."""
    edges = list(_edges(corners))
    count = len(edges)
    for i, (p, q) in enumerate(edges):
        following = edges[(i + 1) % count][1]
        if not _cross(q - p, following - q) and (q - p) @ (following - q) <= 0:
            return True  # no length, or an edge that runs back along the one before
        for j in range(i + 2, count if i else count - 1):
            r, s = edges[j]
            sides = _cross(q - p, np.stack([r, s]) - p), _cross(s - r, np.stack([p, q]) - r)
            if all(np.prod(np.sign(each)) <= 0 for each in sides) and _boxes_meet(p, q, r, s):
                return True
    return False


def _boxes_meet(p: np.ndarray, q: np.ndarray, r: np.ndarray, s: np.ndarray) -> bool:
    low, high = np.maximum(np.minimum(p, q), np.minimum(r, s)), np.minimum(np.maximum(p, q), np.maximum(r, s))
    return bool((low <= high).all())
