r"""Integrators of the flow's ordinary differential equation: Euler, Heun, and multistep methods with momentum."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from sciml.checks import number, whole_number
from sciml.errors import InputError
from sciml.generative.samplers.base import Run, Sampler

ADAMS_BASHFORTH = (1, 1 / 2, 5 / 12, 3 / 8)  # in backward differences
HIGHEST_ORDER = len(ADAMS_BASHFORTH)


def euler_step(x: Tensor, begin: float, end: float, run: Run) -> Tensor:
    """Return points moved from one time to a later one along the velocity at the first."""
    return x + run.length(begin, end) * run.mean_velocity(x, begin, end)


def heun_step(x: Tensor, begin: float, end: float, run: Run) -> Tensor:
    """Return points moved from one time to a later one along the mean of the velocities at both."""
    length, first = run.length(begin, end), run.velocity(x, begin)
    return x + length / 2 * (first + run.velocity(x + length * first, end))


@dataclass(frozen=True)
class Euler(Sampler):
    """Euler's method, of order 1: the velocity at the begin of each step holds for the step.

    It is exact for flows that know their mean velocity, such as :class:`~sciml.generative.mean_flow.MeanFlow`.
    """

    def states(self, start: Tensor, steps: int, run: Run) -> Iterator[tuple[float, Tensor]]:
        """Yield time and points after each step."""
        x = start
        for begin, end in pairwise(run.flow.path.times(steps)):
            x = euler_step(x, begin, end, run)
            yield end, x


@dataclass(frozen=True)
class Heun(Sampler):
    """Heun's method, of order 2: the mean of the velocities at both ends of a step, which is two calls long.

    It evaluates the flow at t = 1, where a network that predicts data has no velocity.
    """

    def calls(self, steps: int) -> int:
        """Return the number of calls, which must be even."""
        if super().calls(steps) % 2:
            raise InputError(
                f"the number of steps is {steps}, expected an even number; Heun's method calls the flow twice for each "
                "of its own, and AdamsBashforth2 has the same order with one call."
            )
        return steps

    def states(self, start: Tensor, steps: int, run: Run) -> Iterator[tuple[float, Tensor]]:
        """Yield time and points after each two calls."""
        x = start
        for begin, end in pairwise(run.flow.path.times(steps // 2)):
            x = heun_step(x, begin, end, run)
            yield end, x


@dataclass(frozen=True)
class HeavyBall(Sampler):
    r"""Adams and Bashforth's methods on a moving average of the velocity, which damps what oscillates (GHVB).

    .. math::
        m_{n+1} = (1 - \beta) m_n + \beta v_n, \qquad x_{n+1} = x_n + h \sum_{i < r} c_i\, m_{n+1-i}

    The weights follow from one identity of backward differences :math:`\nabla`. A step of Adams and Bashforth's method
    is :math:`h A(\nabla) v_n` with :math:`A = 1 + \frac{1}{2} \nabla + \frac{5}{12} \nabla^2 + \dots`, and the average
    is :math:`m_{n+1} = \beta (\beta + (1 - \beta) \nabla)^{-1} v_n`, so that

    .. math:: \sum_i c_i m_{n+1-i} = C(\nabla) m_{n+1}, \qquad C = A(\nabla) \Big(1 + \frac{1-\beta}{\beta} \nabla\Big)

    up to :math:`\nabla^{r-1}`. With :math:`\beta = 1` it is Adams and Bashforth's method of order r, and with
    :math:`\beta \to 0` that of order r - 1. The first steps, which have no past, are of lower orders, and the average
    starts at the first velocity; errors of a whole run are therefore of order h^2 also where r is 3 or 4, but smaller.

    Parameters
    ----------
    order : r, 1 to 4
    beta : share of the present velocity in the average, 0 < beta <= 1

    References
    ----------
    Wizadwongsa, Chinchuthakun, Khungurn, Raj and Suwajanakorn 2024, section 4.2, where the weights are tabulated.
    """

    order: int = 2
    beta: float = 0.8

    def __post_init__(self) -> None:
        whole_number("the order of the heavy-ball method", self.order, at_least=1, at_most=HIGHEST_ORDER)
        number("the share of the present velocity", self.beta, above=0, at_most=1)

    def weights(self, order: int) -> list[float]:
        """Return c_0 to c_(r-1), of the newest average first."""
        lag = (1 - self.beta) / self.beta
        series = [now + lag * before for now, before in zip(ADAMS_BASHFORTH, (0, *ADAMS_BASHFORTH), strict=False)]
        return [(-1) ** i * sum(math.comb(j, i) * series[j] for j in range(i, order)) for i in range(order)]

    def states(self, start: Tensor, steps: int, run: Run) -> Iterator[tuple[float, Tensor]]:
        """Yield time and points after each step."""
        x, averages = start, []
        for begin, end in pairwise(run.flow.path.times(steps)):
            velocity = run.velocity(x, begin)
            if averages:
                velocity = (1 - self.beta) * averages[0] + self.beta * velocity
            averages = [velocity, *averages][: self.order]
            weights = self.weights(len(averages))
            x = x + run.length(begin, end) * sum(w * m for w, m in zip(weights, averages, strict=True))
            yield end, x


@dataclass(frozen=True)
class AdamsBashforth2(Sampler):
    """Adams and Bashforth's method of order 2, at one call a step."""

    def states(self, start: Tensor, steps: int, run: Run) -> Iterator[tuple[float, Tensor]]:
        """Yield time and points after each step, the first of which is one of Euler's."""
        return HeavyBall(order=2, beta=1.0).states(start, steps, run)
