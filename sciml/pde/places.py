"""Where the values of a field in a box are written: a lattice, or the points of a mesh file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.mesh import Grid, Mesh, read_mesh
from sciml.pde.sampling import Box

ROUNDING = 1e-6  # of the size of a box: points of files that lie so far outside are on its faces


def place_in(box: Box, grid: Sequence[int] | None, mesh: str | Path | None, usual: Sequence[int]) -> Grid | Mesh:
    """Return the points of a mesh file, or a lattice that fills the box.

    Parameters
    ----------
    box : of 1 to 3 axes
    grid : values along each axis
    mesh : file, instead of a grid
    usual : values along each axis where neither is given

    Raises
    ------
    InputError
        If both are given, the grid has another dimension than the box, or the mesh reaches beyond it.
    MeshFileError
        If the file cannot be read.
    """
    if grid is not None and mesh is not None:
        raise InputError("the output is on a grid or on a mesh, got both; leave one of the two out.")
    if mesh is not None:
        found = read_mesh(mesh)[0]
        check_inside(found, box, mesh)
        return found
    if grid is not None and (len(grid) != box.dim or min(grid) < 2):
        raise InputError(
            f"the grid of the output is {list(grid)}, expected {box.dim} numbers of values, at least 2 along each axis."
        )
    return box.lattice(grid or usual)


def check_inside(mesh: Mesh, box: Box, source: str | Path) -> None:
    """Refuse a mesh of another dimension than the box, and one that reaches beyond it.

    Raises
    ------
    InputError
        Naming the source.
    """
    if mesh.dim != box.dim:
        raise InputError(f"{source} has {mesh.dim} dimensions, expected {box.dim} as the problem has.")
    points = torch.tensor(mesh.points)
    slack = ROUNDING * max(high - low for low, high in zip(box.lower, box.upper, strict=True))
    outside = int(((points - box.clamp(points)).abs() > slack).any(1).sum())
    if outside:
        raise InputError(
            f"{source} has {outside} of {mesh.n_points} points outside the box of the problem, from "
            f"{list(box.lower)} to {list(box.upper)}; take a mesh within it."
        )


def points_of(place: Grid | Mesh) -> Tensor:
    """Return the points of a grid or mesh, ``(n, dim)``."""
    coordinates = place.coordinates() if isinstance(place, Grid) else place.points
    return torch.tensor(coordinates.reshape(-1, coordinates.shape[-1]))


def array_on(place: Grid | Mesh, values: Tensor) -> np.ndarray:
    """Return one value for each of :func:`points_of`, ``(n, 1)``, as a field on the grid or mesh has it."""
    return values.detach().cpu().double().numpy().reshape(place.shape if isinstance(place, Grid) else -1)
