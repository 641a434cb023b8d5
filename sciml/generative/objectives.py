r"""Losses on which networks are trained: regression on a path.

An objective maps a network, data and a generator to a loss for each item. Squared residuals have the conditional mean
as their minimiser, and the flow along this mean carries the source to the data. Robust residuals have something between
mean and median: they forgive outliers, such as latents of a bad autoencoder, and the law of the samples is another one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from sciml.checks import choice, positive
from sciml.errors import InputError
from sciml.generative.draws import logit_normal_times, normal_like, uniform_times
from sciml.generative.flows import Condition, refuse_noise_alone
from sciml.generative.paths import Path
from sciml.generative.predictions import PREDICTIONS, Pair, Prediction, target

Network = Callable[..., Tensor]
"""Maps x ``(batch, ...)``, t ``(batch,)`` and the condition, by name, to ``(batch, ...)``."""

TIMES = {"uniform": uniform_times, "logit_normal": logit_normal_times}


class Objective(ABC):
    """A loss of a network for each item of a batch."""

    @abstractmethod
    def loss(
        self,
        network: Network,
        data: Tensor,
        source: Tensor | None,
        condition: Condition | None,
        generator: Generator,
    ) -> Tensor:
        """Return the loss of each item, ``(batch,)``.

        Parameters
        ----------
        network : that is trained
        data : z, ``(batch, ...)``
        source : x_0 in the shape of the data, from a coupling or about a guess; None for standard normal noise
        condition : what the network is given by name
        generator : of times and noise
        """


def drawn_source(data: Tensor, source: Tensor | None, generator: Generator) -> Tensor:
    """Return the source that was given, or standard normal noise.

    Raises
    ------
    InputError
        The source has another shape than the data.
    """
    if source is None:
        return normal_like(data, generator)
    if source.shape != data.shape:
        raise InputError(
            f"the shape of the source is {tuple(source.shape)}, expected {tuple(data.shape)}, that of the data."
        )
    return source


def squared(residual: Tensor, scale: float) -> Tensor:
    """Return the square of the residual, r^2."""
    return residual.square()


def huber(residual: Tensor, scale: float) -> Tensor:
    """Return r^2 up to the scale c, then 2 c |r| - c^2."""
    size = residual.abs()
    return torch.where(size <= scale, residual.square(), scale * (2 * size - scale))


def cauchy(residual: Tensor, scale: float) -> Tensor:
    """Return c^2 log(1 + r^2 / c^2), about r^2 where r is small."""
    return scale**2 * torch.log1p((residual / scale).square())


RESIDUALS = {"squared": squared, "huber": huber, "cauchy": cauchy}


@dataclass(frozen=True)
class PathObjective(Objective):
    r"""Regression of noise, data or velocity at points of a path.

    .. math:: \operatorname{mean}\; \rho\big( f(x_t, t) - y_t \big), \qquad x_t = \alpha z + \sigma x_0

    Parameters
    ----------
    path : between source and data
    prediction : y, ``"noise"``, ``"data"`` or ``"velocity"``
    residual : rho for each entry, ``"squared"``, ``"huber"`` or ``"cauchy"``
    times : law of t, ``"uniform"`` or ``"logit_normal"`` (Esser et al. 2024, eq. 19, with location 0 and scale 1)
    scale : c, from which on a robust residual counts as an outlier

    Raises
    ------
    InputError
        A name is unknown, the scale is not positive, or noise is predicted on a path that starts from noise alone.

    References
    ----------
    Ho, Jain and Abbeel 2020, eq. 14; Salimans and Ho 2022; Lipman et al. 2023, eq. 9.
    """

    path: Path
    prediction: Prediction = "velocity"
    residual: Literal["squared", "huber", "cauchy"] = "squared"
    times: Literal["uniform", "logit_normal"] = "uniform"
    scale: float = 1.0

    def __post_init__(self) -> None:
        choice("the prediction", self.prediction, PREDICTIONS)
        choice("the residual", self.residual, RESIDUALS)
        choice("the law of the times", self.times, TIMES)
        positive("the scale of the residual", self.scale)
        refuse_noise_alone(self.path, self.prediction)

    def loss(
        self,
        network: Network,
        data: Tensor,
        source: Tensor | None,
        condition: Condition | None,
        generator: Generator,
    ) -> Tensor:
        """Return the mean residual of each item at one time, ``(batch,)``."""
        pair = Pair(data, drawn_source(data, source, generator))
        t = TIMES[self.times](data, generator)
        output = network(self.path.point(*pair, t), t, **(condition or {}))
        residual = output - target(self.path, self.prediction, pair, t)
        return RESIDUALS[self.residual](residual, self.scale).flatten(1).mean(1)
