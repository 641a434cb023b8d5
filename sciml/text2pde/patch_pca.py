"""Principal components of the patches of fields: the best linear autoencoder that treats all patches alike.

>>> pca = PatchPCA((2, 2), channels=1, kept=4)
>>> fields = torch.rand(10, 1, 6, 6, generator=torch.Generator().manual_seed(0))
>>> pca.fit([fields])
>>> bool((pca.decode(pca.encode(fields)) - fields).abs().max() < 1e-5)     # all four are kept
True
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from sciml.checks import finite, shape, whole_number
from sciml.errors import InputError
from sciml.nets.diffusion_transformer import from_patches, to_patches

MOST_VALUES = 8192  # of a patch: their covariance takes half a gigabyte, and its eigenvectors minutes
_LEAST = 1e-10  # variance of a component over the largest one, below which it is rounding


class PatchPCA(nn.Module):
    r"""Orthogonal projections of all patches of fields on the directions of the largest variance, in units of it.

    With the mean m and the covariance :math:`V \Lambda V^T` of all patches of the training's fields, a patch x has the
    latents :math:`z = \Lambda_k^{-1/2} V_k^T (x - m)`, of zero mean and unit variance without correlations, and these
    are decoded as :math:`m + V_k \Lambda_k^{1/2} z`. The mean square error of a patch is the sum of the eigenvalues
    left out, and no other linear map to as many latents a patch has a smaller one.

    Parameters
    ----------
    patch : points of a patch along each axis
    channels : of the fields
    kept : latents of a patch, at most as many as it has values
    whiten : whether each latent has unit variance; otherwise all are divided by one number, their root mean square, so
        that distances of latents are those of patches

    Attributes
    ----------
    mean : of the patches, ``(values,)``
    directions : orthonormal columns :math:`V_k`, ``(values, kept)``, of which the largest entries are positive
    eigenvalues : of the covariance, all of them, the largest first, ``(values,)``

    References
    ----------
    Eckart and Young, "The approximation of one matrix by another of lower rank", Psychometrika 1, 1936.
    """

    mean: Tensor
    directions: Tensor
    eigenvalues: Tensor

    def __init__(self, patch: Sequence[int], channels: int, kept: int, whiten: bool = True) -> None:
        super().__init__()
        for axis, size in enumerate(patch):
            whole_number(f"the size of the patch along axis {axis}", size, at_least=1)
        whole_number("channels", channels, at_least=1)
        self.patch, self.channels, self.kept, self.whiten = tuple(patch), channels, kept, whiten
        self.values = channels * math.prod(self.patch)
        if self.values > MOST_VALUES:
            raise InputError(
                f"a patch of {list(patch)} points and {channels} channels has {self.values} values, expected at most "
                f"{MOST_VALUES}, of which a covariance can be computed; choose a smaller patch."
            )
        whole_number("the number of latents of a patch", kept, at_least=1, at_most=self.values)
        self.register_buffer("mean", torch.zeros(self.values))
        self.register_buffer("directions", torch.eye(self.values, kept))
        self.register_buffer("eigenvalues", torch.zeros(self.values))

    @property
    def fitted(self) -> bool:
        """True if there are directions from data, or from a checkpoint."""
        return bool(self.eigenvalues[0] > 0)

    @property
    def discarded(self) -> float:
        """Sum of the eigenvalues left out, over the values of a patch: the mean square error on the training's data."""
        return float(self.eigenvalues[self.kept :].sum()) / self.values

    @torch.no_grad()
    def fit(self, blocks: Iterable[Tensor]) -> None:
        """Take mean and directions of the patches of all fields, in float64 and one block at a time.

        Parameters
        ----------
        blocks : fields, ``(batch, channels, *shape)``

        Raises
        ------
        InputError
            If there are none, some are not finite, or nothing varies.
        """
        place = self.mean.device
        total = torch.zeros(self.values, dtype=torch.float64, device=place)
        squares = torch.zeros(self.values, self.values, dtype=torch.float64, device=place)
        count = 0
        for fields in blocks:
            patches = to_patches(finite("the fields", fields).to(place), self.patch).reshape(-1, self.values).double()
            total += patches.sum(0)
            squares.addmm_(patches.T, patches)
            count += len(patches)
        if not count:
            raise InputError("there are no fields to take principal components of; the training split is empty.")
        mean = total / count
        eigenvalues, vectors = torch.linalg.eigh(squares.div_(count).addr_(mean, mean, alpha=-1))
        eigenvalues, directions = eigenvalues.flip(0).clamp(min=0), vectors.flip(1)[:, : self.kept]
        if not bool(eigenvalues[0] > 0):
            raise InputError("the fields are the same in all patches, expected some that vary; check the data.")
        largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
        self.mean.copy_(mean)
        self.directions.copy_(directions * largest.sign())
        self.eigenvalues.copy_(eigenvalues)

    def encode(self, fields: Tensor) -> Tensor:
        r"""Return the latents of fields, ``(batch, kept, \*grid)``.

        Parameters
        ----------
        fields : ``(batch, channels, *shape)``
        """
        shape("the fields", fields, ("batch", self.channels, *(["points"] * len(self.patch))))
        grid = [points // size for points, size in zip(fields.shape[2:], self.patch, strict=True)]
        latents = (to_patches(fields, self.patch) - self.mean) @ (self.directions / self._deviations)
        return latents.transpose(1, 2).reshape(len(fields), self.kept, *grid)

    def decode(self, latents: Tensor) -> Tensor:
        r"""Return the fields with given latents, ``(batch, channels, \*shape)``.

        Parameters
        ----------
        latents : ``(batch, kept, *grid)``
        """
        patches = latents.flatten(2).transpose(1, 2) @ (self.directions * self._deviations).T + self.mean
        return from_patches(patches, self.patch, latents.shape[2:])

    @property
    def _deviations(self) -> Tensor:
        variances = self.eigenvalues[: self.kept].clamp(min=_LEAST * self.eigenvalues[0].clamp(min=1e-30))
        return (variances if self.whiten else variances.mean().expand_as(variances)).sqrt()
