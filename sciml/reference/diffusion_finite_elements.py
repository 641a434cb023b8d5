r"""Diffusion by piecewise linear finite elements, whose matrix is the Laplacian of the graph of a mesh's edges.

On triangles and tetrahedra (in the plane, in space, or triangles on a surface),

    -div(k grad u) = f,   u given on some groups of the mesh, no flux through the rest of the boundary,

becomes ``sum_j w_ij (u_i - u_j) = int f phi_i`` at every point i that is not held fixed. The weight of an edge is

    w_ij = -sum_K k_K |K| grad(l_i) . grad(l_j)

over the cells K at the edge, l the barycentric coordinates: in the plane ``sum_K k_K cot(angle opposite) / 2``, hence
"cotangent weights" (Pinkall and Polthier 1993). Errors in L2 are of second order. A weight is negative where the angles
opposite an edge are too obtuse; then no maximum principle holds, and a solver that demands positive conductances
cannot be used. :attr:`DiffusionProblem.negative` counts such edges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import factorial
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from sciml.checks import choice, known_names, real_array, shape
from sciml.errors import DivergenceError, InputError, SingularSystemError
from sciml.mesh import Field, Mesh
from sciml.mesh.edges import components
from sciml.mesh.shapes import SHAPES

if TYPE_CHECKING:
    from sciml.linalg import LinearMethod

Values = float | np.ndarray | Callable[[np.ndarray], np.ndarray]  # constant, one each, or from places (n, dim) to (n,)
SIMPLICES = ("triangle", "tetra")
ROUNDING = 1e-12  # a weight below this fraction of what its cells add to it is zero


@dataclass(frozen=True, eq=False)
class DiffusionProblem:
    """Diffusion with a variable coefficient on a mesh of triangles or tetrahedra.

    Parameters
    ----------
    mesh : its cells of the largest dimension are triangles or tetrahedra; all its points belong to them
    dirichlet : values of u on groups of the mesh by name; where two of them meet, the later one holds
    coefficient : k > 0, one value for each triangle or tetrahedron, or a function of their centres (cells, dim)
    source : f, one value for each point, or a function of the points (points, dim)
    mass : ``"consistent"`` integrates the piecewise linear f exactly, ``"lumped"`` by its values at the points

    Raises
    ------
    InputError
        Other cells, a group that the mesh lacks, a coefficient that is not positive, wrong shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from sciml.mesh import make_mesh
    >>> problem = DiffusionProblem(make_mesh("square", 4), {"boundary": lambda x: x[:, 0] ** 2}, source=-2.0)
    >>> u = solve_diffusion(problem)
    >>> bool(abs(u - problem.mesh.points[:, 0] ** 2).max() < 1e-9)
    True
    """

    mesh: Mesh
    dirichlet: Mapping[str, Values]
    coefficient: Values = 1.0
    source: Values = 0.0
    mass: str = "consistent"

    def __post_init__(self) -> None:
        dim = self.mesh.topological_dim
        if [name for name in self.mesh.cells if SHAPES[name].dim == dim] not in (["triangle"], ["tetra"]):
            raise InputError(
                f"diffusion needs a mesh of triangle or of tetra cells, got {', '.join(self.mesh.cells) or 'none'}; "
                "split other cells into these."
            )
        unused = np.setdiff1d(np.arange(self.mesh.n_points), self.cells)
        if unused.size:
            raise InputError(f"point {unused[0]} belongs to no {self.cell_type}; remove points that no cell uses.")
        known_names("a group of the mesh with values of u", self.dirichlet, self.mesh.groups)
        choice("the mass", self.mass, ("consistent", "lumped"))
        _ = self.conductivity, self.load, self.pinned  # checked when made

    @property
    def cell_type(self) -> str:
        """Type of the cells, ``"triangle"`` or ``"tetra"``."""
        return SIMPLICES[self.mesh.topological_dim - 2]

    @property
    def cells(self) -> np.ndarray:
        """The points of the triangles or tetrahedra, (cells, 3 or 4)."""
        return self.mesh.cells[self.cell_type]

    @cached_property
    def centres(self) -> np.ndarray:
        """The centres of the cells, (cells, dim)."""
        return self.mesh.points[self.cells].mean(axis=1)

    @cached_property
    def conductivity(self) -> np.ndarray:
        """The coefficient of every cell, (cells,)."""
        values = _evaluated("the coefficient", self.coefficient, self.centres)
        if not (values > 0).all():
            bad = int(np.flatnonzero(~(values > 0))[0])
            raise InputError(f"the coefficient of {self.cell_type} {bad} is {values[bad]:g}, expected more than 0.")
        return values

    @cached_property
    def geometry(self) -> tuple[np.ndarray, np.ndarray]:
        """The measures of the cells (cells,) and the gradients of their barycentric coordinates (cells, nodes, dim)."""
        corners = self.mesh.points[self.cells]
        sides = corners[:, 1:] - corners[:, :1]  # (cells, d, dim)
        if sides.shape[1] == sides.shape[2]:
            measures, inner = np.abs(np.linalg.det(sides)), np.swapaxes(np.linalg.inv(sides), 1, 2)
        else:  # a surface, with gradients along it
            gram = sides @ np.swapaxes(sides, 1, 2)
            measures, inner = np.sqrt(np.linalg.det(gram)), np.linalg.solve(gram, sides)
        measures = measures / factorial(sides.shape[1])
        return measures, np.concatenate([-inner.sum(axis=1, keepdims=True), inner], axis=1)

    @cached_property
    def edges(self) -> np.ndarray:
        """The edges of the cells, each once with the smaller point first, (edges, 2)."""
        return self._edges_and_numbers[0]

    @property
    def edge_numbers(self) -> np.ndarray:
        """The numbers of the edges of every cell, (cells, 3 or 6), in the order of ``itertools.combinations``."""
        return self._edges_and_numbers[1]

    @cached_property
    def _edges_and_numbers(self) -> tuple[np.ndarray, np.ndarray]:
        pairs = np.sort(self.cells[:, self._pairs], axis=2)
        edges, numbers = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
        return edges.astype(np.int64), numbers.reshape(pairs.shape[:2])

    @property
    def _pairs(self) -> list[tuple[int, int]]:
        return list(combinations(range(self.cells.shape[1]), 2))

    @cached_property
    def contributions(self) -> np.ndarray:
        """Contribution of every cell to the weight of each of its edges, (cells, 3 or 6), as :attr:`edge_numbers`."""
        measures, gradients = self.geometry
        first, second = np.array(self._pairs).T
        products = np.einsum("ced,ced->ce", gradients[:, first], gradients[:, second])
        return -(self.conductivity * measures)[:, None] * products

    @cached_property
    def weights(self) -> np.ndarray:
        """The weights w of the edges by finite elements, (edges,); exactly 0 where they are 0 up to rounding."""
        weights = self.gathered(self.contributions)
        weights[np.abs(weights) <= ROUNDING * self.gathered(np.abs(self.contributions))] = 0.0
        return weights

    @property
    def negative(self) -> int:
        """The number of edges with a negative weight; if it is not 0, no maximum principle holds."""
        return int(np.count_nonzero(self.weights < 0))

    def gathered(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over the cells at every edge, (edges,), of values at the edges of each cell."""
        return np.bincount(self.edge_numbers.ravel(), np.ravel(values), len(self.edges))

    @cached_property
    def load(self) -> np.ndarray:
        """The integrals of f times the hat functions, (points,)."""
        measures, _ = self.geometry
        n, nodes = self.mesh.n_points, self.cells.shape[1]
        f = _evaluated("the source", self.source, self.mesh.points)
        here = f[self.cells]
        if self.mass == "consistent":
            here = (here + here.sum(axis=1, keepdims=True)) / (nodes + 1)
        return np.bincount(self.cells.ravel(), (measures[:, None] / nodes * here).ravel(), n)

    @cached_property
    def pinned(self) -> tuple[np.ndarray, np.ndarray]:
        """Which points are held fixed, (points,) bool, and the values of u there, 0 elsewhere."""
        held, values = np.zeros(self.mesh.n_points, bool), np.zeros(self.mesh.n_points)
        for name, given in self.dirichlet.items():
            here = self.points_of(name)
            values[here] = _evaluated(f"u on {name!r}", given, self.mesh.points[here])
            held[here] = True
        return held, values

    def points_of(self, group: str) -> np.ndarray:
        """Return the numbers of the points of a group, sorted."""
        found = self.mesh.groups[group]
        if found.facets is not None:
            return np.unique(found.facets)
        members = [
            nodes[found.members[(found.members >= where.start) & (found.members < where.stop)] - where.start].ravel()
            for _, nodes, where in self.mesh.blocks()
        ]
        return np.unique(np.concatenate(members))

    def matrix(self, weights: np.ndarray | None = None) -> sp.csr_array:
        """Return the stiffness matrix of all points, (points, points), with other weights of the edges if given."""
        return laplacian(self.edges, self.weights if weights is None else weights, self.mesh.n_points)

    def check_held(self) -> None:
        """Raise `SingularSystemError` if no point of some connected part of the mesh is held fixed."""
        part = components(self.edges, self.mesh.n_points)
        free = np.setdiff1d(part, part[self.pinned[0]])
        if free.size:
            inside = np.flatnonzero(part == free[0])
            raise SingularSystemError(
                f"u is given nowhere on the part of the mesh with point {inside[0]} ({len(inside)} points), so that it "
                "is determined up to a constant; give u on a group of that part."
            )

    def outflow(self, u: np.ndarray, group: str, weights: np.ndarray | None = None) -> float:
        """Return the flux ``-int k du/dn`` that leaves through a group on which u is given.

        It is the balance of the discrete equations there: over all groups it adds up to the integral of f.
        """
        choice("the group with values of u", group, self.dirichlet)
        balance = self.load - self.matrix(weights) @ real_array("u", u)
        return float(balance[self.points_of(group)].sum())

    def error(self, u: np.ndarray, exact: Callable[[np.ndarray], np.ndarray] | np.ndarray) -> float:
        """Return the relative L2 error of u at the points against exact values there, both piecewise linear."""
        measures, _ = self.geometry
        exact = _evaluated("the exact solution", exact, self.mesh.points)

        def squared(values: np.ndarray) -> float:
            here = values[self.cells]
            nodes = here.shape[1]
            return float((measures * ((here**2).sum(1) + here.sum(1) ** 2)).sum() / (nodes * (nodes + 1)))

        return float(np.sqrt(squared(np.asarray(u) - exact) / squared(exact)))


