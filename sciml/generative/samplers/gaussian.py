r"""Steps that are exact for normal data, and accurate where the law under a condition is near to a normal one.

Give each entry of the data a deviation d, about that of the data from their mean under a condition. In the variables

.. math:: y = \frac{x - \sigma m}{\sqrt V}, \qquad w = \frac{\alpha}{\sqrt V}, \qquad V = \alpha^2 d^2 + \sigma^2 s^2

the flow of any data is :math:`dy/dw = \mu`, where

.. math:: \mu = \hat z - \frac{\alpha d^2}{\sigma s^2} (\hat x_0 - m)

is the mean of the normal law with this d that has the same estimates :math:`\hat z, \hat x_0` at the point. For normal
data it does not change, so that one step is exact. For others it changes slowly, while the velocity turns sharply when
the noise is as small as d, which spoils the spread of other samplers in few calls. With d = 0 it is DDIM. A step is

.. math:: x_{t'} = g (x - \sigma m) + \sigma' m + (\alpha' - g \alpha) \mu, \qquad g = \sqrt{V' / V} .
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Generator, Tensor

from sciml.checks import finite, real_tensor, shape, whole_number
from sciml.errors import InputError
from sciml.generative.deviations import Deviation, check_deviation, check_items
from sciml.generative.draws import normal_like
from sciml.generative.flows import Condition, Flow
from sciml.generative.paths import Coefficients, Path
from sciml.generative.samplers.base import Run, Sampler

TABLE = 1001  # times between which those of steps are interpolated
LEAST = 0.01  # of the deviation of the source, below which steps are not refined for an entry


@dataclass(frozen=True, eq=False)
class GaussianSteps(Sampler):
    r"""Steps that are exact for normal data with given deviations, one call each.

    With order 2 the mean :math:`\mu` is extrapolated linearly in w from the present and the last step, by no more than
    equal steps would need. Steps are equal in the mean of the clock and of w, which rises late.

    Parameters
    ----------
    deviation : d, not negative, in a shape that expands to one item: see :func:`conditional_deviation`
    order : 1 or 2

    Raises
    ------
    InputError
        A deviation is negative or not finite, or the order is another one.

    References
    ----------
    The idea of such variables is that of Pandey, Rudolph and Mandt, "Efficient integrators for diffusion generative
    models", 2024, and that of the solution for normal data that of Wang and Vastola, "The unreasonable effectiveness of
    Gaussian score approximation for diffusion models", 2024; deviations under a condition are ours.
    """

    deviation: Deviation
    order: int = 2

    def __post_init__(self) -> None:
        whole_number("the order of Gaussian steps", self.order, at_least=1, at_most=2)
        check_deviation(self.deviation)

    @property
    def uses_mean(self) -> bool:
        """Return True: the variables are about the mean."""
        return True

    def times(self, steps: int, run: Run) -> list[float]:
        """Return the ends of so many steps from 0 to 1."""
        path = run.flow.path
        table = torch.linspace(0, 1, TABLE, dtype=torch.float64)
        at, clock = path.coefficients(table), path.clock(table)
        deviation = self._variance().sqrt().flatten().clamp(min=LEAST * path.noise)
        alpha, sigma = at.alpha[:, None] * deviation, at.sigma[:, None] * path.noise
        rise = (alpha / (alpha.square() + sigma.square()).sqrt()).mean(1)  # w over its last value
        position = (clock - clock[0]) / (clock[-1] - clock[0]) + (rise - rise[0]) / (rise[-1] - rise[0])
        return np.interp(np.linspace(0, 2, steps + 1), position.numpy(), table.numpy()).tolist()

    def states(self, start: Tensor, steps: int, run: Run) -> Iterator[tuple[float, Tensor]]:
        """Yield time and points after each step."""
        self.check(start)
        x, last = start, None
        for begin, end in pairwise(self.times(steps, run)):
            mean, rise = self._mean(x, begin, run), self._rise(begin, end, run)
            ahead = mean
            if self.order == 2 and last is not None:
                ahead = mean + (rise / last[1]).clamp(max=1).to(x) / 2 * (mean - last[0])
            x, last = self._moved(x, ahead, (begin, end), run), (mean, rise)
            yield end, x

    def check(self, x: Tensor) -> None:
        """Refuse deviations that are not those of one item, whose shape they must expand to."""
        check_items(torch.as_tensor(self.deviation), x)

    def step(self, x: Tensor, begin: float, end: float, run: Run) -> Tensor:
        """Return points after one step of order 1."""
        return self._moved(x, self._mean(x, begin, run), (begin, end), run)

    def _mean(self, x: Tensor, time: float, run: Run) -> Tensor:
        """Return mu, from one call of the flow."""
        at, (data, source) = run.at(time), run.pair(x, time)
        share = at.alpha / (at.sigma * run.flow.path.noise**2) * self._variance()
        return data - share.to(x) * (source - run.centre(x))

    def _moved(self, x: Tensor, mean: Tensor, times: tuple[float, float], run: Run) -> Tensor:
        """Return points moved between two times with a mean that stays."""
        now, then = (run.at(time) for time in times)
        kept = self._size(then, run) / self._size(now, run)
        centre = run.centre(x)
        left = kept.to(x) * (x - now.sigma.to(x) * centre) + then.sigma.to(x) * centre
        return left + (then.alpha - kept * now.alpha).to(x) * mean

    def _rise(self, begin: float, end: float, run: Run) -> Tensor:
        """Return the growth of w between two times."""
        now, then = (run.at(time) for time in (begin, end))
        return then.alpha / self._size(then, run) - now.alpha / self._size(now, run)

    def _size(self, at: Coefficients, run: Run) -> Tensor:
        """Return the root of V."""
        return (at.alpha.square() * self._variance() + (at.sigma * run.flow.path.noise).square()).sqrt()

    def _variance(self) -> Tensor:
        return torch.as_tensor(self.deviation).detach().cpu().double().square()


def conditional_deviation(
    flow: Flow,
    data: Tensor,
    generator: Generator,
    condition: Condition | None = None,
    mean: Tensor | None = None,
    sources: int = 16,
) -> Tensor:
    r"""Return the deviations for :class:`GaussianSteps` with which one step has the right spread, for each entry.

    The source says nothing about the data, so that the estimate :math:`\hat z` there is their mean under the condition,
    and d is the deviation from it. A network is not exact: its estimate varies with the source, by a variance q and a
    covariance b with the noise, which add to the spread of a step. Hence d is the solution, at least 0, of

    .. math:: d^2 + 2 b d + q = \operatorname{mean} (z - \bar z)^2, \qquad \bar z = E_{x_0}[\hat z].

    On a path that starts with a trace of the data, :math:`\alpha_0 > 0`, one step from a pure source ends at

    .. math:: \frac{u (x_0 - \sigma_0 m) + \hat z}{1 + \alpha_0 u}, \qquad u = \frac{d}{\sqrt{V_0}}

    so that u, in place of d / s, solves :math:`s^2 u^2 + 2 b s u + q = (1 + \alpha_0 u)^2 \operatorname{mean} (z - \bar
    z)^2`.

    Parameters
    ----------
    flow : from source to data
    data : that the network was not trained on, ``(batch, ...)``; some hundred
    generator : of the sources
    condition : of the data, what the network is given by name
    mean : m of an informed source, in the shape of the data; None for 0
    sources : number of them for each item

    Returns
    -------
    Tensor in the shape of one item

    Raises
    ------
    InputError
        The deviation of the data is so large that no d gives it: the path starts with a trace of the data, and these
        are not normalised.
    """
    finite("the data", real_tensor("the data", data))
    whole_number("the number of sources", sources, at_least=2)
    centre = torch.zeros_like(data) if mean is None else shape("the mean of the source", mean, data.shape)
    noise = torch.stack([normal_like(data, generator) for _ in range(sources)])
    with torch.no_grad():
        starts, begin = centre + flow.path.noise * noise, data.new_zeros(len(data))
        found = torch.stack([flow.data(start, begin, condition) for start in starts])
    middle, unbiased = found.mean(0), sources / (sources - 1)
    varied = unbiased * (found - middle).square().mean((0, 1))
    along = unbiased * ((found - middle) * noise).mean((0, 1))
    missed = (data - middle).square().mean(0) - varied / sources
    return _solved(flow.path, along, varied, missed)


def _solved(path: Path, along: Tensor, varied: Tensor, missed: Tensor) -> Tensor:
    """Return the deviations d of :func:`conditional_deviation` from b, q and the square of the spread."""
    at = path.coefficients(along.new_zeros(()))
    square = path.noise**2 - at.alpha.square() * missed
    linear = path.noise * along - at.alpha * missed
    root = (linear.square() - square * (varied - missed)).clamp(min=0).sqrt()
    ratio = ((root - linear) / square).clamp(min=0)  # u
    left = 1 - (at.alpha * ratio).square()  # (sigma s)^2 / V
    if bool(((square <= 0) | (left <= 0)).any()):
        raise InputError(
            f"the largest deviation of the data from their mean is {float(missed.max().sqrt()):g}, which no single "
            f"step of {type(path).__name__} has, expected about 1; normalise the data."
        )
    return ratio * at.sigma * path.noise / left.sqrt()
