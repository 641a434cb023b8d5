r"""Heads of convergent graph solvers: linear systems on graphs, unique whatever the network proposes.

A :class:`ContractiveHead` is that of the paper, x = gamma A x + b with row sums of A of at most 1. The influence of a
node at a distance of d edges is at most gamma^d / (1 - gamma), as in a screened Poisson problem. An
:class:`AnchoredHead` has no screening unless it learns one: with positive symmetric conductances w, sinks s and pinned
nodes D,

.. math::
    \Big(\sum_j w_{ij} + s_i\Big) x_i - \sum_j w_{ij} x_j = 0 \quad (i \notin D), \qquad x_i = g_i \quad (i \in D).

*Theorem.* If each connected component has a pinned node or a node with a positive sink, the matrix of the nodes that
are not pinned is a nonsingular M-matrix. Hence x is unique; without sinks it lies between the smallest and the largest
pinned value (of its component), the flows w_ij (x_i - x_j) into each node that is not pinned add up to zero, and x is
linear in g. All of this holds for untrained networks, too. A contractive head with A = w / sum(w) is the anchored
head with the sinks s = (1 / gamma - 1) sum(w) and the source s b / (1 - gamma).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor, nn

from sciml.cgs.conductances import Conductances, Sinks
from sciml.cgs.fixed_points import Automatic, EdgeMap, FixedPointReport, FixedPointSolver, fixed_point
from sciml.checks import choice, number, positive
from sciml.linalg.graph_laplacian import GraphLaplacian
from sciml.linalg.graph_solutions import GraphSolveInfo

if TYPE_CHECKING:
    from torch_geometric.data import Data

Squash = Literal["sigmoid", "clip"]
SQUASHES = {"sigmoid": torch.sigmoid, "clip": lambda logits: logits.clamp(0.0, 1.0)}


class ContractiveHead(nn.Module):
    """The heads of the paper: x = gamma A x + b, where A has weights from 0 to 1, divided by the in-degree.

    Every row of A sums up to at most 1, so that the map contracts in the maximum norm with a factor of at most gamma.

    Parameters
    ----------
    gamma : largest contraction factor, between 0 and 1
    squash : how a weight comes from any number: ``"sigmoid"``, or ``"clip"`` to [0, 1] as in the published code, which
        has no gradient outside
    solver : of the fixed points

    References
    ----------
    Park, Choo and Park, "Convergent graph solvers", ICLR 2022.
    """

    def __init__(self, gamma: float = 0.5, squash: Squash = "sigmoid", solver: FixedPointSolver | None = None) -> None:
        super().__init__()
        remedy = "otherwise the map does not contract, and a fixed point need not exist"
        self.gamma = number("gamma", gamma, above=0, below=1, remedy=remedy)
        self.squash = choice("squash", squash, SQUASHES)
        self.solver = Automatic() if solver is None else solver

    def edge_map(self, edge_index: Tensor, logits: Tensor, bias: Tensor, graph: Tensor | None = None) -> EdgeMap:
        """Return the map x -> gamma A x + b.

        Parameters
        ----------
        edge_index : ``(2, E)`` sources and destinations
        logits : ``(E, H)`` any numbers
        bias : ``(N, H)``; a node without incoming edges keeps it
        graph : ``(N,)`` number of the graph
        """
        undivided = EdgeMap(edge_index, SQUASHES[self.squash](logits), bias, graph)  # checks the edges
        destination = edge_index[1]
        degree = torch.bincount(destination, minlength=len(bias)).clamp_min(1)  # 0 is the divisor of no edge
        return replace(undivided, weights=self.gamma * undivided.weights / degree[destination, None])

    def forward(
        self, edge_index: Tensor, logits: Tensor, bias: Tensor, graph: Tensor | None = None
    ) -> tuple[Tensor, FixedPointReport]:
        """Return the fixed points ``(N, H)`` and the report of the solver; the arguments are those of the map."""
        return fixed_point(self.edge_map(edge_index, logits, bias, graph), self.solver)


class AnchoredValues(NamedTuple):
    """Values of an anchored head.

    Attributes
    ----------
    values : ``(N,)`` in float64
    report : of the solver
    conductance : ``(m,)`` in float64
    correction : of the power laws in the conductances, of any shape
    sink : ``(N,)`` in float64, None without sinks
    """

    values: Tensor
    report: GraphSolveInfo
    conductance: Tensor
    correction: Tensor
    sink: Tensor | None


class AnchoredHead(nn.Module):
    """A head with pinned nodes and learned positive conductances: maximum principle and conservation by construction.

    Parameters
    ----------
    conductances : gives the conductances of the throats from their features
    sinks : gives sinks of the nodes from their features; none by default, since they take from what is conserved
    rtol : bound of the error of the values, relative to the largest one
    """

    def __init__(self, conductances: Conductances, sinks: Sinks | None = None, rtol: float = 1e-8) -> None:
        super().__init__()
        self.conductances, self.sinks, self.rtol = conductances, sinks, positive("rtol", rtol)

    def forward(self, graph: Data) -> AnchoredValues:
        """Return the values, the conductances, and the report of the solver.

        Parameters
        ----------
        graph : with ``throat_index``, ``pinned`` and ``pinned_values``, and the features of throats (and nodes)

        Raises
        ------
        SingularSystemError
            If nothing is pinned in a connected component, and there are no sinks.
        DivergenceError
            If rounding does not allow ``rtol`` with these conductances.
        """
        conductance, correction = self.conductances(graph)
        sink = None if self.sinks is None else self.sinks(graph)
        laplacian = GraphLaplacian(graph.throat_index.T, graph.num_nodes, graph.pinned, graph.batch)
        values, info = laplacian.solve(conductance, graph.pinned_values.double(), sink=sink, rtol=self.rtol)
        return AnchoredValues(values, info, conductance, correction, sink)
