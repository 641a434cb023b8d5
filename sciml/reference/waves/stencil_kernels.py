"""The loops of the wave solver on the CPU: one shot through time, and back.

Indices are unsigned and grow from zero or from a bound: LLVM vectorises such loops, while an index that a subtraction
might make negative costs ten times the time. Arrays of the plane are flat. Two cells around it hold zeros, and M, the
squared ratio of velocity times step to spacing, is zero there, so that nothing ever enters them.

The absorbing layers of the left and the right side are one strip: behind the right layer of a row comes, in memory, the
left one of the next row. With two cells of the interior at each end, which the layer's terms reach, such a strip has 24
cells, so that its loops are of fixed length; its state has two more cells at each end.

The state of the scheme (p at two times, and in the layers psi and zeta for each axis) obeys, D and D2 the first and the
second difference of fourth order,

    psi <- b psi + a D p,    zeta <- b zeta + a (D2 p + D psi),
    p_new = 2 p - p_old + M sum over axes (D2 p + D psi + zeta) + M h^2 s.

The way back is the transpose of this. With g = M lambda, lambda being the multiplier of p, it has the same interior:

    zeta' <- zeta' + g,    psi' <- psi' - D (g + a zeta'),
    g_new = 2 g - g_old + M sum (D2 (g + a zeta') - D (a psi')) + M residual,    zeta' <- b zeta',    psi' <- b psi'.
"""

from __future__ import annotations

import numpy as np

from sciml.linalg.kernels.compiled import kernel
from sciml.linalg.kernels.layout import Array
from sciml.linalg.kernels.sums import OPTIONS

WIDTH = 8  # cells of an absorbing layer
HALO = 2  # cells of zeros around the plane
STRIP = 2 * (WIDTH + 2 + HALO)
# Of the differences: the second one (next neighbours, the ones after, in the middle along one axis), the first one.
STENCIL = (4.0 / 3.0, -1.0 / 12.0, 2.5, 2.0 / 3.0, -1.0 / 12.0)

U0, U1, U2 = (np.uint64(k) for k in range(3))
ROWS = np.uint64(WIDTH + 2)  # of a layer at an end, with the two that its terms reach
BEFORE = np.uint64(WIDTH + 2 + HALO)  # columns at the end of a row that belong to a strip
LENGTH = np.uint64(STRIP)
PITCH = np.uint64(STRIP + 4)  # of the states of strips


@kernel(**OPTIONS)
def interior(new: Array, p: Array, m: Array, n: int, c: Array) -> None:
    """Set new = 2 p - new + M (D2 p along both axes)."""
    near, far, middle = c[0], c[1], c[2] + c[2]
    n2 = n + n
    for i in range(n2, np.uint64(p.size) - n2):
        new[i] = (
            (p[i] + p[i])
            - new[i]
            + m[i]
            * (
                near * ((p[i - U1] + p[i + U1]) + (p[i - n] + p[i + n]))
                + far * ((p[i - U2] + p[i + U2]) + (p[i - n2] + p[i + n2]))
                - middle * p[i]
            )
        )


