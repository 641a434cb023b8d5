r"""Finite elements for hyperelastic bodies in static equilibrium, the baseline of the neural elasticity solvers.

Minimise the energy ``int W(I + grad u) dx - int b . u dx`` over piecewise linear or quadratic displacements u on
triangles or tetrahedra, with u given on parts of the boundary. Newton's method with the exact tangent; where that is
not positive definite, a share of the negative eigenvalues at each point is cut off, at last all of them (Teran et al.,
Robust quasistatic finite elements and flesh simulation, SCA 2005).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.checks import number, whole_number
from sciml.errors import DivergenceError, InputError
from sciml.mesh import Field, Mesh
from sciml.reference.hyperelasticity_materials import Material

if TYPE_CHECKING:
    import scipy.sparse as sp
    from scipy.sparse.linalg import SuperLU

Vectors = Sequence[float] | Callable[[np.ndarray], np.ndarray]  # a constant, or (n, dim) points to (n, dim) values
CUTS = 4  # times that a load step may be halved
PROJECTIONS = (0.0, 0.2, 0.5, 1.0)  # shares of the negative eigenvalues that are cut off, as far as it takes
ROUNDING = 1e-12  # decreases of the energy below this fraction of it are not seen


@dataclass(frozen=True)
class FiniteElementDisplacement:
    """A displacement and how it was found.

    Attributes
    ----------
    mesh : undeformed
    degree : 1 or 2
    nodal : (nodes, dim) displacement of the vertices, then of the middles of the edges if the degree is 2
    energy : of the body, and of its load
    residuals : Euclidean norm of the forces out of balance before each Newton iteration of the last load step
    stable : whether the tangent is positive definite, so that the energy is least; on a coarse mesh that is symmetric
        like its load, Newton's method may end on a saddle
    """

    mesh: Mesh
    degree: int
    nodal: np.ndarray
    energy: float
    residuals: tuple[float, ...]
    stable: bool

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the displacement (n, dim) at points (n, dim) of the undeformed body.

        Raises
        ------
        InputError : a point outside of the mesh
        """
        return self._probe(points) @ self.nodal

    @property
    def degrees_of_freedom(self) -> int:
        """The number of degrees of freedom, the entries of ``nodal``."""
        return self.nodal.size

    @property
    def memory(self) -> int:
        """Bytes of the displacement in float64, without those of the mesh."""
        return self.nodal.size * 8

    @property
    def mesh_memory(self) -> int:
        """Bytes of the points in float64 and of the cells in int32, which a network does not need."""
        return self.mesh.points.size * 8 + sum(cells.size * 4 for cells in self.mesh.cells.values())

    def field(self) -> Field:
        """Return the displacement of the vertices as a field."""
        return Field("displacement", self.nodal[: self.mesh.n_points], self.mesh)

    def _probe(self, points: np.ndarray) -> sp.csr_matrix:
        basis = _basis(self.mesh, self.degree, vector=False)
        try:
            return basis.probes(np.ascontiguousarray(np.asarray(points, dtype=float).T))
        except ValueError as error:
            raise InputError(f"a point lies outside of the mesh ({error}); evaluate inside of the body.") from error


