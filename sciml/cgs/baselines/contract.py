"""The base class of the baselines: features of the nodes, added up over a graph or not, and a decoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from sciml.cgs.features import model_input
from sciml.cgs.model import READOUTS, GraphAnswer, GraphModel, Readout, SolveReport
from sciml.checks import choice, number
from sciml.nets.message_passing import Activation, perceptron

if TYPE_CHECKING:
    from torch_geometric.data import Batch

NO_SOLVER = SolveReport("none", 0, 0.0)  # nothing is solved, or its own tolerance has ended the iteration


class GraphNetwork(GraphModel):
    """Base of the networks whose features of the nodes are decoded, each by itself or added up over its graph.

    Parameters
    ----------
    width : features of a node that :meth:`embed` returns
    outputs : numbers for each node, or each graph
    decoder : units of the hidden layers of the decoder
    activation : of the decoder
    readout : ``"nodes"`` for outputs at the nodes; ``"sum"`` or ``"mean"`` of their features for outputs of graphs
    dropout : share of the features that are set to zero in front of the decoder while training
    """

    node_dim: int | None = None
    edge_dim: int | None = None
    """Features of a node and of an edge that the network takes, any number by default."""

    def __init__(
        self,
        width: int,
        outputs: int,
        decoder: Sequence[int],
        activation: Activation = "leaky_relu",
        readout: Readout = "nodes",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.readout = choice("the readout", readout, READOUTS)
        number("dropout", dropout, at_least=0, below=1)
        self.dropout = nn.Dropout(dropout)
        self.decoder = perceptron([width, *decoder, outputs], activation)

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
        dtype = self.decoder[0].weight.dtype
        nodes = model_input(graph, "x", "node_dim", self.node_dim).to(dtype)
        edges = model_input(graph, "edge_attr", "edge_dim", self.edge_dim).to(dtype)
        features = self.embed(nodes, graph.edge_index, edges)
        if self.readout != "nodes":
            from torch_geometric.utils import scatter  # 2 s to import

            features = scatter(features, graph.batch, 0, dim_size=graph.num_graphs, reduce=self.readout)
        values = self.decoder(self.dropout(features))
        return GraphAnswer(values[:, 0] if values.shape[1] == 1 else values, NO_SOLVER)