@kernel(**OPTIONS)
def side_layers(new: Array, p: Array, m: Array, n: int, state: Array, a: Array, b: Array, c: Array) -> None:
    """Advance the layers at the left and right side, and add their terms to the new field."""
    near, far, middle, first, second = c[0], c[1], c[2], c[3], c[4]
    psi, zeta = state[0], state[1]
    for r in range(U0, np.uint64(psi.size) // PITCH):
        start, own = (r + U2) * n - BEFORE, r * PITCH + U2
        for k in range(U0, LENGTH):
            i, j = start + k, own + k
            psi[j] = b[k] * psi[j] + a[k] * (first * (p[i + U1] - p[i - U1]) + second * (p[i + U2] - p[i - U2]))
        for k in range(U0, LENGTH):
            i, j = start + k, own + k
            slope = first * (psi[j + U1] - psi[j - U1]) + second * (psi[j + U2] - psi[j - U2])
            curved = near * (p[i + U1] + p[i - U1]) + far * (p[i + U2] + p[i - U2]) - middle * p[i]
            value = b[k] * zeta[j] + a[k] * (curved + slope)
            zeta[j] = value
            new[i] += m[i] * (value + slope)


@kernel(**OPTIONS)
def end_layer(new: Array, p: Array, m: Array, n: int, top: int, state: Array, ab: Array, c: Array) -> None:
    """Advance the layer at the upper or lower side, whose first row is ``top``, and add its terms to the new field."""
    near, far, middle, first, second = c[0], c[1], c[2], c[3], c[4]
    psi, zeta, a, b = state[0], state[1], ab[0], ab[1]
    n2 = n + n
    for r in range(U0, ROWS):
        start, own, ar, br = (top + r) * n, (r + U2) * n, a[r], b[r]
        for k in range(U0, n):
            i, j = start + k, own + k
            psi[j] = br * psi[j] + ar * (first * (p[i + n] - p[i - n]) + second * (p[i + n2] - p[i - n2]))
    for r in range(U0, ROWS):
        start, own, ar, br = (top + r) * n, (r + U2) * n, a[r], b[r]
        for k in range(U0, n):
            i, j = start + k, own + k
            slope = first * (psi[j + n] - psi[j - n]) + second * (psi[j + n2] - psi[j - n2])
            curved = near * (p[i + n] + p[i - n]) + far * (p[i + n2] + p[i - n2]) - middle * p[i]
            value = br * zeta[j] + ar * (curved + slope)
            zeta[j] = value
            new[i] += m[i] * (value + slope)


@kernel(**OPTIONS)
def side_layers_back(new: Array, g: Array, m: Array, n: int, state: Array, a: Array, b: Array, c: Array) -> None:
    """Go back through the layers at the left and right side; see :func:`side_layers`."""
    near, far, middle, first, second = c[0], c[1], c[2], c[3], c[4]
    psi, zeta = state[0], state[1]
    sums, bent, slopes = np.zeros(STRIP + 4, g.dtype), np.zeros(STRIP + 4, g.dtype), np.zeros(STRIP + 4, g.dtype)
    for r in range(U0, np.uint64(psi.size) // PITCH):
        start, own = (r + U2) * n - BEFORE, r * PITCH + U2
        for k in range(U0, LENGTH):
            i, j, t = start + k, own + k, k + U2
            value = zeta[j] + g[i]
            zeta[j] = b[k] * value
            bent[t] = a[k] * value
            sums[t] = g[i] + a[k] * value
        for k in range(U0, LENGTH):
            j, t = own + k, k + U2
            value = psi[j] - (first * (sums[t + U1] - sums[t - U1]) + second * (sums[t + U2] - sums[t - U2]))
            psi[j] = b[k] * value
            slopes[t] = a[k] * value
        for k in range(U0, LENGTH):
            i, t = start + k, k + U2
            curved = near * (bent[t + U1] + bent[t - U1]) + far * (bent[t + U2] + bent[t - U2]) - middle * bent[t]
            slope = first * (slopes[t + U1] - slopes[t - U1]) + second * (slopes[t + U2] - slopes[t - U2])
            new[i] += m[i] * (curved - slope)


@kernel(**OPTIONS)
def end_layer_back(new: Array, g: Array, m: Array, n: int, top: int, state: Array, ab: Array, c: Array) -> None:
    """Go back through the layer at the upper or lower side; see :func:`end_layer`."""
    near, far, middle, first, second = c[0], c[1], c[2], c[3], c[4]
    psi, zeta, sums, bent, slopes, a, b = state[0], state[1], state[2], state[3], state[4], ab[0], ab[1]
    n2 = n + n
    for r in range(U0, ROWS):
        start, own, ar, br = (top + r) * n, (r + U2) * n, a[r], b[r]
        for k in range(U0, n):
            i, j = start + k, own + k
            value = zeta[j] + g[i]
            zeta[j] = br * value
            bent[j] = ar * value
            sums[j] = g[i] + ar * value
    for r in range(U0, ROWS):
        own, ar, br = (r + U2) * n, a[r], b[r]
        for k in range(U0, n):
            j = own + k
            value = psi[j] - (first * (sums[j + n] - sums[j - n]) + second * (sums[j + n2] - sums[j - n2]))
            psi[j] = br * value
            slopes[j] = ar * value
    for r in range(U0, ROWS):
        start, own = (top + r) * n, (r + U2) * n
        for k in range(U0, n):
            i, j = start + k, own + k
            curved = near * (bent[j + n] + bent[j - n]) + far * (bent[j + n2] + bent[j - n2]) - middle * bent[j]
            slope = first * (slopes[j + n] - slopes[j - n]) + second * (slopes[j + n2] - slopes[j - n2])
            new[i] += m[i] * (curved - slope)


@kernel(**OPTIONS)
def mirror(p: Array, n: int) -> None:
    """Set the two rows above the free surface, which is the third row, to those below with the other sign."""
    for k in range(U0, n):
        p[k + n] = -p[k + n + n + n]
        p[k] = -p[k + n + n + n + n]


@kernel(**OPTIONS)
def difference(kept: Array, new: Array, p: Array) -> None:
    """Set kept = new - 2 p + kept."""
    for i in range(U0, np.uint64(p.size)):
        kept[i] = (new[i] - p[i]) - (p[i] - kept[i])


@kernel(**OPTIONS)
def add_product(total: Array, x: Array, y: Array) -> None:
    """Add x y to the total, cell by cell."""
    for i in range(U0, np.uint64(x.size)):
        total[i] += x[i] * y[i]


@kernel(**OPTIONS)
def shoot(
    m: Array,
    width: int,
    free: bool,
    sides: Array,
    ends: Array,
    c: Array,
    source: Array,
    amplitudes: Array,
    wavelet: Array,
    receivers: Array,
    weights: Array,
    interval: int,
    kept: Array,
    record: Array,
) -> None:
    """Send out a wave and record it.

    Parameters
    ----------
    m : M, flat, zero on the halo
    width : of a row of the plane
    free : whether the third row is a free surface; otherwise there is a layer below it
    sides : a and b of the strips, (2, STRIP)
    ends : a and b of the layers at the upper and the lower end, (2, 2, rows)
    c : :data:`STENCIL` in the type of the fields
    source, amplitudes : cells of the source, and M h^2 times their weights
    wavelet : (steps,)
    receivers, weights : cells of the receivers and their weights, (receivers, taps)
    interval : every how many steps to keep the second difference in time
    kept : (steps / interval rounded up, cells); of no length to keep none
    record : result, (steps, receivers)
    """
    n, cells = np.uint64(width), m.size
    new, p = np.zeros(cells, m.dtype), np.zeros(cells, m.dtype)
    side = np.zeros((2, (cells // width - 3) * (STRIP + 4)), m.dtype)
    upper, lower = np.zeros((2, (WIDTH + 6) * width), m.dtype), np.zeros((2, (WIDTH + 6) * width), m.dtype)
    bottom = np.uint64(cells // width) - ROWS - U2
    for step in range(record.shape[0]):
        keep = kept.shape[0] > 0 and step % interval == 0
        if keep:
            kept[step // interval, :] = new
        interior(new, p, m, n, c)
        side_layers(new, p, m, n, side, sides[0], sides[1], c)
        if not free:
            end_layer(new, p, m, n, U2, upper, ends[0], c)
        end_layer(new, p, m, n, bottom, lower, ends[1], c)
        for k in range(source.size):
            new[source[k]] += amplitudes[k] * wavelet[step]
        if free:
            mirror(new, n)
        for r in range(receivers.shape[0]):
            value = weights[r, 0] * new[receivers[r, 0]]
            for k in range(1, receivers.shape[1]):
                value += weights[r, k] * new[receivers[r, k]]
            record[step, r] = value
        if keep:
            difference(kept[step // interval], new, p)
        new, p = p, new


@kernel(**OPTIONS)
def shoot_back(
    m: Array,
    width: int,
    free: bool,
    sides: Array,
    ends: Array,
    c: Array,
    source: Array,
    spread: Array,
    receivers: Array,
    weights: Array,
    interval: int,
    kept: Array,
    residual: Array,
    by_cell: Array,
    by_time: Array,
) -> None:
    """Send back the derivative by the records; see :func:`shoot`.

    Parameters
    ----------
    spread : h^2 times the weights of the cells of the source
    weights : those of the receivers times M
    residual : the derivative by the records, (steps, receivers)
    by_cell : result: the derivative by M, times M^2 / interval; (cells,)
    by_time : result: the derivative by the wavelet, (steps,)
    """
    n, cells = np.uint64(width), m.size
    new, g = np.zeros(cells, m.dtype), np.zeros(cells, m.dtype)
    side = np.zeros((2, (cells // width - 3) * (STRIP + 4)), m.dtype)
    upper, lower = np.zeros((5, (WIDTH + 6) * width), m.dtype), np.zeros((5, (WIDTH + 6) * width), m.dtype)
    bottom = np.uint64(cells // width) - ROWS - U2
    for step in range(residual.shape[0] - 1, -1, -1):
        interior(new, g, m, n, c)
        side_layers_back(new, g, m, n, side, sides[0], sides[1], c)
        if not free:
            end_layer_back(new, g, m, n, U2, upper, ends[0], c)
        end_layer_back(new, g, m, n, bottom, lower, ends[1], c)
        for r in range(receivers.shape[0]):
            for k in range(receivers.shape[1]):
                new[receivers[r, k]] += weights[r, k] * residual[step, r]
        if free:
            mirror(new, n)
        for k in range(source.size):
            by_time[step] += spread[k] * new[source[k]]
        if kept.shape[0] > 0 and step % interval == 0:
            add_product(by_cell, new, kept[step // interval])
        new, g = g, new
