"""Triangles: of the two-dimensional cells of a mesh, and lit from above in space."""

from __future__ import annotations

import numpy as np

from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.mesh.mesh import Mesh
from sciml.mesh.shapes import SHAPES

_LIGHT = np.array([0.35, -0.55, 0.76])


def triangles_of(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Split the two-dimensional cells of a mesh into triangles.

    Returns
    -------
    (triangles, 3) point numbers and (triangles,) numbers of the cells that they are part of
    """
    nodes, owners = [np.empty((0, 3), np.int64)], [np.empty(0, np.int64)]
    for name, block, where in mesh.blocks():
        if SHAPES[name].dim == 2:
            split = np.array(SHAPES[name].simplices)
            nodes.append(block[:, split].reshape(-1, 3))
            owners.append(np.repeat(np.arange(where.start, where.stop), len(split)))
    return np.concatenate(nodes), np.concatenate(owners)


def lit(triangles: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Darken the colours (triangles, 4) of triangles (triangles, 3, 3) that turn away from the light."""
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), np.finfo(float).tiny)
    shaded = np.array(colours, dtype=float)
    shaded[:, :3] *= 0.55 + 0.45 * np.abs(normal @ _LIGHT[:, None])
    return shaded


def check_displacement(displacement: Field, mesh: Mesh) -> None:
    """Refuse a displacement that is not a vector at each point of the mesh."""
    on = displacement.on
    if (
        not isinstance(on, Mesh)
        or on.points.shape != mesh.points.shape
        or displacement.location != "points"
        or displacement.components != (mesh.dim,)
    ):
        raise InputError(
            f"A displacement needs a vector of {mesh.dim} components at each of the {mesh.n_points} points of the "
            f"mesh: got {displacement!r}."
        )
    if not np.isfinite(displacement.values).all():
        raise InputError(f"The displacement {displacement.name!r} is not finite at some times; draw those before.")


def moved_points(mesh: Mesh, displacement: Field | None) -> np.ndarray:
    """Return where a displacement moves the points, (times, points, dim); one time if it is static or None."""
    if displacement is None:
        return mesh.points[None]
    return mesh.points + np.reshape(displacement.values, (-1, *mesh.points.shape))
