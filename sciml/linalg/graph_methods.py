"""Methods for the linear systems of :class:`~sciml.linalg.graph_laplacian.GraphLaplacian`, and how they end.

A method makes corrections: it maps the residual r of all nodes to an approximation of A^-1 r. The residual is computed
from the differences of x along the edges, w_ij (x_i - x_j), never as D x - W x: rounding then counts relative to the
fluxes, and not to diagonal entries that may be 10^15 times larger, and repeated corrections arrive at what the
conductances, rather than their sums, determine. Since A^-1 >= 0, solving once more, for the rounding errors of the
residual, bounds what they do to x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from sciml.checks import choice
from sciml.errors import DivergenceError

if TYPE_CHECKING:
    from sciml.linalg.graph_laplacian import GraphLaplacian

UNIT = torch.finfo(torch.float64).eps / 2
LARGEST_DENSE = 400  # free nodes of a graph, on a device without sparse factors
LARGEST_DIRECT = 40_000  # edges of a graph, up to which sparse factors cost less than algebraic multigrid
SWEEPS = 8  # corrections by a direct method at most
CONTRACTION = 0.5  # corrections that shrink less are rounding errors


@dataclass(frozen=True)
class GraphSolveInfo:
    """How a solve ended; the arrays have one entry for each graph, the largest of its heads.

    Attributes
    ----------
    method : its name
    iterations : of conjugate gradients, the largest number of all heads; for a direct method the corrections of x
    residual : the largest \\|r_i\\| / a_ii, relative to the largest \\|x\\|
    error_estimate : estimated error of x, the largest relative to the largest \\|x\\|, rounding included
    rounding : the part of it that no further iteration can remove
    """

    method: str
    iterations: int
    residual: np.ndarray
    error_estimate: np.ndarray
    rounding: np.ndarray


class Correction(NamedTuple):
    """An approximation of A^-1 r, the iterations it took, and its estimated error by graph and head (None: unknown)."""

    value: Tensor
    iterations: int = 0
    error: Tensor | None = None


class Corrector(Protocol):
    """A method set up for given conductances."""

    def __call__(self, residual: Tensor, tolerance: Tensor) -> Correction:
        """Return the correction for r, (n, H); the error may be as large as the tolerance, (graphs, H)."""


class GraphMethod(Protocol):
    """What solves; a small object without state."""

    name: ClassVar[str]

    def prepare(self, equations: GraphEquations) -> Corrector:
        """Set up factors or a hierarchy for the conductances."""


class GraphEquations:
    """The equations of a graph for given conductances and sinks, and their solution by corrections.

    Parameters
    ----------
    graph : the structure
    conductance, sink : float64, shapes (m, K) and (n, K), K = 1 or the number of heads
    rtol : bound on the estimated error of a solve
    """

    def __init__(self, graph: GraphLaplacian, conductance: Tensor, sink: Tensor, rtol: float) -> None:
        device = conductance.device
        self.graph, self.rtol = graph, rtol
        self.pinned = torch.from_numpy(graph.pinned)[:, None].to(device)
        self.first, self.second = torch.from_numpy(graph.edges).to(device).unbind(1)
        self.of_graph = torch.from_numpy(graph.graph).to(device)
        self.conductance, self.sink = conductance, torch.where(self.pinned, 0.0, sink)
        self.info: GraphSolveInfo | None = None

    @property
    def systems(self) -> int:
        """Number K of different matrices."""
        return max(self.conductance.shape[1], self.sink.shape[1])

    @cached_property
    def degree(self) -> Tensor:
        """Number of edges of each node, shape (n, 1)."""
        ends = torch.cat([self.first, self.second])
        return torch.bincount(ends, minlength=self.graph.nodes)[:, None].double()

    @cached_property
    def diagonal(self) -> Tensor:
        """a_ii of the free nodes, 1 at the pinned ones, shape (n, K)."""
        sums = self.sink + self._gather(self.conductance, self.conductance)
        return torch.where(self.pinned, 1.0, sums)

    def differences(self, x: Tensor) -> Tensor:
        """Return x_i - x_j along each edge."""
        return x[self.first] - x[self.second]

    def inflow_of(self, flux: Tensor) -> Tensor:
        """Return the sum of the fluxes into each node, for fluxes along the edges, (m, H)."""
        return self._gather(-flux, flux)

    def inflow(self, x: Tensor) -> Tensor:
        """Return the sum of w_ij (x_j - x_i) over the neighbours of each node."""
        return self.inflow_of(self.conductance * self.differences(x))

    def residual(self, x: Tensor, f: Tensor) -> Tensor:
        """Return f - A x at the free nodes, 0 at the pinned ones."""
        return torch.where(self.pinned, 0.0, f - self.sink * x + self.inflow(x))

    def product(self, x: Tensor) -> Tensor:
        """Return A x for x that is 0 at the pinned nodes."""
        return torch.where(self.pinned, 0.0, self.sink * x - self.inflow(x))

    def residual_rounding(self, x: Tensor, f: Tensor) -> Tensor:
        """Return a bound on the rounding errors of the residual: (terms + 2) units of the sum of their sizes."""
        flux = self.conductance * self.differences(x).abs()
        sizes = f.abs() + self.sink * x.abs() + self._gather(flux, flux)
        return torch.where(self.pinned, 0.0, UNIT * (self.degree + 4) * sizes)

    def largest(self, values: Tensor) -> Tensor:
        """Return the largest |value| of each graph and head, shape (graphs, H)."""
        if self.graph.graphs == 1:
            return values.abs().amax(0, keepdim=True)
        index = self.of_graph[:, None].expand_as(values)
        zeros = values.new_zeros(self.graph.graphs, values.shape[1])
        return zeros.scatter_reduce(0, index, values.abs(), "amax")

    def sums(self, values: Tensor) -> Tensor:
        """Return the sum of the values of each graph and head, shape (graphs, H)."""
        if self.graph.graphs == 1:
            return values.sum(0, keepdim=True)
        return values.new_zeros(self.graph.graphs, values.shape[1]).index_add(0, self.of_graph, values)

    def spread(self, values: Tensor) -> Tensor:
        """Return a value for each graph and head as one for each node; broadcast where there is one graph."""
        return values if self.graph.graphs == 1 else values[self.of_graph]

    def matrix(self, system: int) -> sp.csr_array:
        """Return A over the free nodes, for one of the K systems."""
        free = ~self.graph.pinned
        w = self._column(self.conductance, system)
        number = np.cumsum(free) - 1
        inner = free[self.graph.edges].all(axis=1)
        i, j = number[self.graph.edges[inner]].T
        own = np.arange(int(free.sum()))
        values = np.concatenate([self._column(self.diagonal, system)[free], -w[inner], -w[inner]])
        places = (np.concatenate([own, i, j]), np.concatenate([own, j, i]))
        return sp.coo_array((values, places), shape=(own.size, own.size)).tocsr()

    def set_up(self, method: GraphMethod) -> None:
        """Choose and prepare the method of all solves to come."""
        self.method = method.chosen_for(self) if isinstance(method, Automatic) else method
        self.corrector = self.method.prepare(self)

    def solve(self, values: Tensor, f: Tensor) -> Tensor:
        """Return x, (n, H), which is ``values`` at the pinned nodes.

        Raises
        ------
        DivergenceError
            The estimated error is not below rtol.
        """
        start = torch.where(self.pinned, values, 0.0)
        f = torch.where(self.pinned, 0.0, f)
        outcome = _correct(self, start, f)
        self.info = outcome.info
        missed = ~(outcome.info.error_estimate <= self.rtol)
        if missed.any():
            raise DivergenceError(_missed(outcome.info, missed, self.rtol))
        return outcome.x

    def _gather(self, at_first: Tensor, at_second: Tensor) -> Tensor:
        total = at_first.new_zeros(self.graph.nodes, at_first.shape[1])
        return total.index_add_(0, self.first, at_first).index_add_(0, self.second, at_second)

    def _column(self, values: Tensor, system: int) -> np.ndarray:
        return values[:, system if values.shape[1] > 1 else 0].cpu().numpy()


class _Outcome(NamedTuple):
    x: Tensor
    info: GraphSolveInfo


def _correct(equations: GraphEquations, x: Tensor, f: Tensor) -> _Outcome:
    """Correct x until the estimated error is below the tolerance, or rounding has had the last word."""
    iterations, sweeps, before = 0, 0, None
    while True:
        r = equations.residual(x, f)
        scale = equations.largest(x)
        tolerance = equations.rtol * scale
        if sweeps == 0:
            tolerance = torch.zeros_like(scale)
        correction = equations.corrector(r, tolerance)
        x = x + correction.value
        iterations += correction.iterations
        sweeps += 1
        size = equations.largest(correction.value)
        if before is not None:
            factor = torch.where(before > 0, size / before, 0.0)
            error = torch.where(factor < CONTRACTION, size * factor, size)
            scale = equations.largest(x)
            good = error <= 0.1 * equations.rtol * scale
            if bool((good | (factor >= CONTRACTION)).all()) or sweeps == SWEEPS:
                break
        before = size
    rounding = equations.corrector(equations.residual_rounding(x, f), tolerance).value.abs() + UNIT * x.abs()
    scale = torch.where(scale > 0, scale, 1.0)
    forbidden = equations.largest(rounding) / scale
    r = equations.residual(x, f)
    per_graph = [each.amax(1).cpu().numpy() for each in (
        equations.largest(r / equations.diagonal) / scale, error / scale + forbidden, forbidden
    )]  # fmt: skip
    return _Outcome(x, GraphSolveInfo(equations.method.name, iterations or sweeps, *per_graph))


def _missed(info: GraphSolveInfo, missed: np.ndarray, rtol: float) -> str:
    worst = int(np.nanargmax(np.where(missed, np.nan_to_num(info.error_estimate, nan=np.inf), -1.0)))
    where = f" of graph {worst}" if info.error_estimate.size > 1 else ""
    if info.rounding[worst] > rtol:
        remedy = f"rounding errors alone allow {info.rounding[worst]:.2g} with these conductances; raise rtol above it"
    else:
        remedy = "raise rtol, or use another method"
    return (
        f"the solution{where} by method={info.method!r} has the estimated relative error "
        f"{info.error_estimate[worst]:.2g} after {info.iterations} iterations, expected at most rtol={rtol:g}; "
        f"{remedy}."
    )


class Automatic:
    """The fastest of the other methods for the size, the structure and the device."""

    name: ClassVar[str] = "auto"

    def chosen_for(self, equations: GraphEquations) -> GraphMethod:
        """Return sparse factors on the CPU; on another device dense ones, and conjugate gradients for larger graphs."""
        if equations.conductance.device.type == "cpu":
            return Direct()
        free = np.bincount(equations.graph.graph[~equations.graph.pinned], minlength=1)
        return Dense() if free.max() <= LARGEST_DENSE else Direct()

    def prepare(self, equations: GraphEquations) -> Corrector:
        """Set up the chosen method."""
        return self.chosen_for(equations).prepare(equations)


class Dense:
    """Batched dense Cholesky factors of all graphs and heads, filled up to the size of the largest graph."""

    name: ClassVar[str] = "dense"

    def prepare(self, equations: GraphEquations) -> Corrector:
        """Factorise D^-1/2 A D^-1/2."""
        graph, device = equations.graph, equations.conductance.device
        free = np.flatnonzero(~graph.pinned)
        owner = graph.graph[free]
        counts = np.bincount(owner, minlength=graph.graphs)
        place = np.empty(free.size, np.int64)
        order = np.argsort(owner, kind="stable")
        place[order] = np.arange(free.size) - np.repeat(np.cumsum(counts) - counts, counts)
        local = torch.full((graph.nodes,), -1)
        local[free] = torch.from_numpy(place)
        local = local.to(device)
        size, systems = max(int(counts.max()), 1), equations.systems
        scale = torch.where(equations.pinned, 0.0, equations.diagonal.rsqrt()).expand(-1, systems)
        matrices = torch.zeros(graph.graphs, size, size, systems, dtype=torch.float64, device=device)
        i, j = equations.first, equations.second
        inner = (local[i] >= 0) & (local[j] >= 0)
        i, j = i[inner], j[inner]
        coupling = -(equations.conductance[inner] * scale[i] * scale[j])
        matrices[equations.of_graph[i], local[i], local[j]] = coupling
        matrices[equations.of_graph[i], local[j], local[i]] = coupling
        matrices = matrices.permute(0, 3, 1, 2)
        matrices.diagonal(dim1=2, dim2=3).fill_(1.0)
        factors, failed = torch.linalg.cholesky_ex(matrices)
        if bool(failed.any()):
            raise DivergenceError(_LOST)
        nodes = torch.from_numpy(free).to(device)
        rows = (equations.of_graph[nodes], local[nodes])

        def correct(residual: Tensor, tolerance: Tensor) -> Correction:
            heads = residual.shape[1]
            right = residual.new_zeros(graph.graphs, size, heads)
            right[rows] = (scale * residual)[nodes]
            if systems == 1:
                solution = torch.cholesky_solve(right, factors[:, 0])
            else:
                solution = torch.cholesky_solve(right.permute(0, 2, 1)[..., None], factors)[..., 0].permute(0, 2, 1)
            value = torch.zeros_like(residual)
            value[nodes] = solution[rows]
            return Correction(scale * value)

        return correct


class Direct:
    """Sparse factors of D^-1/2 A D^-1/2, of all graphs at once and of each head; on the CPU."""

    name: ClassVar[str] = "direct"

    def prepare(self, equations: GraphEquations) -> Corrector:
        """Factorise every system."""
        free = torch.from_numpy(np.flatnonzero(~equations.graph.pinned))
        factors = [_sparse_factors(equations.matrix(system)) for system in range(equations.systems)]

        def correct(residual: Tensor, tolerance: Tensor) -> Correction:
            right = residual.cpu()[free].numpy()
            if len(factors) == 1:
                solution = factors[0](right)
            else:
                solution = np.stack([solve(right[:, head]) for head, solve in enumerate(factors)], 1)
            value = torch.zeros(residual.shape, dtype=torch.float64)
            value[free] = torch.from_numpy(solution)
            return Correction(value.to(residual.device))

        return correct


_LOST = (
    "the factors lost a pivot to rounding: the conductances differ by more than double precision resolves; narrow "
    "their range."
)


def _sparse_factors(matrix: sp.csr_array) -> Callable[[np.ndarray], np.ndarray]:
    if matrix.shape[0] == 0:
        return lambda right: right
    scale = 1.0 / np.sqrt(matrix.diagonal())
    scaled = sp.csc_array(sp.diags_array(scale) @ matrix @ sp.diags_array(scale))
    try:
        factors = sp.linalg.splu(
            scaled, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )
    except RuntimeError:
        raise DivergenceError(_LOST) from None

    def solve(right: np.ndarray) -> np.ndarray:
        scales = scale if right.ndim == 1 else scale[:, None]
        return scales * factors.solve(scales * right)

    return solve


GRAPH_METHODS: dict[str, type[GraphMethod]] = {method.name: method for method in (Automatic, Dense, Direct)}


def as_graph_method(method: str) -> GraphMethod:
    """Return the method of a name."""
    return GRAPH_METHODS[choice("method", method, GRAPH_METHODS)]()
