"""Ready-made meshes by name, and meshes from scikit-fem."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from sciml.checks import number, whole_number
from sciml.errors import InputError
from sciml.mesh.groups import Group
from sciml.mesh.mesh import Mesh
from sciml.mesh.scikit_fem import HEXAHEDRON, SKFEM
from sciml.mesh.shapes import SHAPES

if TYPE_CHECKING:
    import skfem

_LONGEST = 5_000_000  # cells; a larger number of refinements is a mistake


def make_mesh(name: str, refinements: int = 3) -> Mesh:
    """Return a mesh of a named shape with its boundary as group "boundary".

    Parameters
    ----------
    name : one of `MESH_NAMES`: "interval" [0, 1] (others by :func:`make_interval`), "square" [0, 1]^2 of triangles,
        "square_quad" of quadrilaterals, "disk" of radius 1, "l_shape" [-1, 1]^2 without [0, 1]x[0, 1], "cube" [0, 1]^3
        of tetrahedra, "cube_hex" of hexahedra, "ball" of radius 1, "sphere" its surface (triangles in space, closed)
    refinements : number of uniform refinements, each halves the cells

    Examples
    --------
    >>> make_mesh("square", 2)
    Mesh(25 points in 2-D, 32 triangle, groups: boundary (16))
    """
    if name not in _SHAPES:
        raise InputError(f"There is no mesh {name!r}; expected one of {', '.join(_SHAPES)}.")
    base, dim = _SHAPES[name]
    if refinements < 0 or refinements > 64 or 8 * 2 ** (dim * refinements) > _LONGEST:
        raise InputError(
            f"The number of refinements must be at least 0 and give at most {_LONGEST:,} cells; got {refinements}."
        )
    mesh = from_skfem(base(refinements))
    if name == "sphere":
        surface = mesh.boundary().cells["triangle"]
        used, number = np.unique(surface, return_inverse=True)
        return Mesh(mesh.points[used], {"triangle": number.reshape(surface.shape)})
    ((_, facets),) = mesh.boundary().cells.items()
    return Mesh(mesh.points, mesh.cells, {"boundary": Group(mesh.topological_dim - 1, facets=facets)})


def make_interval(lower: float = 0.0, upper: float = 1.0, cells: int = 8) -> Mesh:
    """Return an interval of equal cells, with its two ends as group "boundary".

    Parameters
    ----------
    lower, upper : its ends, in any unit; the first is the smaller one
    cells : their number

    Raises
    ------
    InputError
        If an end is not finite, the ends are not in order, or there are no cells.

    Examples
    --------
    >>> make_interval(-2, 2, cells=400)
    Mesh(401 points in 1-D, 400 line, groups: boundary (2))
    """
    lower, upper = number("the lower end of an interval", lower), number("the upper end of an interval", upper)
    if not lower < upper:
        raise InputError(
            f"the interval is from {lower:g} to {upper:g}, expected a lower end that is less than the upper one."
        )
    if upper - lower == np.inf:
        raise InputError(f"the interval from {lower:g} to {upper:g} is too long for double precision.")
    whole_number("the number of cells of an interval", cells, at_least=1, at_most=_LONGEST)
    points = np.linspace(lower, upper, cells + 1)[:, None]
    if not (np.diff(points[:, 0]) > 0).all():
        raise InputError(
            f"the interval from {lower!r} to {upper!r} is too short for {cells} cells in double precision; take fewer."
        )
    nodes = np.arange(cells)[:, None] + np.arange(2)
    return Mesh(points, {"line": nodes}, {"boundary": Group(0, facets=np.array([[0], [cells]]))})


def _interval(refinements: int) -> skfem.Mesh:
    import skfem

    return skfem.MeshLine().refined(refinements)


def _square(refinements: int) -> skfem.Mesh:
    import skfem

    return skfem.MeshTri().refined(refinements)


def _square_quad(refinements: int) -> skfem.Mesh:
    import skfem

    return skfem.MeshQuad().refined(refinements)


def _disk(refinements: int) -> skfem.Mesh:
    import skfem

    return skfem.MeshTri.init_circle(refinements)


def _l_shape(refinements: int) -> skfem.Mesh:
    import skfem

    return skfem.MeshTri.init_lshaped().refined(refinements)


def _cube(refinements: int) -> skfem.Mesh:
    import skfem

    return skfem.MeshTet().refined(refinements)


def _cube_hex(refinements: int) -> skfem.Mesh:
    import skfem

    return skfem.MeshHex().refined(refinements)


def _ball(refinements: int) -> skfem.Mesh:
    import skfem

    return skfem.MeshTet.init_ball(refinements)


_SHAPES: dict[str, tuple[Callable[[int], skfem.Mesh], int]] = {
    "interval": (_interval, 1),
    "square": (_square, 2),
    "square_quad": (_square_quad, 2),
    "disk": (_disk, 2),
    "l_shape": (_l_shape, 2),
    "cube": (_cube, 3),
    "cube_hex": (_cube_hex, 3),
    "ball": (_ball, 3),
    "sphere": (_ball, 3),
}
MESH_NAMES = tuple(_SHAPES)


def from_skfem(mesh: skfem.Mesh) -> Mesh:
    """Return a first-order scikit-fem mesh as `Mesh`, its subdomains and boundaries as groups."""
    kind = next((k for k, name in SKFEM.items() if type(mesh).__name__ == name), None)
    if kind is None:
        raise InputError(
            f"Only first-order scikit-fem meshes convert, of the types {', '.join(SKFEM.values())}; "
            f"got {type(mesh).__name__}."
        )
    nodes = mesh.t.T
    if kind == "hexahedron":
        nodes = nodes[:, np.argsort(HEXAHEDRON)]
    groups = {
        name: Group(SHAPES[kind].dim, cells=np.asarray(members)) for name, members in (mesh.subdomains or {}).items()
    }
    groups |= {
        name: Group(SHAPES[kind].dim - 1, facets=mesh.facets.T[np.asarray(members)])
        for name, members in (mesh.boundaries or {}).items()
    }
    return Mesh(mesh.p.T, {kind: nodes}, groups)
