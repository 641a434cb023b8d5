r"""Flows: velocity, data and noise at a point and a time, as samplers, guidance and inverse problems see a network.

All are functions of the velocity, so that a flow that changes another, such as a guided one, overrides that alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sciml.checks import choice, shape
from sciml.errors import InputError
from sciml.generative import predictions
from sciml.generative.paths import Path
from sciml.generative.predictions import PREDICTIONS, Pair, Prediction

Condition = Mapping[str, Tensor | None]
"""Tensors ``(batch, ...)`` that a network is given by name beside x and t, None for one that is not given."""


class Flow(ABC):
    """A motion from source to data along a path; subclasses say its velocity."""

    path: Path
    knows_mean_velocity: bool = False
    """Whether :meth:`mean_velocity` is more than the velocity at the begin."""

    def begin_run(self) -> None:  # noqa: B027 - most remember nothing
        """Forget what was remembered between calls: a new run from source to data begins. Samplers call it first."""

    @abstractmethod
    def velocity(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the derivative of points with respect to the clock of the path, ``(batch, ...)``.

        Parameters
        ----------
        x : points, ``(batch, ...)``
        t : times, ``(batch,)``
        condition : what the network is given by name
        """

    def mean_velocity(self, x: Tensor, t: Tensor, until: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the mean velocity on the way from points to a later time, ``(batch, ...)``.

        Flows that do not know it, which are most, say the velocity at its begin; Euler's method then has its error.

        Parameters
        ----------
        x, t, condition : as in :meth:`velocity`
        until : the later times, ``(batch,)``
        """
        return self.velocity(x, t, condition)

    def pair(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Pair:
        """Return the estimates of data and source at points and times, from one evaluation."""
        return predictions.solve(self.path, "velocity", self.velocity(x, t, condition), x, t)

    def data(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the estimate of the data at points and times: their mean given x."""
        return self.pair(x, t, condition).data

    def noise(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the estimate of the source at points and times: its mean given x."""
        return self.pair(x, t, condition).source


@dataclass(frozen=True)
class GaussianFlow(Flow):
    """The flow of a network that was trained on a path with a Gaussian source.

    Parameters
    ----------
    network : maps x ``(batch, ...)``, t ``(batch,)`` and the condition, by name, to ``(batch, ...)``
    path : on which it was trained
    prediction : of its output, ``"noise"``, ``"data"`` or ``"velocity"``

    Raises
    ------
    InputError
        The network predicts noise, but the path starts from nothing else, so that the data remain unknown there.
    """

    network: Callable[..., Tensor]
    path: Path
    prediction: Prediction = "velocity"

    def __post_init__(self) -> None:
        choice("the prediction", self.prediction, PREDICTIONS)
        refuse_noise_alone(self.path, self.prediction)

    def velocity(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the derivative of points with respect to the clock; of predicted data, not finite at t = 1."""
        return predictions.velocity(self.path, self.prediction, self._output(x, t, condition), x, t)

    def pair(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Pair:
        """Return the estimates of data and source, without a detour over the velocity."""
        return predictions.solve(self.path, self.prediction, self._output(x, t, condition), x, t)

    def _output(self, x: Tensor, t: Tensor, condition: Condition | None) -> Tensor:
        return answer(self.network, x, t, condition)


def answer(
    network: Callable[..., Tensor], x: Tensor, t: Tensor, condition: Condition | None = None, **times: Tensor
) -> Tensor:
    """Return the output of a network at points x and times t, in the shape of x.

    Parameters
    ----------
    network : maps x ``(batch, ...)``, t ``(batch,)`` and everything else by name to ``(batch, ...)``
    x, t, condition : as in :meth:`Flow.velocity`
    times : further ones, by name

    Raises
    ------
    InputError
        The output has another shape, which would be broadcast.
    """
    return shape("the output of the network", network(x, t, **times, **(condition or {})), tuple(x.shape))


def refuse_noise_alone(path: Path, prediction: Prediction) -> None:
    """Refuse to predict noise on a path that starts from noise alone, where it leaves the data unknown."""
    if prediction == "noise" and float(path.alpha(torch.zeros(1, dtype=torch.float64))) < 1e-6:
        raise InputError(
            f"the prediction is 'noise' on {type(path).__name__}, which starts from noise alone, so that the data "
            "remain unknown there, expected 'velocity' or 'data'; or take VariancePreservingPath, which starts with a "
            "trace of them."
        )


class OuterFlow(Flow):
    """A flow around another one, on the same path.

    Parameters
    ----------
    flow : any other
    """

    def __init__(self, flow: Flow) -> None:
        self.flow, self.path = flow, flow.path
        self.knows_mean_velocity = flow.knows_mean_velocity

    def begin_run(self) -> None:
        """Begin a run of the flow within."""
        self.flow.begin_run()


class Counted(OuterFlow):
    """A flow that counts how often it was evaluated, in ``calls``.

    Parameters
    ----------
    flow : any other
    """

    def __init__(self, flow: Flow) -> None:
        super().__init__(flow)
        self.calls = 0

    def velocity(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the velocity of the flow, and count one call."""
        self.calls += 1
        return self.flow.velocity(x, t, condition)

    def mean_velocity(self, x: Tensor, t: Tensor, until: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the mean velocity of the flow, and count one call."""
        self.calls += 1
        return self.flow.mean_velocity(x, t, until, condition)

    def pair(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Pair:
        """Return data and source of the flow, and count one call."""
        self.calls += 1
        return self.flow.pair(x, t, condition)