def solve_static(
    mesh: Mesh,
    material: Material,
    dirichlet: Mapping[str, Vectors],
    *,
    degree: int = 1,
    body_force: Vectors | None = None,
    load_steps: int = 1,
    tolerance: float = 1e-8,
) -> FiniteElementDisplacement:
    """Solve for the displacement in static equilibrium.

    Parameters
    ----------
    mesh : of triangles in the plane (strain) or of tetrahedra
    material : energy, stress and tangent
    dirichlet : displacement on groups of facets by name; the other sides are free
    degree : of the elements, 1 or 2
    body_force : per undeformed volume
    load_steps : in which displacements and forces grow from zero; steps that fail are halved
    tolerance : of the forces out of balance, relative to those in the supports

    Raises
    ------
    InputError : a group that the mesh does not have, no support, another degree or kind of cell
    DivergenceError : Newton's method does not converge
    """
    problem = _Discretisation(mesh, material, degree)
    fixed, target = problem.supports(dirichlet)
    load = problem.load(body_force)
    whole_number("load_steps", load_steps, at_least=1)
    u, history, reached, share = np.zeros(problem.size), [], 0.0, 1 / load_steps
    while reached < 1:
        after = min(reached + share, 1.0)
        after = 1.0 if 1 - after < 1e-9 else after
        try:
            u, history = _newton(problem, u, (fixed, after * target), after * load, tolerance)
        except DivergenceError:
            share /= 2
            if share < 2.0**-CUTS / load_steps:
                raise
            continue
        reached = after
    energy = float(problem.energy(u) - load @ u)
    stable = _definite_factors(problem.stiffness(u)[~fixed][:, ~fixed]) is not None
    return FiniteElementDisplacement(mesh, degree, u[problem.nodes], energy, tuple(history), stable)


def square(cells: int, grading: float = 1.0, crossed: bool = True) -> Mesh:
    """Return a triangle mesh of [-1, 1]^2 with the sides "left", "right", "bottom" and "top" as groups.

    Parameters
    ----------
    cells : squares along each axis, each cut into four triangles, or two
    grading : 1 for equal squares; larger values make them finer towards the sides, as (distance to the centre)^grading
    crossed : four triangles around each centre, which lock less in nearly incompressible bodies, or two
    """
    import skfem

    from sciml.mesh.make import from_skfem

    whole_number("the number of cells", cells, at_least=1)
    number("the grading", grading, at_least=1)
    even = np.linspace(-1, 1, cells + 1)
    axis = np.sign(even) * (1 - (1 - np.abs(even)) ** grading)
    mesh = skfem.MeshQuad.init_tensor(axis, axis).to_meshtri(style="x" if crossed else None)
    sides = {
        "left": lambda x: x[0] < -1 + 1e-12,
        "right": lambda x: x[0] > 1 - 1e-12,
        "bottom": lambda x: x[1] < -1 + 1e-12,
        "top": lambda x: x[1] > 1 - 1e-12,
    }
    return from_skfem(mesh.with_boundaries(sides))


def tension(
    mesh: Mesh, material: Material, degree: int = 1, *, extension: float = 2.0, load_steps: int = 8
) -> FiniteElementDisplacement:
    """Solve the tension test of the INSR paper: left side fixed, right side moved by ``extension`` in x.

    The corners are singular: the supports hold the sides back where the free ones contract. Refine towards them.
    """
    ends = {"left": [0.0, 0.0], "right": [extension, 0.0]}
    return solve_static(mesh, material, ends, degree=degree, load_steps=load_steps)


