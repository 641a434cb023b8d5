"""Methods for the linear systems of :class:`~sciml.linalg.graph_laplacian.GraphLaplacian`, and which one is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from sciml.checks import choice
from sciml.errors import DivergenceError, InputError
from sciml.linalg.algebraic_multigrid import cycle_on
from sciml.linalg.graph_equations import GraphEquations, column
from sciml.linalg.graph_solutions import Factored, Iterated, Prepared
from sciml.linalg.sparse_factors import SparseFactors

if TYPE_CHECKING:
    from sciml.linalg.voxel_poisson import VoxelPoisson

LARGEST_DENSE = 400  # nodes of a graph off the CPU
LARGEST_DIRECT = 40_000  # edges of a graph on the CPU, see GraphMethod `auto`


class GraphMethod(Protocol):
    """A method for the systems of graphs, an object without state."""

    name: ClassVar[str]

    def prepare(self, equations: GraphEquations) -> tuple[str, Prepared]:
        """Set up factors or a hierarchy for the conductances; return the name of the method and what it prepared."""


class Automatic:
    """The fastest of the other methods for size, structure and device.

    On the CPU: geometric multigrid on a lattice; sparse factors up to 40,000 edges, where their set-up and solve cost
    as much as those of algebraic multigrid on networks in 3-D and a quarter in 2-D; then algebraic multigrid. On other
    devices: dense factors up to 400 nodes, then conjugate gradients.
    """

    name: ClassVar[str] = "auto"

    def prepare(self, equations: GraphEquations) -> tuple[str, Prepared]:
        """Set up the chosen method."""
        return self.chosen_for(equations).prepare(equations)

    def chosen_for(self, equations: GraphEquations) -> GraphMethod:
        """Return the method that suits the equations."""
        graph = equations.graph
        if equations.device.type != "cpu":
            return Dense() if np.bincount(graph.graph).max() <= LARGEST_DENSE else JacobiConjugateGradients()
        edges = np.bincount(graph.graph[graph.edges[:, 0]], minlength=1).max()
        if edges <= LARGEST_DIRECT:
            return Direct()
        return AlgebraicMultigrid() if graph.lattice is None else LatticeMultigrid()


class Dense:
    """Batched dense Cholesky factors of all graphs and heads, filled up to the size of the largest graph."""

    name: ClassVar[str] = "dense"

    def prepare(self, equations: GraphEquations) -> tuple[str, Prepared]:
        """Factorise the matrices D^-1/2 A D^-1/2 of all graphs, padded to one size."""
        graph, systems = equations.graph, equations.systems
        place = _place_in_graph(graph.graph[graph.free], graph.graphs)
        size = int(place.max(initial=0)) + 1
        local = torch.full((graph.nodes,), -1)
        local[graph.free] = torch.from_numpy(place)
        local = local.to(equations.device)
        scale = torch.where(equations.pinned, 0.0, equations.diagonal.rsqrt()).expand(-1, systems)
        inner = (local[equations.first] >= 0) & (local[equations.second] >= 0)
        i, j = equations.first[inner], equations.second[inner]
        coupling = -(equations.conductance[inner] * scale[i] * scale[j])
        matrices = scale.new_zeros(graph.graphs, size, size, systems)
        matrices[equations.of_graph[i], local[i], local[j]] = coupling
        matrices[equations.of_graph[i], local[j], local[i]] = coupling
        matrices = matrices.permute(0, 3, 1, 2)
        matrices.diagonal(dim1=2, dim2=3).fill_(1.0)
        factors, failed = torch.linalg.cholesky_ex(matrices)
        if bool(failed.any()):
            raise DivergenceError(
                f"the factors of graph {int(failed.any(1).nonzero()[0])} lost a pivot to rounding: its conductances "
                "differ by more than double precision resolves; narrow their range, or use method='amg'."
            )
        free = equations.free
        rows = (equations.of_graph[free], local[free])

        def correction(residual: Tensor) -> Tensor:
            right = residual.new_zeros(graph.graphs, size, residual.shape[1])
            right[rows] = (scale * residual)[free]
            if systems > 1:  # a matrix for each right-hand side
                right = right.permute(0, 2, 1)[..., None]
                solution = torch.cholesky_solve(right, factors)[..., 0].permute(0, 2, 1)
            else:
                solution = torch.cholesky_solve(right, factors[:, 0])
            return scale * torch.zeros_like(residual).index_copy(0, free, solution[rows])

        return self.name, Factored(equations, correction)


class Direct:
    """Sparse factors of all graphs at once, for each head; on the CPU."""

    name: ClassVar[str] = "direct"

    def prepare(self, equations: GraphEquations) -> tuple[str, Prepared]:
        """Factorise the sparse matrix of every system."""
        factors = [SparseFactors(equations.matrix(system)).solve for system in range(equations.systems)]
        return self.name, Factored(equations, _on_free_nodes(equations, factors, together=True))


class AlgebraicMultigrid:
    """Ruge and Stüben's multigrid with conjugate gradients, for each head; on the CPU."""

    name: ClassVar[str] = "amg"

    def prepare(self, equations: GraphEquations) -> tuple[str, Prepared]:
        """Set up a hierarchy for every system."""
        matrices = [equations.matrix(system) for system in range(equations.systems)]
        cycles = [cycle_on(matrix, "classical", coarse_solver="factors") for matrix in matrices]
        return self.name, Iterated(equations, _on_free_nodes(equations, cycles), _product(equations, matrices))


