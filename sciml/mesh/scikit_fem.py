"""Cells with named groups as a mesh of scikit-fem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sciml.errors import InputError
from sciml.mesh.groups import Group
from sciml.mesh.shapes import LINEAR_TYPE, SHAPES

if TYPE_CHECKING:
    import skfem

Block = tuple[str, np.ndarray, slice]  # cell type, nodes (cells, nodes), and where the cells are among all cells
# corner order of hexahedra: scikit-fem's node k is VTK's node HEXAHEDRON[k]
HEXAHEDRON = (0, 4, 3, 1, 7, 5, 2, 6)
SKFEM = {
    "line": "MeshLine1",
    "triangle": "MeshTri1",
    "quad": "MeshQuad1",
    "tetra": "MeshTet1",
    "hexahedron": "MeshHex1",
    "wedge": "MeshWedge1",
}


def to_skfem(points: np.ndarray, blocks: Sequence[Block], groups: Mapping[str, Group]) -> skfem.Mesh:
    """Return cells of the largest dimension with their groups as a scikit-fem mesh; see `Mesh.to_skfem`.

    Parameters
    ----------
    points : (points, dim) coordinates
    blocks : type, nodes and place of the cells, as `Mesh.blocks` yields them
    groups : named parts
    """
    import skfem

    dim = max((SHAPES[name].dim for name, _, _ in blocks), default=0)
    top = [(name, nodes, where) for name, nodes, where in blocks if SHAPES[name].dim == dim]
    names = [name for name, _, _ in top]
    if len(top) != 1 or names[0] not in SKFEM or points.shape[1] != dim:
        raise InputError(
            f"scikit-fem takes cells of one type, one of {', '.join(SKFEM)}, that fill their space; "
            f"got {', '.join(names) or 'none'} in {points.shape[1]}-D."
        )
    name, nodes, where = top[0]
    nodes = nodes[:, HEXAHEDRON] if name == "hexahedron" else nodes
    made = getattr(skfem, SKFEM[name])(np.ascontiguousarray(points.T), np.ascontiguousarray(nodes.T))
    subdomains = {
        key: group.cells - where.start for key, group in groups.items() if group.dim == dim and group.cells is not None
    }
    numbers = {tuple(sorted(facet)): k for k, facet in enumerate(made.facets.T.tolist())} if groups else {}
    boundaries = {}
    for key, group in groups.items():
        if group.dim != dim - 1:
            continue
        found = [numbers.get(tuple(sorted(set(facet)))) for facet in _facets_of(blocks, group)]
        if None in found:
            raise InputError(f"Group {key!r} has a facet that no cell of the mesh has.")
        boundaries[key] = np.array(found, dtype=np.int32)
    return made.with_subdomains(subdomains).with_boundaries(boundaries) if groups else made


def _facets_of(blocks: Sequence[Block], group: Group) -> list[list[int]]:
    """Return the corners of the facets or cells of a group, a list for each."""
    if group.facets is not None:
        return [list(map(int, facet)) for facet in group.facets]
    out: list[list[int]] = []
    for name, nodes, where in blocks:
        inside = group.members[(group.members >= where.start) & (group.members < where.stop)] - where.start
        out += nodes[inside, : SHAPES[LINEAR_TYPE.get(name, name)].corners].tolist()
    return out
