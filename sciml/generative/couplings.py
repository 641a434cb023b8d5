r"""Couplings: noise that is drawn for data rather than independently of them, so that trajectories cross less.

Noise is coupled to normalised data. For an informed source, that is :math:`(z - m) / s`, and
:math:`x_0 = m + s \epsilon`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator, Tensor

from sciml.checks import shape, whole_number
from sciml.errors import InputError
from sciml.generative.draws import normal_like


class Coupling(ABC):
    """A way to draw noise for a batch of data."""

    @abstractmethod
    def draw(self, data: Tensor, generator: Generator, groups: Tensor | None = None) -> Tensor:
        """Draw noise for data, in their shape.

        Parameters
        ----------
        data : normalised, ``(batch, ...)``
        generator : of the noise
        groups : whole numbers ``(batch,)``, equal for items with the same condition; all equal without conditions
        """


@dataclass(frozen=True)
class IndependentCoupling(Coupling):
    """Noise that is independent of the data."""

    def draw(self, data: Tensor, generator: Generator, groups: Tensor | None = None) -> Tensor:
        """Draw standard normal noise, whatever the data."""
        return normal_like(data, generator)


@dataclass(frozen=True)
class NearestNoise(Coupling):
    """The nearest of several noises to each item.

    The law of what is kept is not quite that of the source at sampling. The difference shrinks with the dimension, and
    so does the gain, since all noises are almost equally far from an item there.

    Parameters
    ----------
    candidates : noises drawn for each item

    References
    ----------
    Li et al., "Immiscible diffusion: accelerating diffusion training with noise assignment", 2024; with nearest
    noises in "Improved immiscible diffusion", 2025.
    """

    candidates: int = 4

    def __post_init__(self) -> None:
        whole_number("the number of candidates", self.candidates, at_least=1)

    def draw(self, data: Tensor, generator: Generator, groups: Tensor | None = None) -> Tensor:
        """Draw the candidates of each item, and return the nearest."""
        drawn = torch.stack([normal_like(data, generator) for _ in range(self.candidates)])
        nearest = (drawn - data).flatten(2).square().sum(2).argmin(0)
        return drawn[nearest, torch.arange(len(data), device=data.device)]


@dataclass(frozen=True)
class MinibatchTransport(Coupling):
    """The assignment of independent noises to the items of a batch with the least sum of squared distances.

    Noises are exchanged only between items of one group, which have the same condition: across conditions, the source
    would depend on what is asked for, while at sampling it does not, and the law would be wrong. With conditions that
    are all different it is therefore the independent coupling.

    References
    ----------
    Tong et al., "Improving and generalizing flow-based generative models with minibatch optimal transport", 2024.
    """

    def draw(self, data: Tensor, generator: Generator, groups: Tensor | None = None) -> Tensor:
        """Draw noise, and assign it within the groups."""
        if groups is None:
            raise InputError(
                "minibatch transport was given no groups, expected a whole number for each item; give equal numbers to "
                "items with the same condition, the same to all without conditions."
            )
        shape("the groups", groups, (len(data),))
        noise = normal_like(data, generator)
        source = noise.clone()
        for group in groups.unique():
            items = (groups == group).nonzero()[:, 0]
            gain = data[items].flatten(1) @ noise[items].flatten(1).T  # the squared distance, but for what is constant
            rows, columns = linear_sum_assignment(gain.cpu().double().numpy(), maximize=True)
            source[items[rows]] = noise[items[columns]]
        return source
