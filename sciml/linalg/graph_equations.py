"""The equations of a graph for given conductances: products by differences along the edges, and what rounding does.

The residual is computed from w_ij (x_i - x_j), never as D x - W x. Its rounding errors are then relative to the fluxes
and not to diagonal entries that may be 10^15 times larger: they are those of slightly different conductances, and
corrections arrive at what the conductances determine. Where x in double precision is too coarse for the differences,
a `Sum` of two numbers stands for it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

if TYPE_CHECKING:
    from sciml.linalg.graph_laplacian import GraphLaplacian

UNIT = torch.finfo(torch.float64).eps / 2
TINY = 1e-300  # far above what underflow does to a product


class Sum(NamedTuple):
    """The unevaluated sum of a vector of numbers and one of what rounding took from them."""

    high: Tensor
    low: Tensor

    def plus(self, step: Tensor) -> Sum:
        """Return the sum after a step (Knuth's two-sum, *The Art of Computer Programming* 2, 4.2.2)."""
        small = self.low + step
        high = self.high + small
        of_small = high - self.high
        return Sum(high, (self.high - (high - of_small)) + (small - of_small))


class GraphEquations:
    """A x = f at the free nodes of a graph, x given at the pinned ones, for K systems of conductances and sinks.

    Vectors have all n nodes in front and H heads behind, H = K unless K = 1.

    Parameters
    ----------
    graph : the structure
    conductance, sink : float64, shapes (m, K) or (m, 1), and (n, K) or (n, 1); the sinks of pinned nodes are 0
    """

    def __init__(self, graph: GraphLaplacian, conductance: Tensor, sink: Tensor) -> None:
        self.graph, self.device = graph, conductance.device
        self.pinned = torch.from_numpy(graph.pinned)[:, None].to(self.device)
        self.first, self.second = torch.from_numpy(graph.edges).to(self.device).unbind(1)
        self.of_graph = torch.from_numpy(graph.graph).to(self.device)
        self.free = torch.from_numpy(graph.free).to(self.device)
        self.conductance, self.sink = conductance, sink

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
        """a_ii at the free nodes, 1 at the pinned ones, shape (n, K)."""
        return torch.where(self.pinned, 1.0, self.sink + self._collect(self.conductance, self.conductance))

    @cached_property
    def surplus(self) -> Tensor:
        """The sum of row i over the free nodes: the sink and the conductances to pinned nodes, shape (n, K)."""
        w = self.conductance
        to_pinned = self._collect(
            torch.where(self.pinned[self.second], w, 0), torch.where(self.pinned[self.first], w, 0)
        )
        return torch.where(self.pinned, 0.0, self.sink + to_pinned)

    def differences(self, x: Tensor) -> Tensor:
        """Return x_i - x_j along each edge."""
        return x[self.first] - x[self.second]

    def product(self, x: Tensor | Sum, conductance: Tensor | None = None, sink: Tensor | None = None) -> Tensor:
        """Return (sum_j w_ij + s_i) x_i - sum_j w_ij x_j at all nodes, differentiable in all arguments."""
        if isinstance(x, Sum):
            difference, total = self.differences(x.high) + self.differences(x.low), x.high + x.low
        else:
            difference, total = self.differences(x), x
        flux = (self.conductance if conductance is None else conductance) * difference
        return (self.sink if sink is None else sink) * total + self._collect(flux, -flux)

    def residual(self, x: Tensor | Sum, f: Tensor) -> Tensor:
        """Return f - A x at the free nodes, 0 at the pinned ones."""
        return torch.where(self.pinned, 0.0, f - self.product(x))

    def residual_rounding(self, x: Tensor | Sum, f: Tensor) -> Tensor:
        """Return a bound on the rounding errors of the residual: (terms + 6) units of the sum of their sizes."""
        parts = x if isinstance(x, Sum) else (x,)
        flux = self.conductance * sum(self.differences(part).abs() for part in parts)
        sizes = f.abs() + self.sink * sum(part.abs() for part in parts) + self._collect(flux, flux)
        return torch.where(self.pinned, 0.0, (self.degree + 6) * (UNIT * sizes + TINY))

    def largest(self, values: Tensor) -> Tensor:
        """Return the largest |value| of each graph and head, shape (graphs, H)."""
        if self.graph.graphs == 1:
            return values.abs().amax(0, keepdim=True)
        index = self.of_graph[:, None].expand_as(values)
        return values.new_zeros(self.graph.graphs, values.shape[1]).scatter_reduce(0, index, values.abs(), "amax")

    def sums(self, values: Tensor) -> Tensor:
        """Return the sum of the values of each graph and head, shape (graphs, H)."""
        if self.graph.graphs == 1:
            return values.sum(0, keepdim=True)
        return values.new_zeros(self.graph.graphs, values.shape[1]).index_add(0, self.of_graph, values)

    def at_nodes(self, values: Tensor) -> Tensor:
        """Return a value for each graph and head as one for each node."""
        return values if self.graph.graphs == 1 else values[self.of_graph]

    def matrix(self, system: int) -> sp.csr_array:
        """Return A over the free nodes, for one of the K systems."""
        indptr, indices, entry = self.graph.pattern
        values = np.concatenate([column(self.diagonal, system), -column(self.conductance, system)])
        return sp.csr_array((values[entry], indices, indptr), shape=(self.graph.free.size,) * 2)

    def _collect(self, at_first: Tensor, at_second: Tensor) -> Tensor:
        """Return for each node the sum of what the edges bring to their first and to their second ends."""
        total = at_first.new_zeros(self.graph.nodes, at_first.shape[1])
        return total.index_add(0, self.first, at_first).index_add(0, self.second, at_second)


def binary_scale(sizes: Tensor) -> Tensor:
    """Return the powers of two next to sizes, 1 for 0; to divide by them is exact."""
    exponent = torch.frexp(torch.where((sizes > 0) & torch.isfinite(sizes), sizes, 1.0)).exponent
    return torch.ldexp(torch.ones_like(sizes), exponent.clamp(-1020, 1020))


def column(values: Tensor, system: int) -> np.ndarray:
    """Return one system's column of a tensor that has one for all of them or one for each."""
    return np.ascontiguousarray(values[:, system if values.shape[1] > 1 else 0].cpu().numpy())
