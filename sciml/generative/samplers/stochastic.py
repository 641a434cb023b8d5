r"""Samplers of stochastic differential equations that keep the law of the flow at every time.

.. math:: dx = \big( v + w \nabla \log p_c(x) \big)\, dc + \sqrt{2 w}\, dW, \qquad w = \kappa s^2 \sigma
    \Big( \sigma \frac{d\alpha}{dc} - \alpha \frac{d\sigma}{dc} \Big)

has the laws of the flow for every w >= 0 (Albergo, Boffi and Vanden-Eijnden 2023): more noise, the same ensemble.
Errors of earlier steps are forgotten on the way, at the price of smaller steps. Source and data are independent here.

A step does not discretise the equation, whose drift is stiff. It goes *back* in time and then follows the flow to the
end of the step. The way back, from t to an earlier u, adds noise as the path itself would have it,

.. math::
    x_u = r x_t + (\sigma_u - r \sigma_t) m + s \sqrt{\sigma_u^2 - r^2 \sigma_t^2}\; \xi, \qquad r = \alpha_u / \alpha_t

which is exact for any data, any length and any noise: if :math:`x_t` has the law of the path, so has :math:`x_u`. What
is left is the error of the integrator of the flow. Going back by :math:`\kappa h \alpha` in a step h gives the equation
above as h tends to 0. The idea is that of Karras et al. (2022, algorithm 2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sciml.checks import number
from sciml.generative.samplers.base import Run, Sampler
from sciml.generative.samplers.deterministic import Heun


@dataclass(frozen=True)
class StochasticEuler(Sampler):
    r"""Back with noise, then one step of Euler's method.

    Parameters
    ----------
    noise : kappa, not negative; 0 is Euler's method, and 1 goes back by about the length of a step
    """

    noise: float = 0.5

    def __post_init__(self) -> None:
        number("the noise of the sampler", self.noise, at_least=0)

    def states(self, start: Tensor, steps: int, run: Run) -> Iterator[tuple[float, Tensor]]:
        """Yield time and points after each step."""
        x = start
        for begin, end, length in run.steps(steps):
            x, time, length = go_back(x, begin, length, self.noise, run)
            x = x + length * run.velocity(x, time)
            yield end, x


@dataclass(frozen=True)
class StochasticHeun(Sampler):
    r"""Back with noise, then one step of Heun's method, which is two calls long.

    Parameters
    ----------
    noise : kappa, not negative; 0 is Heun's method, and 1 goes back by about the length of a step
    """

    noise: float = 0.5

    def __post_init__(self) -> None:
        number("the noise of the sampler", self.noise, at_least=0)

    def calls(self, steps: int) -> int:
        """Return the number of calls, which must be even."""
        return Heun().calls(steps)

    def states(self, start: Tensor, steps: int, run: Run) -> Iterator[tuple[float, Tensor]]:
        """Yield time and points after each two calls."""
        x = start
        for begin, end, length in run.steps(steps // 2):
            x, time, length = go_back(x, begin, length, self.noise, run)
            first = run.velocity(x, time)
            x = x + length / 2 * (first + run.velocity(x + length * first, end))
            yield end, x


def go_back(x: Tensor, time: float, length: float, noise: float, run: Run) -> tuple[Tensor, float, float]:
    """Return points with more noise, the earlier time to which they belong, and the step from there to the old end.

    Parameters
    ----------
    x : points at the begin of a step, ``(batch, ...)``
    time, length : of the begin of the step; of the step in the clock
    noise : kappa
    run : the flow, and everything that is the same in all its calls
    """
    path, now = run.flow.path, run.at(time)
    clocks = path.clock(torch.tensor([0.0, time], dtype=torch.float64))
    earliest, clock = clocks.tolist()
    back = min(noise * length * float(now.alpha), clock - earliest)
    if back <= 0:
        return x, time, length
    earlier = float(path.time_at(torch.tensor(clock - back, dtype=torch.float64)))
    then = run.at(earlier)
    kept = float(then.alpha / now.alpha)
    fresh = math.sqrt(max(float(then.sigma) ** 2 - (kept * float(now.sigma)) ** 2, 0.0))
    shift = float(then.sigma) - kept * float(now.sigma)
    return kept * x + shift * run.centre(x) + fresh * run.fresh_noise(x), earlier, length + back
