r"""A regression of latents on first frames and parameters, in closed form: a mean, and deviations about it.

It is where samples of the source ``"regression"`` start: a network then learns what no polynomial of second degree
knows, and one that is not trained draws from a Gaussian law already.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sciml.errors import InputError

COMPONENTS, SQUARED = 128, 32  # principal components of first frames, and those with products, at most
PLACE_MODES, RANK = 64, 128  # of the means at a place of the latents, and of the map from features to them, at most
PRODUCT, PARAMETER = 3.0, 0.3  # scales of products of components, and of parameters, beside components
FOLDS = 5
RIDGES = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)  # over the mean square of all components together
_LEAST = 1e-3  # deviation of a latent about its mean, over the largest one


class MeanRegression(nn.Module):
    r"""A Gaussian law of latents z for a first frame and parameters p: a mean, and a deviation of each latent.

    .. math::
        z \approx m + s \epsilon, \qquad m = \bar z + (f - \bar f) A B C^T, \qquad
        f = (1, p) \otimes (q, \, q \otimes q, \, p), \qquad q = Q^T (g - \bar g)

    with principal components q of the latents g that the first frame has when it stays, at the first of their times;
    products are those of the first components alone. The ridge regression has the strength of the least error in
    cross-validation, and C, modes of the means at one place of the latents' grid, and A B have a low rank. The means of
    the training's trajectories, too, are those of the fit to others, as s is: residuals of a fit to all would be
    smaller than those of new trajectories, and a network that learns them would draw ensembles that are too narrow.

    Parameters
    ----------
    channels, shape : of the latents, of which the first axis is the time
    parameters : their number

    Attributes
    ----------
    deviation : s, ``(channels, *shape)``

    References
    ----------
    Hastie, Tibshirani and Friedman, "The elements of statistical learning", 2009, sections 3.4.1 and 7.10; Izenman,
    "Reduced-rank regression for the multivariate linear model", Journal of Multivariate Analysis 5, 1975.
    """

    frame_mean: Tensor
    frame_directions: Tensor
    feature_mean: Tensor
    inner: Tensor
    outer: Tensor
    modes: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int, shape: Sequence[int], parameters: int) -> None:
        super().__init__()
        places, latents = math.prod(shape[1:]), channels * math.prod(shape)
        frame = channels * places
        components, squared = min(COMPONENTS, frame), min(SQUARED, frame)
        alone = components + squared * (squared + 1) // 2
        features = (1 + parameters) * alone + parameters + parameters * (parameters + 1) // 2
        modes = min(PLACE_MODES, channels * shape[0])
        rank = min(RANK, features, places * modes)
        self.register_buffer("frame_mean", torch.zeros(frame))
        self.register_buffer("frame_directions", torch.zeros(frame, components))
        self.register_buffer("feature_mean", torch.zeros(features))
        self.register_buffer("inner", torch.zeros(features, rank))
        self.register_buffer("outer", torch.zeros(rank, places * modes))
        self.register_buffer("modes", torch.zeros(channels * shape[0], modes))
        self.register_buffer("mean", torch.zeros(latents))
        self.register_buffer("deviation", torch.ones(channels, *shape))
        self.squared = squared

    @property
    def fitted(self) -> bool:
        """True if there is a law from data, or from a checkpoint."""
        return bool(self.outer.any())

    def forward(self, guess: Tensor, parameters: Tensor) -> Tensor:
        r"""Return the means of latents, ``(batch, channels, *shape)``.

        Parameters
        ----------
        guess : latents of trajectories that stay as they begin, ``(batch, channels, *shape)``
        parameters : of zero mean and unit deviation, ``(batch, number)``; zeros where they are not known
        """
        law = _Law(self.feature_mean, self.inner, self.outer, self.modes, self.mean)
        return law(self._features(guess, parameters)).reshape(-1, *self.deviation.shape)

    @torch.no_grad()
    def fit(self, guess: Tensor, parameters: Tensor, latents: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
        r"""Find the law, in float64; return the means of all by fits to other groups, with parameters and without.

        Parameters
        ----------
        guess, parameters, latents : of the training, as in :meth:`forward`
        groups : whole numbers, ``(batch,)``; what has the same one is not told apart, such as windows of a trajectory
            and their mirror images

        Raises
        ------
        InputError
            If there is one group alone, which cannot be left out.
        """
        folds = groups % FOLDS
        if len(folds.unique()) < 2:
            raise InputError(
                "the trajectories of the training cannot be split in two, so that no mean can be found from others; "
                "use more, or another source."
            )
        self._fit_frames(guess)
        known = self._features(guess, parameters).double()
        unknown = self._features(guess, torch.zeros_like(parameters)).double()
        wanted = latents.flatten(1).double()
        parts = [(folds == fold).nonzero()[:, 0] for fold in folds.unique()]
        moments = [_Moments.of(known[part], wanted[part]) for part in parts]
        total = _Moments(*(sum(each) for each in zip(*moments, strict=True)))
        others = [total.without(each) for each in moments]

        def missed(ridge: float) -> float:
            return sum(
                float((each.means(known[part], ridge) - wanted[part]).square().sum())
                for part, each in zip(parts, others, strict=True)
            )

        ridge = min(RIDGES, key=missed)
        self._take(total.law(ridge, self))
        found = torch.empty(2, *wanted.shape, dtype=wanted.dtype, device=wanted.device)
        for part, each in zip(parts, others, strict=True):
            law = each.law(ridge, self)
            found[0, part], found[1, part] = law(known[part]), law(unknown[part])
        deviation = (found[0] - wanted).square().mean(0).sqrt()
        self.deviation.copy_(deviation.clamp(min=_LEAST * deviation.max()).reshape(self.deviation.shape))
        return tuple(found.to(latents).reshape(2, *latents.shape))

    def _take(self, law: _Law) -> None:
        for name, values in law._asdict().items():
            getattr(self, name).copy_(values)

    def _fit_frames(self, guess: Tensor) -> None:
        """Take the principal components of first frames, in units of the root mean square of their norm."""
        frames = guess[:, :, 0].flatten(1).double()
        mean = frames.mean(0)
        variances, directions = torch.linalg.eigh((frames - mean).T @ (frames - mean) / len(frames))
        largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
        scaled = directions * largest.sign() / variances.sum().clamp(min=1e-30).sqrt()
        self.frame_mean.copy_(mean)
        self.frame_directions.copy_(scaled.flip(1)[:, : self.frame_directions.shape[1]])

    def _features(self, guess: Tensor, parameters: Tensor) -> Tensor:
        """Return components of the frame, some of their products, parameters, and products of the two."""
        frame = (guess[:, :, 0].flatten(1) - self.frame_mean) @ self.frame_directions
        alone = torch.cat([frame, PRODUCT * _products(frame[:, : self.squared])], 1)
        pushed = PARAMETER * parameters
        both = (pushed[:, :, None] * alone[:, None]).flatten(1)
        return torch.cat([alone, both, pushed, _products(pushed)], 1)


def _products(values: Tensor) -> Tensor:
    """Return all products of two of some values, ``(batch, n (n + 1) / 2)``."""
    first, second = torch.triu_indices(values.shape[1], values.shape[1], device=values.device)
    return values[:, first] * values[:, second]


class _Law(NamedTuple):
    """A map of low rank from features to the mean of latents."""

    feature_mean: Tensor
    inner: Tensor
    outer: Tensor
    modes: Tensor
    mean: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        at_places = ((features - self.feature_mean) @ self.inner @ self.outer).unflatten(1, (-1, self.modes.shape[1]))
        return (at_places @ self.modes.T).transpose(1, 2).flatten(1) + self.mean


class _Moments(NamedTuple):
    """Sums over trajectories of features, of latents, and of their products."""

    count: int
    features: Tensor
    latents: Tensor
    squares: Tensor
    products: Tensor

    @classmethod
    def of(cls, features: Tensor, latents: Tensor) -> _Moments:
        return cls(len(features), features.sum(0), latents.sum(0), features.T @ features, features.T @ latents)

    def without(self, part: _Moments) -> _Moments:
        return _Moments(*(whole - own for whole, own in zip(self, part, strict=True)))

    def means(self, features: Tensor, ridge: float) -> Tensor:
        """Return the means of latents by ridge regression, of full rank."""
        return (features - self.features / self.count) @ self._slopes(ridge) + self.latents / self.count

    def law(self, ridge: float, sizes: MeanRegression) -> _Law:
        """Return the map of low rank whose means of the same features are nearest to those of the ridge regression."""
        slopes = self._slopes(ridge)
        variances, vectors = torch.linalg.eigh(self._covariance)
        spread = (variances.clamp(min=0).sqrt() * vectors).T @ slopes  # its products are those of the means
        at_places = spread.unflatten(1, (len(sizes.modes), -1)).transpose(1, 2)
        flat = at_places.flatten(0, 1)
        modes = torch.linalg.eigh(flat.T @ flat)[1].flip(1)[:, : sizes.modes.shape[1]]
        reduced = (at_places @ modes).flatten(1)
        directions = torch.linalg.eigh(reduced.T @ reduced)[1].flip(1)[:, : sizes.outer.shape[0]]
        of_modes = (slopes.unflatten(1, (len(modes), -1)).transpose(1, 2) @ modes).flatten(1)
        means = self.features / self.count, self.latents / self.count
        return _Law(means[0], of_modes @ directions, directions.T, modes, means[1])

    @property
    def _covariance(self) -> Tensor:
        mean = self.features / self.count
        return self.squares / self.count - torch.outer(mean, mean)

    def _slopes(self, ridge: float) -> Tensor:
        products = self.products / self.count - torch.outer(self.features, self.latents) / self.count**2
        penalty = ridge * torch.eye(len(self.features)).to(products)
        return torch.linalg.solve(self._covariance + penalty, products)