class _Discretisation:
    """Energy, forces and stiffness of one mesh, with the gradients of the basis functions at hand."""

    def __init__(self, mesh: Mesh, material: Material, degree: int) -> None:
        self.material, self.mesh = material, mesh
        self.basis = _basis(mesh, degree, vector=True)
        self.size, self._dofs = self.basis.N, self.basis.element_dofs.T
        dim = mesh.dim
        gradients = np.stack([np.broadcast_to(function[0].grad, self._shape) for function in self.basis.basis], -1)
        self._gradients = np.moveaxis(gradients, (0, 1), (2, 3)).copy()  # (cells, points, dim, dim, functions)
        self._identity, self._weights = np.eye(dim), self.basis.dx
        kinds = [self.basis.nodal_dofs, self.basis.edge_dofs if dim == 3 else self.basis.facet_dofs]
        self.nodes = np.concatenate([kind.T for kind in kinds if kind is not None and kind.size])

    @property
    def _shape(self) -> tuple[int, ...]:
        return (self.mesh.dim, self.mesh.dim, *self.basis.dx.shape)

    def deformation(self, u: np.ndarray) -> np.ndarray:
        """Return the deformation gradient F at the quadrature points, (cells, points, dim, dim)."""
        return self._identity + np.einsum("epijn,en->epij", self._gradients, u[self._dofs])

    def energy(self, u: np.ndarray) -> float:
        """Return the elastic energy of the body."""
        return float((self._weights * self.material.density(self.deformation(u))).sum())

    def force(self, u: np.ndarray) -> np.ndarray:
        """Return the derivative of the energy by the degrees of freedom."""
        stress = self._weights[..., None, None] * self.material.stress(self.deformation(u))
        parts = np.einsum("epij,epijn->en", stress, self._gradients, optimize=True)
        return np.bincount(self._dofs.ravel(), parts.ravel(), self.size)

    def stiffness(self, u: np.ndarray, project: float = 0.0) -> sp.csc_matrix:
        """Return the second derivative of the energy, less a share of the negative eigenvalues at each point."""
        import scipy.sparse as sp

        dim, functions = self.mesh.dim, self._dofs.shape[1]
        tangent = self.material.tangent(self.deformation(u)).reshape(*self._weights.shape, dim**2, dim**2)
        if project:
            values, vectors = np.linalg.eigh((tangent + np.swapaxes(tangent, -1, -2)) / 2)
            values = np.where(values < 0, (1 - project) * values, values)
            tangent = (vectors * values[..., None, :]) @ np.swapaxes(vectors, -1, -2)
        gradients = self._gradients.reshape(*self._weights.shape, dim**2, functions)
        weighted = self._weights[..., None, None] * (tangent @ gradients)
        rows = gradients.reshape(len(gradients), -1, functions)
        blocks = np.swapaxes(rows, -1, -2) @ weighted.reshape(rows.shape)
        i = np.broadcast_to(self._dofs[:, :, None], blocks.shape)
        j = np.broadcast_to(self._dofs[:, None, :], blocks.shape)
        return sp.coo_matrix((blocks.ravel(), (i.ravel(), j.ravel())), shape=(self.size, self.size)).tocsc()

    def supports(self, dirichlet: Mapping[str, Vectors]) -> tuple[np.ndarray, np.ndarray]:
        """Return the fixed degrees of freedom, and a vector of all of them with the given values."""
        known = self.basis.mesh.boundaries or {}
        if not dirichlet or not set(dirichlet) <= set(known):
            raise InputError(
                f"displacements are given on {', '.join(dirichlet) or 'nothing'}; expected at least one of the groups "
                f"of facets of the mesh, {', '.join(known) or 'of which it has none'}."
            )
        places, target, fixed = self.basis.doflocs.T, np.zeros(self.size), np.zeros(self.size, bool)
        component = np.empty(self.size, int)
        component[self.nodes] = np.arange(self.mesh.dim)
        for name, values in dirichlet.items():
            here = self.basis.get_dofs(name).flatten()
            target[here] = _vectors(values, places[here])[np.arange(len(here)), component[here]]
            fixed[here] = True
        return fixed, target

    def load(self, body_force: Vectors | None) -> np.ndarray:
        """Return the work of the body force, by degree of freedom."""
        if body_force is None:
            return np.zeros(self.size)
        places = np.asarray(self.basis.global_coordinates())
        dim = len(places)
        force = _vectors(body_force, places.reshape(dim, -1).T).T.reshape(places.shape)
        values = np.stack([np.broadcast_to(np.asarray(f[0]), places.shape) for f in self.basis.basis], -1)
        parts = np.einsum("iep,iepn,ep->en", force, values, self._weights, optimize=True)
        return np.bincount(self._dofs.ravel(), parts.ravel(), self.size)


