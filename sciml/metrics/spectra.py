"""The energy of fields by bands of wave numbers, which shows what an error norm hides: blur and noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from sciml.checks import instance, real_array, whole_number
from sciml.errors import InputError


class Spectrum(NamedTuple):
    """The energy of fields by bands.

    Attributes
    ----------
    edges : of the bands, ``(bands + 1,)``, in waves per cell: 0.5 is the finest wave along an axis
    energy : mean square of the part of the fields in each band, ``(..., bands)``
    """

    edges: np.ndarray
    energy: np.ndarray


def spectrum_bands(fields: ArrayLike, *, dimensions: int = 2, bands: int = 4, periodic: bool = True) -> Spectrum:
    r"""Return the mean square of fields by bands of the length of the wave vector, equally wide on a logarithmic axis.

    Their sum is the variance over space, :math:`\overline{(u - \bar u)^2}`: the mean is left out.

    Parameters
    ----------
    fields : ``(..., *grid)``, values at the centres of equal cells
    dimensions : of the grid, 1 or more, the last axes
    bands : their number
    periodic : whether waves are those of a Fourier transform; else those of a cosine transform, as in a box with walls,
        where a jump between opposite ends is no fine scale

    Returns
    -------
    Spectrum
    """
    dimensions = whole_number("the number of dimensions", dimensions, at_least=1)
    bands = whole_number("the number of bands", bands, at_least=1)
    instance("periodic", periodic, bool, "True or False")
    u = real_array("the fields", fields)
    if u.ndim < dimensions or min(u.shape[-dimensions:], default=0) < 2:
        raise InputError(
            f"the shape of the fields is {u.shape}, expected {dimensions} last axes of the grid with at least 2 cells."
        )
    grid = u.shape[-dimensions:]
    power, waves = _periodic(u, grid) if periodic else _walled(u, grid)
    lengths = np.sqrt(sum(np.square(axis) for axis in np.meshgrid(*waves, indexing="ij", sparse=True))).ravel()
    edges = np.geomspace(lengths[lengths > 0].min(), lengths.max(), bands + 1)
    number = np.clip(np.searchsorted(edges, lengths * (1 + 1e-12), side="right") - 1, 0, bands - 1)
    member = (number == np.arange(bands)[:, None]) & (lengths > 0)  # (bands, modes)
    return Spectrum(edges, power.reshape(*u.shape[:-dimensions], -1) @ member.T.astype(float))


def _periodic(u: np.ndarray, grid: tuple[int, ...]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the mean square of each Fourier mode, and the waves per cell along each axis."""
    axes = tuple(range(-len(grid), 0))
    return np.abs(np.fft.fftn(u, axes=axes, norm="forward")) ** 2, [np.fft.fftfreq(n) for n in grid]


def _walled(u: np.ndarray, grid: tuple[int, ...]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the mean square of each cosine, and the waves per cell along each axis: a cosine has half waves."""
    from scipy.fft import dctn

    axes = tuple(range(-len(grid), 0))
    return dctn(u, axes=axes, norm="ortho") ** 2 / np.prod(grid), [np.arange(n) / (2 * n) for n in grid]
