"""Stacked message passing, each layer with weights of its own: what it sees ends so many edges away."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from sciml.cgs.baselines.contract import GraphNetwork
from sciml.cgs.model import Readout
from sciml.nets.message_passing import Activation, Aggregation, AttentionEncoder


class StackedNetwork(GraphNetwork):
    """The layers of the paper's encoder, stacked, and its decoder: the baseline of the paper.

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
    Gilmer et al., "Neural message passing for quantum chemistry", ICML 2017; Park, Choo and Park, ICLR 2022.
    """

    def __init__(  # noqa: PLR0913 - the keys of a config
        self,
        node_dim: int,
        edge_dim: int,
        outputs: int,
        *,
        width: int = 64,
        layers: int = 5,
        hidden: Sequence[int] = (64,),
        decoder: Sequence[int] = (64, 32),
        activation: Activation = "leaky_relu",
        aggregation: Aggregation = "sum",
        readout: Readout = "nodes",
        dropout: float = 0.0,
    ) -> None:
        super().__init__((node_dim, edge_dim, outputs), (width, *decoder), activation, readout, dropout)
        self.encoder = AttentionEncoder(
            node_dim, edge_dim, width, width, width=width, layers=layers, hidden=hidden, activation=activation,
            aggregation=aggregation, activates_output=True,
        )  # fmt: skip

    def embed(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        """Return the features of the nodes after the last layer."""
        return self.encoder(x, edge_index, edge_attr)[0]
