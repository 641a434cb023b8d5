"""Attention with residual connections and normalisation: stacked layers as one would build them today."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from sciml.cgs.baselines.contract import GraphNetwork
from sciml.cgs.model import Readout
from sciml.nets.coordinate import check_counts
from sciml.nets.message_passing import Activation, Aggregation, AttentionMessagePassing


class AttentionNetwork(GraphNetwork):
    """Layers of attention on the edges, each added to normalised features of nodes and edges.

    Parameters
    ----------
    node_dim, edge_dim : features of a node and of an edge
    outputs : numbers for each node, or each graph
    width : features of nodes and edges between the layers
    layers : how many
    hidden : units of the hidden layers of each perceptron of a layer
    decoder, activation, readout, dropout : see :class:`GraphNetwork`
    aggregation : over the incoming edges

    References
    ----------
    Brody, Alon and Yahav, "How attentive are graph attention networks?", ICLR 2022, for the form of the attention.
    Xiong et al., "On layer normalization in the transformer architecture", ICML 2020, for the place of the norm.
    """

    def __init__(  # noqa: PLR0913 - the keys of a config
        self,
        node_dim: int,
        edge_dim: int,
        outputs: int,
        *,
        width: int = 48,
        layers: int = 6,
        hidden: Sequence[int] = (48,),
        decoder: Sequence[int] = (64, 32),
        activation: Activation = "silu",
        aggregation: Aggregation = "sum",
        readout: Readout = "nodes",
        dropout: float = 0.0,
    ) -> None:
        super().__init__((node_dim, edge_dim, outputs), (width, *decoder), activation, readout, dropout)
        check_counts(width=width, layers=layers)
        self.node_inputs, self.edge_inputs = nn.Linear(node_dim, width), nn.Linear(edge_dim, width)
        options = {"activation": activation, "aggregation": aggregation, "activates_output": False}
        self.layers = nn.ModuleList(
            AttentionMessagePassing((width, width), (width, width), hidden, **options) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * layers))

    def embed(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        """Return the features of the nodes after the last layer."""
        nodes, edges = self.node_inputs(x), self.edge_inputs(edge_attr)
        for layer, of_nodes, of_edges in zip(self.layers, self.norms[::2], self.norms[1::2], strict=True):
            node_change, edge_change = layer(of_nodes(nodes), edge_index, of_edges(edges))
            nodes, edges = nodes + node_change, edges + edge_change
        return nodes