class LatticeMultigrid:
    """Geometric multigrid with conjugate gradients, for graphs that are grids of nodes in two or three dimensions."""

    name: ClassVar[str] = "multigrid"

    def prepare(self, equations: GraphEquations) -> tuple[str, Prepared]:
        """Set up a hierarchy for every system."""
        from sciml.linalg.multigrid import MultigridPreconditioner

        graph = equations.graph
        if graph.lattice is None:
            raise InputError(
                "method='multigrid' needs one graph whose nodes are those of a grid in C order, joined to their "
                "neighbours along the axes; use method='amg'."
            )

        def cycle_of(system: int) -> Callable[[np.ndarray], np.ndarray]:
            hierarchy = MultigridPreconditioner(_voxel_problem(equations, system))
            whole = np.zeros(graph.lattice)

            def cycle(residual: np.ndarray) -> np.ndarray:
                whole.reshape(-1)[graph.free] = residual
                return hierarchy(whole).reshape(-1)[graph.free]

            return cycle

        matrices = [equations.matrix(system) for system in range(equations.systems)]
        cycles = [cycle_of(system) for system in range(equations.systems)]
        return self.name, Iterated(equations, _on_free_nodes(equations, cycles), _product(equations, matrices))


class JacobiConjugateGradients:
    """Conjugate gradients scaled by the diagonal, for all graphs and heads at once, on any device."""

    name: ClassVar[str] = "cg"

    def prepare(self, equations: GraphEquations) -> tuple[str, Prepared]:
        """Compute the diagonal of every system, which is the preconditioner."""
        inverse = torch.where(equations.pinned, 0.0, 1.0 / equations.diagonal)

        def product(x: Tensor) -> Tensor:
            return torch.where(equations.pinned, 0.0, equations.product(x))

        return self.name, Iterated(equations, lambda r: inverse * r, product)


GRAPH_METHODS: dict[str, type[GraphMethod]] = {
    method.name: method
    for method in (Automatic, Dense, Direct, AlgebraicMultigrid, LatticeMultigrid, JacobiConjugateGradients)
}


def as_graph_method(method: str) -> GraphMethod:
    """Return the method of a name."""
    return GRAPH_METHODS[choice("method", method, GRAPH_METHODS)]()


def _place_in_graph(owner: np.ndarray, graphs: int) -> np.ndarray:
    """Return the position of each node among those of its graph."""
    counts = np.bincount(owner, minlength=graphs)
    place = np.empty(owner.size, np.int64)
    place[np.argsort(owner, kind="stable")] = np.arange(owner.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return place


def _on_free_nodes(
    equations: GraphEquations, solvers: list[Callable[[np.ndarray], np.ndarray]], *, together: bool = False
) -> Callable[[Tensor], Tensor]:
    """Return solvers on the vectors of the free nodes, one for each system, as a correction of all heads.

    Parameters
    ----------
    equations : with which vectors it is to work
    solvers : map r, (free nodes,), to an approximation of A^-1 r
    together : whether a solver takes the right-hand sides of several heads at once
    """

    def correction(residual: Tensor) -> Tensor:
        right = residual[equations.free].cpu().numpy()
        if together and len(solvers) == 1:
            found = solvers[0](right)
        else:
            heads = range(right.shape[1])
            found = np.stack([solvers[min(h, len(solvers) - 1)](np.ascontiguousarray(right[:, h])) for h in heads], 1)
        return torch.zeros_like(residual).index_copy(0, equations.free, torch.from_numpy(found).to(residual))

    return correction


def _product(equations: GraphEquations, matrices: list) -> Callable[[Tensor], Tensor]:
    """Return the product by differences along the edges, compiled."""
    from sciml.linalg.kernels.graph import multiply_by_differences

    surplus = [column(equations.surplus, system)[equations.graph.free] for system in range(equations.systems)]

    def times(system: int) -> Callable[[np.ndarray], np.ndarray]:
        matrix, extra = matrices[system], surplus[system]

        def product(x: np.ndarray) -> np.ndarray:
            y = np.empty_like(x)
            multiply_by_differences(matrix.indptr, matrix.indices, matrix.data, extra, x, y)
            return y

        return product

    return _on_free_nodes(equations, [times(system) for system in range(equations.systems)])


def _voxel_problem(equations: GraphEquations, system: int) -> VoxelPoisson:
    """Return one system as a problem on the grid of its nodes, of which the pinned ones are no unknowns."""
    from sciml.linalg.voxel_poisson import VoxelPoisson

    graph, w = equations.graph, column(equations.conductance, system)
    lower, upper = graph.ends
    weights, size = [], graph.nodes
    for axis, length in enumerate(graph.lattice):
        size //= length
        faces = np.zeros([n + (a == axis) for a, n in enumerate(graph.lattice)])
        along = graph.inner & (upper - lower == size)
        after = np.zeros(graph.nodes)
        after[lower[along]] = w[along]
        np.moveaxis(faces, axis, 0)[1:] = np.moveaxis(after.reshape(graph.lattice), axis, 0)
        weights.append(faces)
    shape = graph.lattice
    fluid = ~graph.pinned.reshape(shape)
    diagonal = np.where(graph.pinned, 0.0, column(equations.diagonal, system)).reshape(shape)
    return VoxelPoisson(fluid, weights, column(equations.surplus, system).reshape(shape), diagonal)
