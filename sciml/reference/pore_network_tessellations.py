"""Tessellations of the unit cube that pore networks are made of: Delaunay and Voronoi of random points.

The points are reflected at the six faces, so that facets of Voronoi cells lie on the faces (as in OpenPNM 2.8.2). Only
points near a face are reflected: the others cannot be seen from it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import Voronoi

NEAR = 4.0  # mean distances between points: how near to a face points are reflected
ROUNDING = 1e-9  # by so much a Voronoi vertex may lie outside the cube

Tessellation = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""Draws base points in the unit cube; returns pores (pores, 3) and the pairs that throats join (throats, 2)."""


def delaunay(n_base: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return pores at random points, joined where their Voronoi cells share a facet, and boundary pores.

    A boundary pore lies on each facet of a cell on a face of the cube, at the mean of the facet's corners, and is
    joined to the pore of that cell only.
    """
    points, owner = _reflected(n_base, random)
    diagram = Voronoi(points)
    pairs = np.sort(diagram.ridge_points, axis=1)
    between = pairs[:, 1] < n_base
    on_face = np.flatnonzero((pairs[:, 0] < n_base) & ~between & (owner[pairs[:, 1]] == pairs[:, 0]))
    centres = [diagram.vertices[diagram.ridge_vertices[facet]].mean(axis=0) for facet in on_face]
    boundary = np.column_stack([pairs[on_face, 0], n_base + np.arange(len(on_face))])
    return np.vstack([points[:n_base], *centres]), np.vstack([pairs[between], boundary])


def voronoi(n_base: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return pores at the corners of the Voronoi cells of random points, joined along the edges of their facets."""
    points, owner = _reflected(n_base, random)
    diagram = Voronoi(points)
    pairs = np.sort(diagram.ridge_points, axis=1)
    used = (pairs[:, 0] < n_base) & ((pairs[:, 1] < n_base) | (owner[pairs[:, 1]] == pairs[:, 0]))
    facets = [facet for facet in (diagram.ridge_vertices[i] for i in np.flatnonzero(used)) if -1 not in facet]
    ends = np.concatenate(facets), np.concatenate([facet[1:] + facet[:1] for facet in facets])
    edges = np.sort(np.column_stack(ends), axis=1)
    inside = ((diagram.vertices > -ROUNDING) & (diagram.vertices < 1.0 + ROUNDING)).all(axis=1)
    edges = np.unique(edges[inside[edges].all(axis=1) & (edges[:, 0] != edges[:, 1])], axis=0)
    kept, renumbered = np.unique(edges, return_inverse=True)
    return diagram.vertices[kept], renumbered.reshape(edges.shape)


TESSELLATIONS: dict[str, Tessellation] = {"delaunay": delaunay, "voronoi": voronoi}


def _reflected(n_base: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return random points followed by the mirror images of those near a face, and whose image each one is."""
    base = random.random((n_base, 3))
    points, owners = [base], [np.arange(n_base)]
    for axis in range(3):
        for face in (0.0, 1.0):
            near = np.flatnonzero(np.abs(base[:, axis] - face) < NEAR * n_base ** (-1.0 / 3.0))
            image = base[near]
            image[:, axis] = 2.0 * face - image[:, axis]
            points.append(image)
            owners.append(near)
    return np.vstack(points), np.concatenate(owners)
