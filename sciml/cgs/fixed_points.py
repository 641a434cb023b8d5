r"""Fixed points x = A x + b of contractive maps on the edges of graphs, by several solvers, with exact derivatives.

Every head and every graph of a batch has a map of its own. With the contraction factor q of A, the largest row sum of
absolute values, Banach's theorem bounds the error of an iterate by what one more step of the map changes,

.. math:: \|x_{k+1} - x^*\| \le \frac{q}{1 - q} \|x_{k+1} - x_k\|,

in the maximum norm. A solver stops when this bound, relative to the solution, is below its tolerance for each graph and
each head, and reports it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from sciml.cgs.padding import Padding
from sciml.checks import positive, shape, whole_number
from sciml.errors import DivergenceError, InputError
from sciml.mesh.graph import check_edge_index
from sciml.numerics.implicit import Given, ImplicitReport
from sciml.numerics.implicit import fixed_point as numerics_fixed_point

MOST_PICARD = 100  # iterations up to which Picard's method is chosen
LARGEST_DENSE = 400  # nodes up to which a dense matrix is chosen


@dataclass(frozen=True, eq=False)
class EdgeMap:
    """The map x -> A x + b, whose matrix has an entry for each directed edge.

    Parameters
    ----------
    edge_index : ``(2, E)`` sources, which are columns of A, and destinations, which are rows
    weights : ``(E, H)`` entries of A for each head; edges between the same nodes add up
    bias : ``(N, H)``
    graph : ``(N,)`` number of the graph that a node belongs to, by default 0
    norm : in which the map contracts: ``"max"`` of the nodes, or the ``"sum"`` for a transposed one

    Raises
    ------
    InputError
        If shapes do not fit one another, or an edge leads out of the nodes.
    """

    edge_index: Tensor
    weights: Tensor
    bias: Tensor
    graph: Tensor | None = None
    norm: Literal["max", "sum"] = "max"

    def __post_init__(self) -> None:
        shape("the bias", self.bias, ("nodes", "heads"))
        check_edge_index(self.edge_index, len(self.bias))
        shape("the weights", self.weights, (self.edge_index.shape[1], self.bias.shape[1]))
        if self.graph is not None:
            shape("the graph of each node", self.graph, (len(self.bias),))

    def __call__(self, x: Tensor) -> Tensor:
        """Return A x + b, ``(N, H)``."""
        source, destination = self.edge_index
        return self.bias.index_add(0, destination, self.weights * x[source])

    @property
    def nodes(self) -> Tensor:
        """Number of the graph of each node, ``(N,)``."""
        if self.graph is not None:
            return self.graph
        return torch.zeros(len(self.bias), dtype=torch.long, device=self.bias.device)

    def transposed(self, bias: Tensor) -> EdgeMap:
        """Return the map x -> A^T x + b, which contracts in the dual norm by the same factor."""
        dual: Literal["max", "sum"] = "sum" if self.norm == "max" else "max"
        return EdgeMap(self.edge_index.flip(0), self.weights, bias, self.graph, dual)

    def size(self, x: Tensor) -> Tensor:
        """Return the norms of values ``(N, H)`` in which the map contracts, ``(graphs, H)``."""
        nodes = self.nodes
        graphs = int(nodes.max()) + 1 if len(nodes) else 0
        empty = x.new_zeros(graphs, x.shape[1])
        if self.norm == "sum":
            return empty.index_add(0, nodes, x.abs())
        return empty.scatter_reduce(0, nodes[:, None].expand_as(x), x.abs(), "amax")

    def factor(self) -> Tensor:
        """Return the contraction factors, ``(graphs, H)``: the largest sums of \\|A\\| over a row (column of A^T)."""
        end = self.edge_index[1 if self.norm == "max" else 0]
        sums = torch.zeros_like(self.bias).index_add(0, end, self.weights.abs())
        return replace(self, norm="max").size(sums)


@dataclass(eq=False)
class FixedPointReport:
    """A report on the fixed points of a batch of graphs.

    Attributes
    ----------
    method : name of the solver
    iterations : applications of the map; 0 for a direct solve
    factor : ``(graphs, H)`` contraction factors
    error : ``(graphs, H)`` bounds of the errors, relative to the norms of the solutions
    converged : whether every error is below the tolerance
    implicit : residuals of the solution and, after them, of the passes that compute derivatives
    """

    method: str
    iterations: int
    factor: Tensor
    error: Tensor
    converged: bool
    implicit: ImplicitReport | None = field(default=None, repr=False)


class FixedPointSolver(ABC):
    """Base of the solvers for fixed points.

    Parameters
    ----------
    rtol : bound of the error relative to the solution; raised to what rounding lets one reach
    """

    def __init__(self, rtol: float = 1e-6) -> None:
        self.rtol = positive("rtol", rtol)

    @abstractmethod
    def solve(self, edge_map: EdgeMap) -> tuple[Tensor, FixedPointReport]:
        """Return the fixed points ``(N, H)`` and a report; no gradient is recorded."""

    def report(self, edge_map: EdgeMap, x: Tensor, new: Tensor, iterations: int) -> FixedPointReport:
        """Return the report on ``new = map(x)`` as the solution."""
        factor = edge_map.factor()
        floor = torch.finfo(x.dtype).tiny
        error = factor / (1 - factor) * edge_map.size(new - x) / edge_map.size(new).clamp_min(floor)
        converged = bool((error <= self.reachable(factor)).all())
        return FixedPointReport(type(self).__name__.lower(), iterations, factor, error, converged)

    def reachable(self, factor: Tensor) -> Tensor:
        """Return the tolerance, or what rounding in the type of the numbers lets one reach where that is larger."""
        return (8 * torch.finfo(factor.dtype).eps / (1 - factor)).clamp_min(self.rtol)


class Picard(FixedPointSolver):
    """Picard's method x <- A x + b from x = b: at most :func:`picard_iterations` (q, rtol) of them, whatever the size.

    Parameters
    ----------
    rtol : bound of the error relative to the solution
    most_iterations : after which it stops without having converged
    """

    def __init__(self, rtol: float = 1e-6, most_iterations: int = 1000) -> None:
        super().__init__(rtol)
        self.most_iterations = whole_number("most_iterations", most_iterations, at_least=1)

    def solve(self, edge_map: EdgeMap) -> tuple[Tensor, FixedPointReport]:
        """Return the fixed points ``(N, H)`` and a report."""
        factor, x = edge_map.factor(), edge_map.bias
        allowed = self.reachable(factor) * (1 - factor) / factor.clamp_min(torch.finfo(x.dtype).tiny)
        iterations, settled = 0, False
        while iterations < self.most_iterations and not settled:
            before, x = x, edge_map(x)
            iterations += 1
            settled = bool((edge_map.size(x - before) <= allowed * edge_map.size(x)).all())
        return x, self.report(edge_map, before, x, iterations)


class Anderson(FixedPointSolver):
    """Anderson's acceleration: the combination of the last iterates whose residual is least, one per graph and head.

    Parameters
    ----------
    rtol : bound of the error relative to the solution
    most_iterations : after which it stops without having converged
    memory : iterates that are combined

    References
    ----------
    Walker and Ni, "Anderson acceleration for fixed-point iterations", SIAM J. Numer. Anal. 49 (2011) 1715-1735.
    """

    def __init__(self, rtol: float = 1e-6, most_iterations: int = 1000, memory: int = 5) -> None:
        super().__init__(rtol)
        self.most_iterations = whole_number("most_iterations", most_iterations, at_least=1)
        self.memory = whole_number("memory", memory, at_least=1)

    def solve(self, edge_map: EdgeMap) -> tuple[Tensor, FixedPointReport]:
        """Return the fixed points ``(N, H)`` and a report."""
        factor, x, nodes = edge_map.factor(), edge_map.bias, edge_map.nodes
        allowed = self.reachable(factor) * (1 - factor) / factor.clamp_min(torch.finfo(x.dtype).tiny)
        images: list[Tensor] = []
        residuals: list[Tensor] = []
        iterations = 0
        while True:
            new = edge_map(x)
            iterations += 1
            settled = bool((edge_map.size(new - x) <= allowed * edge_map.size(new)).all())
            if settled or iterations == self.most_iterations:
                return new, self.report(edge_map, x, new, iterations)
            images, residuals = [*images, new][-self.memory :], [*residuals, new - x][-self.memory :]
            share = _least_combination(torch.stack(residuals), nodes)
            x = (share[:, nodes] * torch.stack(images)).sum(0)


class Dense(FixedPointSolver):
    """Gaussian elimination on the dense matrices I - A of the graphs, padded to the largest one.

    Parameters
    ----------
    rtol : error that counts as converged
    """

    def solve(self, edge_map: EdgeMap) -> tuple[Tensor, FixedPointReport]:
        """Return the fixed points ``(N, H)`` and a report."""
        padding = Padding(edge_map.nodes)
        source, destination = edge_map.edge_index
        matrix = padding.identity(edge_map.weights) - padding.matrix(destination, source, edge_map.weights)
        x = padding.unpad(torch.linalg.solve(matrix, padding.pad(edge_map.bias)))
        return x, self.report(edge_map, x, edge_map(x), 0)


class Automatic(FixedPointSolver):
    """The solver that suits contraction factor and size: Picard's method, a dense matrix, or Anderson's acceleration.

    Picard's method takes the same few iterations at every size where the factor is not near 1, at most 21 for one half.

    Parameters
    ----------
    rtol : bound of the error relative to the solution
    """

    def solve(self, edge_map: EdgeMap) -> tuple[Tensor, FixedPointReport]:
        """Return the fixed points ``(N, H)`` and a report."""
        return self.choose(edge_map).solve(edge_map)

    def choose(self, edge_map: EdgeMap) -> FixedPointSolver:
        """Return the solver for a map."""
        factor = edge_map.factor()
        largest = float(factor.max()) if factor.numel() else 0.0
        if picard_iterations(largest, self.rtol) <= MOST_PICARD:
            return Picard(self.rtol)
        if int(torch.bincount(edge_map.nodes).max()) <= LARGEST_DENSE:
            return Dense(self.rtol)
        return Anderson(self.rtol, most_iterations=10_000)


def picard_iterations(factor: float, rtol: float) -> float:
    r"""Return the largest number of iterations that Picard's method can take from x = b.

    The last change is at most :math:`q^k \|b\|`, and the iterate at least
    :math:`(1 - q^{k+1}) \|b\| / (1 + q)`, so that the stopping criterion holds at the latest when
    :math:`q^{k+1} \le t / (1 + t)` with :math:`t = \epsilon (1 - q) / (1 + q)`.

    Parameters
    ----------
    factor : contraction factor q
    rtol : bound of the error relative to the solution, epsilon
    """
    if factor <= 0:
        return 1
    if factor >= 1:
        return math.inf
    reached = rtol * (1 - factor) / (1 + factor)
    return max(1, math.ceil(math.log(reached / (1 + reached)) / math.log(factor)) - 1)


def fixed_point(edge_map: EdgeMap, solver: FixedPointSolver) -> tuple[Tensor, FixedPointReport]:
    """Return the fixed points of a map, differentiable in its weights and its bias, and a report.

    The backward pass solves the transposed system by the same solver, and keeps the solution alone: its memory does not
    depend on the number of iterations.

    Parameters
    ----------
    edge_map : that contracts
    solver : of both systems

    Raises
    ------
    InputError
        If the map does not contract.
    DivergenceError
        If a weight is not finite.
    """
    detached: list[EdgeMap] = []

    def solve(weights: Tensor, bias: Tensor) -> tuple[Tensor, FixedPointReport]:
        detached.append(replace(edge_map, weights=weights, bias=bias))
        _check_contraction(detached[0].factor())
        return solver.solve(detached[0])

    x, implicit = numerics_fixed_point(
        lambda x, weights, bias: replace(edge_map, weights=weights, bias=bias)(x),
        solve,
        edge_map.weights,
        edge_map.bias,
        adjoint=Given(
            lambda right: solver.solve(replace(detached[0], bias=right))[0],
            lambda right: solver.solve(detached[0].transposed(right))[0],
            rtol=None,  # the solver raises if it misses its own
        ),
    )
    # Not each in the other: only a garbage collection would free such a pair with its tensors.
    report, implicit.info = implicit.info, None
    report.implicit = implicit
    return x, report


def _check_contraction(factor: Tensor) -> None:
    if not bool(factor.isfinite().all()):
        raise DivergenceError(
            "the map has weights that are not finite; the training has diverged, or the data are wrong."
        )
    if bool((factor >= 1).any()):
        raise InputError(
            f"the map has the contraction factor {float(factor.max()):.6g}, expected less than 1; a fixed point need "
            "not exist."
        )


def _least_combination(residuals: Tensor, nodes: Tensor) -> Tensor:
    """Return the shares, with the sum 1, that make the combined residual of each graph and head least.

    Parameters
    ----------
    residuals : ``(memory, N, H)``
    nodes : ``(N,)`` number of the graph

    Returns
    -------
    Tensor
        ``(memory, graphs, H)``
    """
    count, _, heads = residuals.shape
    products = residuals[:, None] * residuals[None]
    gram = residuals.new_zeros(count, count, int(nodes.max()) + 1, heads).index_add(2, nodes, products)
    gram = gram.permute(2, 3, 0, 1)
    scale = gram.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None].clamp_min(torch.finfo(gram.dtype).tiny)
    # A ridge: the residuals become parallel in the end.
    ridge = 100 * torch.finfo(gram.dtype).eps * torch.eye(count, dtype=gram.dtype, device=gram.device)
    share = torch.linalg.solve(gram / scale + ridge, gram.new_ones(*gram.shape[:-1], 1))[..., 0]
    return (share / share.sum(-1, keepdim=True)).permute(2, 0, 1)
