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
from sciml.checks import shape as check_shape
from sciml.errors import InputError
from sciml.generative.draws import logit_normal_times, uniform_times
from sciml.generative.flows import Condition, Flow, GaussianFlow, answer, refuse_noise_alone
from sciml.generative.paths import Path
from sciml.generative.predictions import PREDICTIONS, Pair, Prediction, target
from sciml.generative.samplers.base import Sampler

Network = Callable[..., Tensor]
"""Maps x ``(batch, ...)``, t ``(batch,)`` and the condition, by name, to ``(batch, ...)``."""

TIMES = {"uniform": uniform_times, "logit_normal": logit_normal_times}


class Objective(ABC):
    """A loss of a network for each item of a batch, and the flow of a network that was trained on it."""

    path: Path

    @abstractmethod
    def flow(self, network: Network) -> Flow:
        """Return the flow of a trained network."""

    def check_sampler(self, sampler: Sampler, steps: int) -> None:  # noqa: B027 - see its docstring
        """Refuse samplers and numbers of calls for which a trained network has no answer; most objectives have none.

        Parameters
        ----------
        sampler : that is to follow the flow of :meth:`flow`
        steps : number of its calls

        Raises
        ------
        InputError
            The sampler asks for something that the network was not trained on.
        """

    def draw(self, mean: Tensor, generator: Generator) -> Tensor:
        """Draw the source of a batch about its mean ``(batch, ...)``, in the shape that :meth:`loss` takes."""
        return self.path.start(mean, generator)

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
        source : x_0 as :meth:`draw` or a coupling returns it; None for noise, unless the path starts from guesses
        condition : what the network is given by name
        generator : of times and noise
        """


def drawn_source(path: Path, like: Tensor, source: Tensor | None, generator: Generator) -> Tensor:
    """Return the source that was given, or noise.

    Parameters
    ----------
    path : that starts from it
    like : a tensor of its shape, type and place
    source : None to draw it
    generator : of the noise

    Raises
    ------
    InputError
        The source has another shape, or there is none on a path that starts from guesses of the data.
    """
    remedy = "draw it with the method draw of the objective"
    if source is not None:
        return check_shape("the source", source, like.shape, remedy=remedy)
    if path.informed:
        raise InputError(
            f"the source is None on {type(path).__name__}, which starts from guesses of the data, expected a tensor; "
            f"{remedy}, from their guesses."
        )
    return path.start(torch.zeros_like(like), generator)


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

    def flow(self, network: Network) -> Flow:
        """Return the flow of a trained network."""
        return GaussianFlow(network, self.path, self.prediction)

    def loss(
        self,
        network: Network,
        data: Tensor,
        source: Tensor | None,
        condition: Condition | None,
        generator: Generator,
    ) -> Tensor:
        """Return the mean residual of each item at one time, ``(batch,)``."""
        pair = Pair(data, drawn_source(self.path, data, source, generator))
        t = TIMES[self.times](data, generator)
        output = answer(network, self.path.point(*pair, t), t, condition)
        residual = output - target(self.path, self.prediction, pair, t)
        return RESIDUALS[self.residual](residual, self.scale).flatten(1).mean(1)
