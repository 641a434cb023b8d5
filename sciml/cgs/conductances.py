"""Conductances of throats as networks of their features: positive, and the same in both directions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sciml.cgs.features import model_input
from sciml.checks import positive, shape, whole_number
from sciml.errors import DivergenceError
from sciml.nets.coordinate import check_counts
from sciml.nets.message_passing import perceptron

if TYPE_CHECKING:
    from torch_geometric.data import Data


LARGEST_LOGARITHM = 700.0  # exp(710) overflows


class PowerLaw(nn.Module):
    r"""A power law with a bounded correction, of features that are logarithms: a z + b + c tanh(M(z) / c).

    The correction is zero at first. As it is bounded, the power law remains beyond the range of the training.

    Parameters
    ----------
    features : of z
    hidden : units of the hidden layers of M; without any there is no correction
    bound : c, of the correction of the logarithm
    """

    def __init__(self, features: int, hidden: Sequence[int] = (32, 32), bound: float = 3.0) -> None:
        super().__init__()
        check_counts(features=features)
        self.bound = positive("the bound of the correction", bound)
        self.linear = nn.Linear(features, 1)
        self.correction = perceptron([features, *hidden, 1], "silu") if hidden else None
        if self.correction is not None:
            nn.init.zeros_(self.correction[-1].weight)
            nn.init.zeros_(self.correction[-1].bias)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logarithm of the law at features ``(..., features)``, and the correction in it, both ``(...)``."""
        shape("the features of a law", z, (..., self.linear.in_features), remedy="correct the numbers of features")
        z = z.to(self.linear.weight.dtype)
        law = self.linear(z)[..., 0]
        if self.correction is None:
            return law, torch.zeros_like(law)
        correction = self.bound * torch.tanh(self.correction(z)[..., 0] / self.bound)
        return law + correction, correction


class Conductances(nn.Module, ABC):
    """Base of the networks that give the conductances of throats, but for a unit that all throats share."""

    @abstractmethod
    def logarithms(self, graph: Data) -> tuple[Tensor, Tensor]:
        """Return the logarithms of the conductances, ``(m,)``, and the corrections in them, of any shape."""

    def forward(self, graph: Data) -> tuple[Tensor, Tensor]:
        """Return the conductances, ``(m,)``, all positive, in float64, and the corrections.

        Raises
        ------
        DivergenceError
            If a conductance is beyond what float64 holds.
        """
        logarithm, correction = self.logarithms(graph)
        return _exponential("a conductance", logarithm), correction


class ThroatConductances(Conductances):
    """Conductances as a power law with a bounded correction of the symmetric features of a throat, ``throat_attr``.

    Parameters
    ----------
    throat_dim : number of the features
    hidden : units of the hidden layers of the correction; none for a mere power law
    bound : of the correction of the logarithm
    """

    def __init__(self, throat_dim: int, hidden: Sequence[int] = (32, 32), bound: float = 3.0) -> None:
        super().__init__()
        self.throat_dim = whole_number("throat_dim", throat_dim, at_least=1)
        self.law = PowerLaw(throat_dim, hidden, bound)

    def logarithms(self, graph: Data) -> tuple[Tensor, Tensor]:
        """Return the logarithms of the conductances and the corrections in them, both ``(m,)``."""
        return self.law(model_input(graph, "throat_attr", "throat_dim", self.throat_dim))


class ConduitConductances(Conductances):
    """Conductances of three resistances in series: of the throat, and of the parts of both pores that lead to it.

    Each resistance is a power law with a bounded correction of the features of its part; both pores have the same law,
    so that the conductance is symmetric. That resistances add up is given, the laws of the parts are learned.

    Parameters
    ----------
    throat_dim : features of a throat, ``throat_attr``
    end_dim : features of either end beside those of the throat, ``throat_ends`` of shape ``(m, 2, end_dim)``
    hidden : units of the hidden layers of the corrections; none for mere power laws
    bound : of the corrections of the logarithms
    """

    def __init__(self, throat_dim: int, end_dim: int, hidden: Sequence[int] = (32, 32), bound: float = 3.0) -> None:
        super().__init__()
        self.throat_dim = whole_number("throat_dim", throat_dim, at_least=1)
        self.end_dim = whole_number("end_dim", end_dim, at_least=1)
        self.throat_law = PowerLaw(throat_dim, hidden, bound)
        self.end_law = PowerLaw(throat_dim + end_dim, hidden, bound)

    def logarithms(self, graph: Data) -> tuple[Tensor, Tensor]:
        """Return the logarithms of the conductances, ``(m,)``, and the corrections of the three laws, ``(m, 3)``."""
        throat = model_input(graph, "throat_attr", "throat_dim", self.throat_dim)
        ends = model_input(graph, "throat_ends", "end_dim", self.end_dim)
        both = torch.cat([throat[:, None].expand(-1, 2, -1), ends], -1)
        laws = zip(self.throat_law(throat[:, None]), self.end_law(both), strict=True)
        resistances, corrections = (torch.cat(each, 1) for each in laws)
        return -torch.logsumexp(resistances, 1), corrections


class Sinks(nn.Module):
    """Positive sinks of the nodes as a power law with a bounded correction of their features, ``x``.

    Parameters
    ----------
    node_dim : number of the features
    hidden : units of the hidden layers of the correction
    bound : of the correction of the logarithm
    """

    def __init__(self, node_dim: int, hidden: Sequence[int] = (32, 32), bound: float = 3.0) -> None:
        super().__init__()
        self.node_dim = whole_number("node_dim", node_dim, at_least=1)
        self.law = PowerLaw(node_dim, hidden, bound)

    def forward(self, graph: Data) -> Tensor:
        """Return the sinks ``(N,)``, all positive, in float64.

        Raises
        ------
        DivergenceError
            If a sink is beyond what float64 holds.
        """
        return _exponential("a sink", self.law(model_input(graph, "x", "node_dim", self.node_dim))[0])


def _exponential(name: str, logarithm: Tensor) -> Tensor:
    """Return positive numbers in float64 from their logarithms, which must not over- or underflow."""
    if not bool((logarithm.abs() < LARGEST_LOGARITHM).all()):
        raise DivergenceError(f"{name} is beyond the range of double precision; the training has diverged.")
    return logarithm.double().exp()
