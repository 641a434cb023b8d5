"""The loop of OpenFWI's own scheme; see :mod:`sciml.reference.waves.stencil_kernels` for the indices."""

from __future__ import annotations

import numpy as np

from sciml.linalg.kernels.compiled import kernel
from sciml.linalg.kernels.layout import Array
from sciml.linalg.kernels.sums import OPTIONS

U1, U2 = np.uint64(1), np.uint64(2)


@kernel(**OPTIONS)
def sponge_step(new: Array, p: Array, m: Array, n: int, across: Array, down: Array) -> None:
    """Set new = (2 - 5 M - d) p - (1 - d) new + M (4/3 neighbours - 1/12 second neighbours).

    The damping d is that of the column where it has one, otherwise that of the row: ``across`` is (2, columns), the
    damping by columns and 1 where the row's counts.
    """
    one = m.dtype.type(1.0)
    near, far, middle = m.dtype.type(4.0 / 3.0), m.dtype.type(-1.0 / 12.0), m.dtype.type(5.0)
    n2 = n + n
    columns, open_columns = across[0], across[1]
    for row in range(U2, np.uint64(down.size) - U2):
        damped, start = down[row], row * n
        for k in range(U2, n - U2):
            i = start + k
            keep = one - (columns[k] + damped * open_columns[k])
            sides = near * ((p[i - U1] + p[i + U1]) + (p[i - n] + p[i + n]))
            beyond = far * ((p[i - U2] + p[i + U2]) + (p[i - n2] + p[i + n2]))
            new[i] = p[i] + keep * (p[i] - new[i]) + m[i] * (sides + beyond - middle * p[i])


@kernel(**OPTIONS)
def host_shot(
    m: Array,
    across: Array,
    down: Array,
    source: Array,
    amplitudes: Array,
    wavelet: Array,
    receivers: Array,
    weights: Array,
    record: Array,
) -> None:
    """Send out a wave and record it.

    Parameters
    ----------
    m : (v dt / h)^2, flat
    across, down : the damping, see :func:`sponge_step`
    source, amplitudes : cells of the source, and (v dt)^2 times their weights
    wavelet : (steps,)
    receivers, weights : cells of the receivers and their weights, (receivers, taps)
    record : result, (steps, receivers)
    """
    n = np.uint64(across.shape[1])
    new, p = np.zeros(m.size, m.dtype), np.zeros(m.size, m.dtype)
    for step in range(record.shape[0]):
        sponge_step(new, p, m, n, across, down)
        for k in range(source.size):
            new[source[k]] += amplitudes[k] * wavelet[step]
        for r in range(receivers.shape[0]):
            value = weights[r, 0] * new[receivers[r, 0]]
            for k in range(1, receivers.shape[1]):
                value += weights[r, k] * new[receivers[r, k]]
            record[step, r] = value
        new, p = p, new
