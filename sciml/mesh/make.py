"""Ready-made meshes by name, and the way to scikit-fem."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from sciml.errors import InputError
from sciml.mesh.mesh import Group, Mesh
from sciml.mesh.shapes import LINEAR_TYPE, SHAPES

if TYPE_CHECKING:
    import skfem

# corner order of hexahedra: scikit-fem's node k is VTK's node _HEXAHEDRON[k]
_HEXAHEDRON = (0, 4, 3, 1, 7, 5, 2, 6)
_SKFEM = {
    "line": "MeshLine1",
    "triangle": "MeshTri1",
    "quad": "MeshQuad1",
    "tetra": "MeshTet1",
    "hexahedron": "MeshHex1",
    "wedge": "MeshWedge1",
}
_LONGEST = 5_000_000  # cells; more are a slip of the refinement number


def make_mesh(name: str, refinements: int = 3) -> Mesh:
    """Return a mesh of a named shape with its boundary as group "boundary".

    Parameters
    ----------
    name : one of `MESH_NAMES`: "interval" [0, 1], "square" [0, 1]^2 of triangles, "square_quad" of quadrilaterals,
        "disk" of radius 1, "l_shape" [-1, 1]^2 without [0, 1]x[0, 1], "cube" [0, 1]^3 of tetrahedra, "cube_hex" of
        hexahedra, "ball" of radius 1, "sphere" its surface (triangles in space, closed)
    refinements : number of uniform refinements, each halves the cells

    Examples
    --------
    >>> make_mesh("square", 2)
    Mesh(25 points in 2-D, 32 triangle, groups: boundary (16))
    """
    if name not in _SHAPES:
        raise InputError(f"There is no mesh {name!r}; expected one of {', '.join(_SHAPES)}.")
    base, dim = _SHAPES[name]
    if refinements < 0 or 8 * 2 ** (dim * refinements) > _LONGEST:
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
    kind = next((k for k, name in _SKFEM.items() if type(mesh).__name__ == name), None)
    if kind is None:
        raise InputError(
            f"Only first-order scikit-fem meshes convert, of the types {', '.join(_SKFEM.values())}; "
            f"got {type(mesh).__name__}."
        )
    nodes = mesh.t.T
    if kind == "hexahedron":
        nodes = nodes[:, np.argsort(_HEXAHEDRON)]
    groups = {
        name: Group(SHAPES[kind].dim, cells=np.asarray(members)) for name, members in (mesh.subdomains or {}).items()
    }
    groups |= {
        name: Group(SHAPES[kind].dim - 1, facets=mesh.facets.T[np.asarray(members)])
        for name, members in (mesh.boundaries or {}).items()
    }
    return Mesh(mesh.p.T, {kind: nodes}, groups)


def to_skfem(mesh: Mesh) -> skfem.Mesh:
    """Return the cells of the largest dimension as a scikit-fem mesh.

    Groups of these cells become subdomains; groups of facets, or of cells of one dimension less, boundaries. Points
    keep their numbers when cells are of first order.

    Raises
    ------
    InputError : cells of several types, of a type that scikit-fem lacks, or on a surface in space
    """
    import skfem

    top = [(name, nodes, where) for name, nodes, where in mesh.blocks() if SHAPES[name].dim == mesh.topological_dim]
    names = [name for name, _, _ in top]
    if len(top) != 1 or names[0] not in _SKFEM or mesh.dim != mesh.topological_dim:
        raise InputError(
            f"scikit-fem takes cells of one type, one of {', '.join(_SKFEM)}, that fill their space; "
            f"got {', '.join(names) or 'none'} in {mesh.dim}-D."
        )
    name, nodes, where = top[0]
    nodes = nodes[:, _HEXAHEDRON] if name == "hexahedron" else nodes
    made = getattr(skfem, _SKFEM[name])(np.ascontiguousarray(mesh.points.T), np.ascontiguousarray(nodes.T))
    subdomains = {
        key: group.cells - where.start
        for key, group in mesh.groups.items()
        if group.dim == mesh.topological_dim and group.cells is not None
    }
    numbers = {tuple(sorted(facet)): k for k, facet in enumerate(made.facets.T.tolist())} if mesh.groups else {}
    boundaries = {}
    for key, group in mesh.groups.items():
        if group.dim != mesh.topological_dim - 1:
            continue
        found = [numbers.get(tuple(sorted(set(facet)))) for facet in _facets_of(mesh, group)]
        if None in found:
            raise InputError(f"Group {key!r} has a facet that no cell of the mesh has.")
        boundaries[key] = np.array(found, dtype=np.int32)
    return made.with_subdomains(subdomains).with_boundaries(boundaries) if mesh.groups else made


def _facets_of(mesh: Mesh, group: Group) -> list[list[int]]:
    """Return the corners of the facets or cells of a group, a list for each."""
    if group.facets is not None:
        return [list(map(int, facet)) for facet in group.facets]
    out: list[list[int]] = []
    for name, nodes, where in mesh.blocks():
        inside = group.members[(group.members >= where.start) & (group.members < where.stop)] - where.start
        out += nodes[inside, : SHAPES[LINEAR_TYPE.get(name, name)].corners].tolist()
    return out
