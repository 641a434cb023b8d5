r"""Steady-state embeddings: a nonlinear map of each neighbourhood, repeated until it settles, if it does.

.. math:: x_i \leftarrow (1 - \alpha) x_i + \alpha\, W_2\, \phi(W_1 [f_i, \textstyle\sum_{j \to i} [x_j, f_j, e_{ij}]])

Nothing bounds the map. The gradient goes through the last few steps alone, from embeddings that earlier steps have
brought near to the steady state: the published method alternates such steps with updates of the weights.

References
----------
Dai, Kozareva, Dai, Smola and Song, "Learning steady-states of iterative algorithms over graphs", ICML 2018: Eq. 6 for
the map, Algorithm 1 for the damped steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sciml.cgs.baselines.contract import GraphNetwork
from sciml.cgs.model import Readout
from sciml.checks import number, whole_number
from sciml.nets.message_passing import Activation, perceptron


class SteadyStateEmbedding(GraphNetwork):
    """Embeddings of the nodes after damped steps of one map.

    Parameters
    ----------
    node_dim, edge_dim : features of a node and of an edge
    outputs : numbers for each node, or each graph
    width : features of a node in the steady state
    steps : damped steps in all
    trained_steps : the last ones, through which the gradient goes
    damping : of a step, alpha in (0, 1]
    hidden : units of the hidden layer of the map
    decoder, activation, readout, dropout : see :class:`GraphNetwork`
    """

    def __init__(  # noqa: PLR0913 - the keys of a config
        self,
        node_dim: int,
        edge_dim: int,
        outputs: int,
        *,
        width: int = 64,
        steps: int = 30,
        trained_steps: int = 5,
        damping: float = 0.5,
        hidden: Sequence[int] = (64,),
        decoder: Sequence[int] = (64, 32),
        activation: Activation = "leaky_relu",
        readout: Readout = "nodes",
        dropout: float = 0.0,
    ) -> None:
        super().__init__((node_dim, edge_dim, outputs), (width, *decoder), activation, readout, dropout)
        self.width = width
        self.steps = whole_number("steps", steps, at_least=1)
        self.trained_steps = whole_number("trained_steps", trained_steps, at_least=1, at_most=steps)
        self.damping = number("damping", damping, above=0, at_most=1)
        self.map = perceptron([2 * node_dim + edge_dim + width, *hidden, width], activation)

    def embed(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        """Return the embeddings after the last step."""
        source, destination = edge_index
        degree = torch.bincount(destination, minlength=len(x)).clamp_min(1).to(x)[:, None]
        given = torch.cat([x[source], edge_attr], 1)

        def mean(features: Tensor) -> Tensor:
            empty = features.new_zeros(len(x), features.shape[1])
            return empty.index_add(0, destination, features) / degree

        fixed = torch.cat([x, mean(given)], 1)
        embedding = x.new_zeros(len(x), self.width)
        for step in range(self.steps):
            with torch.set_grad_enabled(torch.is_grad_enabled() and step >= self.steps - self.trained_steps):
                new = self.map(torch.cat([fixed, mean(embedding[source])], 1))
                embedding = (1 - self.damping) * embedding + self.damping * new
        return embedding
