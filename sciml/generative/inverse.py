r"""Data from observations, with a flow as their prior: FlowChef, FLAIR, and the Gaussian posterior at each time.

=========================  =====================  ==============================================================
method                     observations           result
=========================  =====================  ==============================================================
:func:`flow_chef`          any, differentiable    a fit from each start; of independent normal data, without
                                                  noise, the posterior mean, from the mean of the source
:func:`flair`              any, differentiable    a fit that is also near to what the flow makes of it
:class:`PosteriorFlow`     linear, with noise     samples of the posterior, exactly so for Gaussian data
=========================  =====================  ==============================================================

None differentiates the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from sciml.checks import finite, number, real_tensor, shape, whole_number
from sciml.errors import InputError
from sciml.generative.deviations import Deviation, check_deviation, check_items, positive_beside
from sciml.generative.flows import Condition, Flow
from sciml.generative.guidance import ChangedData, steepest
from sciml.generative.paths import Path, expand

LEAST_SHARE = 1e-2  # of a step, where the measurement is so bent that the whole of it misses more


@dataclass(frozen=True, eq=False)
class Observation:
    """Observed values, and how data would have made them.

    Parameters
    ----------
    measure : maps data ``(batch, ...)`` to values ``(batch, count)``, by differentiable torch operations
    values : observed, ``(count,)`` or ``(batch, count)``
    noise : standard deviation of their errors, below which no step fits anything
    """

    measure: Callable[[Tensor], Tensor]
    values: Tensor
    noise: float = 0.0

    def __post_init__(self) -> None:
        _check_values(self.values, "count")
        number("the noise of the observations", self.noise, at_least=0)

    def missed(self, data: Tensor) -> Tensor:
        """Return how much data miss the values by, ``(batch, count)``."""
        values = _of_batch(self.values, data).to(data)
        return shape("the measured values", self.measure(data), (len(data), values.shape[-1])) - values

    def fitted(self, data: Tensor, strength: float = 1.0, metric: Tensor | float = 1.0) -> Tensor:
        r"""Return data after one step down the misfit r, to where it is least on the way or is that of the noise.

        .. math:: z' = z - w s p, \qquad p = M J^T r, \qquad s = \min \big\{ \arg\min_s \|r - s J p\|,\
            \|r - s J p\|^2 = n \cdot \text{noise}^2 \big\}

        with the derivative J of the n measured values. Where the noise explains the misfit there is no step. J p is the
        difference of the values on a step that would bring a misfit without noise to 0; for linear measurements that
        is exact.

        Parameters
        ----------
        data : z, ``(batch, ...)``
        strength : w
        metric : M, positive numbers in a shape that expands to the data's, such as their variances
        """
        missed, step = steepest(data, self.missed, metric)
        with torch.no_grad():
            change = missed - finite("the misfit", self.missed(data - step))
        share = _share(missed, change, missed.shape[1] * self.noise**2)
        return data - strength * expand(share, data) * step


def _share(missed: Tensor, change: Tensor, allowed: float) -> Tensor:
    """Return the s with the least square of r - s c, or that with the allowed one if it is smaller, ``(batch,)``."""
    tiny = torch.finfo(change.dtype).tiny
    along, square = (missed * change).sum(1), change.square().sum(1)
    excess = missed.square().sum(1) - allowed
    least = (along / square.clamp(min=tiny)).clamp(LEAST_SHARE, 1)
    root = (along.square() - square * excess).clamp(min=0).sqrt()
    first = excess / (along + root).clamp(min=tiny)  # the smaller root of the quadratic equation, without cancellation
    return torch.where(excess > 0, torch.minimum(least, first), 0.0)


@torch.no_grad()
def flow_chef(  # noqa: PLR0913 - each is another part of the problem
    flow: Flow,
    observation: Observation,
    start: Tensor,
    steps: int,
    *,
    fits: int = 1,
    strength: float = 1.0,
    deviation: Deviation = 1.0,
    condition: Condition | None = None,
) -> Tensor:
    r"""Return data that fit observations, by steering each step of the sampling with the gradient at the data.

    At each time the estimate of the data takes some steps down the misfit (:meth:`Observation.fitted`), from
    :math:`\hat z(x_t)` to :math:`z'`, the point follows it, and then the velocity:

    .. math:: x \leftarrow x + \alpha' \frac{\sqrt{V}}{d} (z' - \hat z) + h\, v(x_t, t), \qquad
        V = \alpha^2 d^2 + \sigma^2 s^2

    Later steps change what the flow does with it, but no gradient passes the network. The coefficient :math:`\alpha'`
    at the end of the step is the share of the data in the point, without which early steps, whose estimates hardly
    depend on the point, would add up beyond the observations. With deviations d of the entries, gradients are
    multiplied by their squares; V is the variance of the point then. The flow of independent normal data turns this
    into a step along the same direction at the end, so that from the mean of the source, and for values without noise,
    the result is the posterior mean.

    Parameters
    ----------
    flow : from source to data
    observation : what is to be fitted
    start : points of the source, ``(batch, ...)``; its mean for one best fit
    steps : number of calls of the flow
    fits : number of steps down the misfit after each, as published 1
    strength : of these steps, in (0, 2); 1 goes to the least misfit on the way
    deviation : d, in a shape that expands to one item
    condition : what the network is given by name

    Returns
    -------
    Tensor ``(batch, ...)``

    References
    ----------
    Patel, Wen, Metaxas and Yang, "FlowChef: steering of rectified flow models for controlled generations", ICCV 2025,
    where the point takes the gradient times one number; the lengths of the steps and the deviations are ours.
    """
    whole_number("the number of steps down the misfit", fits, at_least=1)
    number("the strength of the steps", strength, above=0, below=2)
    x, path = real_tensor("the start", start), flow.path
    deviation = positive_beside(deviation, x)
    flow.begin_run()
    for begin, end, length in _euler(path, steps):
        t = x.new_full((len(x),), begin)
        pair = flow.pair(x, t, condition)
        data = pair.data
        for _ in range(fits):
            data = observation.fitted(data, strength, deviation.square())
        share = path.alpha(x.new_tensor(end)) * _variance(path, deviation, t[:1]).sqrt() / deviation
        x = x + share * (data - pair.data) + length * path.motion(*pair, t)
    return x


@torch.no_grad()
def flair(  # noqa: PLR0913 - each is another part of the problem
    flow: Flow,
    observation: Observation,
    start: Tensor,
    steps: int,
    *,
    fits: int = 5,
    trust: float = 0.2,
    deviation: Deviation = 1.0,
    condition: Condition | None = None,
) -> Tensor:
    r"""Return data that fit observations and are near to what the flow makes of them.

    An estimate :math:`\mu` of the data and one of the source, e, take turns: the flow at
    :math:`x_t = \alpha \mu + \sigma e` gives new ones, of which e is taken as it is (no new noise is drawn) and
    :math:`\mu` moves to that of the data by the trust; then it takes some steps down the misfit
    (:meth:`Observation.fitted`). The times rise, so
    that the flow first says what is large and then what is small.

    Parameters
    ----------
    flow : from source to data
    observation : what is to be fitted
    start : points of the source, ``(batch, ...)``
    steps : number of calls of the flow
    fits : number of steps down the misfit after each
    trust : share of the way to the flow's estimate, in (0, 1]; the published one depends on the time, by the error of
        the network there
    deviation : d of the data, in a shape that expands to one item, whose squares multiply the gradients
    condition : what the network is given by name

    Returns
    -------
    Tensor ``(batch, ...)``

    References
    ----------
    Erbach, Narnhofer, Dombos, Schiele, Lenssen and Schindler, "Solving inverse problems with FLAIR", 2025; there, a
    share of the source may be new noise.
    """
    whole_number("the number of steps down the misfit", fits, at_least=1)
    number("the trust in the flow", trust, above=0, at_most=1)
    x, mean, path = real_tensor("the start", start), None, flow.path
    metric = positive_beside(deviation, x).square()
    flow.begin_run()
    for begin, end in pairwise(path.times(whole_number("the number of steps", steps, at_least=1))):
        pair = flow.pair(x, x.new_full((len(x),), begin), condition)
        mean = pair.data if mean is None else mean + trust * (pair.data - mean)
        for _ in range(fits):
            mean = observation.fitted(mean, 1.0, metric)
        x = path.point(mean, pair.source, x.new_full((len(x),), end))
    return x


class PosteriorFlow(ChangedData):
    r"""The flow of data given linear observations :math:`y = A z + e`, with Gaussian uncertainty at each time.

    .. math::
        E[z | x_t, y] \approx \hat z + P_t A^T (A P_t A^T + R)^{-1} (y - A \hat z), \qquad
        P_t = \frac{d^2 \sigma^2 s^2}{\alpha^2 d^2 + \sigma^2 s^2}

    :math:`P_t` is the variance of independent normal data given the point; for these the flow is exact, and its samples
    are those of the posterior. For others it is exact at both ends: at the source, as far as they are Gaussian, and at
    the data, where :math:`P_t` vanishes.

    Parameters
    ----------
    flow : from source to data, whose items have n entries
    rows : A, ``(count, n)``
    values : y, ``(count,)`` or ``(batch, count)``
    noise : root of R, ``(count,)`` or one number, positive
    deviation : d, in a shape that expands to one item

    Raises
    ------
    InputError
        Rows or values are not finite, a noise or a deviation is not positive, or shapes do not agree.

    References
    ----------
    Song et al., "Pseudoinverse-guided diffusion models for inverse problems", ICLR 2023; with the variance of
    the prior and without gradients of the network, Rozet et al., "Learning diffusion priors from observations", 2024.
    """

    def __init__(
        self, flow: Flow, rows: Tensor, values: Tensor, noise: Tensor | float, deviation: Deviation = 1.0
    ) -> None:
        super().__init__(flow)
        shape("the rows of the observations", real_tensor("the rows of the observations", rows), ("count", "entries"))
        finite("the rows of the observations", rows)
        _check_values(values, len(rows))
        noise = torch.as_tensor(noise, dtype=rows.dtype, device=rows.device).expand(len(rows))
        variance = noise.square()
        if not bool((noise > 0).all() and (variance > 0).all() and variance.isfinite().all()):
            raise InputError("the noise of the observations is not positive everywhere; expected positive numbers.")
        self._rows, self._values, self._variance = rows, values.to(rows), variance
        self._deviation = check_deviation(deviation, is_positive=True).to(rows)

    def changed(self, data: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return the mean of the data given the point and the observations."""
        if not bool((t == t[0]).all()):
            raise InputError("the times of a batch differ, expected one time for all, as samplers have it.")
        check_items(self._deviation, data)
        flat = shape("the items", data.flatten(1), (len(data), self._rows.shape[1]), remedy="as the rows have entries")
        missed = _of_batch(self._values, data) - flat.to(self._rows) @ self._rows.T
        root = self._uncertainty(data, t)
        scaled = self._rows * root
        step = root * (self._by_values(scaled, missed) if len(scaled) < len(root) else self._by_entries(scaled, missed))
        return data + step.reshape(data.shape).to(data)

    def _by_values(self, scaled: Tensor, missed: Tensor) -> Tensor:
        """Return S^T (S S^T + R)^-1 r for fewer values than entries, with S = A P^(1/2)."""
        factor = torch.linalg.cholesky(scaled @ scaled.T + torch.diag(self._variance))
        return torch.cholesky_solve(missed.T, factor).T @ scaled

    def _by_entries(self, scaled: Tensor, missed: Tensor) -> Tensor:
        """Return the same as (S^T R^-1 S + 1)^-1 S^T R^-1 r for fewer entries than values."""
        weighted = scaled.T / self._variance
        inner = weighted @ scaled
        inner.diagonal().add_(1)
        return torch.cholesky_solve(weighted @ missed.T, torch.linalg.cholesky(inner)).T

    def _uncertainty(self, data: Tensor, t: Tensor) -> Tensor:
        """Return the root of P_t for each entry of an item, ``(n,)``."""
        time = t[:1].to(self._rows)
        sigma = self.path.sigma(time) * self.path.noise
        root = self._deviation * sigma / _variance(self.path, self._deviation, time).sqrt()
        return root.expand(data.shape[1:]).flatten()


def _check_values(values: Tensor, count: int | str) -> None:
    """Refuse observed values that are none for one item, or for each of a batch."""
    finite("the observed values", real_tensor("the observed values", values))
    shape("the observed values", values, (count,) if values.ndim == 1 else ("batch", count))


def _of_batch(values: Tensor, data: Tensor) -> Tensor:
    """Return observed values ``(count,)`` for all items, or ``(batch, count)``, which must be as many as the data."""
    if values.ndim == 1:
        return values
    return shape("the observed values", values, (len(data), "count"), remedy="give those of each item, or of one")


def _variance(path: Path, deviation: Tensor, t: Tensor) -> Tensor:
    """Return the variance of the point of independent normal data, in the shape of the deviation or ``(1,)``."""
    at = path.coefficients(t)
    return (at.alpha * deviation) ** 2 + (at.sigma * path.noise) ** 2


def _euler(path: Path, steps: int) -> list[tuple[float, float, float]]:
    """Return begin and end of each step, and its length in the clock."""
    times = path.times(whole_number("the number of steps", steps, at_least=1))
    clock = path.clock(torch.tensor(times, dtype=torch.float64)).diff().tolist()
    return list(zip(times[:-1], times[1:], clock, strict=True))
