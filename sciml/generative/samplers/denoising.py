r"""Samplers that estimate data and source in each step and put them together at the next time: DDIM, DDPM, consistency.

With the estimates :math:`\hat z, \hat x_0` at t, a step to t' is

.. math:: x_{t'} = \alpha' \hat z + \sigma' \big( m + \sqrt{1 - \rho}\, (\hat x_0 - m) + \sqrt{\rho}\, s\, \xi \big)

with new noise :math:`\xi`, of which the share is :math:`\rho`. The three differ in it.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import Tensor

from sciml.checks import choice, number, whole_number
from sciml.errors import InputError
from sciml.generative.paths import Coefficients
from sciml.generative.samplers.base import Run, Sampler

SPACINGS = ("leading", "trailing")


class DenoisingSampler(Sampler):
    """A sampler by estimates of data and source; subclasses say the times and the share of new noise."""

    @property
    def uses_mean(self) -> bool:
        """Return whether there is new noise, which is drawn about the mean: yes, unless a sampler says no."""
        return True

    @abstractmethod
    def times(self, steps: int) -> list[float]:
        """Return the times of the calls, and 1."""

    @abstractmethod
    def renewed(self, begin: Coefficients, end: Coefficients) -> float:
        """Return the share rho of new noise in a step, 0 to 1."""

    def states(self, start: Tensor, steps: int, run: Run) -> Iterator[tuple[float, Tensor]]:
        """Yield time and points after each step; the last are the last estimate of the data."""
        x = start
        for begin, end in pairwise(self.times(steps)):
            data, source = run.pair(x, begin)
            after = run.at(end)
            x = float(after.alpha) * data
            if end < 1:  # where nothing of the source is left, and no estimate of it may exist
                share, centre = self.renewed(run.at(begin), after), run.centre(x)
                if share:
                    kept = math.sqrt(1 - share) * (source - centre) if share < 1 else 0.0
                    source = centre + kept + math.sqrt(share) * run.fresh_noise(x)
                x = x + float(after.sigma) * source
            yield end, x


@dataclass(frozen=True)
class DDIM(DenoisingSampler):
    r"""Denoising diffusion implicit models, on any path and for tensors of any shape.

    Without new noise it is exact where the estimates do not change on the way: it is Euler's method on a linear path,
    and a rotation on variance-preserving ones. With eta = 1 a step draws from the law of :math:`x_{t'}` given
    :math:`x_t` and :math:`\hat z`, whose noise is new to the share

    .. math:: \rho = \eta^2 \Big( 1 - \Big( \frac{\alpha \sigma'}{\alpha' \sigma} \Big)^2 \Big)

    Parameters
    ----------
    spacing : ``"trailing"``, equal steps in time of which the first starts at 0; or ``"leading"``, as in latent
        diffusion: S calls at the levels 2 + j c of T, counted from the data, with :math:`c = \lfloor T / S \rfloor`.
        The first call is then made as if the source had the noise of level 2 + (S - 1) c, which is less than it
        has, the more so the fewer the steps (Lin et al. 2024)
    eta : 0 to 1, of new noise
    levels : T of leading spacing

    References
    ----------
    Song, Meng and Ermon 2021, eq. 12 and 16; Lin et al. 2024, table 2.
    """

    spacing: Literal["leading", "trailing"] = "trailing"
    eta: float = 0.0
    levels: int = 1000

    def __post_init__(self) -> None:
        choice("the spacing", self.spacing, SPACINGS)
        number("the share of new noise eta", self.eta, at_least=0, at_most=1)
        whole_number("the number of noise levels", self.levels, at_least=1)

    @property
    def uses_mean(self) -> bool:
        """Return whether there is new noise."""
        return self.eta > 0

    def calls(self, steps: int) -> int:
        """Return the number of calls, of which leading spacing allows one for each level."""
        if super().calls(steps) > self.levels and self.spacing == "leading":
            raise InputError(
                f"the number of steps is {steps}, expected at most {self.levels}, the number of noise levels; take "
                "fewer, or spacing='trailing'."
            )
        return steps

    def times(self, steps: int) -> list[float]:
        """Return the times of the calls, and 1."""
        if self.spacing == "trailing":
            return [i / steps for i in range(steps + 1)]
        stride = self.levels // steps
        lowest = min(2, stride)  # with all levels, level 1: the published 2 would count beyond the last
        return [1 - (lowest + j * stride) / self.levels for j in reversed(range(steps))] + [1.0]

    def renewed(self, begin: Coefficients, end: Coefficients) -> float:
        """Return the share of new noise in a step."""
        return self.eta**2 * (1 - float(begin.alpha * end.sigma / (end.alpha * begin.sigma)) ** 2)


@dataclass(frozen=True)
class DDPM(DenoisingSampler):
    """Denoising diffusion probabilistic models: DDIM with eta = 1 and trailing steps; as published, with 1000 of them.

    The variance of the new noise is the smaller one of Ho, Jain and Abbeel (2020, section 3.2), that of the law given
    the data. It lacks the variance of the data given the point, of which less is left the more steps there are.
    """

    def times(self, steps: int) -> list[float]:
        """Return the times of the calls, and 1."""
        return DDIM().times(steps)

    def renewed(self, begin: Coefficients, end: Coefficients) -> float:
        """Return the share of new noise in a step."""
        return DDIM(eta=1.0).renewed(begin, end)


@dataclass(frozen=True)
class ConsistencySteps(DenoisingSampler):
    """Sampling of consistency models: each estimate of the data gets all new noise, and is estimated again.

    Source: Song, Dhariwal, Chen and Sutskever 2023, algorithm 1.
    """

    def times(self, steps: int) -> list[float]:
        """Return the times of the calls, and 1."""
        return DDIM().times(steps)

    def renewed(self, begin: Coefficients, end: Coefficients) -> float:
        """Return 1: all noise is new."""
        return 1.0


def is_one_call(sampler: Sampler) -> bool:
    """Return whether one step of a sampler is one call at the source, whose estimate of the data is the sample."""
    return isinstance(sampler, DenoisingSampler) and sampler.times(1) == [0.0, 1.0]
