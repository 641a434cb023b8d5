"""Message passing with attention on graphs: one layer, and a stack of them.

Graphs are those of PyTorch Geometric: ``edge_index`` has the sources of all directed edges in its first row and their
destinations in its second one, and a node receives from its incoming edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, cat, nn

from sciml.checks import choice
from sciml.nets.coordinate import check_counts

Activation = Literal["leaky_relu", "silu"]
Aggregation = Literal["sum", "mean"]
ACTIVATIONS: dict[str, type[nn.Module]] = {"leaky_relu": nn.LeakyReLU, "silu": nn.SiLU}
AGGREGATIONS = ("sum", "mean")


def perceptron(
    sizes: Sequence[int], activation: Activation = "leaky_relu", *, activates_output: bool = False
) -> nn.Sequential:
    """Return linear layers with an activation after each, but for the last one unless ``activates_output``.

    Parameters
    ----------
    sizes : units of the input, of every hidden layer and of the output, at least two
    """
    choice("the activation", activation, ACTIVATIONS)
    check_counts(**{f"sizes {number}": size for number, size in enumerate(sizes)})
    layers: list[nn.Module] = []
    for pair in pairwise(sizes):
        layers += [nn.Linear(*pair), ACTIVATIONS[activation]()]
    return nn.Sequential(*(layers if activates_output else layers[:-1]))


class AttentionMessagePassing(nn.Module):
    r"""One layer of message passing, in which attention weighs the incoming edges of a node.

    With :math:`z_{ij} = [e_{ij}, h_j, h_i]` for an edge from j to i and three perceptrons,

    .. math::
        e'_{ij} = M_e(z_{ij}), \quad
        \alpha_{ij} = \mathrm{softmax}_{j \to i} M_a(z_{ij}), \quad
        h'_i = M_n\Big(\Big[\sum_{j \to i} \alpha_{ij} e'_{ij},\; h_i\Big]\Big).

    There are neither residual connections nor normalisations. A node without incoming edges receives zeros.

    Parameters
    ----------
    nodes : features of a node before and after the layer
    edges : features of an edge before and after the layer
    hidden : units of the hidden layers of each perceptron
    activation : of the perceptrons
    aggregation : ``"sum"`` over the incoming edges as above, or their ``"mean"``
    activates_output : whether the perceptrons, that of the attention included, end with the activation

    References
    ----------
    Park, Choo and Park, "Convergent graph solvers", ICLR 2022, and its published code.
    """

    def __init__(
        self,
        nodes: tuple[int, int],
        edges: tuple[int, int],
        hidden: Sequence[int] = (64,),
        *,
        activation: Activation = "leaky_relu",
        aggregation: Aggregation = "sum",
        activates_output: bool = True,
    ) -> None:
        super().__init__()
        self.aggregation = choice("the aggregation", aggregation, AGGREGATIONS)
        joined = edges[0] + 2 * nodes[0]
        ends = {"activation": activation, "activates_output": activates_output}
        self.edge_net = perceptron([joined, *hidden, edges[1]], **ends)
        self.attention_net = perceptron([joined, *hidden, 1], **ends)
        self.node_net = perceptron([edges[1] + nodes[0], *hidden, nodes[1]], **ends)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new features of the nodes and of the edges.

        Parameters
        ----------
        x : ``(N, nodes)``
        edge_index : ``(2, E)``, sources and destinations
        edge_attr : ``(E, edges)``
        """
        from torch_geometric.utils import scatter, softmax  # 2 s to import, and nothing else here needs it

        source, destination = edge_index
        joined = cat([edge_attr, x[source], x[destination]], 1)
        edges = self.edge_net(joined)
        attention = softmax(self.attention_net(joined), destination, num_nodes=len(x))
        received = scatter(attention * edges, destination, 0, dim_size=len(x), reduce=self.aggregation)
        return self.node_net(cat([received, x], 1)), edges


class AttentionEncoder(nn.Module):
    """A stack of :class:`AttentionMessagePassing`, which gives every node and every edge its features.

    Parameters
    ----------
    node_dim, edge_dim : features of a node and of an edge of the graph
    node_out, edge_out : those that the last layer gives
    width : features of nodes and edges between the layers
    layers : at least 1
    hidden : units of the hidden layers of each perceptron
    activation, aggregation : of every layer
    activates_output : whether the last layer ends with the activation, as in the published code; the others do
    """

    def __init__(  # noqa: PLR0913 - the dimensions of a stack
        self,
        node_dim: int,
        edge_dim: int,
        node_out: int,
        edge_out: int,
        *,
        width: int = 32,
        layers: int = 1,
        hidden: Sequence[int] = (64,),
        activation: Activation = "leaky_relu",
        aggregation: Aggregation = "sum",
        activates_output: bool = False,
    ) -> None:
        super().__init__()
        check_counts(layers=layers, width=width)
        nodes = pairwise([node_dim, *[width] * (layers - 1), node_out])
        edges = pairwise([edge_dim, *[width] * (layers - 1), edge_out])
        self.layers = nn.ModuleList(
            AttentionMessagePassing(
                node_sizes,
                edge_sizes,
                hidden,
                activation=activation,
                aggregation=aggregation,
                activates_output=activates_output or number < layers - 1,
            )
            for number, (node_sizes, edge_sizes) in enumerate(zip(nodes, edges, strict=True))
        )

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of the nodes ``(N, node_out)`` and of the edges ``(E, edge_out)``.

        Parameters
        ----------
        x : ``(N, node_dim)``
        edge_index : ``(2, E)``, sources and destinations
        edge_attr : ``(E, edge_dim)``
        """
        for layer in self.layers:
            x, edge_attr = layer(x, edge_index, edge_attr)
        return x, edge_attr
