"""The frame of all samplers: from a source along a flow to data, in so many calls of the flow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from sciml.checks import instance, real_tensor, shape, whole_number
from sciml.errors import DivergenceError, InputError
from sciml.generative.draws import normal_like
from sciml.generative.flows import Condition, Flow
from sciml.generative.paths import Coefficients
from sciml.generative.predictions import Pair


@dataclass(frozen=True)
class Run:
    """The flow, and everything that is the same in all its calls.

    Parameters
    ----------
    flow : from source to data
    condition : what the network is given by name
    generator : of samplers that draw
    mean : m of an informed source; None for 0
    """

    flow: Flow
    condition: Condition | None = None
    generator: Generator | None = None
    mean: Tensor | None = None

    def velocity(self, x: Tensor, time: float) -> Tensor:
        """Return the velocity of points that all are at one time."""
        return self.flow.velocity(x, x.new_full((len(x),), time), self.condition)

    def mean_velocity(self, x: Tensor, time: float, until: float) -> Tensor:
        """Return the mean velocity between two times on the way from points that all are at the first."""
        times = (x.new_full((len(x),), each) for each in (time, until))
        return self.flow.mean_velocity(x, *times, self.condition)

    def pair(self, x: Tensor, time: float) -> Pair:
        """Return the estimates of data and source for points that all are at one time."""
        return self.flow.pair(x, x.new_full((len(x),), time), self.condition)

    def at(self, time: float) -> Coefficients:
        """Return the coefficients of the path at one time, as scalars in double precision."""
        return self.flow.path.coefficients(torch.tensor(time, dtype=torch.float64))

    def length(self, begin: float, end: float) -> float:
        """Return the time between two times in the clock of the path."""
        first, last = self.flow.path.clock(torch.tensor([begin, end], dtype=torch.float64)).tolist()
        return last - first

    def centre(self, x: Tensor) -> Tensor | float:
        """Return the mean of the source, in the type of the points."""
        return 0.0 if self.mean is None else self.mean.to(x)

    def fresh_noise(self, x: Tensor) -> Tensor:
        """Return new noise in the size of the source's, about 0."""
        if self.generator is None:
            raise InputError(
                "a sampler that draws was given no generator, expected one; pass "
                "generator=sciml.numerics.random.generator(seed)."
            )
        return self.flow.path.noise * normal_like(x, self.generator)


class Sampler(ABC):
    """A way from source to data in so many calls of a flow."""

    @property
    def uses_mean(self) -> bool:
        """Return whether steps depend on the mean of the source, not on its points alone: no, unless it says so."""
        return False

    def calls(self, steps: int) -> int:
        """Return how often a run of so many steps evaluates the flow: once a step.

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
        run : the flow, and everything that is the same in all its calls
        """


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

    Gradients are recorded where torch records them; call it in ``torch.inference_mode()`` where none are needed.

    Parameters
    ----------
    flow : from source to data, such as :class:`~sciml.generative.flows.GaussianFlow`
    start : the source, ``(batch, ...)``, such as ``flow.path.start(mean, generator)``
    steps : number of calls of the flow; Heun's method takes two for each of its steps
    sampler : such as ``Euler()``
    condition : what the network is given by name
    generator : of samplers that draw
    mean : m of the source, which samplers that draw and Gaussian steps need where the source is informed; None for 0,
        that of noise

    Raises
    ------
    InputError
        The number of steps is none that the sampler can use, the source has another type or its mean another shape, or
        a sampler lacks the mean of an informed source or the generator of its draws.
    DivergenceError
        The data are not finite.
    """
    real_tensor("the source", start)
    instance("the sampler", sampler, Sampler, "one of sciml.generative.samplers, such as Euler()")
    sampler.calls(steps)
    if mean is not None:
        shape("the mean of the source", mean, start.shape)
    elif flow.path.informed and sampler.uses_mean:
        raise InputError(
            f"{type(sampler).__name__} was given no mean of the informed source of {type(flow.path).__name__}, "
            "expected that of the start; pass mean=, which is torch.zeros_like(start) for a source about 0."
        )
    flow.begin_run()
    for _, state in sampler.states(start, steps, Run(flow, condition, generator, mean)):
        x = state
    if not torch.isfinite(x).all():
        raise DivergenceError(
            f"the samples are not finite after {steps} steps of {type(sampler).__name__}; check the network's weights "
            "and the condition. A network that predicts data has no velocity at t = 1, where Heun's method needs it."
        )
    return x
