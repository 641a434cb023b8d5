"""A perceptron on the frequencies of the tags of a graph, which sees no edge: a network on graphs has to beat it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from sciml.cgs.baselines.contract import GraphNetwork
from sciml.cgs.model import Readout
from sciml.nets.message_passing import Activation


class TagHistogram(GraphNetwork):
    """A perceptron of the features of the nodes, added up over each graph.

    Parameters
    ----------
    node_dim : features of a node, such as its tag in one-hot form
    outputs, decoder, activation, readout, dropout : see :class:`GraphNetwork`
    """

    def __init__(
        self,
        node_dim: int,
        outputs: int,
        decoder: Sequence[int] = (64, 32),
        activation: Activation = "silu",
        readout: Readout = "sum",
        dropout: float = 0.0,
    ) -> None:
        super().__init__((node_dim, None, outputs), (node_dim, *decoder), activation, readout, dropout)

    def embed(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        """Return the features as they are."""
        return x