def _newton(
    problem: _Discretisation,
    start: np.ndarray,
    support: tuple[np.ndarray, np.ndarray],
    load: np.ndarray,
    tolerance: float,
    iterations: int = 60,
) -> tuple[np.ndarray, list[float]]:
    """Solve the balance of forces by Newton's method, whose first step moves supports and inside together."""
    fixed, target = support
    free, u, history = ~fixed, start.copy(), []
    for _ in range(iterations):
        force = problem.force(u) - load
        moved = np.where(fixed, target - u, 0.0)
        history.append(float(np.linalg.norm(force[free])))
        scale = np.linalg.norm(force[fixed]) + np.linalg.norm(load)
        if not moved.any() and history[-1] <= tolerance * max(scale, 1e-300):
            return u, history
        for project in PROJECTIONS:
            direction = _direction(problem.stiffness(u, project), force, moved, free)
            if direction is None:
                after = None
            else:
                after = u + direction if moved.any() else _line_search(problem, u, direction, load, force)
            if after is not None:
                break
        else:
            break  # neither descends: the energy is as low as rounding lets it, or not finite
        u = after
    if history[-1] <= 1e3 * tolerance * scale:
        return u, history
    raise DivergenceError(
        f"Newton's method left forces of {history[-1]:.1e} out of balance after {len(history)} iterations, expected "
        f"{tolerance * scale:.1e}; use more load steps."
    )


def _direction(stiffness: Any, force: np.ndarray, moved: np.ndarray, free: np.ndarray) -> np.ndarray | None:
    """Return the Newton direction, or None if the stiffness is not positive definite and it may lead to a saddle."""
    factors = _definite_factors(stiffness[free][:, free])
    if factors is None:
        return None
    direction = moved.copy()
    direction[free] = factors.solve(-(force + stiffness @ moved)[free])
    return direction


def _definite_factors(matrix: sp.csc_matrix) -> SuperLU | None:
    """Return the L U factors of a symmetric matrix, or None if an eigenvalue is not positive."""
    from sciml.linalg.sparse_factors import symmetric_factors

    factors = symmetric_factors(matrix)
    return factors if factors is not None and (factors.U.diagonal() > 0).all() else None


def _line_search(
    problem: _Discretisation, u: np.ndarray, direction: np.ndarray, load: np.ndarray, force: np.ndarray
) -> np.ndarray | None:
    """Halve the step until the energy falls (Armijo); None for a direction that goes up or that no step helps."""
    slope = float(force @ direction)
    if not slope < 0:
        return None
    before = problem.energy(u) - load @ u
    for halvings in range(30):
        after = u + 0.5**halvings * direction
        change = problem.energy(after) - load @ after - before
        if change <= 1e-4 * 0.5**halvings * slope + ROUNDING * abs(before):
            return after
    return None


def _basis(mesh: Mesh, degree: int, vector: bool) -> Any:
    import skfem

    elements = {
        (2, 1): skfem.ElementTriP1,
        (2, 2): skfem.ElementTriP2,
        (3, 1): skfem.ElementTetP1,
        (3, 2): skfem.ElementTetP2,
    }
    converted = mesh.to_skfem()
    if (mesh.dim, degree) not in elements or type(converted).__name__ not in ("MeshTri1", "MeshTet1"):
        raise InputError(
            f"finite elements of degree {degree!r} on {', '.join(mesh.cells)} in {mesh.dim}-D do not exist here; "
            "expected degree 1 or 2 on triangle or tetra."
        )
    element = elements[mesh.dim, degree]()
    return skfem.Basis(converted, skfem.ElementVector(element) if vector else element, intorder=max(1, 4 * degree - 4))


def _vectors(values: Vectors, points: np.ndarray) -> np.ndarray:
    given = np.asarray(values(points) if callable(values) else values, dtype=float)
    if given.shape not in (points.shape, points.shape[1:]):
        raise InputError(
            f"a displacement or force has shape {given.shape}, expected {points.shape[1:]} or {points.shape}."
        )
    return np.broadcast_to(given, points.shape)
