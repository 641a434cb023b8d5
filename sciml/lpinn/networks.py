"""Networks of characteristics: one branch for their position, one for the state on them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sciml.errors import InputError
from sciml.nets.coordinate import CoordinateNetwork
from sciml.numerics.derivatives import Jet, concatenate


class TwoBranches(nn.Module):
    """A network with two branches of the same inputs: the outputs of the position first, then the state.

    A single network with as many outputs has a shared trunk, as in the official code.

    Parameters
    ----------
    position : network of ``(label, time)``, shallow; as many outputs as dimensions. It is zero initially, so that
        characteristics are straight and do not cross
    state : network of ``(label, time)``, one output; it is zero initially, too
    """

    def __init__(self, position: CoordinateNetwork, state: CoordinateNetwork) -> None:
        super().__init__()
        if position.inputs != state.inputs:
            raise InputError(
                f"the branches have {position.inputs} and {state.inputs} inputs, expected the same number of both."
            )
        self.position, self.state = position, state
        self.inputs, self.outputs = position.inputs, position.outputs + state.outputs

    @property
    def parts(self) -> tuple[CoordinateNetwork, CoordinateNetwork]:
        """The branches: position and state."""
        return self.position, self.state

    def forward(self, points: Tensor, order: int | None = None, directions: Tensor | None = None) -> Tensor | Jet:
        """Evaluate both branches at points ``(n, inputs)``, with derivatives up to ``order`` if one is given."""
        jet = concatenate(*(net(points, order or 0, directions) for net in (self.position, self.state)))
        return jet.value if order is None else jet


@torch.no_grad()
def start_at_zero(network: nn.Module) -> None:
    """Set the last layer of a coordinate network, or of both branches, to zero."""
    for part in _parts(network):
        for weight in part.layers[-1].parameters():
            weight.zero_()


def last_layers(network: nn.Module) -> Tensor:
    """Return the indices of the weights of the last layers among all, ``(k,)``; none for a network without layers."""
    last = {id(weight) for part in _parts(network) for weight in _last(part)}
    flags = [torch.full((weight.numel(),), id(weight) in last) for weight in network.parameters()]
    return torch.cat(flags).nonzero()[:, 0]


def _parts(network: nn.Module) -> tuple[nn.Module, ...]:
    """Return the networks that a network is made of, or the network itself."""
    return getattr(network, "parts", (network,))


def _last(part: nn.Module) -> list[nn.Parameter]:
    return list(part.layers[-1].parameters()) if hasattr(part, "layers") else []
