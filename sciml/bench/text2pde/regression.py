"""Regression as an objective: the mean of the data given the condition, by the same network as a flow.

The benchmark names this file as the module of a user's own, as it is no method of the package.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, Tensor

from sciml.generative import Objective, Path
from sciml.generative.flows import Condition, Flow, GaussianFlow
from sciml.generative.objectives import Network


@dataclass(frozen=True)
class Regression(Objective):
    """Mean squares of what a network makes of its source in one call, at time 0.

    Parameters
    ----------
    path : whose source is taken; noise in it says nothing about the data, so that the least loss is that of the mean
    """

    path: Path

    def flow(self, network: Network) -> Flow:
        """Return the flow of a trained network, of which one step of DDIM is the network itself."""
        return GaussianFlow(network, self.path, "data")

    def loss(
        self,
        network: Network,
        data: Tensor,
        source: Tensor | None,
        condition: Condition | None,
        generator: Generator,
    ) -> Tensor:
        """Return the mean square of each item, ``(batch,)``, with a source ``(batch, ...)``."""
        return (network(source, data.new_zeros(len(data)), **(condition or {})) - data).square().flatten(1).mean(1)
