r"""Triangulations of a domain with given boundary nodes, in which the edges push until they are in equilibrium.

Every edge of a Delaunay triangulation is a strut that pushes its ends apart if it is shorter than it should be,

    F = max(l_0 - l, 0) e,    l_0 = 1.2 h(m) \sqrt{\sum l^2 / \sum h^2},

with its length l, its direction e and the size h at its middle m. Nodes move along the sum of their forces, and are
triangulated again when one has moved too far. Boundary nodes are fixed. This is the method of

Persson and Strang, A simple mesh generator in MATLAB, SIAM Review 46 (2004), 329-345,

with nodes that are kept away from the boundary instead of projected onto it, and stopped by the least angle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STIFFNESS = 1.2  # natural length of an edge over the wanted one: most of them push
STEP = 0.3  # of an explicit step along the forces
MOVED = 0.15  # of the size, after which nodes are triangulated again
FEWEST, MOST = 20, 120  # steps
OFTEN = 10  # steps after which nodes are triangulated however little they move, once there are enough
ENOUGH = 33.0  # degrees of the least angle, with which it stops
Size = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Equilibrium:
    """The triangulation that was reached.

    Parameters
    ----------
    points : (boundary nodes + inner nodes, 2), the boundary nodes first, as they were given
    triangles : (triangles, 3) of the convex hull of the points, counter-clockwise
    least_angle : of the triangles with an inner node, in degrees
    steps : that were taken
    """

    points: np.ndarray
    triangles: np.ndarray
    least_angle: float
    steps: int


def force_equilibrium(boundary: np.ndarray, inner: np.ndarray, size: Size, confine: Size) -> Equilibrium:
    """Return a triangulation of fixed boundary nodes and inner nodes whose edges are in equilibrium.

    Parameters
    ----------
    boundary : (b, 2) nodes that do not move
    inner : (n, 2) where the inner nodes start, as densely as the size says
    size : wanted length of edges at positions, (m, 2) to (m,)
    confine : moves inner nodes away from the boundary, (n, 2) to (n, 2)

    Returns
    -------
    Equilibrium
        Of all triangulations after the first 20 steps, the one with the largest least angle.
    """
    fixed, points, best = len(boundary), np.concatenate([boundary, inner]), None
    reach = MOVED * size(inner)
    before: np.ndarray | None = None
    for steps in range(MOST + 1):
        due = before is None or (steps >= FEWEST and steps % OFTEN == 0)
        if due or (np.hypot(*(points - before)[fixed:].T) > reach).any():
            triangles, edges = _triangulated(points, fixed)
            before, reach = points.copy(), MOVED * size(points[fixed:])
            if steps >= FEWEST:
                angle = float(least_angles(points, triangles[(triangles >= fixed).any(axis=1)]).min(initial=180.0))
                if best is None or angle > best.least_angle:
                    best = Equilibrium(before, triangles, angle, steps)
                if angle >= ENOUGH:
                    break
        points[fixed:] = confine(points[fixed:] + STEP * _forces(points, edges, size)[fixed:])
    return best


def least_angles(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return the least angle of each triangle in degrees, (triangles,).

    Parameters
    ----------
    points : (points, 2)
    triangles : (triangles, 3) point numbers
    """
    corners = points[triangles]
    sides = np.roll(corners, -1, axis=1) - corners
    short, middle, long = np.sort(np.hypot(sides[..., 0], sides[..., 1]), axis=1).T
    cosine = (middle**2 + long**2 - short**2) / (2.0 * middle * long)
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _triangulated(points: np.ndarray, fixed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the triangles, and each edge with an inner node once, (edges, 2)."""
    from scipy.spatial import Delaunay

    found = Delaunay(points)
    triangles, opposite = found.simplices, found.neighbors
    once = opposite < np.arange(len(triangles))[:, None]  # an inner edge belongs to its second triangle
    edges = np.concatenate([triangles[once[:, k]][:, [(k + 1) % 3, (k + 2) % 3]] for k in range(3)])
    return triangles, edges[(edges >= fixed).any(axis=1)]


def _forces(points: np.ndarray, edges: np.ndarray, size: Size) -> np.ndarray:
    """Return the sum of the forces on each node, (points, 2)."""
    first, second = edges.T
    along = points[first] - points[second]
    length, wanted = np.hypot(*along.T), size((points[first] + points[second]) / 2)
    natural = STIFFNESS * wanted * np.sqrt(np.square(length).sum() / np.square(wanted).sum())
    pushes = (np.maximum(natural - length, 0.0) / length)[:, None] * along
    count = len(points)
    return np.column_stack(
        [np.bincount(first, push, count) - np.bincount(second, push, count) for push in pushes.T],
    )
