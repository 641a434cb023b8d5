r"""The exact flow of Gaussian data, on which samplers and guidance are checked without any training."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from sciml.checks import positive
from sciml.generative.flows import Condition, Flow
from sciml.generative.paths import Path
from sciml.generative.predictions import Pair


@dataclass(frozen=True)
class ExactGaussian(Flow):
    r"""The flow for data whose entries are independent normal, :math:`z \sim N(\mu, d^2)`, from a source about m.

    Point, data and source are jointly normal, so that the means given x are linear in it:

    .. math::
        E[z | x] = \mu + \frac{\alpha d^2}{V} r, \quad E[x_0 | x] = m + \frac{\sigma s^2}{V} r, \quad
        r = x - \alpha \mu - \sigma m, \quad V = \alpha^2 d^2 + \sigma^2 s^2

    Deviations from the mean grow as :math:`\sqrt{V}`: the flow carries the source to :math:`\mu + d (x_0 - m) / s`.

    Parameters
    ----------
    path : between source and data
    mean, deviation : mu and d
    source_mean : m
    """

    path: Path
    mean: float = 0.0
    deviation: float = 1.0
    source_mean: float = 0.0

    def __post_init__(self) -> None:
        positive("the standard deviation of the data", self.deviation)

    def velocity(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the mean velocity of all pairs that pass through the points."""
        return self.path.motion(*self.pair(x, t), t)

    def pair(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Pair:
        """Return the means of data and source given the points."""
        at = self.path.coefficients(t).beside(x)
        data, source = at.alpha * self.deviation**2, at.sigma * self.path.noise**2
        left = x - at.alpha * self.mean - at.sigma * self.source_mean
        left = left / (at.alpha * data + at.sigma * source)
        return Pair(self.mean + data * left, self.source_mean + source * left)

    def moments(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of every entry of x_t, in the shape of the times."""
        at = self.path.coefficients(t)
        mean = at.alpha * self.mean + at.sigma * self.source_mean
        return mean, ((at.alpha * self.deviation) ** 2 + (at.sigma * self.path.noise) ** 2).sqrt()
