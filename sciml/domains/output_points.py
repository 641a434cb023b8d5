"""Points at which the values of a field are written or measured: those of a lattice, of a mesh, or spread evenly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sciml.domains.box import Box
from sciml.domains.mesh_domain import MeshDomain
from sciml.errors import InputError
from sciml.mesh import Grid, Mesh, read_mesh

Domain = Box | MeshDomain
"""A domain on which a problem may be posed; regions such as discs are boxes of which some points are left out."""

LATTICE = {1: 4001, 2: 128}  # evaluation points along each axis
SCATTERED = 20_000  # evaluation points in more dimensions, and in domains that are no boxes
MEANS = 4096  # points of means
MOST_POINTS = 10**8  # of a grid that is written: 0.8 GB for each field and time
ROUNDING = 1e-6  # of the size of a box: points of files that lie so far outside are on its faces


def place_in(
    domain: Domain, grid: Sequence[int] | None, mesh: str | Path | None, default: Sequence[int]
) -> Grid | Mesh:
    """Return the points of a mesh file, a lattice that fills a box, or the mesh of the domain itself.

    Parameters
    ----------
    domain : a box of 1 to 3 axes, or a mesh
    grid : values along each axis
    mesh : file, instead of a grid
    default : values along each axis where neither is given

    Raises
    ------
    InputError
        If both are given, the grid has another dimension than the box or the domain is a mesh, or the mesh reaches
        beyond the box.
    MeshFileError
        If the file cannot be read.
    """
    if grid is not None and mesh is not None:
        raise InputError("the output is on a grid or on a mesh, got both; leave one of the two out.")
    if mesh is not None:
        found = read_mesh(mesh)[0]
        check_inside(found, domain, mesh)
        return found
    if isinstance(domain, MeshDomain):
        if grid is not None:
            raise InputError("the output has a grid, but the problem is on a mesh; leave it out, or name a mesh.")
        return domain.mesh
    if grid is not None and (len(grid) != domain.dim or min(grid) < 2):
        raise InputError(
            f"the grid of the output is {list(grid)}, expected at least 2 values along each of {domain.dim} axes."
        )
    if grid is not None and math.prod(grid) > MOST_POINTS:
        raise InputError(f"the grid of the output is {list(grid)}, expected at most {MOST_POINTS:,} values.")
    return domain.lattice(grid or default)


def check_inside(mesh: Mesh, domain: Domain, source: str | Path) -> None:
    """Refuse a mesh of another dimension than the domain, and one that reaches beyond a box.

    Raises
    ------
    InputError
        Naming the source. A network has values everywhere, but those beyond the domain mean nothing.
    """
    if mesh.dim != domain.dim:
        raise InputError(f"{source} has {mesh.dim} dimensions, expected {domain.dim} as the problem has.")
    if isinstance(domain, MeshDomain):
        return
    points = torch.tensor(mesh.points)
    slack = ROUNDING * max(high - low for low, high in zip(domain.lower, domain.upper, strict=True))
    outside = int(((points - domain.clamp(points)).abs() > slack).any(1).sum())
    if outside:
        raise InputError(
            f"{source} has {outside} of {mesh.n_points} points outside the box of the problem, from "
            f"{list(domain.lower)} to {list(domain.upper)}; take a mesh within it."
        )


def moved_inside(domain: Domain, points: Tensor) -> Tensor:
    """Return points of a domain moved by whole periods along periodic axes, and by rounding; refuse others.

    The derivative of a moved point by the point is 1.

    Parameters
    ----------
    domain : a box, a region of one, or a mesh
    points : (n, dim)

    Raises
    ------
    InputError
        If points are outside of the domain; the sentence has the first one.
    """
    given = points.detach()
    if isinstance(domain, MeshDomain):
        inside = domain.contains(given, ROUNDING)
    else:
        wrapped = domain.wrap(given)
        slack = ROUNDING * max(high - low for low, high in zip(domain.lower, domain.upper, strict=True))
        closed = ~torch.tensor(domain.periodic, device=points.device)
        inside = domain.contains(wrapped) & ~(closed & ((wrapped - given).abs() > slack)).any(1)
        points = points + (wrapped - given)
    if not bool(inside.all()):
        first = [round(coordinate, 12) for coordinate in given[~inside][0].tolist()]
        raise InputError(
            f"{int((~inside).sum())} of {len(given)} points are outside of the domain {domain!r}, such as {first}; "
            "a solution has no meaning there, so leave them out."
        )
    return points


def points_of(place: Grid | Mesh) -> Tensor:
    """Return the points of a grid or mesh, ``(n, dim)``."""
    coordinates = place.coordinates() if isinstance(place, Grid) else place.points
    return torch.tensor(coordinates.reshape(-1, coordinates.shape[-1]))


def array_on(place: Grid | Mesh, values: Tensor) -> np.ndarray:
    """Return values at :func:`points_of`, ``(n, channels)``, as a field on the grid or mesh has them."""
    shape = place.shape if isinstance(place, Grid) else (len(values),)
    array = values.detach().cpu().double().numpy().reshape(*shape, -1)
    return array[..., 0] if array.shape[-1] == 1 else array


def values_inside(
    domain: Domain, points: Tensor, evaluate: Callable[[Tensor], Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """Return the values of fields at the points of a file, nan where these are outside of the domain.

    Parameters
    ----------
    domain : points that rounding has put outside of a box are moved onto its faces
    points : (n, dim)
    evaluate : fields by name, ``(m, channels)``, at ``(m, dim)`` points inside
    """
    if isinstance(domain, MeshDomain):
        return dict(evaluate(points))
    points = domain.clamp(points)
    inside = domain.contains(points)
    found = evaluate(points[inside])
    if bool(inside.all()):
        return dict(found)
    everywhere = {name: values.new_full((len(points), *values.shape[1:]), torch.nan) for name, values in found.items()}
    for name, values in found.items():
        everywhere[name][inside.to(values.device)] = values
    return everywhere


def evaluation_points(domain: Domain) -> Tensor:
    """Return the points of errors, always the same: a fine lattice in one and two dimensions, scattered points in more.

    Scattered points have low discrepancy, so that means over them converge faster than over independent ones.
    """
    draws = torch.Generator().manual_seed(1)
    if isinstance(domain, Box) and domain.dim in LATTICE:
        points = points_of(domain.lattice(LATTICE[domain.dim]))
        return points[domain.contains(points)]
    return domain.interior(SCATTERED, draws, kind="shifted" if isinstance(domain, Box) else "stratified")


def mean_points(domain: Domain, count: int = MEANS) -> Tensor:
    """Return evenly spread points for means over a domain, always the same, ``(about count, dim)``."""
    return domain.interior(count, torch.Generator().manual_seed(0), kind="stratified")
