r"""Samplers of stochastic differential equations that keep the law of the flow at every time.

.. math:: dx = \big( v + w \nabla \log p_c(x) \big)\, dc + \sqrt{2 w}\, dW, \qquad w = \kappa s^2 \sigma
    \Big( \sigma \frac{d\alpha}{dc} - \alpha \frac{d\sigma}{dc} \Big)

has the laws of the flow for every w >= 0 (Albergo, Boffi and Vanden-Eijnden 2023): more noise, the same ensemble.
Errors of earlier steps are forgotten on the way, at the price of smaller steps. Source and data are independent here:
flows that were trained on coupled or reflowed pairs have another law under these samplers.

A step does not discretise the equation, whose drift is stiff. It goes *back* in time and then follows the flow to the
end of the step. The way back, from t to an earlier u, adds noise as the path itself would have it,

.. math::
    x_u = r x_t + (\sigma_u - r \sigma_t) m + s \sqrt{\sigma_u^2 - r^2 \sigma_t^2}\; \xi, \qquad r = \alpha_u / \alpha_t

which is exact for any data, any length and any noise: if :math:`x_t` has the law of the path, so has :math:`x_u`. What
is left is the error of the integrator of the flow, and none for normal data by steps that are exact for them. Going
back by :math:`\kappa h \alpha` in a step h gives the equation above as h tends to 0. The idea is that of Karras et al.
(2022, algorithm 2).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sciml.checks import number
from sciml.generative.deviations import Deviation
from sciml.generative.samplers.base import Run, Sampler
from sciml.generative.samplers.deterministic import Heun, euler_step, heun_step
from sciml.generative.samplers.gaussian import GaussianSteps


class StochasticSampler(Sampler):
    """A sampler of steps back with noise and steps of an integrator; subclasses say the latter, and kappa."""

    noise: float
    calls_each: int = 1
    """Number of calls of the flow in a step of the integrator."""

    def __post_init__(self) -> None:
        number("the noise of the sampler", self.noise, at_least=0)

    @property
    def uses_mean(self) -> bool:
        """Return whether steps go back, with noise about the mean."""
        return self.noise > 0

    def times(self, steps: int, run: Run) -> list[float]:
        """Return the ends of so many steps of the integrator, from 0 to 1."""
        return run.flow.path.times(steps)

    @abstractmethod
    def step(self, x: Tensor, begin: float, end: float, run: Run) -> Tensor:
        """Return points moved along the flow from one time to a later one."""

    def states(self, start: Tensor, steps: int, run: Run) -> Iterator[tuple[float, Tensor]]:
        """Yield time and points after each step of the integrator."""
        x = start
        times = self.times(steps // self.calls_each, run)
        for begin, earlier, end in zip(times, earlier_times(times, self.noise, run), times[1:], strict=False):
            if earlier < begin:
                x = go_back(x, begin, earlier, run)
            x = self.step(x, earlier, end, run)
            yield end, x


@dataclass(frozen=True)
class StochasticEuler(StochasticSampler):
    r"""Back with noise, then one step of Euler's method.

    Parameters
    ----------
    noise : kappa, not negative; 0 is Euler's method, and 1 goes back by about the length of a step
    """

    noise: float = 0.5

    def step(self, x: Tensor, begin: float, end: float, run: Run) -> Tensor:
        """Return points after one step of Euler's method."""
        return euler_step(x, begin, end, run)


@dataclass(frozen=True)
class StochasticHeun(StochasticSampler):
    r"""Back with noise, then one step of Heun's method, which is two calls long.

    Parameters
    ----------
    noise : kappa, not negative; 0 is Heun's method, and 1 goes back by about the length of a step
    """

    noise: float = 0.5
    calls_each = 2

    def calls(self, steps: int) -> int:
        """Return the number of calls, which must be even."""
        return Heun().calls(steps)

    def step(self, x: Tensor, begin: float, end: float, run: Run) -> Tensor:
        """Return points after one step of Heun's method."""
        return heun_step(x, begin, end, run)


@dataclass(frozen=True, eq=False)
class StochasticGaussian(StochasticSampler):
    r"""Back with noise, then one Gaussian step of order 1: for normal data of these deviations, the law is exact.

    Parameters
    ----------
    deviation : d, not negative, in a shape that expands to one item, as in :class:`GaussianSteps`
    noise : kappa, not negative; 1 goes back by about the length of a step
    """

    deviation: Deviation
    noise: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        GaussianSteps(self.deviation)  # which checks it

    @property
    def uses_mean(self) -> bool:
        """Return True: Gaussian steps are about the mean."""
        return True

    def times(self, steps: int, run: Run) -> list[float]:
        """Return the ends of so many Gaussian steps, from 0 to 1."""
        return GaussianSteps(self.deviation).times(steps, run)

    def states(self, start: Tensor, steps: int, run: Run) -> Iterator[tuple[float, Tensor]]:
        """Yield time and points after each Gaussian step."""
        GaussianSteps(self.deviation).check(start)
        yield from super().states(start, steps, run)

    def step(self, x: Tensor, begin: float, end: float, run: Run) -> Tensor:
        """Return points after one Gaussian step."""
        return GaussianSteps(self.deviation, order=1).step(x, begin, end, run)


def earlier_times(times: list[float], noise: float, run: Run) -> list[float]:
    """Return the times to which the steps from all times but the last go back, by kappa h alpha in the clock."""
    path, begins = run.flow.path, torch.tensor(times, dtype=torch.float64)
    clocks = path.clock(begins)
    back = noise * clocks.diff() * path.alpha(begins[:-1])
    earlier = path.time_at(clocks[:-1] - back)  # 0 at the earliest
    return torch.where(back > 0, earlier, begins[:-1]).tolist()


def go_back(x: Tensor, time: float, earlier: float, run: Run) -> Tensor:
    """Return points with more noise, which have the law of the path at the earlier time if they had it at the time."""
    now, then = run.at(time), run.at(earlier)
    kept = float(then.alpha / now.alpha)
    shift = float(then.sigma) - kept * float(now.sigma)
    fresh = math.sqrt(max(float(then.sigma) ** 2 - (kept * float(now.sigma)) ** 2, 0.0))
    return kept * x + shift * run.centre(x) + fresh * run.fresh_noise(x)
