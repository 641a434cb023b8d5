r"""Conversions between what networks predict: the noise, the data or the velocity (eps, x and v of the literature).

A point and a prediction are two linear equations for the data z and the source :math:`x_0`,

.. math:: x = \alpha z + \sigma x_0, \qquad y = a z + b x_0, \qquad (a, b) = (0, 1),\ (1, 0),\ (\alpha', \sigma')

for ``"noise"``, ``"data"`` and ``"velocity"``. Conversions solve them; they hold for means given x as for single pairs.
The determinants are :math:`\alpha`, :math:`-\sigma` and :math:`\alpha\sigma' - \sigma\alpha'`:

- a velocity says data and noise at all times, since the last determinant vanishes nowhere;
- noise says nothing about the data where alpha = 0, at the start of most paths, and little nearby: its error is divided
  by alpha, which is 0.0683 at the start of :class:`~sciml.generative.paths.VariancePreservingPath`;
- data say nothing about noise and velocity at t = 1, where sigma = 0.

There, results are not finite. The noise is the whole source, of an informed one with its mean m. Sources: Ho, Jain and
Abbeel 2020; Salimans and Ho 2022, appendix D; Lipman et al. 2023.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from torch import Tensor

from sciml.checks import choice
from sciml.generative.paths import Path

Prediction = Literal["noise", "data", "velocity"]
PREDICTIONS: tuple[Prediction, ...] = get_args(Prediction)


class Pair(NamedTuple):
    """Estimates of data and source from one point and one prediction, each ``(batch, ...)``."""

    data: Tensor
    source: Tensor


def target(path: Path, prediction: Prediction, pair: Pair, t: Tensor) -> Tensor:
    """Return the values that a network of some prediction is trained on, ``(batch, ...)``.

    Parameters
    ----------
    path : between source and data
    prediction : ``"noise"``, ``"data"`` or ``"velocity"``
    pair : data and source of the training
    t : times, ``(batch,)``
    """
    choice("the prediction", prediction, PREDICTIONS)
    if prediction == "velocity":
        return path.motion(pair.data, pair.source, t)
    return pair.source if prediction == "noise" else pair.data


def solve(path: Path, prediction: Prediction, output: Tensor, x: Tensor, t: Tensor) -> Pair:
    """Return data and source for the output of a network at points x and times t.

    Parameters
    ----------
    path : between source and data
    prediction : what the output is, ``"noise"``, ``"data"`` or ``"velocity"``
    output, x : ``(batch, ...)``
    t : ``(batch,)``
    """
    choice("the prediction", prediction, PREDICTIONS)
    at = path.coefficients(t).beside(x)
    if prediction == "noise":
        return Pair((x - at.sigma * output) / at.alpha, output)
    if prediction == "data":
        return Pair(output, (x - at.alpha * output) / at.sigma)
    determinant = at.alpha * at.sigma_rate - at.sigma * at.alpha_rate
    found = (at.sigma_rate * x - at.sigma * output) / determinant
    return Pair(found, (at.alpha * output - at.alpha_rate * x) / determinant)


def data(path: Path, prediction: Prediction, output: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """Return the data that an output means, see :func:`solve`; not finite for noise where alpha = 0."""
    return solve(path, prediction, output, x, t).data


def noise(path: Path, prediction: Prediction, output: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """Return the source that an output means, see :func:`solve`; not finite for data at t = 1."""
    return solve(path, prediction, output, x, t).source


def velocity(path: Path, prediction: Prediction, output: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """Return the velocity that an output means, see :func:`solve`; not finite where one of the two is not."""
    if prediction == "velocity":
        return output
    return path.motion(*solve(path, prediction, output, x, t), t)