def laplacian(edges: np.ndarray, weights: np.ndarray, nodes: int) -> sp.csr_array:
    """Return the matrix of ``(L x)_i = sum_j w_ij (x_i - x_j)``, (nodes, nodes), for edges (m, 2) and weights (m,)."""
    i, j = edges.T
    rows, columns = np.concatenate([i, j, i, j]), np.concatenate([j, i, i, j])
    values = np.concatenate([-weights, -weights, weights, weights])
    return sp.coo_array((values, (rows, columns)), shape=(nodes, nodes)).tocsr()


def solve_diffusion(
    problem: DiffusionProblem, *, weights: np.ndarray | None = None, method: str | LinearMethod = "auto"
) -> np.ndarray:
    """Return u at the points of the mesh, (points,), by finite elements.

    Parameters
    ----------
    problem : with u given somewhere on every connected part of the mesh
    weights : of the edges, in place of those of finite elements
    method : as :func:`sciml.linalg.solve` takes it; the matrix is positive definite though weights may be negative

    Raises
    ------
    SingularSystemError
        Nothing is given on a part of the mesh.
    DivergenceError
        The method does not converge.
    """
    from sciml.linalg import solve

    problem.check_held()
    pinned, u = problem.pinned[0], problem.pinned[1].copy()
    if pinned.all():
        return u
    matrix = problem.matrix(weights)
    right = (problem.load - matrix @ u)[~pinned]
    found = solve(matrix[~pinned][:, ~pinned], right, method=method, rtol=1e-12)
    if not found.converged:
        raise DivergenceError(
            f"the linear system of {len(right)} unknowns was not solved ({found.status}): the relative residual is "
            f"{found.true_residual:.1e}, expected 1e-12; choose another method."
        )
    u[~pinned] = found.x
    return u


def field_of(problem: DiffusionProblem, u: np.ndarray) -> Field:
    """Return u as a field on the mesh, to be written by :func:`sciml.mesh.write_fields`."""
    return Field("u", u, problem.mesh)


def _evaluated(name: str, given: Values, places: np.ndarray) -> np.ndarray:
    values = given(places) if callable(given) else given
    array = real_array(name, values)
    if array.ndim == 0:
        return np.full(len(places), float(array))
    shape(name, array, (len(places),))
    return array
