"""Random log-normal coefficients on grids of cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sciml.checks import number, positive, whole_number
from sciml.errors import InputError


def lognormal_field(
    shape: Sequence[int],
    random: np.random.Generator,
    *,
    length: float | Sequence[float] = 3.0,
    deviation: float = 1.5,
) -> np.ndarray:
    """Return exp(sigma g), g a Gaussian random field of zero mean and unit variance over the cells.

    White noise on a box of twice the size is smoothed by a Gaussian of standard deviation ``length`` per axis, so that
    the correlation is exp(-r^2 / (4 length^2)), and standardised on the cells that are kept.

    Parameters
    ----------
    shape : cells per axis, at least 2 in all
    random : of the noise
    length : in cells, > 0; one per axis for an anisotropic field
    deviation : sigma >= 0, of log k
    """
    shape = tuple(whole_number("the cells of a field", n, at_least=1) for n in shape)
    lengths = np.broadcast_to(np.asarray(length, dtype=float), (len(shape),))
    for value in lengths:
        positive("the correlation length", float(value))
    number("the deviation", deviation, at_least=0)
    double = [2 * n for n in shape]
    exponent = np.zeros((1,) * len(shape))
    for axis, (n, each) in enumerate(zip(double, lengths, strict=True)):
        frequency = np.fft.rfftfreq(n) if axis == len(shape) - 1 else np.fft.fftfreq(n)
        exponent = exponent + (frequency.reshape(-1, *(1,) * (len(shape) - 1 - axis)) * each) ** 2
    axes = tuple(range(len(shape)))
    spectrum = np.fft.rfftn(random.standard_normal(double), axes=axes) * np.exp(-2.0 * np.pi**2 * exponent)
    g = np.fft.irfftn(spectrum, s=double, axes=axes)[tuple(slice(n) for n in shape)]
    spread = g.std()
    if not spread > 0.0:
        raise InputError(f"a field of shape {shape} with the length {length} does not vary; choose a shorter length.")
    return np.exp(deviation * (g - g.mean()) / spread)
