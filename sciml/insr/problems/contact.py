r"""Contact with solid obstacles as a penalty potential, a sum of squares like the energies.

An obstacle computes the penetration depth of a position phi. The potential ``k / 2 * depth^2`` has the force
``-grad = k * depth * n``, n the outward normal: zero on the surface, outward, growing with the depth. The code of the
INSR paper differs: its force on a sphere grows with the distance from the centre and has no potential.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from sciml.checks import number, positive
from sciml.errors import InputError

if TYPE_CHECKING:
    from sciml import plots

_TINY = 1e-24  # under the root of a squared distance: the derivative stays finite at the centre of a sphere


class Obstacle(Protocol):
    """The interface of a rigid obstacle."""

    def depth(self, positions: Tensor) -> Tensor:
        """Return the penetration depth (...) of positions (..., d), zero outside."""

    def residuals(self, positions: Tensor) -> Tensor:
        """Return rows (..., 1) whose square is the contact potential."""

    def force(self, positions: Tensor) -> Tensor:
        """Return the contact force, minus the gradient of the potential, (..., d)."""

    def picture(self) -> Any:
        """Return the shape as :mod:`sciml.plots` draws it."""


class Plane:
    """A rigid half space below a plane, ``(phi - point) . normal < 0``.

    Parameters
    ----------
    point : on the plane, d coordinates
    normal : outward, d coordinates of any length but 0
    stiffness : k > 0, force per depth, both per volume (or mass, or area) that carries the potential
    """

    def __init__(self, point: Sequence[float], normal: Sequence[float], stiffness: float) -> None:
        self.point = _coordinates("point", point)
        length = math.hypot(*_coordinates("normal", normal))
        if len(normal) != len(self.point) or length == 0:
            raise InputError(
                f"the normal of a plane needs {len(self.point)} coordinates, not all 0, like its point; got {normal!r}."
            )
        self.normal = tuple(float(x) / length for x in normal)
        self.stiffness = positive("the stiffness of an obstacle", stiffness)

    def depth(self, positions: Tensor) -> Tensor:
        """Return the depth max(0, -(phi - point) . normal)."""
        height = _relative(positions, self.point) @ positions.new_tensor(self.normal)
        return torch.relu(-height)

    def residuals(self, positions: Tensor) -> Tensor:
        """Return the rows sqrt(k / 2) depth, (..., 1)."""
        return math.sqrt(self.stiffness / 2) * self.depth(positions)[..., None]

    def force(self, positions: Tensor) -> Tensor:
        """Return the force k depth normal, (..., d)."""
        return self.stiffness * self.depth(positions)[..., None] * positions.new_tensor(self.normal)

    def __repr__(self) -> str:
        return f"Plane(point={self.point}, normal={self.normal}, stiffness={self.stiffness:g})"

    def picture(self) -> plots.Plane:
        """Return the plane as pictures draw it."""
        from sciml import plots

        return plots.Plane(self.point, self.normal)


class Sphere:
    """A rigid ball (a disk in the plane), ``|phi - center| < radius``.

    Parameters
    ----------
    center : d coordinates
    radius : a positive number
    stiffness : k > 0, as of `Plane`
    """

    def __init__(self, center: Sequence[float], radius: float, stiffness: float) -> None:
        self.center = _coordinates("center", center)
        self.radius = positive("the radius of a sphere", radius)
        self.stiffness = positive("the stiffness of an obstacle", stiffness)

    def depth(self, positions: Tensor) -> Tensor:
        """Return the depth max(0, radius - |phi - center|)."""
        return torch.relu(self.radius - self._distance(positions))

    def residuals(self, positions: Tensor) -> Tensor:
        """Return the rows sqrt(k / 2) depth, (..., 1)."""
        return math.sqrt(self.stiffness / 2) * self.depth(positions)[..., None]

    def force(self, positions: Tensor) -> Tensor:
        """Return the force k depth (phi - center) / |phi - center|; zero at the centre, where it has no direction."""
        outward = _relative(positions, self.center) / self._distance(positions)[..., None]
        return self.stiffness * self.depth(positions)[..., None] * outward

    def __repr__(self) -> str:
        return f"Sphere(center={self.center}, radius={self.radius:g}, stiffness={self.stiffness:g})"

    def picture(self) -> plots.Ball:
        """Return the sphere as pictures draw it."""
        from sciml import plots

        return plots.Ball(self.center, self.radius)

    def _distance(self, positions: Tensor) -> Tensor:
        return torch.sqrt(_relative(positions, self.center).square().sum(-1) + _TINY)


def _relative(positions: Tensor, origin: tuple[float, ...]) -> Tensor:
    if positions.shape[-1] != len(origin):
        raise InputError(f"the obstacle is in {len(origin)}-D, but positions have shape {tuple(positions.shape)}.")
    return positions - positions.new_tensor(origin)


def _coordinates(name: str, values: Sequence[float]) -> tuple[float, ...]:
    if not len(values):
        raise InputError(f"the {name} of an obstacle is {values!r}, expected its coordinates.")
    return tuple(number(f"a coordinate of the {name} of an obstacle", x) for x in values)
