"""`Group`: a named part of a mesh, cells by number or facets by their nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sciml.checks import whole_array
from sciml.errors import InputError
from sciml.mesh.shapes import SHAPES


@dataclass(frozen=True, eq=False)
class Group:
    """A named part of a mesh: some of its cells by number, or facets by their nodes.

    Parameters
    ----------
    dim : topological dimension of the members (1 for a boundary of a plane mesh)
    cells : (k,) numbers of cells, counted through the blocks of `Mesh.cells` in order
    facets : (k, nodes) point numbers of facets that are not cells of the mesh
    """

    dim: int
    cells: np.ndarray | None = None
    facets: np.ndarray | None = None

    def __post_init__(self) -> None:
        if (self.cells is None) == (self.facets is None):
            raise InputError("A group holds either cells or facets; give exactly one of the two.")
        name, ndim = ("cells", 1) if self.facets is None else ("facets", 2)
        members = integers(getattr(self, name), ndim, f"the {name} of a group")
        object.__setattr__(self, name, members)

    @property
    def members(self) -> np.ndarray:
        """The cell numbers, or the point numbers of the facets."""
        return self.cells if self.cells is not None else np.asarray(self.facets)

    def __len__(self) -> int:
        return len(self.members)


def facet_type(group: Group) -> str:
    """Return the cell type of the facets of a group, from its dimension and their number of nodes."""
    nodes = group.facets.shape[1] if group.facets is not None else 0
    for name, shape in SHAPES.items():
        if shape.dim == group.dim and shape.nodes == nodes:
            return name
    raise InputError(f"No cell type of dimension {group.dim} has {nodes} points, as the facets of a group have.")


def integers(values: Any, ndim: int, what: str) -> np.ndarray:
    """Return a read-only int64 copy of integers, or raise `InputError`."""
    out = whole_array(what, values, shape=("number", "nodes of each")[:ndim]).copy()
    out.setflags(write=False)
    return out
