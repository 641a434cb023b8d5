r"""Implicit graph neural networks: the fixed point of one nonlinear layer, whose matrix is the same on every graph.

.. math:: X_i = \phi\Big(\frac{1}{d_i} \sum_{j \to i} W X_j + B_i\Big), \qquad \|W\|_\infty \le \kappa < 1,

with in-degrees d and \phi = ReLU, and features B of the nodes from one layer of message passing. The map contracts in
the maximum norm with a factor of at most \kappa, so that the fixed point is unique.

References
----------
Gu, Chang, Zhu, Sojoudi and El Ghaoui, "Implicit graph neural networks", NeurIPS 2020: Eq. 2, and Eq. 8 for the
projection. Duchi, Shalev-Shwartz, Singer and Chandra, "Efficient projections onto the l1-ball", ICML 2008.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sciml.cgs.baselines.contract import GraphNetwork
from sciml.cgs.model import Readout
from sciml.checks import number, positive, whole_number
from sciml.errors import DivergenceError
from sciml.nets.message_passing import Activation, Aggregation, AttentionMessagePassing
from sciml.numerics.implicit import Given, fixed_point


def project_rows(matrix: Tensor, bound: float) -> Tensor:
    """Return the nearest matrix whose rows have absolute values that sum up to at most a bound.

    Parameters
    ----------
    matrix : (n, m)
    bound : positive
    """
    sizes = matrix.abs()
    falling = sizes.sort(1, descending=True).values
    count = torch.arange(1, matrix.shape[1] + 1, dtype=matrix.dtype, device=matrix.device)
    excess = (falling.cumsum(1) - bound) / count
    last = (falling > excess).sum(1, keepdim=True) - 1
    threshold = excess.gather(1, last).clamp_min(0.0)
    return matrix.sign() * (sizes - threshold).clamp_min(0.0)


class ImplicitGraphNetwork(GraphNetwork):
    r"""An implicit graph neural network with one implicit layer.

    Parameters
    ----------
    node_dim, edge_dim : features of a node and of an edge
    outputs : numbers for each node, or each graph
    width : features of a node at the fixed point
    kappa : bound on the norm of W, between 0 and 1
    rtol : change of an iteration, relative to the largest feature, below which the fixed point counts as found
    most_iterations : of the fixed point, and of the adjoint system
    hidden : units of the hidden layers of each perceptron of the layer that gives B
    decoder, activation, readout, dropout : see :class:`GraphNetwork`
    aggregation : over the incoming edges in the layer that gives B
    """

    def __init__(  # noqa: PLR0913 - the keys of a config
        self,
        node_dim: int,
        edge_dim: int,
        outputs: int,
        *,
        width: int = 64,
        kappa: float = 0.95,
        rtol: float = 1e-5,
        most_iterations: int = 300,
        hidden: Sequence[int] = (64,),
        decoder: Sequence[int] = (64, 32),
        activation: Activation = "leaky_relu",
        aggregation: Aggregation = "sum",
        readout: Readout = "nodes",
        dropout: float = 0.0,
    ) -> None:
        super().__init__((node_dim, edge_dim, outputs), (width, *decoder), activation, readout, dropout)
        self.kappa = number("kappa", kappa, above=0, below=1, remedy="otherwise the map need not contract")
        self.rtol = positive("rtol", rtol)
        self.most_iterations = whole_number("most_iterations", most_iterations, at_least=1)
        self.inputs = AttentionMessagePassing(
            (node_dim, width), (edge_dim, width), hidden, activation=activation, aggregation=aggregation,
            activates_output=False,
        )  # fmt: skip
        self.matrix = nn.Parameter(torch.empty(width, width).uniform_(-1.0, 1.0) / width**0.5)

    def embed(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        """Return the features of the nodes at the fixed point; W is projected first, as in projected descent."""
        with torch.no_grad():
            self.matrix.copy_(project_rows(self.matrix, self.kappa))
        bias = self.inputs(x, edge_index, edge_attr)[0]
        source, destination = edge_index
        degree = torch.bincount(destination, minlength=len(bias)).clamp_min(1).to(bias)

        def mean(features: Tensor) -> Tensor:
            return torch.zeros_like(features).index_add(0, destination, features[source]) / degree[:, None]

        def layer(features: Tensor, bias: Tensor, matrix: Tensor) -> Tensor:
            return torch.relu(mean(features) @ matrix.T + bias)

        def adjoint(right: Tensor) -> Tensor:
            slope = layer(found, bias.detach(), matrix) > 0

            def transposed(y: Tensor) -> Tensor:
                spread = (slope * y) @ matrix / degree[:, None]
                return right + torch.zeros_like(y).index_add(0, source, spread[destination])

            return self._iterate(transposed, right)

        matrix = self.matrix.detach()
        with torch.no_grad():
            found = self._iterate(lambda features: layer(features, bias, matrix), torch.relu(bias))
        return fixed_point(layer, lambda *_: found, bias, self.matrix, adjoint=Given(None, adjoint, rtol=None))[0]

    def _iterate(self, function: nn.Module, start: Tensor) -> Tensor:
        """Return the fixed point of a contraction by Picard's method."""
        for _ in range(self.most_iterations):
            new = function(start)
            change, size = float((new - start).abs().max()), float(new.abs().max())
            start = new
            if change <= self.rtol * size:
                return new
        raise DivergenceError(
            f"the fixed point of an implicit graph neural network still changed by {change:.2g} after "
            f"{self.most_iterations} iterations; allow more, or take a smaller kappa."
        )
