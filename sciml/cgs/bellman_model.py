"""A graph solver whose head is Bellman's equation, with rewards and a discount that it learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sciml.cgs.bellman import BellmanReport, bellman_values
from sciml.cgs.features import model_input
from sciml.cgs.model import GraphAnswer, GraphModel, SolveReport
from sciml.checks import whole_number
from sciml.nets.message_passing import Activation, perceptron

if TYPE_CHECKING:
    from torch_geometric.data import Batch


class BellmanHead(nn.Module):
    r"""Values of the best decisions, x_i = max (1 - d) s_e + d x_j over the edges from j to i, with learned discounts.

    The factor 1 - d makes a constant added to all s the same constant in all values, whatever the discount; otherwise
    a small change of one is almost undone by one of the other, and descent is slow.

    Parameters
    ----------
    heads : number of discounts
    """

    def __init__(self, heads: int = 1) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.zeros(whole_number("heads", heads, at_least=1)))

    @property
    def discount(self) -> Tensor:
        """Discount factors of the heads, (H,), between 0 and 1."""
        return torch.sigmoid(self.logit)

    def forward(self, edge_index: Tensor, scaled: Tensor, nodes: int) -> tuple[Tensor, BellmanReport]:
        """Return the values (N, H) and the report of the solver.

        Parameters
        ----------
        edge_index : (2, E) sources and destinations
        scaled : (E, H) rewards over 1 - d
        nodes : N
        """
        discount = self.discount
        return bellman_values(edge_index, (1.0 - discount) * scaled, discount, nodes)


class BellmanGraphSolver(GraphModel):
    """A model with one :class:`BellmanHead`, whose rewards are a function of the features of an edge.

    The function is linear plus a perceptron, both zero at first; neither it nor the discount is given.

    Parameters
    ----------
    edge_dim : features of a directed edge, ``edge_attr``
    hidden : units of the hidden layers of the perceptron
    activation : of the perceptron
    """

    def __init__(self, edge_dim: int, hidden: Sequence[int] = (32, 32), activation: Activation = "silu") -> None:
        super().__init__()
        self.edge_dim = whole_number("edge_dim", edge_dim, at_least=1)
        self.linear = nn.Linear(edge_dim, 1)
        self.perceptron = perceptron([edge_dim, *hidden, 1], activation)
        for last in (self.linear, self.perceptron[-1]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        self.head = BellmanHead()

    def rewards(self, features: Tensor) -> Tensor:
        """Return the rewards (E, 1) of edges with features (E, edge_dim)."""
        return (1.0 - self.head.discount) * self._scaled(features)

    def forward(self, graph: Batch) -> GraphAnswer:
        """Return the values of the nodes, (N,)."""
        features = model_input(graph, "edge_attr", "edge_dim", self.edge_dim).to(self.linear.weight.dtype)
        values, report = self.head(graph.edge_index, self._scaled(features), graph.num_nodes)
        largest = float(values.detach().abs().max()) if values.numel() else 0.0
        error = report.error_bound / largest if largest else 0.0
        return GraphAnswer(values[:, 0], SolveReport("policy iteration", report.rounds, error))

    def _scaled(self, features: Tensor) -> Tensor:
        return self.linear(features) + self.perceptron(features)
