"""The loops of the wave solver on the CPU: one shot through time, and back.

Indices are unsigned and grow from zero or from a bound: LLVM vectorises such loops, while an index that a subtraction
might make negative costs ten times the time. Arrays of the plane are flat. Two cells around it hold zeros, and M, the
squared ratio of velocity times step to spacing, is zero there, so that nothing ever enters them.

Rows follow one another in memory with two cells between them, where the field is zero. Behind the absorbing layer at
the right end of a row comes, after these two, the one at the left end of the next. With the cells of the interior that
the layers' terms reach, the two are a strip of 24 cells, for which loops are of fixed length. For OpenFWI's 70 columns
a row of 88 cells also begins at a multiple of the processor's vectors. Both psi and zeta of a strip, or what else the
same loop changes, lie in one array: the compiled loop checks each time that its arrays do not overlap.

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
from sciml.linalg.kernels.guarded_numba import njit
from sciml.linalg.kernels.layout import Array
from sciml.linalg.kernels.sums import OPTIONS

WIDTH = 8  # cells of an absorbing layer
HALO = 2  # cells of zeros between rows, above and below
STRIP = 24  # cells: 4 of the interior, the layer on the right, the halo, the layer on the left, 2 of the interior
REACH = 2  # cells beside a layer that its terms reach
# Of the differences: the second one (next neighbours, the ones after, in the middle along one axis), the first one.
STENCIL = (4.0 / 3.0, -1.0 / 12.0, 2.5, 2.0 / 3.0, -1.0 / 12.0)

U0, U1, U2 = (np.uint64(k) for k in range(3))
LENGTH = np.uint64(STRIP)
BEFORE = np.uint64(12)  # cells of a strip in the first of its rows
PITCH = np.uint64(STRIP + 2 * REACH)  # of one of the arrays of a strip
FIRST, SECOND = PITCH, PITCH + PITCH  # where the second and the third of them begin
ROWS = np.uint64(WIDTH + REACH)  # of a layer at an end, with those that its terms reach


@njit(**OPTIONS)
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


@njit(**OPTIONS)
def side_layers(new: Array, p: Array, m: Array, n: int, state: Array, ab: Array, c: Array) -> None:
    """Advance the layers at the left and right side, and add their terms to the new field."""
    near, far, middle, first, second = c[0], c[1], c[2], c[3], c[4]
    for r in range(U0, np.uint64(state.size) // SECOND):
        start, psi = (r + U2) * n - BEFORE, r * SECOND + U2
        zeta = psi + FIRST
        for k in range(U0, LENGTH):
            i, j = start + k, psi + k
            slope = first * (p[i + U1] - p[i - U1]) + second * (p[i + U2] - p[i - U2])
            state[j] = ab[k + LENGTH] * state[j] + ab[k] * slope
        for k in range(U0, LENGTH):
            i, j = start + k, psi + k
            slope = first * (state[j + U1] - state[j - U1]) + second * (state[j + U2] - state[j - U2])
            curved = near * (p[i + U1] + p[i - U1]) + far * (p[i + U2] + p[i - U2]) - middle * p[i]
            value = ab[k + LENGTH] * state[zeta + k] + ab[k] * (curved + slope)
            state[zeta + k] = value
            new[i] += m[i] * (value + slope)


@njit(**OPTIONS)
def end_layer(new: Array, p: Array, m: Array, n: int, top: int, state: Array, ab: Array, c: Array) -> None:
    """Advance the layer at the upper or lower side, whose first row is ``top``, and add its terms to the new field."""
    near, far, middle, first, second = c[0], c[1], c[2], c[3], c[4]
    psi, zeta, a, b = state[0], state[1], ab[0], ab[1]
    n2, start = n + n, top * n
    for k in range(U0, ROWS * n):
        i, j = start + k, n2 + k
        psi[j] = b[k] * psi[j] + a[k] * (first * (p[i + n] - p[i - n]) + second * (p[i + n2] - p[i - n2]))
    for k in range(U0, ROWS * n):
        i, j = start + k, n2 + k
        slope = first * (psi[j + n] - psi[j - n]) + second * (psi[j + n2] - psi[j - n2])
        curved = near * (p[i + n] + p[i - n]) + far * (p[i + n2] + p[i - n2]) - middle * p[i]
        value = b[k] * zeta[j] + a[k] * (curved + slope)
        zeta[j] = value
        new[i] += m[i] * (value + slope)


@njit(**OPTIONS)
def side_layers_back(new: Array, g: Array, m: Array, n: int, state: Array, ab: Array, c: Array) -> None:
    """Go back through the layers at the left and right side; see :func:`side_layers`."""
    near, far, middle, first, second = c[0], c[1], c[2], c[3], c[4]
    work = np.zeros(3 * (STRIP + 2 * REACH), g.dtype)  # g + a zeta, a zeta, a psi
    for r in range(U0, np.uint64(state.size) // SECOND):
        start, psi = (r + U2) * n - BEFORE, r * SECOND + U2
        zeta = psi + FIRST
        for k in range(U0, LENGTH):
            i, t = start + k, k + U2
            value = state[zeta + k] + g[i]
            state[zeta + k] = ab[k + LENGTH] * value
            work[t] = g[i] + ab[k] * value
            work[t + FIRST] = ab[k] * value
        for k in range(U0, LENGTH):
            j, t = psi + k, k + U2
            value = state[j] - (first * (work[t + U1] - work[t - U1]) + second * (work[t + U2] - work[t - U2]))
            state[j] = ab[k + LENGTH] * value
            work[t + SECOND] = ab[k] * value
        for k in range(U0, LENGTH):
            i, s, t = start + k, k + U2 + FIRST, k + U2 + SECOND
            curved = near * (work[s + U1] + work[s - U1]) + far * (work[s + U2] + work[s - U2]) - middle * work[s]
            slope = first * (work[t + U1] - work[t - U1]) + second * (work[t + U2] - work[t - U2])
            new[i] += m[i] * (curved - slope)


@njit(**OPTIONS)
def end_layer_back(new: Array, g: Array, m: Array, n: int, top: int, state: Array, ab: Array, c: Array) -> None:
    """Go back through the layer at the upper or lower side; see :func:`end_layer`."""
    near, far, middle, first, second = c[0], c[1], c[2], c[3], c[4]
    psi, zeta, sums, bent, slopes, a, b = state[0], state[1], state[2], state[3], state[4], ab[0], ab[1]
    n2, start = n + n, top * n
    for k in range(U0, ROWS * n):
        i, j = start + k, n2 + k
        value = zeta[j] + g[i]
        zeta[j] = b[k] * value
        bent[j] = a[k] * value
        sums[j] = g[i] + a[k] * value
    for k in range(U0, ROWS * n):
        j = n2 + k
        value = psi[j] - (first * (sums[j + n] - sums[j - n]) + second * (sums[j + n2] - sums[j - n2]))
        psi[j] = b[k] * value
        slopes[j] = a[k] * value
    for k in range(U0, ROWS * n):
        i, j = start + k, n2 + k
        curved = near * (bent[j + n] + bent[j - n]) + far * (bent[j + n2] + bent[j - n2]) - middle * bent[j]
        slope = first * (slopes[j + n] - slopes[j - n]) + second * (slopes[j + n2] - slopes[j - n2])
        new[i] += m[i] * (curved - slope)


@njit(**OPTIONS)
def mirror(p: Array, n: int) -> None:
    """Set the two rows above the free surface, which is the third row, to those below with the other sign."""
    for k in range(U0, n):
        p[k + n] = -p[k + n + n + n]
        p[k] = -p[k + n + n + n + n]


@njit(**OPTIONS)
def difference(kept: Array, new: Array, p: Array) -> None:
    """Set kept = new - 2 p + kept."""
    for i in range(U0, np.uint64(p.size)):
        kept[i] = (new[i] - p[i]) - (p[i] - kept[i])


@njit(**OPTIONS)
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
    sides : a of a strip, followed by b; (2 STRIP,)
    ends : of the upper and the lower layer a and b, (2, 2, cells of its rows)
    c : :data:`STENCIL` in the type of the fields
    source, amplitudes : cells of the source, and M h^2 times their weights
    wavelet : (steps,)
    receivers, weights : cells of the receivers and their weights, (receivers, taps)
    interval : every how many steps to keep the second difference in time
    kept : (steps / interval rounded up, cells); of no length to keep none
    record : result, (steps, receivers)
    """
    m = m.copy()  # in memory that begins where a vector does
    n, cells = np.uint64(width), m.size
    new, p = np.zeros(cells, m.dtype), np.zeros(cells, m.dtype)
    side = np.zeros((cells // width - 3) * 2 * (STRIP + 2 * REACH), m.dtype)
    upper, lower = (
        np.zeros((2, (WIDTH + 3 * REACH) * width), m.dtype),
        np.zeros((2, (WIDTH + 3 * REACH) * width), m.dtype),
    )
    bottom = np.uint64(cells // width) - ROWS - U2
    for step in range(record.shape[0]):
        keep = kept.shape[0] > 0 and step % interval == 0
        if keep:
            kept[step // interval, :] = new
        interior(new, p, m, n, c)
        side_layers(new, p, m, n, side, sides, c)
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
    m = m.copy()  # in memory that begins where a vector does
    n, cells = np.uint64(width), m.size
    new, g = np.zeros(cells, m.dtype), np.zeros(cells, m.dtype)
    side = np.zeros((cells // width - 3) * 2 * (STRIP + 2 * REACH), m.dtype)
    upper, lower = (
        np.zeros((5, (WIDTH + 3 * REACH) * width), m.dtype),
        np.zeros((5, (WIDTH + 3 * REACH) * width), m.dtype),
    )
    bottom = np.uint64(cells // width) - ROWS - U2
    for step in range(residual.shape[0] - 1, -1, -1):
        interior(new, g, m, n, c)
        side_layers_back(new, g, m, n, side, sides, c)
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
