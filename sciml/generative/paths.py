r"""Probability paths from a source to data: points between the two, and the velocity there.

.. math::
    x_t = \alpha(t)\, z + \sigma(t)\, x_0, \qquad
    v_t = \frac{d\alpha}{dc}\, z + \frac{d\sigma}{dc}\, x_0, \qquad t \in [0, 1]

with data z and the source :math:`x_0 = m + s\,\epsilon`: standard normal noise (m = 0, s = 1), or a guess m of the data
with some noise. Time runs from the source (t = 0) to the data (t = 1).

The **clock** c(t) is the variable in which velocities are meant. It is t itself, except on variance-preserving paths
with a noise schedule, :math:`\alpha^2 + \sigma^2 = 1`. There it is the angle :math:`c = \arcsin \alpha`, since
:math:`d\sigma/dt` is infinite at the data, where :math:`\sigma \sim \sqrt{1 - t}`. The velocity is then
:math:`\sigma z - \alpha x_0`, which up to its sign is the v of Salimans and Ho (2022, appendix D).

What a network learns is the mean of :math:`v_t` over all pairs :math:`(z, x_0)` that pass through x, and the flow along
this mean velocity has the law of :math:`x_t` at every time (Lipman et al. 2023, theorem 1; Albergo, Boffi and
Vanden-Eijnden 2023).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from sciml.checks import positive, whole_number
from sciml.errors import InputError
from sciml.generative.draws import normal_like

BISECTIONS = 54  # to the last digit of double precision


def expand(t: Tensor, x: Tensor) -> Tensor:
    """Return one value an item as a tensor that multiplies the items, ``(batch, 1, ..., 1)``."""
    return t.reshape(-1, *(1,) * (x.ndim - 1))


class Coefficients(NamedTuple):
    """The coefficients of data and source in points and velocities of a path, in the shape of the times.

    Attributes
    ----------
    alpha, sigma : of the data and of the source in a point
    alpha_rate, sigma_rate : their derivatives with respect to the clock, those in a velocity
    """

    alpha: Tensor
    sigma: Tensor
    alpha_rate: Tensor
    sigma_rate: Tensor

    def beside(self, x: Tensor) -> Coefficients:
        """Return the coefficients of times ``(batch,)`` so that they multiply the items ``(batch, ...)``."""
        return Coefficients(*(expand(each, x) for each in self))


class Path(ABC):
    """A path from a source at time 0 to data at time 1; subclasses say its coefficients."""

    noise: float = 1.0
    """Standard deviation s of the source about its mean."""
    informed: bool = False
    """Whether the source is about a guess of the data, not about 0."""

    @abstractmethod
    def coefficients(self, t: Tensor) -> Coefficients:
        """Return the coefficients at times of any shape."""

    def alpha(self, t: Tensor) -> Tensor:
        """Return the coefficient of the data, which rises to 1."""
        return self.coefficients(t).alpha

    def sigma(self, t: Tensor) -> Tensor:
        """Return the coefficient of the source, which falls to 0."""
        return self.coefficients(t).sigma

    def alpha_rate(self, t: Tensor) -> Tensor:
        """Return the derivative of alpha with respect to the clock."""
        return self.coefficients(t).alpha_rate

    def sigma_rate(self, t: Tensor) -> Tensor:
        """Return the derivative of sigma with respect to the clock."""
        return self.coefficients(t).sigma_rate

    def clock(self, t: Tensor) -> Tensor:
        """Return the variable in which velocities are meant: the time itself unless a path says otherwise."""
        return t

    def time_at(self, clock: Tensor) -> Tensor:
        """Return the times, in [0, 1], at which the clock shows some values, in double precision."""
        return clock.double().clamp(0, 1)

    def times(self, steps: int) -> list[float]:
        """Return the ends of so many steps from 0 to 1 that are equal in the clock, ``steps + 1`` numbers."""
        first, last = self.clock(torch.tensor([0.0, 1.0], dtype=torch.float64))
        inner = first + (last - first) * torch.arange(1, steps, dtype=torch.float64) / steps
        return [0.0, *self.time_at(inner).tolist(), 1.0]

    @property
    def keeps_time(self) -> bool:
        """Return whether the clock is the time itself."""
        return True

    def point(self, data: Tensor, source: Tensor, t: Tensor) -> Tensor:
        """Return the points x_t between pairs of data and source, ``(batch, ...)``, at times ``(batch,)``."""
        at = self.coefficients(t).beside(data)
        return at.alpha * data + at.sigma * source

    def motion(self, data: Tensor, source: Tensor, t: Tensor) -> Tensor:
        """Return the velocities of the points between pairs of data and source, ``(batch, ...)``."""
        at = self.coefficients(t).beside(data)
        return at.alpha_rate * data + at.sigma_rate * source

    def start(self, mean: Tensor, generator: Generator) -> Tensor:
        """Draw a source about its mean, ``(batch, ...)``: zeros, or a guess of the data such as their first frame."""
        return mean + self.noise * normal_like(mean, generator)


@dataclass(frozen=True)
class LinearPath(Path):
    """The straight path, alpha = t and sigma = 1 - t, of flow matching and rectified flows.

    The path of least kinetic energy tends to it as the dimension of the data grows (Shaul et al. 2023).
    Source: Lipman et al. 2023, eq. 20; Liu, Gong and Liu 2023, eq. 1.
    """

    def coefficients(self, t: Tensor) -> Coefficients:
        """Return t, 1 - t, 1 and -1."""
        ones = torch.ones_like(t)
        return Coefficients(t, 1 - t, ones, -ones)


@dataclass(frozen=True)
class TrigonometricPath(Path):
    r"""The path of constant variance, :math:`\alpha = \sin(\pi t/2)` and :math:`\sigma = \cos(\pi t/2)`.

    For data that are standard normal, as whitened latents nearly are, it has the least kinetic energy of all paths: its
    velocity is 0. Source: Albergo and Vanden-Eijnden 2023, eq. 5; Shaul et al. 2023.
    """

    def coefficients(self, t: Tensor) -> Coefficients:
        """Return sine and cosine of a quarter turn, and their derivatives."""
        sine, cosine = torch.sin(math.pi / 2 * t), torch.sin(math.pi / 2 * (1 - t))  # exactly 0 at the data
        return Coefficients(sine, cosine, math.pi / 2 * cosine, -math.pi / 2 * sine)


class AnglePath(Path):
    r"""A variance-preserving path with the angle :math:`c = \arcsin \alpha` as its clock; subclasses say alpha(t).

    In the angle every such path is the same rotation from source to data. What differs is how times, and with them the
    examples of the training, are spread over it.
    """

    @abstractmethod
    def noise_share(self, t: Tensor) -> Tensor:
        r"""Return :math:`\sigma^2 = 1 - \alpha^2`, computed without cancellation, in double precision."""

    def coefficients(self, t: Tensor) -> Coefficients:
        """Return sine and cosine of the angle, and their derivatives with respect to it."""
        share = self.noise_share(t.double())
        sine, cosine = (1 - share).clamp(min=0).sqrt().to(t.dtype), share.sqrt().to(t.dtype)
        return Coefficients(sine, cosine, cosine, -sine)

    def clock(self, t: Tensor) -> Tensor:
        """Return the angle, from 0 for a pure source to pi/2 for data."""
        at = self.coefficients(t)
        return torch.atan2(at.alpha, at.sigma)

    @property
    def keeps_time(self) -> bool:
        """Return False: the clock is an angle."""
        return False

    def time_at(self, clock: Tensor) -> Tensor:
        """Return the times, in [0, 1], of some angles, by bisection in double precision."""
        before, after = torch.zeros_like(clock, dtype=torch.float64), torch.ones_like(clock, dtype=torch.float64)
        for _ in range(BISECTIONS):
            middle = (before + after) / 2
            is_early = self.clock(middle) < clock
            before, after = torch.where(is_early, middle, before), torch.where(is_early, after, middle)
        return (before + after) / 2


@dataclass(frozen=True)
class VariancePreservingPath(AnglePath):
    r"""The noise schedule of latent diffusion ("scaled linear"), continued to all times.

    A sample is noised in T levels: :math:`\alpha^2 = \bar\alpha_s` at :math:`t = 1 - s / T`, where
    :math:`\bar\alpha_s = \prod_{k < s} (1 - \beta_k)` and :math:`\sqrt{\beta_k}` is linear in k. The logarithm has a
    closed form for all real s, by the midpoint rule of Euler and Maclaurin with :math:`g(k) = \log(1 - \beta_k)`:

    .. math:: \log \bar\alpha_s = \int_{-1/2}^{s - 1/2} g \,dk - \tfrac{1}{24} \left[ g' \right]_{-1/2}^{s - 1/2}

    which for 1000 levels is the product at whole s: :math:`\bar\alpha_s` to 1e-12, and :math:`\sigma^2` to 1e-10 of
    itself. The source is not quite reached: :math:`\alpha(0) = 0.0683`, so that a
    sample of pure noise is not what a network saw in training (Lin et al. 2024).

    Parameters
    ----------
    first_beta, last_beta : variances added by the first and the last level
    levels : T

    References
    ----------
    Ho, Jain and Abbeel 2020, eq. 4; Rombach et al. 2022.
    """

    first_beta: float = 0.00085
    last_beta: float = 0.012
    levels: int = 1000

    def __post_init__(self) -> None:
        positive("the first variance of the noise schedule", self.first_beta)
        if not self.first_beta < self.last_beta < 1:
            raise InputError(
                f"the last variance of the noise schedule is {self.last_beta}, expected a number greater than the "
                f"first, {self.first_beta}, and less than 1."
            )
        whole_number("the number of noise levels", self.levels, at_least=10)

    def noise_share(self, t: Tensor) -> Tensor:
        """Return 1 less the product of all 1 - beta up to the level s = T (1 - t)."""
        rise = (math.sqrt(self.last_beta) - math.sqrt(self.first_beta)) / (self.levels - 1)
        first = torch.as_tensor(math.sqrt(self.first_beta) - rise / 2, dtype=t.dtype)
        last = first + rise * self.levels * (1 - t)  # the root of beta at the midpoint s - 1/2
        return -torch.expm1(_log_product(last, rise) - _log_product(first, rise))


def _log_product(root: Tensor, rise: float) -> Tensor:
    """Return the antiderivative of log(1 - y^2) over k with y = root + rise k, less g' / 24."""
    logarithm = torch.log1p(-root.square())
    integral = root * logarithm - 2 * root + 2 * torch.atanh(root)
    return integral / rise + rise * root / (1 - root.square()) / 12


@dataclass(frozen=True)
class CosinePath(AnglePath):
    r"""The cosine noise schedule, :math:`\alpha = \cos\vartheta_s / \cos\vartheta_0`, with s = 1 - t.

    :math:`\vartheta_s = \frac{\pi}{2} \frac{s + d}{1 + d}`; the offset d > 0 spreads times near the data. As d
    tends to 0, so do its coefficients to those of the trigonometric path. Source: Nichol and Dhariwal 2021, eq. 17,
    without the clipping of its last level.
    """

    offset: float = 0.008

    def __post_init__(self) -> None:
        positive("the offset of the cosine schedule", self.offset)

    def noise_share(self, t: Tensor) -> Tensor:
        """Return 1 less the squared ratio of the cosines."""
        quarter = math.pi / 2 / (1 + self.offset)
        first = quarter * self.offset
        later = quarter * (1 - t)
        # cos^2 a - cos^2 b = sin(b - a) sin(b + a), without cancellation near the data
        return (torch.sin(later) * torch.sin(later + 2 * first)) / math.cos(first) ** 2


@dataclass(frozen=True)
class Interpolant(Path):
    r"""A path from an informed source: a guess m of the data, such as its first frame at all times, plus noise.

    .. math:: x_t = \alpha z + \sigma (m + s\epsilon) = \alpha z + \sigma m + \gamma \epsilon, \qquad \gamma = s\sigma

    It is the stochastic interpolant of Albergo, Boffi and Vanden-Eijnden (2023) for the pair (m, z), with a noise that
    is largest at the source, from which an ensemble starts.

    Parameters
    ----------
    path : alpha, sigma and the clock
    noise : s, positive; about as large as the data's distance from m in each entry
    """

    path: Path
    noise: float = 0.5
    informed = True

    def __post_init__(self) -> None:
        positive("the noise of an informed source", self.noise)
        if self.path.informed:
            raise InputError(
                "the path of an informed source is an Interpolant itself, whose noise would be lost, expected a path "
                "from noise; give Interpolant the path within, such as LinearPath()."
            )

    def coefficients(self, t: Tensor) -> Coefficients:
        """Return those of the path beneath."""
        return self.path.coefficients(t)

    def clock(self, t: Tensor) -> Tensor:
        """Return the clock of the path beneath."""
        return self.path.clock(t)

    def time_at(self, clock: Tensor) -> Tensor:
        """Return the times at which the clock of the path beneath shows some values."""
        return self.path.time_at(clock)

    @property
    def keeps_time(self) -> bool:
        """Return whether the clock is the time itself."""
        return self.path.keeps_time
