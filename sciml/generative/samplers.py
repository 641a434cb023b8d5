"""Samplers: from a source along a flow to data, in so many calls of the flow.

========================  ========  =======================================================================
sampler                   order     use
========================  ========  =======================================================================
:class:`Euler`            1         straight flows, and reflowed ones in one to four calls
========================  ========  =======================================================================

Steps are equal in the clock of the path. Tensors have any shape, of which the first axis is the batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Generator, Tensor

from sciml.checks import instance, real_tensor, whole_number
from sciml.errors import DivergenceError
from sciml.generative.flows import Condition, Flow
from sciml.generative.predictions import Pair


@dataclass(frozen=True)
class Run:
    """What a sampler needs beside the start: the flow and everything that is the same in all its calls.

    Parameters
    ----------
    flow : from source to data
    condition : what the network is given by name
    generator : of samplers that draw
    mean : m of an informed source, which samplers that draw need; None for 0
    """

    flow: Flow
    condition: Condition | None = None
    generator: Generator | None = None
    mean: Tensor | None = None

    def velocity(self, x: Tensor, time: float) -> Tensor:
        """Return the velocity of points that all are at one time."""
        return self.flow.velocity(x, x.new_full((len(x),), time), self.condition)

    def pair(self, x: Tensor, time: float) -> Pair:
        """Return the estimates of data and source for points that all are at one time."""
        return self.flow.pair(x, x.new_full((len(x),), time), self.condition)

    def steps(self, count: int) -> list[tuple[float, float, float]]:
        """Return begin, end and length in the clock of so many equal steps."""
        path = self.flow.path
        length = (path.clock_at(1.0) - path.clock_at(0.0)) / count
        return [(begin, end, length) for begin, end in pairwise(path.times(count))]


class Sampler(ABC):
    """A way from source to data in so many calls of a flow."""

    def calls(self, steps: int) -> int:
        """Return how often so many steps evaluate the flow; a step is what costs one call.

        Raises
        ------
        InputError
            The number is less than 1, or none that the sampler can use.
        """
        return whole_number("the number of steps", steps, at_least=1)

    @abstractmethod
    def states(self, start: Tensor, steps: int, run: Run) -> Iterator[tuple[float, Tensor]]:
        """Yield time and points after each step, the last at time 1.

        Parameters
        ----------
        start : points at time 0, ``(batch, ...)``
        steps : number of calls of the flow, as :meth:`calls` allows
        run : everything else
        """


@dataclass(frozen=True)
class Euler(Sampler):
    """Euler's method of order 1."""

    def states(self, start: Tensor, steps: int, run: Run) -> Iterator[tuple[float, Tensor]]:
        """Yield time and points after each step along the velocity at its begin."""
        x = start
        for begin, end, length in run.steps(steps):
            x = x + length * run.velocity(x, begin)
            yield end, x


def sample(
    flow: Flow,
    start: Tensor,
    steps: int,
    sampler: Sampler,
    condition: Condition | None = None,
    generator: Generator | None = None,
    mean: Tensor | None = None,
) -> Tensor:
    """Return data that a sampler makes from a source, ``(batch, ...)``.

    Gradients are recorded as torch is told to; without need for them, call it in ``torch.inference_mode()``.

    Parameters
    ----------
    flow : from source to data, such as :class:`~sciml.generative.flows.GaussianFlow`
    start : the source, ``(batch, ...)``, such as ``flow.path.start(mean, generator)``
    steps : number of calls of the flow; Heun's method takes two for each of its steps
    sampler : such as ``Euler()``
    condition : what the network is given by name
    generator : of samplers that draw
    mean : m of an informed source, which samplers that draw need; None for 0

    Raises
    ------
    InputError
        The number of steps is none that the sampler can use, the source has another type, or a sampler that draws lacks
        a generator.
    DivergenceError
        The data are not finite.
    """
    real_tensor("the source", start)
    instance("the sampler", sampler, Sampler, "one of sciml.generative.samplers, such as Euler()")
    sampler.calls(steps)
    for _, state in sampler.states(start, steps, Run(flow, condition, generator, mean)):
        x = state
    if not torch.isfinite(x).all():
        raise DivergenceError(
            f"the samples are not finite after {steps} steps of {type(sampler).__name__}; check the network's weights "
            "and the condition. A network that predicts data has no velocity at t = 1, where Heun's method needs it."
        )
    return x
