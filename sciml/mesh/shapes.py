"""Reference cells: nodes, edges, facets and split into simplices of each cell type (numbering of VTK and meshio)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sciml.errors import InputError


@dataclass(frozen=True)
class Shape:
    """Local numbering of one cell type.

    ``facets`` are ``(cell type, local nodes)`` and point outwards from a cell of positive measure; ``edges`` join
    neighbouring nodes (a second-order edge is two); ``simplices`` split the cell for quadrature.
    """

    dim: int
    nodes: int
    corners: int
    edges: tuple[tuple[int, int], ...]
    facets: tuple[tuple[str, tuple[int, ...]], ...]
    simplices: tuple[tuple[int, ...], ...]


_EDGES = {
    "line": ((0, 1),),
    "triangle": ((0, 1), (1, 2), (2, 0)),
    "quad": ((0, 1), (1, 2), (2, 3), (3, 0)),
    "tetra": ((0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)),
    "hexahedron": ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7)),
    "wedge": ((0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (0, 3), (1, 4), (2, 5)),
    "pyramid": ((0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (1, 4), (2, 4), (3, 4)),
}
_FACETS = {
    "line": ((0,), (1,)),
    "triangle": _EDGES["triangle"],
    "quad": _EDGES["quad"],
    "tetra": ((0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)),
    "hexahedron": ((0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)),
    "wedge": ((0, 2, 1), (3, 4, 5), (0, 1, 4, 3), (1, 2, 5, 4), (2, 0, 3, 5)),
    "pyramid": ((0, 3, 2, 1), (0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)),
}
_SIMPLICES = {
    "line": ((0, 1),),
    "triangle": ((0, 1, 2),),
    "quad": ((0, 1, 2), (0, 2, 3)),
    "tetra": ((0, 1, 2, 3),),
    "hexahedron": ((0, 1, 2, 6), (0, 2, 3, 6), (0, 3, 7, 6), (0, 7, 4, 6), (0, 4, 5, 6), (0, 5, 1, 6)),
    "wedge": ((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5)),
    "pyramid": ((0, 1, 2, 4), (0, 2, 3, 4)),
    "line3": ((0, 2), (2, 1)),
    "triangle6": ((0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5)),
    "quad8": ((0, 4, 7), (4, 1, 5), (5, 2, 6), (6, 3, 7), (4, 5, 6), (4, 6, 7)),
    "quad9": ((0, 4, 8), (4, 1, 8), (1, 5, 8), (5, 2, 8), (2, 6, 8), (6, 3, 8), (3, 7, 8), (7, 0, 8)),
    "tetra10": (
        *((0, 4, 6, 7), (4, 1, 5, 8), (6, 5, 2, 9), (7, 8, 9, 3)),
        *((4, 9, 6, 5), (4, 9, 5, 8), (4, 9, 8, 7), (4, 9, 7, 6)),
    ),
}
_CORNERS = {"line": 2, "triangle": 3, "quad": 4, "tetra": 4, "hexahedron": 8, "wedge": 6, "pyramid": 5}
_DIM = {"line": 1, "triangle": 2, "quad": 2, "tetra": 3, "hexahedron": 3, "wedge": 3, "pyramid": 3}
_FACET_TYPE = {1: "vertex", 2: "line", 3: "triangle", 4: "quad"}
# second-order type: its linear type, its number of nodes, the type of its facets
_SECOND_ORDER = {
    "line3": ("line", 3, "vertex"),
    "triangle6": ("triangle", 6, "line3"),
    "quad8": ("quad", 8, "line3"),
    "quad9": ("quad", 9, "line3"),
    "tetra10": ("tetra", 10, "triangle6"),
    "hexahedron20": ("hexahedron", 20, "quad8"),
    "hexahedron27": ("hexahedron", 27, "quad9"),
}
_FACE_CENTRES_27 = (24, 25, 22, 21, 23, 20)  # centre node of each facet in the order of _FACETS["hexahedron"]


def _linear(name: str) -> Shape:
    facets = tuple((_FACET_TYPE[len(f)], f) for f in _FACETS[name])
    return Shape(_DIM[name], _CORNERS[name], _CORNERS[name], _EDGES[name], facets, _SIMPLICES[name])


def _second_order(name: str) -> Shape:
    linear, nodes, facet_type = _SECOND_ORDER[name]
    corners, edges = _CORNERS[linear], _EDGES[linear]
    middle = {frozenset(edge): corners + k for k, edge in enumerate(edges)}
    halves = tuple(h for a, b in edges for h in ((a, middle[frozenset((a, b))]), (middle[frozenset((a, b))], b)))
    facets = []
    for k, facet in enumerate(_FACETS[linear]):
        ring = zip(facet, (*facet[1:], facet[0]), strict=True)
        # two corners of a plane cell share one middle node, so each facet lists it once
        middles = tuple(dict.fromkeys(middle[frozenset(pair)] for pair in ring)) if len(facet) > 1 else ()
        centre = (_FACE_CENTRES_27[k],) if name == "hexahedron27" else ()
        facets.append((facet_type, (*facet, *middles, *centre)))
    return Shape(_DIM[linear], nodes, corners, halves, tuple(facets), _SIMPLICES.get(name, _SIMPLICES[linear]))


SHAPES: dict[str, Shape] = {"vertex": Shape(0, 1, 1, (), (), ((0,),))}
SHAPES |= {name: _linear(name) for name in _EDGES}
SHAPES |= {name: _second_order(name) for name in _SECOND_ORDER}
LINEAR_TYPE = {name: entry[0] for name, entry in _SECOND_ORDER.items()}


def shape_of(cell_type: str) -> Shape:
    """Return the `Shape` of a cell type, or raise `InputError` naming the known types."""
    try:
        return SHAPES[cell_type]
    except KeyError:
        raise InputError(f"Unknown cell type {cell_type!r}; expected one of {', '.join(SHAPES)}.") from None


def simplex_measures(vertices: np.ndarray) -> np.ndarray:
    """Return length, area or volume of simplices, ``sqrt(det(E E^T)) / d!`` with the edge vectors E.

    Parameters
    ----------
    vertices : (simplices, d + 1, dim) vertex coordinates, d <= dim <= 3
    """
    d = vertices.shape[1] - 1
    if d == 0:
        return np.ones(len(vertices))
    e = vertices[:, 1:] - vertices[:, :1]
    if d == 1:
        return np.linalg.norm(e[:, 0], axis=-1)
    if d == 2:
        return np.linalg.norm(_cross(e[:, 0], e[:, 1]), axis=-1) / 2
    return np.abs(np.einsum("ij,ij->i", e[:, 0], _cross(e[:, 1], e[:, 2]))) / 6


def signed_measures(cell_type: str, corners: np.ndarray) -> np.ndarray:
    """Return signed length, area or volume of linear cells that have the dimension of their space.

    In 3-D the boundary integral ``V = 1/3 sum_f int_f x . n``, exact also for bilinear (warped) quadrilateral facets,
    for which the integral is the mean of the two ways to split the facet into triangles.

    Parameters
    ----------
    cell_type : a linear type
    corners : (cells, corners, dim) coordinates, dim equal to the dimension of the type
    """
    x = corners - corners[:, :1]
    if cell_type == "line":
        return x[:, 1, 0]
    if cell_type == "triangle":
        return _cross(x[:, 1], x[:, 2])[:, 0] / 2
    if cell_type == "quad":
        return _cross(x[:, 2], x[:, 3] - x[:, 1])[:, 0] / 2
    total = np.zeros(len(x))
    for kind, nodes in SHAPES[cell_type].facets:
        if kind == "triangle":
            total += _triple(x, *nodes)
        else:
            a, b, c, d = nodes
            total += (_triple(x, a, b, c) + _triple(x, a, c, d) + _triple(x, a, b, d) + _triple(x, b, c, d)) / 2
    return total / 6


def _triple(x: np.ndarray, a: int, b: int, c: int) -> np.ndarray:
    if 0 in (a, b, c):  # node 0 is the origin
        return np.zeros(len(x))
    return np.einsum("ij,ij->i", x[:, a], _cross(x[:, b], x[:, c]))


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross product (n, 3), or (n, 1) in the plane."""
    if a.shape[-1] == 2:
        return a[:, :1] * b[:, 1:] - a[:, 1:] * b[:, :1]
    return np.cross(a, b)
