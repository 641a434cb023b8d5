"""Errors of fields, orders of convergence, and the summary of repeated measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from sciml.checks import real_array
from sciml.errors import InputError


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
