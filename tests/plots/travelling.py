"""Solutions that are known at all times, which the tests of pictures in time share."""

from __future__ import annotations

import numpy as np

from sciml.mesh import Field, Grid, make_mesh


def wave(times, *, name: str = "u", shape=(40,), periodic=True) -> Field:
    """cos(2 pi (x - t)), in two dimensions times 1 + y."""
    grid = Grid(shape, periodic=periodic)
    x = grid.coordinates()
    values = [np.cos(2 * np.pi * (x[..., 0] - t)) * (1 + x[..., 1] if grid.dim == 2 else 1) for t in times]
    return Field(name, np.array(values), grid, times=times, unit="m")


def rotation(times, n: int = 24) -> Field:
    """The velocity (1 + t) (-y, x) on the square [-1, 1]^2."""
    grid = Grid((n, n), (-1, -1), (1, 1), centring="cell")
    x, y = np.moveaxis(grid.coordinates(), -1, 0)
    return Field("velocity", np.array([(1 + t) * np.stack([-y, x], axis=-1) for t in times]), grid, times=times)


def falling(times, shape: str = "disk", refinements: int = 2) -> Field:
    """The displacement of free fall from height 2 along the last axis, -t^2."""
    mesh = make_mesh(shape, refinements)
    values = np.zeros((len(times), *mesh.points.shape))
    values[..., -1] = 2.0 - np.square(times)[:, None]
    return Field("displacement", values, mesh, times=times)
