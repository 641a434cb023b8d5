"""The domain `Box`, with periodic axes and in any dimension, and random points in it and on its boundary.

All draws are pure functions of the generator that is passed, and lie on its device.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from sciml.domains.strata import BoundaryPoints, check_draw, in_cube, levels, locate, positions, uniform
from sciml.errors import InputError
from sciml.mesh.grid import Grid

KINDS = ("uniform", "stratified", "shifted")


class Box:
    """The box [lower, upper], some of whose axes may be periodic.

    Parameters
    ----------
    lower, upper : corners, one coordinate per axis
    periodic : per axis, or one for all; a periodic axis has no boundary

    Raises
    ------
    InputError : corners of different length, not finite, or lower not below upper

    Examples
    --------
    >>> channel = Box([0, -1], [4, 1], periodic=[True, False])
    >>> channel.measure
    8.0
    >>> channel.wrap(torch.tensor([[4.5, 2.0]]))
    tensor([[0.5000, 1.0000]])
    """

    def __init__(self, lower: Sequence[float], upper: Sequence[float], periodic: Sequence[bool] | bool = False) -> None:
        self.lower = _coordinates("lower", lower)
        self.upper = _coordinates("upper", upper)
        if len(self.lower) != len(self.upper):
            raise InputError(
                f"lower and upper of a box need one coordinate per axis each; "
                f"got {len(self.lower)} and {len(self.upper)}."
            )
        if not all(a < b and math.isfinite(b - a) for a, b in zip(self.lower, self.upper, strict=True)):
            raise InputError(
                f"lower must be smaller than upper on each axis of a box; got lower={self.lower}, upper={self.upper}."
            )
        flags = [periodic] * len(self.lower) if isinstance(periodic, bool) else periodic
        flags = list(flags) if isinstance(flags, Iterable) else []
        if len(flags) != len(self.lower) or not all(isinstance(flag, bool | np.bool_) for flag in flags):
            raise InputError(
                f"periodic is {periodic!r}; expected true or false, or one of them for each of {len(self.lower)} axes."
            )
        self.periodic = tuple(bool(flag) for flag in flags)

    @property
    def dim(self) -> int:
        """The number of axes, the dimension of the box."""
        return len(self.lower)

    @property
    def measure(self) -> float:
        """The length, area or volume of the box."""
        return math.prod(self._widths)

    @property
    def has_boundary(self) -> bool:
        """True if the box has a boundary: all boxes do but those that are periodic along every axis."""
        return not all(self.periodic)

    @property
    def boundary_measure(self) -> float:
        """Number of ends, length or area of the boundary."""
        closed = [width for width, periodic in zip(self._widths, self.periodic, strict=True) if not periodic]
        return sum(2 * self.measure / width for width in closed)

    @property
    def _widths(self) -> list[float]:
        return [b - a for a, b in zip(self.lower, self.upper, strict=True)]

    def interior(self, count: int, generator: torch.Generator, kind: str = "stratified") -> torch.Tensor:
        """Return random points, each uniform in the box.

        Parameters
        ----------
        count : number of points; "stratified" takes the nearest lattice, of ``round(count**(1 / dim))`` per axis
        generator : draws the points
        kind : "uniform" independent; "stratified" one in each cell of a lattice; "shifted" one rigid set of points of
            low discrepancy (equispaced on one axis, Sobol's on more) moved by one random vector modulo the box

        Returns
        -------
        Tensor
            (points, dim) float64.

        References
        ----------
        R. Cranley and T. N. L. Patterson, Randomization of number theoretic methods for multiple integration, SIAM
        Journal on Numerical Analysis 13 (1976): the shift.
        """
        check_draw(count, generator, kind, KINDS)
        if kind == "uniform":
            return self._place(uniform([count, self.dim], generator))
        if self.dim == 1:
            return self._place(positions(count, generator, kind)[:, None])
        if kind == "shifted":
            sobol = torch.quasirandom.SobolEngine(self.dim).draw(count, dtype=torch.float64)
            return self._place((sobol.to(generator.device) + uniform([1, self.dim], generator)) % 1.0)
        per_axis = max(1, round(count ** (1.0 / self.dim)))
        steps = torch.arange(per_axis, device=generator.device, dtype=torch.float64)
        corners = torch.cartesian_prod(*[steps] * self.dim)
        return self._place((corners + uniform(corners.shape, generator)) / per_axis)

    def boundary(self, count: int, generator: torch.Generator, group: str | None = None) -> BoundaryPoints:
        """Return random points, each uniform on the faces of the axes that are not periodic.

        There is one point in each of ``count`` parts of equal measure; on one axis, half of them at either end.

        Parameters
        ----------
        count : number of points
        generator : draws the points
        group : one face by its name, "x-" the lower and "x+" the upper one of the first axis, then "y-", "y+", "z-",
            "z+"; with more than three axes "x0-", "x0+", "x1-", ...; None for all

        Raises
        ------
        InputError : an axis or face that does not exist, or every axis periodic
        """
        check_draw(count, generator, "stratified", KINDS)
        faces = self._faces(group)
        widths = self._widths
        areas = [math.prod(widths[:axis] + widths[axis + 1 :]) for axis, _ in faces]
        measures = torch.tensor(areas, dtype=torch.float64, device=generator.device)
        face, fraction = locate(positions(count, generator, "stratified"), measures)
        level = levels(count, max(areas) / sum(areas), 2 ** (self.dim - 1))
        on_face = in_cube(fraction, self.dim - 1, level, generator)
        unit = on_face.new_empty(count, self.dim)
        normals = torch.zeros_like(unit)
        for number, (axis, side) in enumerate(faces):
            here = face == number
            ends = on_face.new_full((int(here.sum()), 1), side)
            unit[here] = torch.cat([on_face[here, :axis], ends, on_face[here, axis:]], dim=1)
            normals[here, axis] = 2.0 * side - 1.0
        return BoundaryPoints(self._place(unit), normals)

    def _faces(self, group: str | None) -> list[tuple[int, int]]:
        """Return (axis, side) of the faces of a group, side 0 the lower and 1 the upper one."""
        axes = "xyz" if self.dim <= 3 else [f"x{k}" for k in range(self.dim)]
        named = {
            f"{axes[axis]}{'-+'[side]}": (axis, side)
            for axis in range(self.dim)
            for side in (0, 1)
            if not self.periodic[axis]
        }
        if not named:
            raise InputError("a box that is periodic along every axis has no boundary; sample its interior.")
        if group is None:
            return list(named.values())
        if group not in named:
            raise InputError(f"the box has no face {group!r}; there are {', '.join(named)}.")
        return [named[group]]

    def onto_faces(self, points: torch.Tensor) -> BoundaryPoints:
        """Return points of the box moved to the nearest of the faces of the axes that are not periodic.

        Parameters
        ----------
        points : (n, dim)
        """
        faces = self._faces(None)
        lower, upper = self._corners(points)
        gaps = torch.stack([(points[:, axis] - (lower, upper)[side][axis]).abs() for axis, side in faces], dim=1)
        nearest, moved = gaps.argmin(dim=1), points.clone()
        normals = torch.zeros_like(points)
        for number, (axis, side) in enumerate(faces):
            here = nearest == number
            moved[here, axis] = (lower, upper)[side][axis]
            normals[here, axis] = 2.0 * side - 1.0
        return BoundaryPoints(moved, normals)

    def contains(self, points: torch.Tensor) -> torch.Tensor:
        """Return whether points lie in the closed box, (...) bool. Wrap points first where an axis is periodic.

        Parameters
        ----------
        points : (..., dim)
        """
        lower, upper = self._corners(points)
        return ((points >= lower) & (points <= upper)).all(dim=-1)

    def clamp(self, points: torch.Tensor) -> torch.Tensor:
        """Return the nearest points of the box, (..., dim)."""
        lower, upper = self._corners(points)
        return torch.minimum(torch.maximum(points, lower), upper)

    def wrap(self, points: torch.Tensor) -> torch.Tensor:
        """Return points moved by whole periods into lower <= x < upper; axes that are not periodic are clamped.

        Points that are inside keep every bit, and the derivative with respect to a wrapped coordinate is 1.

        Parameters
        ----------
        points : (..., dim)
        """
        if not any(self.periodic):
            return self.clamp(points)
        lower, upper = self._corners(points)
        moved = points - (upper - lower) * torch.floor((points - lower) / (upper - lower))
        # a point just below the box may be rounded to the upper end, which is the lower one
        moved = torch.where(moved >= upper, moved - (upper - lower), moved)
        flags = torch.tensor(self.periodic, device=points.device)
        # chosen by where, since torch halves the derivative of a maximum of two equal numbers
        return torch.where(flags, torch.where(moved < lower, lower, moved), self.clamp(points))

    def lattice(self, shape: int | Sequence[int]) -> Grid:
        """Return a vertex-centred grid that fills the box, for output and evaluation.

        Parameters
        ----------
        shape : number of values along each axis, or one number for all
        """
        if self.dim > 3:
            raise InputError(f"a lattice has 1 to 3 axes, the box has {self.dim}; evaluate at points of its interior.")
        each = (shape,) * self.dim if isinstance(shape, int | np.integer) else tuple(shape)
        return Grid(each, self.lower, self.upper, self.periodic)

    def during(self, begin: float, end: float) -> Box:
        """Return the box of space-time from one time to another: one more axis at last, not periodic."""
        return Box([*self.lower, begin], [*self.upper, end], [*self.periodic, False])

    def _corners(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if points.ndim == 0 or points.shape[-1] != self.dim:
            raise InputError(
                f"points in a box of {self.dim} axes have shape (..., {self.dim}), got {(*points.shape,)}."
            )
        like = {"dtype": points.dtype, "device": points.device}
        return torch.tensor(self.lower, **like), torch.tensor(self.upper, **like)

    def _place(self, unit: torch.Tensor) -> torch.Tensor:
        """Return points of [0, 1]^dim mapped onto the box, its ends exactly."""
        lower, upper = self._corners(unit)
        return torch.where(unit == 1.0, upper, torch.minimum(lower + (upper - lower) * unit, upper))

    def __repr__(self) -> str:
        box = " x ".join(f"[{a:g}, {b:g}]" for a, b in zip(self.lower, self.upper, strict=True))
        return f"Box({box}{f', periodic={self.periodic}' if any(self.periodic) else ''})"


def _coordinates(name: str, values: Any) -> tuple[float, ...]:
    try:
        numbers = () if isinstance(values, str) else tuple(float(value) for value in values)
    except (TypeError, ValueError):
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise InputError(f"{name} of a box is {values!r}, expected a list of one finite number per axis.")
    return numbers
