"""The interface of autoencoders of fields on grids, and the law of the latents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from sciml.checks import shape as checked_shape
from sciml.data.normalise import Normaliser
from sciml.errors import InputError
from sciml.nets.coordinate import check_counts

MOST_AXES = 3
LEAST, LARGEST = -30.0, 20.0  # logarithms of variances


class Posterior(NamedTuple):
    """The latents of fields: their mean, and the logarithm of their variance, None where they are certain."""

    mean: Tensor
    log_variance: Tensor | None

    def draw(self, noise: Tensor) -> Tensor:
        """Return latents for standard normal noise of their shape."""
        return self.mean if self.log_variance is None else self.mean + (self.log_variance / 2).exp() * noise

    def divergence(self) -> Tensor:
        r"""Return the Kullback-Leibler divergence from a standard normal law, summed over the latents, ``(batch,)``.

        .. math:: \frac12 \sum_i \big( \mu_i^2 + \sigma_i^2 - 1 - \log \sigma_i^2 \big)
        """
        if self.log_variance is None:
            raise InputError("latents that are certain have no divergence; set variational=true of the autoencoder.")
        terms = self.mean.square() + self.log_variance.exp() - 1 - self.log_variance
        return terms.flatten(1).sum(1) / 2


class Autoencoder(nn.Module, ABC):
    """Base of the autoencoders: from fields in physical units to latents on a coarse grid, and back.

    Parameters
    ----------
    shape : points of the fields along each of one to three axes, of which the time may be the first
    channels : of the fields
    latent_channels : latents at each point of the coarse grid
    variational : whether latents have a variance

    Attributes
    ----------
    latent_shape : points of the coarse grid along each axis
    """

    latent_shape: tuple[int, ...]

    def __init__(self, shape: Sequence[int], channels: int, latent_channels: int, variational: bool) -> None:
        super().__init__()
        if not 1 <= len(shape) <= MOST_AXES:
            raise InputError(f"the shape of the fields is {list(shape)}, expected one to three numbers of points.")
        check_counts(channels=channels, latent_channels=latent_channels)
        self.shape, self.channels, self.latent_channels = tuple(shape), channels, latent_channels
        self.variational = variational
        self.normaliser = Normaliser(channels)

    @property
    def fitted(self) -> bool:
        """True if the scales, and what else is computed from the data at once, have been found."""
        return self.normaliser.fitted

    def fit(self, blocks: Callable[[], Iterable[Tensor]]) -> None:
        """Take the scale of each channel from the training's fields, before the first update.

        Parameters
        ----------
        blocks : called for each pass over the fields, ``(batch, channels, *shape)``
        """
        self.normaliser.fit(each.movedim(1, -1) for each in blocks())

    def posterior(self, fields: Tensor) -> Posterior:
        """Return the latents of fields in physical units, ``(batch, latent_channels, *latent_shape)``."""
        return self.posterior_of_normalised(self.normalised(fields))

    def encode(self, fields: Tensor) -> Tensor:
        """Return the mean of the latents of fields in physical units."""
        return self.posterior(fields).mean

    def decode(self, latents: Tensor) -> Tensor:
        """Return fields in physical units, ``(batch, channels, *shape)``."""
        checked_shape("the latents", latents, ("batch", self.latent_channels, *self.latent_shape))
        return self.physical(self.decode_normalised(latents))

    def normalised(self, fields: Tensor) -> Tensor:
        """Return fields of zero mean and unit deviation in each channel for those in physical units."""
        checked_shape("the fields", fields, ("batch", self.channels, *self.shape))
        return self.normaliser.encode(fields.movedim(1, -1)).movedim(-1, 1)

    def physical(self, fields: Tensor) -> Tensor:
        """Return fields in physical units, the inverse of :meth:`normalised`."""
        return self.normaliser.decode(fields.movedim(1, -1)).movedim(-1, 1)

    @abstractmethod
    def posterior_of_normalised(self, fields: Tensor) -> Posterior:
        """Return the latents of fields of zero mean and unit deviation."""

    @abstractmethod
    def decode_normalised(self, latents: Tensor) -> Tensor:
        """Return fields of zero mean and unit deviation."""

    @property
    @abstractmethod
    def last_layer(self) -> Tensor:
        """The weights of the last layer of the decoder, by which two losses are brought to one scale."""
