"""Errors of fields, orders of convergence, and the summary of repeated measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from sciml.checks import positive, real_array
from sciml.errors import InputError

SSIM_WINDOW, SSIM_DEVIATION = 11, 1.5  # cells, of the structural similarity


def relative_l2(values: ArrayLike, reference: ArrayLike, weights: ArrayLike | None = None) -> float:
    r"""Return ``sqrt(sum w (u - v)^2) / sqrt(sum w v^2)``, the relative error in the L2 norm.

    Parameters
    ----------
    values, reference : arrays of one shape
        u and v; v must not be zero everywhere.
    weights : array that broadcasts to that shape, optional
        Quadrature weights w >= 0, such as the volumes of the cells; equal weights by default. With them the errors on
        unlike meshes compare.
    """
    u, v = _pair(values, reference)
    w = real_array("the weights of the error", 1.0 if weights is None else weights)
    try:
        w = np.broadcast_to(w, u.shape)
    except ValueError:
        raise InputError(f"The weights do not fit the values: got shape {w.shape}, expected {u.shape}.") from None
    if not np.all(w >= 0.0):
        raise InputError("The weights of an error must be >= 0; check the volumes of the cells.")
    # Scaled by the largest value, so that squares neither overflow nor underflow.
    scale = float(np.max(np.abs(v), initial=0.0, where=w > 0.0))
    if scale == 0.0:
        raise InputError("The reference is zero everywhere: a relative error is undefined; use max_error.")
    return float(np.sqrt(np.sum(w * (u / scale - v / scale) ** 2) / np.sum(w * (v / scale) ** 2)))


def max_error(values: ArrayLike, reference: ArrayLike) -> float:
    """Return ``max |u - v|``, the absolute error in the maximum norm (nan if a value is nan)."""
    u, v = _pair(values, reference)
    return float(np.max(np.abs(u - v)))


def mean_absolute_error(values: ArrayLike, reference: ArrayLike) -> float:
    """Return ``mean |u - v|`` (nan if a value is nan)."""
    u, v = _pair(values, reference)
    return float(np.mean(np.abs(u - v)))


def structural_similarity(
    values: ArrayLike, reference: ArrayLike, data_range: float = 1.0, *, legacy: bool = False
) -> float:
    r"""Return the mean structural similarity (SSIM) of images.

    .. math::
        \frac{(2 \mu_u \mu_v + C_1) (2 \sigma_{uv} + C_2)}
              {(\mu_u^2 + \mu_v^2 + C_1) (\sigma_u^2 + \sigma_v^2 + C_2)}, \qquad C_i = (k_i L)^2

    with local means, variances and covariances under a Gaussian window of 11 x 11 cells and deviation 1.5, L the range
    of the data, and :math:`k = (0.01, 0.03)`.

    Parameters
    ----------
    values, reference : images of one shape, ``(..., height, width)``, at least 11 cells along each axis
    data_range : L, such as 1 for images scaled to 0...1
    legacy : take the windows around all cells, with zeros outside the image, as published tables of OpenFWI do (the
        package pytorch-ssim); by default only the windows inside the image

    References
    ----------
    Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE Transactions on Image
    Processing 13, 2004, Eq. 13.
    """
    u, v = _pair(values, reference)
    positive("the data range of a similarity", data_range)
    if u.ndim < 2 or min(u.shape[-2:]) < SSIM_WINDOW:
        raise InputError(f"The similarity needs images of at least 11 x 11 cells: got shape {u.shape}.")
    mean_u, mean_v = _windowed(u), _windowed(v)
    variance = _windowed(u * u) - mean_u**2 + _windowed(v * v) - mean_v**2
    covariance = _windowed(u * v) - mean_u * mean_v
    first, second = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    found = (2 * mean_u * mean_v + first) * (2 * covariance + second)
    found /= (mean_u**2 + mean_v**2 + first) * (variance + second)
    edge = 0 if legacy else SSIM_WINDOW // 2
    height, width = found.shape[-2:]
    return float(np.mean(found[..., edge : height - edge, edge : width - edge]))


def _windowed(images: np.ndarray) -> np.ndarray:
    """Return the means under the Gaussian window around each cell, with zeros outside the images."""
    from scipy.ndimage import correlate1d

    places = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    window = np.exp(-(places**2) / (2 * SSIM_DEVIATION**2))
    window /= window.sum()
    along_rows = correlate1d(images, window, axis=-1, mode="constant")
    return correlate1d(along_rows, window, axis=-2, mode="constant")


def convergence_order(errors: Sequence[float], sizes: Sequence[float]) -> float:
    """Return the slope p of the least-squares line ``log(error) = p log(size) + c``.

    Parameters
    ----------
    errors : at least two positive numbers
    sizes : as many positive numbers, not all equal
        Widths of the cells or steps. Numbers of cells per axis give -p.
    """
    e, h = _pair(errors, sizes)
    if e.ndim != 1 or len(e) < 2 or not (np.all(e > 0.0) and np.all(h > 0.0) and np.all(np.isfinite(e * h))):
        raise InputError(f"An order needs two or more positive finite errors and sizes: got {e} and {h}.")
    x, y = np.log(h) - np.log(h).mean(), np.log(e) - np.log(e).mean()
    if not np.any(x):
        raise InputError(f"An order needs sizes that differ: got {h}.")
    return float(x @ y / (x @ x))


class Summary(NamedTuple):
    """Median and range of repeated measurements; prints as ``1.23 (1.2 to 1.4)``."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g})"


def median_and_range(measurements: Sequence[float]) -> Summary:
    """Return the median, the least and the largest of repeated measurements (seeds, timings)."""
    values = real_array("the measurements", measurements, finite=False)
    if values.ndim != 1 or not len(values):
        raise InputError(f"A median needs a sequence of one or more numbers: got shape {values.shape}.")
    return Summary(float(np.median(values)), float(values.min()), float(values.max()))


def _pair(values: ArrayLike, reference: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    u, v = (real_array(name, given, finite=False) for name, given in (("values", values), ("reference", reference)))
    if u.shape != v.shape or not u.size:
        raise InputError(f"Two arrays of one shape and at least one value are needed: got {u.shape} and {v.shape}.")
    return u, v
