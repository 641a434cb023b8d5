"""Domains of any shape: DeepXDE's geometries, their points and normals, for problems that otherwise have a box.

A geometry is a disc, a polygon, or what is left of one without another; on files and in pictures it is its bounding
box, with nothing outside of it.
"""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sciml.checks import number, positive
from sciml.deepxde_backend import DISTRIBUTIONS, Distribution, deepxde, double_precision, quiet, seeded
from sciml.domains.box import KINDS, Box
from sciml.domains.strata import BoundaryPoints, check_draw
from sciml.errors import InputError

OURS: dict[str, Distribution] = {"uniform": "pseudo", "stratified": "LHS"}
PROBED = 512  # points that say whether a geometry is what it should be
MEASURED = 2**14  # of which the share inside is the measure
TRIALS = 20  # draws of points, of which some are left out
LARGEST = 2**62
ROUNDING = 1e-9  # of the size, by which points of a boundary may be outside


class Carved(Box):
    """Base of the domains that are a part of a box: a region, or a region during a time interval."""

    @abstractmethod
    def _drawn(self, count: int, distribution: Distribution) -> np.ndarray:
        """Return points drawn by DeepXDE, ``(count, dim)``."""

    def interior(self, count: int, generator: torch.Generator, kind: str = "stratified") -> Tensor:
        """Return random points, ``(count, dim)`` float64, a pure function of the generator.

        Parameters
        ----------
        count : number of points
        generator : draws the points
        kind : ``"shifted"``, those of the bounding box of which the region has some; or one of DeepXDE's distributions,
            of which ``"uniform"`` is ``"pseudo"`` and ``"stratified"`` the Latin hypercube ``"LHS"``. ``"Halton"``,
            ``"Hammersley"`` and ``"Sobol"`` are the same at every draw
        """
        check_draw(count, generator, kind, (*KINDS, *DISTRIBUTIONS))
        if kind == "shifted":
            return self._shifted(count, generator)
        return _as_tensor(self._by_deepxde(lambda: self._drawn(count, OURS.get(kind, kind)), generator), generator)

    def _shifted(self, count: int, generator: torch.Generator) -> Tensor:
        """Return the first Sobol points that are inside, all moved by one random vector."""
        begin, tried = generator.get_state(), 2 * count
        while True:
            generator.set_state(begin)
            found = super().interior(tried, generator, "shifted")
            found = found[self.contains(found)]
            if len(found) >= count:
                return found[:count]
            tried *= 2

    @staticmethod
    def _by_deepxde(draw: Any, generator: torch.Generator) -> Any:
        """Return what DeepXDE draws with a seed from a generator."""
        seed = int(torch.randint(LARGEST, (1,), generator=generator, device=generator.device))
        with seeded(seed), double_precision(), quiet(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The balance properties of Sobol")  # which matter for integrals
            return draw()


class Region(Carved):
    """A geometry of DeepXDE as a domain; its box is the bounding box, and no axis is periodic.

    ``-``, ``|`` and ``&`` of regions are regions: the difference, union and intersection.

    Parameters
    ----------
    geometry : ``deepxde.geometry.Disk`` and others, of 2 or 3 axes, made inside of
        :func:`~sciml.deepxde_backend.double_precision`

    Raises
    ------
    InputError
        If it is none, in single precision, of one axis, or does not fit into its own bounding box.
    """

    def __init__(self, geometry: Any) -> None:
        if not isinstance(geometry, deepxde().geometry.geometry.Geometry):
            raise InputError(f"a region is a geometry of DeepXDE, got {type(geometry).__name__}.")
        if geometry.dim not in (2, 3):
            raise InputError(f"a region has 2 or 3 axes, got {geometry.dim}; use a Box.")
        if _is_single(geometry):
            raise InputError(
                "the geometry is in single precision, expected double: its faces would be off by 1e-7; make it inside "
                "of sciml.deepxde_backend.double_precision()."
            )
        lower, upper = (np.broadcast_to(corner, geometry.dim).tolist() for corner in geometry.bbox)
        super().__init__(lower, upper)
        self.geometry = geometry
        probes = self.interior(PROBED, torch.Generator().manual_seed(0), "pseudo")
        if not bool((super().contains(probes) & self.contains(probes)).all()):
            raise InputError(
                f"points of the {type(geometry).__name__} are outside of it or of its bounding box {lower} to {upper} "
                "by DeepXDE's own account; take a polygon instead."
            )

    @property
    def _largest(self) -> float:
        return max(self._widths)

    @cached_property
    def measure(self) -> float:
        """Area or volume, by counting; to about a part in a thousand."""
        points = Box(self.lower, self.upper).interior(MEASURED, torch.Generator().manual_seed(0), "shifted")
        return math.prod(self._widths) * float(self.contains(points).double().mean())

    @property
    def boundary_measure(self) -> float:
        """Refused, as DeepXDE does not know the length of a boundary.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError("the length of the boundary of a region is not known; use a MeshDomain of the same shape.")

    def boundary(self, count: int, generator: torch.Generator, group: str | None = None) -> BoundaryPoints:
        """Return random points of the boundary with their outward normals, both by DeepXDE.

        Of a difference, both boundaries have about as many, however long they are. Corners are left out.

        Parameters
        ----------
        count : number of points
        generator : draws the points
        group : None; a region has no names for its faces
        """
        check_draw(count, generator, "uniform", KINDS)
        if group is not None:
            raise InputError(f"a region has no face {group!r}; leave the group out.")

        def draw() -> tuple[np.ndarray, np.ndarray]:
            found, normals = np.empty((0, self.dim)), np.empty((0, self.dim))
            for _ in range(TRIALS):
                points = self.geometry.random_boundary_points(count, random="pseudo")
                outward = self.geometry.boundary_normal(points)
                whole = np.abs(np.linalg.norm(outward, axis=1) - 1) < 1e-6
                found, normals = np.concatenate([found, points[whole]]), np.concatenate([normals, outward[whole]])
                if len(found) >= count:
                    return found[:count], normals[:count]
            raise InputError(f"DeepXDE has no normals on most of the boundary of this {type(self.geometry).__name__}.")

        return BoundaryPoints(*(_as_tensor(each, generator) for each in self._by_deepxde(draw, generator)))

    def onto_faces(self, points: Tensor) -> BoundaryPoints:
        """Refuse to move points to faces, which a region does not have."""
        raise InputError("points are moved to the faces of boxes only, and a region has none.")

    def contains(self, points: Tensor) -> Tensor:
        """Return whether points ``(..., dim)`` lie inside or on the boundary, to 1e-9 of its size: ``(...)`` bool."""
        self._corners(points)
        at = points.detach().double().cpu().reshape(-1, self.dim).numpy()
        inside = np.array(self.geometry.inside(at))
        # what DeepXDE finds close to the boundary may be off by a thousandth: it is there if a bit inward is inside
        close = np.flatnonzero(~inside & self.geometry.on_boundary(at))
        if len(close):
            with quiet():
                outward = self.geometry.boundary_normal(at[close])
            inside[close] = self.geometry.inside(at[close] - ROUNDING * self._largest * outward)
        return torch.from_numpy(inside).reshape(points.shape[:-1]).to(points.device)

    def during(self, begin: float, end: float) -> Box:
        """Return the region of space-time that it sweeps from one time to another."""
        return RegionInTime(self, begin, end)

    def _drawn(self, count: int, distribution: Distribution) -> np.ndarray:
        return self.geometry.random_points(count, random=distribution)

    def __sub__(self, other: Region) -> Region:
        """Return the difference of two regions."""
        return self._joined("difference", other)

    def __or__(self, other: Region) -> Region:
        """Return the union of two regions."""
        return self._joined("union", other)

    def __and__(self, other: Region) -> Region:
        """Return the intersection of two regions."""
        return self._joined("intersection", other)

    def _joined(self, how: str, other: Region) -> Region:
        if not isinstance(other, Region) or other.dim != self.dim:
            raise InputError(f"the {how} is of two regions of {self.dim} axes, got {other!r}.")
        with double_precision():
            return Region(getattr(self.geometry, how)(other.geometry))

    def __repr__(self) -> str:
        return f"Region({type(self.geometry).__name__} in {Box(self.lower, self.upper)!r})"


class RegionInTime(Carved):
    """A region and times from ``begin`` to ``end``: points ``(n, dim + 1)``, time at last.

    Parameters
    ----------
    region : of space
    begin, end : of the times
    """

    def __init__(self, region: Region, begin: float, end: float) -> None:
        super().__init__([*region.lower, begin], [*region.upper, end])
        self.region = region

    def contains(self, points: Tensor) -> Tensor:
        """Return whether points ``(..., dim + 1)`` lie in the region at one of its times."""
        return super().contains(points) & self.region.contains(points[..., :-1])

    def _drawn(self, count: int, distribution: Distribution) -> np.ndarray:
        shapes = deepxde().geometry
        times = shapes.TimeDomain(self.lower[-1], self.upper[-1])
        return shapes.GeometryXTime(self.region.geometry, times).random_points(count, random=distribution)


class Disc(Region):
    """A disc or, in three dimensions, a ball.

    Parameters
    ----------
    centre : 2 or 3 coordinates
    radius : a positive number
    """

    def __init__(self, centre: Sequence[float], radius: float) -> None:
        if len(centre) not in (2, 3):
            raise InputError(f"the centre of a disc is {list(centre)}, expected 2 or 3 coordinates.")
        for coordinate in centre:
            number("a coordinate of the centre of a disc", coordinate)
        positive("the radius of a disc", radius)
        with double_precision() as dde:
            shape = dde.geometry.Disk if len(centre) == 2 else dde.geometry.Sphere
            geometry = shape([float(x) for x in centre], float(radius))
        super().__init__(geometry)


class Polygon(Region):
    """A polygon whose sides do not cross.

    Parameters
    ----------
    corners : one after the other, in either direction; at least 3
    """

    def __init__(self, corners: Sequence[Sequence[float]]) -> None:
        points = np.array(corners, dtype=float)
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or not np.isfinite(points).all():
            raise InputError(f"the corners of a polygon are {corners!r}, expected at least 3 finite points of a plane.")
        with double_precision() as dde:
            shapes = dde.geometry
            if len(points) == 3:
                geometry = shapes.Triangle(*points)
            elif shapes.Rectangle.is_valid(points):
                geometry = shapes.Rectangle(points.min(0), points.max(0))
            else:
                geometry = shapes.Polygon(points)
        super().__init__(geometry)


class Difference(Region):
    """A region without another: with a hole, or a piece cut off.

    Parameters
    ----------
    region, without : the whole, and what is taken away
    """

    def __init__(self, region: Region, without: Region) -> None:
        super().__init__((region - without).geometry)


def _as_tensor(points: np.ndarray, generator: torch.Generator) -> Tensor:
    return torch.as_tensor(points, dtype=torch.float64, device=generator.device)


def _is_single(geometry: Any) -> bool:
    """Return whether a geometry, or a part of it, has numbers in single precision."""
    parts = [getattr(geometry, name) for name in ("geom1", "geom2") if hasattr(geometry, name)]
    own = (value for value in vars(geometry).values() if isinstance(value, np.ndarray))
    return any(value.dtype in (np.float32, np.float16) for value in own) or any(map(_is_single, parts))
