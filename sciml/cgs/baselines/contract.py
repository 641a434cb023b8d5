"""The base class of the baselines: a network gives the nodes features, which a decoder reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from sciml.cgs.model import DecodedGraphModel, GraphAnswer, Readout, SolveReport
from sciml.nets.message_passing import Activation, perceptron

if TYPE_CHECKING:
    from torch_geometric.data import Batch

NO_SOLVER = SolveReport("none", 0, 0.0)  # nothing is solved, or its own tolerance has ended the iteration


class GraphNetwork(DecodedGraphModel):
    """Base of the networks whose features of the nodes are decoded, each by itself or pooled over its graph.

    Parameters
    ----------
    sizes : features of a node and of an edge, where None takes any number, and outputs
    decoder : units of the decoder: the features of a node that :meth:`embed` returns, and its hidden layers
    activation : of the decoder
    readout : ``"nodes"`` for outputs at the nodes; ``"sum"`` or ``"mean"`` of their features for outputs of graphs
    dropout : share of the features that are set to zero in front of the decoder while training
    """

    def __init__(
        self,
        sizes: tuple[int, int | None, int],
        decoder: Sequence[int],
        activation: Activation,
        readout: Readout,
        dropout: float,
    ) -> None:
        super().__init__(sizes, readout, dropout)
        self.decoder = perceptron([*decoder, self.outputs], activation)

    @abstractmethod
    def embed(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        """Return the features of the nodes, ``(N, width)``.

        Parameters
        ----------
        x : ``(N, node_dim)``
        edge_index : ``(2, E)`` sources and destinations
        edge_attr : ``(E, edge_dim)``
        """

    def forward(self, graph: Batch) -> GraphAnswer:
        """Return the values of the nodes or of the graphs; without the last axis if there is one output."""
        nodes, edges = self.features_of(graph)
        return GraphAnswer(self.decoded(self.embed(nodes, graph.edge_index, edges), graph), NO_SOLVER)
