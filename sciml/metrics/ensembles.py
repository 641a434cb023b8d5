r"""Scores of ensembles: proper scores, which are least on average for the true law, and whether spread is honest.

Members are ``(m, ...)``, drawn alike and independently of each other; the truth ``(...)`` should be one more draw from
the same law. A score of the *plain* ensemble takes the members for the whole law, and so rewards a law that is too
narrow where m is small; the *fair* score is without bias: its mean over draws of the members is that of the law itself.

References
----------
Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation", Journal of the American Statistical
Association 102, 2007, Eqs. 20-22. Ferro, "Fair scores for ensemble forecasts", Quarterly Journal of the Royal
Meteorological Society 140, 2014.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from sciml.checks import instance, real_array, whole_number
from sciml.errors import InputError


def crps(members: ArrayLike, truth: ArrayLike, *, fair: bool = True) -> np.ndarray:
    r"""Return the continuous ranked probability score of each value.

    .. math::
        \frac1m \sum_i |x_i - y| - \frac{1}{2 m (m - 1)} \sum_{i, j} |x_i - x_j|

    It is the integral of :math:`(F(x) - [y \le x])^2` over x with F the step function of the members, if ``m (m - 1)``
    is replaced by :math:`m^2`, as in the plain score. Smaller is better; of one member it is the absolute error.

    Parameters
    ----------
    members : x, ``(m, ...)``
    truth : y, ``(...)``
    fair : whether the score is that of the law, without bias, which takes two members; else that of the members

    Returns
    -------
    array ``(...)``
    """
    x, y = _ensemble(members, truth, at_least=2 if fair else 1)
    m = len(x)
    # The sum of |x_i - x_j| over all pairs, from the members in order: n log n instead of n^2.
    weights = 2.0 * np.arange(1, m + 1) - m - 1
    apart = 2.0 * np.tensordot(weights, np.sort(x, axis=0), axes=1)
    return np.mean(np.abs(x - y), axis=0) - apart / (2.0 * _pairs(m, fair))


def energy_score(members: ArrayLike, truth: ArrayLike, *, fair: bool = True) -> np.ndarray:
    r"""Return the energy score of each case, the score of a law of fields or trajectories as a whole.

    .. math::
        \frac1m \sum_i \|x_i - y\| - \frac{1}{2 m (m - 1)} \sum_{i, j} \|x_i - x_j\|

    with Euclidean norms over all axes of a case. It has the unit of the values, so that it compares to the error of a
    single prediction, of which it is a generalisation; for scalars it is :func:`crps`.

    Parameters
    ----------
    members : x, ``(m, cases, ...)``
    truth : y, ``(cases, ...)``
    fair : whether the score is that of the law, without bias, which takes two members; else that of the members

    Returns
    -------
    array ``(cases,)``
    """
    x, y = _ensemble(members, truth, at_least=2 if fair else 1)
    if not y.ndim:
        raise InputError("The energy score needs cases along the first axis of the truth: got a single number.")
    m, cases = len(x), len(y)
    flat, target = x.reshape(m, cases, -1), y.reshape(cases, -1)
    missed = np.mean([np.linalg.norm(each - target, axis=1) for each in flat], axis=0)
    apart = sum((np.linalg.norm(one - other, axis=1) for one, other in combinations(flat, 2)), np.zeros(cases))
    return missed - apart / _pairs(m, fair)


def spread_skill(members: ArrayLike, truth: ArrayLike) -> float:
    r"""Return the spread of an ensemble over the error of its mean, corrected for the number of members: ideally 1.

    .. math::
        \sqrt{\frac{m + 1}{m} \, \overline{s^2}} \Big/ \sqrt{\overline{(\bar x - y)^2}}, \qquad
        s^2 = \frac{1}{m - 1} \sum_i (x_i - \bar x)^2

    with means over all values. Below 1 the ensemble is too narrow, above 1 too wide.

    Parameters
    ----------
    members : x, ``(m, ...)``, at least two
    truth : y, ``(...)``

    References
    ----------
    Fortin et al., "Why should ensemble spread match the RMSE of the ensemble mean?", Journal of Hydrometeorology 15,
    2014, Eq. 15.
    """
    x, y = _ensemble(members, truth, at_least=2)
    m = len(x)
    error = float(np.mean((x.mean(axis=0) - y) ** 2))
    if error == 0.0:
        raise InputError("The mean of the members is the truth itself: the ratio of spread to error is undefined.")
    return float(np.sqrt((m + 1) / m * np.mean(x.var(axis=0, ddof=1)) / error))


class Coverage(NamedTuple):
    """The share of values that lie within an interval of members, beside the share that should.

    Attributes
    ----------
    share : of the values that lie within
    ideal : the share if the truth is drawn from the law of the members
    """

    share: float
    ideal: float


def coverage(members: ArrayLike, truth: ArrayLike, *, left_out: int = 0) -> Coverage:
    r"""Return the share of values within the range of the members, beside the ideal :math:`(m - 1 - 2k) / (m + 1)`.

    Parameters
    ----------
    members : ``(m, ...)``, at least ``2 k + 2``
    truth : ``(...)``
    left_out : k, the number of the smallest and of the largest members that the range leaves out

    Examples
    --------
    >>> coverage([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]], [1.5, 3.0])
    Coverage(share=0.5, ideal=0.5)
    """
    k = whole_number("the number of members left out at each end", left_out, at_least=0)
    x, y = _ensemble(members, truth, at_least=2 * k + 2)
    m = len(x)
    ordered = np.sort(x, axis=0)
    within = (ordered[k] <= y) & (y <= ordered[m - 1 - k])
    return Coverage(float(np.mean(within)), (m - 1 - 2 * k) / (m + 1))


def rank_histogram(members: ArrayLike, truth: ArrayLike, *, seed: int = 0) -> np.ndarray:
    """Return how often the truth has each rank among the members: flat if the ensemble is calibrated.

    A valley says that the members are too near to each other, a hill that they are too far apart, a slope that they
    are biased.

    Parameters
    ----------
    members : ``(m, ...)``
    truth : ``(...)``
    seed : of the draws by which a truth that equals some members takes one of their ranks

    Returns
    -------
    counts ``(m + 1,)``, of a truth with 0, 1, ..., m members below it

    References
    ----------
    Hamill, "Interpretation of rank histograms for verifying ensemble forecasts", Monthly Weather Review 129, 2001.
    """
    x, y = _ensemble(members, truth, at_least=1)
    draws = np.random.default_rng(whole_number("the seed", seed, at_least=0))
    ranks = (x < y).sum(axis=0) + draws.integers(0, (x == y).sum(axis=0), endpoint=True)
    return np.bincount(np.ravel(ranks), minlength=len(x) + 1)


def _ensemble(members: ArrayLike, truth: ArrayLike, *, at_least: int) -> tuple[np.ndarray, np.ndarray]:
    """Return members and truth as arrays that fit each other."""
    y = real_array("the truth", truth)
    x = real_array("the members", members)
    if x.ndim != y.ndim + 1 or x.shape[1:] != y.shape or not y.size:
        raise InputError(
            f"The members do not fit the truth: got shapes {x.shape} and {y.shape}, expected (members, ...) and the "
            "same axes without the first, with at least one value."
        )
    if len(x) < at_least:
        raise InputError(f"The ensemble has {len(x)} member{'s' * (len(x) != 1)}, expected at least {at_least}.")
    return x, y


def _pairs(m: int, fair: bool) -> float:
    """Return the number of ordered pairs by which distances are averaged."""
    return float(m * (m - 1) if instance("fair", fair, bool, "True or False") else m * m)
