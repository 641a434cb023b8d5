"""The autoencoder that starts as the principal components of patches, and learns what these miss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from sciml.checks import shape as checked_shape
from sciml.checks import whole_number
from sciml.errors import InputError
from sciml.nets.diffusion_transformer import from_patches, to_patches, tokens_along
from sciml.text2pde.autoencoders import LARGEST, LEAST, Autoencoder, Posterior
from sciml.text2pde.patch_pca import PatchPCA
from sciml.text2pde.point_decoder import PointCorrection, interpolated

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_START = -8.0  # logarithm of the variance of latents whose deviation is 1, before training


class PatchAutoencoder(Autoencoder):
    r"""An autoencoder that starts as principal components of patches and learns what these miss.

    Encoder and decoder are the linear maps of :class:`~sciml.text2pde.patch_pca.PatchPCA` plus convolutions on the grid
    of the patches, whose last layers start at zero and which see neighbouring patches. So the first error of the
    training is that of the principal components, which no linear map of patches to as many latents can undercut, and
    training lowers it from there. The linear maps are not trained.

    Parameters
    ----------
    shape : points of the fields along each of one to three axes, of which the time may be the first
    patch : points of a patch along each axis, which divide those of the fields; each has one point of the coarse grid
    channels : of the fields
    latent_channels : latents of each patch
    width : channels of the convolutions; 0 leaves the principal components alone
    blocks : pairs of convolutions, of the encoder and again of the decoder
    variational : whether latents have a variance, and the loss their divergence from a standard normal law
    point_width : of the layers that decode at any points; 0 interpolates linearly between the points of the grid
    whiten : whether each principal component has unit variance; otherwise distances of latents are those of fields, so
        that a denoiser has the largest components right first
    """

    def __init__(  # noqa: PLR0913 - every parameter is a line of the config
        self,
        shape: Sequence[int],
        patch: Sequence[int],
        channels: int,
        latent_channels: int,
        width: int = 48,
        blocks: int = 2,
        variational: bool = False,
        point_width: int = 0,
        whiten: bool = True,
    ) -> None:
        super().__init__(shape, channels, latent_channels, variational)
        whole_number("width", width, at_least=0)
        whole_number("blocks", blocks, at_least=0)
        whole_number("point_width", point_width, at_least=0)
        self.patch = tuple(patch)
        self.latent_shape = tokens_along(self.shape, self.patch)
        self.linear = PatchPCA(self.patch, channels, latent_channels, whiten)
        if not width and (variational or point_width):
            raise InputError("a variance of latents and decoding at points need convolutions; set width.")
        axes, values = len(self.shape), self.linear.values
        self.encoder = self.decoder = self.correction = None
        if width:
            outputs = (1 + variational) * latent_channels
            self.encoder = ResidualConvolutions(axes, values, width, outputs, blocks)
            self.decoder = ResidualConvolutions(axes, latent_channels, width, values, blocks)
        if point_width:
            self.correction = PointCorrection(width, point_width, channels, axes)

    @property
    def fitted(self) -> bool:
        """True if there are scales and principal components."""
        return super().fitted and self.linear.fitted

    def fit(self, blocks: Callable[[], Iterable[Tensor]]) -> None:
        """Take the scales, then the principal components, from two passes over the training's fields."""
        super().fit(blocks)
        self.linear.fit(self.normalised(each.to(self.linear.mean)) for each in blocks())

    def posterior_of_normalised(self, fields: Tensor) -> Posterior:
        """Return the principal components of fields, with what the convolutions add to them."""
        mean = self.linear.encode(fields)
        if self.encoder is None:
            return Posterior(mean, None)
        found = self.encoder(_on_grid(to_patches(fields, self.patch), self.latent_shape))
        if not self.variational:
            return Posterior(mean + found, None)
        shift, log_variance = found.chunk(2, 1)
        return Posterior(mean + shift, (_START + log_variance).clamp(LEAST, LARGEST))

    def decode_normalised(self, latents: Tensor) -> Tensor:
        """Return what the principal components make of latents, and what the convolutions add."""
        return self.decoded(latents)[0]

    def decode_linearly(self, fields: Tensor) -> Tensor:
        """Return what the principal components alone make of fields, both in physical units."""
        return self.physical(self.linear.decode(self.linear.encode(self.normalised(fields))))

    def decode_at(self, latents: Tensor, points: Tensor) -> Tensor:
        r"""Return the values of the decoded fields at any points, ``(batch, channels, points)``, in physical units.

        Between the points of the grid, decoded values are interpolated linearly, and a network adds a correction, a
        continuous function of the place: an implicit decoder (LIIF) on top of that of the grid, zero before training.
        It is trained at points of the grid, so that between them its smoothness alone constrains it.

        Parameters
        ----------
        latents : ``(batch, latent_channels, *latent_shape)``
        points : from 0, the first point of the grid along each axis, to 1, the last one, ``(points, axes)``

        References
        ----------
        Chen, Liu and Wang, "Learning continuous image representation with local implicit image function", CVPR 2021.
        """
        checked_shape("the latents", latents, ("batch", self.latent_channels, *self.latent_shape))
        checked_shape("the points", points, ("number", len(self.shape)))
        return self.physical(self.normalised_at(*self.decoded(latents), points))

    def normalised_at(self, fields: Tensor, features: Tensor | None, points: Tensor) -> Tensor:
        """Return the values at any points of what :meth:`decoded` returns, in units of the deviations.

        Parameters
        ----------
        fields, features : from :meth:`decoded`
        points : as in :meth:`decode_at`
        """
        places = points.to(fields) * torch.tensor([count - 1 for count in self.shape]).to(fields)
        found = interpolated(fields, places)
        if self.correction is not None:
            sizes = torch.tensor(self.patch).to(fields)
            found = found + self.correction(features, (places + 0.5) / sizes - 0.5)
        return found

    def decoded(self, latents: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return fields of zero mean and unit deviation, and the features of their patches before the last layer."""
        fields = self.linear.decode(latents)
        if self.decoder is None:
            return fields, None
        features = self.decoder.features(latents)
        patches = self.decoder.last(features).flatten(2).transpose(1, 2)
        return fields + from_patches(patches, self.patch, self.latent_shape), features

    @property
    def last_layer(self) -> Tensor:
        """The weights of the last layer of the decoder's convolutions."""
        if self.decoder is None:
            raise InputError("principal components alone have no layers that are trained; set width.")
        return self.decoder.last.weight


class ResidualConvolutions(nn.Module):
    """Convolutions of 3 points along each axis, in pairs whose result is added to their input, and a last zero layer.

    Parameters
    ----------
    axes : of the grid, 1 to 3
    inputs, width, outputs : channels
    blocks : pairs
    """

    def __init__(self, axes: int, inputs: int, width: int, outputs: int, blocks: int) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[axes]
        self.first = convolution(inputs, width, 1)
        self.blocks = nn.ModuleList(_Pair(convolution, width) for _ in range(blocks))
        self.last = convolution(width, outputs, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def features(self, values: Tensor) -> Tensor:
        """Return what the last layer takes, ``(batch, width, *grid)``."""
        values = self.first(values)
        for block in self.blocks:
            values = block(values)
        return nn.functional.silu(values)

    def forward(self, values: Tensor) -> Tensor:
        """Return ``(batch, outputs, *grid)``, zero before training."""
        return self.last(self.features(values))


class _Pair(nn.Module):
    """Two convolutions, each after a normalisation, added to their input."""

    def __init__(self, convolution: type[nn.Module], width: int) -> None:
        super().__init__()
        groups = math.gcd(8, width)
        self.layers = nn.Sequential(
            nn.GroupNorm(groups, width), nn.SiLU(), convolution(width, width, 3, padding=1),
            nn.GroupNorm(groups, width), nn.SiLU(), convolution(width, width, 3, padding=1),
        )  # fmt: skip

    def forward(self, values: Tensor) -> Tensor:
        return values + self.layers(values)


def _on_grid(patches: Tensor, grid: Sequence[int]) -> Tensor:
    """Return values of patches, ``(batch, patches, values)``, as channels on their grid."""
    return patches.transpose(1, 2).reshape(len(patches), -1, *grid)
