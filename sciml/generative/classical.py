r"""Ensembles without networks, which every generative model has to beat: analogs, linear-Gaussian laws, gappy POD.

All are fitted to pairs of conditions and data when they are made, and draw members for new conditions.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor

from sciml.checks import choice, finite, number, positive, real_tensor, shape, whole_array, whole_number
from sciml.errors import InputError
from sciml.generative.draws import normal_like
from sciml.numerics.principal_modes import principal_modes

RIDGES = tuple(10.0**k for k in range(-8, 2))  # of the largest squared singular value of the features
SHRINKAGES = (1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.4, 0.8)
FOLDS = 5
WIDEST = 8192  # entries of an item whose covariance is made: 0.5 GB


class ClassicalEnsemble(ABC):
    """A law of data given conditions, from which members are drawn."""

    @abstractmethod
    def sample(self, condition: Tensor, members: int, generator: Generator) -> Tensor:
        """Draw members for each condition, ``(members, batch, ...)``.

        Parameters
        ----------
        condition : ``(batch, width)``
        members : their number
        generator : of the draws
        """


class Analogs(ClassicalEnsemble):
    """The nearest neighbours: for each condition, the data whose conditions were nearest to it.

    Members of the training data have the right sharpness, and are calibrated as far as neighbours are alike: with more
    data they get nearer. The distance is Euclidean, so conditions have to be in units in which it means something.

    Parameters
    ----------
    condition : of the training, ``(n, width)``
    data : of the training, ``(n, ...)``

    References
    ----------
    Lorenz, "Atmospheric predictability as revealed by naturally occurring analogues", Journal of the Atmospheric
    Sciences 26, 1969.
    """

    def __init__(self, condition: Tensor, data: Tensor) -> None:
        self._condition, self._data = _pairs(condition, data)

    def sample(self, condition: Tensor, members: int, generator: Generator) -> Tensor:
        """Return the nearest data, the nearest first; nothing is drawn."""
        whole_number("the number of members", members, at_least=1, at_most=len(self._data))
        asked, mode = _condition(condition, self._condition.shape[1]).double(), "donot_use_mm_for_euclid_dist"
        distances = torch.cdist(asked, self._condition.double(), compute_mode=mode)  # others cancel far from 0
        return self._data[distances.topk(members, largest=False).indices.T]


class LinearGaussian(ClassicalEnsemble):
    r"""A Gaussian law whose mean is linear in features of the condition, with one covariance for all conditions.

    .. math::
        z \mid c \sim N(\bar z + A^T (f(c) - \bar f),\ S_\lambda), \qquad
        S_\lambda = (1 - \lambda) S + \lambda \operatorname{diag} S

    A is found by ridge regression. Its strength is that of the least leave-one-out error, which has a closed form, and
    S is the covariance of the leave-one-out residuals, which the regression has not made smaller. The shrinkage
    :math:`\lambda` is that of the largest likelihood by cross-validation.

    Parameters
    ----------
    condition : of the training, ``(n, width)``
    data : of the training, ``(n, ...)``
    degree : of the features: 1, the condition; 2, and the products of its entries

    Attributes
    ----------
    ridge : relative to the largest squared singular value of the features
    shrinkage : lambda
    left_one_out : mean of each item of the training by the fit to all others, ``(n, ...)``

    References
    ----------
    Hastie, Tibshirani and Friedman, "The elements of statistical learning", 2009, sections 3.4.1 and 7.10;
    Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004.
    """

    ridge: float
    shrinkage: float
    left_one_out: Tensor

    def __init__(self, condition: Tensor, data: Tensor, degree: int = 1) -> None:
        condition, data = _pairs(condition, data)
        self._degree, self._width = choice("the degree of the features", degree, (1, 2)), condition.shape[1]
        self._shape, self._dtype = data.shape[1:], data.dtype
        if data[0].numel() > WIDEST:
            raise InputError(
                f"the number of entries of an item is {data[0].numel()}, whose covariance would not fit into memory, "
                f"expected at most {WIDEST}; reduce the data by sciml.numerics.principal_modes."
            )
        targets, features = data.flatten(1).double(), self._features(condition)
        self._mean, self._origin = targets.mean(0), features.mean(0)
        residuals = self._regress(features - self._origin, targets - self._mean)
        self.left_one_out = (targets - residuals).to(data.dtype).reshape(data.shape)
        self.shrinkage = _likeliest_shrinkage(residuals)
        self._root = torch.linalg.cholesky(_shrunk(residuals, self.shrinkage))

    def mean(self, condition: Tensor) -> Tensor:
        """Return the mean for each condition, ``(batch, ...)``."""
        return self._mean_of(condition).to(self._dtype).reshape(-1, *self._shape)

    def sample(self, condition: Tensor, members: int, generator: Generator) -> Tensor:
        """Draw members of the law for each condition, ``(members, batch, ...)``."""
        whole_number("the number of members", members, at_least=1)
        mean = self._mean_of(condition)
        draws = normal_like(mean.expand(members, *mean.shape), generator)
        return (mean + draws @ self._root.T).to(self._dtype).reshape(members, -1, *self._shape)

    def _mean_of(self, condition: Tensor) -> Tensor:
        return self._mean + (self._features(_condition(condition, self._width)) - self._origin) @ self._slopes

    def _features(self, condition: Tensor) -> Tensor:
        c = condition.double()
        if self._degree == 1:
            return c
        first, second = torch.triu_indices(c.shape[1], c.shape[1])
        return torch.cat([c, c[:, first] * c[:, second]], 1)

    def _regress(self, features: Tensor, targets: Tensor) -> Tensor:
        """Set the slopes, and return what is missed of each item by the fit to all others."""
        left, singular, right = torch.linalg.svd(features, full_matrices=False)
        projected, squares = left.T @ targets, singular.square()
        best = math.inf
        for ridge in RIDGES:
            gains = squares / (squares + ridge * squares[0].clamp(min=1e-300))
            leverage = left.square() @ gains + 1 / len(features)
            missed = (targets - left @ (gains[:, None] * projected)) / (1 - leverage).clamp(min=1e-6)[:, None]
            error = float(missed.square().sum())
            if error < best:
                best, self.ridge, residuals = error, ridge, missed
                steady = torch.where(singular > 0, gains / singular.clamp(min=1e-300), 0.0)
                self._slopes = right.T @ (steady[:, None] * projected)
        return residuals


class GappyPOD(ClassicalEnsemble):
    r"""The Gaussian law of fields given some of their entries, in proper orthogonal modes.

    .. math::
        u = \bar u + V a, \quad a \sim N(0, \Lambda), \quad y = P u + e, \quad e \sim N(0, R), \qquad
        a \mid y \sim N(H^{-1} V^T P^T R^{-1} (y - P \bar u),\ H^{-1}), \quad
        H = \Lambda^{-1} + V^T P^T R^{-1} P V

    The variances :math:`\Lambda` of the modes make it well-posed for any number of sensors, other than plain least
    squares, to which it tends with precise sensors. R is the variance of what the modes miss at each sensor, plus that
    of the noise.

    Parameters
    ----------
    data : fields of the training, ``(n, ...)``
    sensors : numbers of the entries that are observed, among those of a flattened field
    modes : their number
    noise : standard deviation of the noise of the sensors

    References
    ----------
    Everson and Sirovich, "Karhunen-Loève procedure for gappy data", Journal of the Optical Society of America A 12,
    1995; with a prior, as in optimal interpolation (Gandin 1963).
    """

    def __init__(self, data: Tensor, sensors: Tensor, modes: int, noise: float = 0.0) -> None:
        basis = principal_modes(data, modes)
        entries = basis.mean.numel()
        self._sensors = torch.from_numpy(
            whole_array("the sensors", sensors, shape=("count",), at_least=0, below=entries)
        )
        observed = data.flatten(1)[:, self._sensors].double()
        rows = basis.modes.flatten(1)[:, self._sensors].T  # P V
        missed = observed - basis.mean.flatten()[self._sensors] - basis.encode(data.double()) @ rows.T
        number("the noise of the sensors", noise, at_least=0)
        tiny = 1e-10 * observed.var()
        variance = missed.square().mean(0) + noise**2 + tiny
        precision = torch.diag(1 / basis.variances) + rows.T @ (rows / variance[:, None])
        self._factor = torch.linalg.cholesky(precision)
        self._basis, self._gain, self._dtype = basis, rows / variance[:, None], data.dtype

    def mean(self, condition: Tensor) -> Tensor:
        """Return the mean field for each row of observed values ``(batch, sensors)``, ``(batch, ...)``."""
        return self._basis.decode(self._coefficients(condition)).to(self._dtype)

    def sample(self, condition: Tensor, members: int, generator: Generator) -> Tensor:
        """Draw fields for each row of observed values ``(batch, sensors)``, ``(members, batch, ...)``."""
        whole_number("the number of members", members, at_least=1)
        mean = self._coefficients(condition)
        draws = normal_like(mean.expand(members, *mean.shape), generator)
        apart = torch.linalg.solve_triangular(self._factor.T, draws.flatten(0, 1).T, upper=True).T
        return self._basis.decode(mean + apart.reshape(draws.shape)).to(self._dtype)

    def _coefficients(self, condition: Tensor) -> Tensor:
        missed = _condition(condition, len(self._sensors)).double() - self._basis.mean.flatten()[self._sensors]
        return torch.cholesky_solve((missed @ self._gain).T, self._factor).T


def _pairs(condition: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
    """Return conditions and data of the training, checked."""
    finite("the data", real_tensor("the data", data))
    shape("the conditions", real_tensor("the conditions", condition), (len(data), "width"))
    if len(data) < 2 * FOLDS:
        raise InputError(f"There are {len(data)} pairs of conditions and data, expected at least {2 * FOLDS}.")
    return finite("the conditions", condition), data


def _condition(condition: Tensor, width: int) -> Tensor:
    return finite("the conditions", shape("the conditions", condition, ("batch", width)))


def _shrunk(residuals: Tensor, shrinkage: float) -> Tensor:
    """Return the covariance about 0 with its off-diagonal entries shrunk, and a diagonal that is positive."""
    covariance = residuals.T @ residuals / len(residuals)
    diagonal = covariance.diagonal()
    floor = 1e-9 * positive("the mean variance of the data", float(diagonal.mean()), remedy="leave out constant data")
    return (1 - shrinkage) * covariance + torch.diag(shrinkage * diagonal + floor)


def _likeliest_shrinkage(residuals: Tensor) -> float:
    """Return the shrinkage under which residuals are likeliest given the covariance of the other folds."""
    folds = [residuals[k::FOLDS] for k in range(FOLDS)]
    likelihoods = dict.fromkeys(SHRINKAGES, 0.0)
    for k, held in enumerate(folds):
        rest = torch.cat(folds[:k] + folds[k + 1 :])
        for shrinkage in SHRINKAGES:
            root = torch.linalg.cholesky(_shrunk(rest, shrinkage))
            whitened = torch.linalg.solve_triangular(root, held.T, upper=False)
            determinant = float(root.diagonal().log().sum())
            likelihoods[shrinkage] -= float(whitened.square().sum()) / 2 + len(held) * determinant
    return max(likelihoods, key=likelihoods.__getitem__)
