"""The loops of stable fluids: tracing back along a velocity on a staggered grid, and interpolation there.

Lengths are in cells, so that the box is [0, nx] x [0, ny] and velocities are in cells per unit of time. A field has
``GHOSTS`` values behind each wall, its own mirrored, and ``offset`` is the place of its first value inside: 0 on an
axis along which the values are on faces, 1/2 where they are at centres. With cubic splines the values are coefficients.
"""

from __future__ import annotations

import numpy as np

from sciml.linalg.kernels.compiled import kernel
from sciml.linalg.kernels.guarded_numba import njit
from sciml.linalg.kernels.layout import Array
from sciml.linalg.kernels.sums import OPTIONS

GHOSTS = 2
U1 = np.uint64(1)


@njit(**OPTIONS)
def spline(t: float) -> tuple[float, float, float, float]:
    """Return the weights of four coefficients around a point, t behind the second of them."""
    s = 1.0 - t
    return (
        s * s * s / 6.0,
        (4.0 - 3.0 * t * t * (2.0 - t)) / 6.0,
        (4.0 - 3.0 * s * s * (2.0 - s)) / 6.0,
        t * t * t / 6.0,
    )


@njit(**OPTIONS)
def value(field: Array, x: float, y: float, cubic: bool | None) -> float:
    """Return a field at indices x and y, counted with the ghosts."""
    whole_x, whole_y = int(x), int(y)
    s, t = x - whole_x, y - whole_y
    i, j = np.uint64(whole_x), np.uint64(whole_y)  # signed indices would be checked for counting from the end
    if cubic is None:
        low = (1.0 - t) * field[i, j] + t * field[i, j + U1]
        return (1.0 - s) * low + s * ((1.0 - t) * field[i + U1, j] + t * field[i + U1, j + U1])
    along, across = spline(s), spline(t)
    total = 0.0
    for k in range(4):
        row = 0.0
        for m in range(4):
            row += across[m] * field[i + np.uint64(k) - U1, j + np.uint64(m) - U1]
        total += along[k] * row
    return total


@njit(**OPTIONS)
def mirrored(k: int, count: int, on_faces: bool) -> tuple[int, float]:
    """Return which value is behind a wall at index k, and its sign there."""
    if k < 0:
        return (-k, -1.0) if on_faces else (-1 - k, 1.0)
    if k >= count:
        return (2 * (count - 1) - k, -1.0) if on_faces else (2 * count - 1 - k, 1.0)
    return k, 1.0


@njit(**OPTIONS)
def inside(x: float, most: float) -> float:
    """Return the nearest number from 0 to the other one; 0 for what is not a number, which has no index."""
    return (x if x < most else most) if x > 0.0 else 0.0


@njit(**OPTIONS)
def velocity(u: Array, v: Array, x: float, y: float, cubic: bool | None) -> tuple[float, float]:
    """Return the velocity at a place, or at the nearest one in the box."""
    x = inside(x, v.shape[0] - 2.0 * GHOSTS) + GHOSTS
    y = inside(y, u.shape[1] - 2.0 * GHOSTS) + GHOSTS
    return value(u, x, y - 0.5, cubic), value(v, x - 0.5, y, cubic)


@njit(**OPTIONS)
def origin(u: Array, v: Array, x: float, y: float, time: float, cubic: bool | None, euler: bool) -> tuple[float, float]:
    """Return where a particle was some time ago, in the box."""
    a, b = velocity(u, v, x, y, cubic)
    if not euler:
        half = 0.5 * time
        c, d = velocity(u, v, x - half * a, y - half * b, cubic)
        e, f = velocity(u, v, x - half * c, y - half * d, cubic)
        g, h = velocity(u, v, x - time * e, y - time * f, cubic)
        a, b = (a + 2.0 * (c + e) + g) / 6.0, (b + 2.0 * (d + f) + h) / 6.0
    return inside(x - time * a, v.shape[0] - 2.0 * GHOSTS), inside(y - time * b, u.shape[1] - 2.0 * GHOSTS)


@kernel(**OPTIONS)
def with_ghosts(field: Array, offset: Array) -> Array:
    """Return a field with its own values mirrored behind the walls, minus them across a wall that they are normal to.

    Parameters
    ----------
    field : values or coefficients of splines
    offset : (2,) of its first value
    """
    rows, columns = field.shape
    result = np.empty((rows + 2 * GHOSTS, columns + 2 * GHOSTS))
    for i in range(result.shape[0]):
        k, sign = mirrored(i - GHOSTS, rows, offset[0] == 0.0)
        for j in range(result.shape[1]):
            m, other = mirrored(j - GHOSTS, columns, offset[1] == 0.0)
            result[i, j] = sign * other * field[k, m]
    return result


@kernel(**OPTIONS)
def carried(field: Array, offset: Array, u: Array, v: Array, time: float, cubic: bool | None, euler: bool) -> Array:
    """Return the values of a field, without ghosts, after some time along a velocity.

    Parameters
    ----------
    field : with ghosts
    offset : (2,) of its first value inside
    u, v : components of the velocity with ghosts, in cells per unit of time
    time : how long it is carried
    cubic : True where the fields are coefficients of splines, None where they are values: a type of its own each, for
        which a loop of its own is compiled; one loop with a choice in it takes three times as long
    euler : whether the path is one straight line instead of a Runge-Kutta step of order 4
    """
    result = np.empty((field.shape[0] - 2 * GHOSTS, field.shape[1] - 2 * GHOSTS))
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            x, y = origin(u, v, i + offset[0], j + offset[1], time, cubic, euler)
            result[i, j] = value(field, x - offset[0] + GHOSTS, y - offset[1] + GHOSTS, cubic)
    return result


@kernel(**OPTIONS)
def bounds(field: Array, offset: Array, u: Array, v: Array, time: float, cubic: bool | None, euler: bool) -> Array:
    """Return the least and the largest of the four values around the origin of each value, (2, nx, ny).

    Parameters
    ----------
    field : with ghosts, values also where the components of the velocity are coefficients
    offset, u, v, time, cubic, euler : as in `carried`
    """
    result = np.empty((2, field.shape[0] - 2 * GHOSTS, field.shape[1] - 2 * GHOSTS))
    for i in range(result.shape[1]):
        for j in range(result.shape[2]):
            x, y = origin(u, v, i + offset[0], j + offset[1], time, cubic, euler)
            k, m = int(x - offset[0] + GHOSTS), int(y - offset[1] + GHOSTS)
            result[0, i, j] = min(min(field[k, m], field[k + 1, m]), min(field[k, m + 1], field[k + 1, m + 1]))
            result[1, i, j] = max(max(field[k, m], field[k + 1, m]), max(field[k, m + 1], field[k + 1, m + 1]))
    return result


@kernel(**OPTIONS)
def values_at(field: Array, offset: Array, places: Array, cubic: bool | None) -> Array:
    """Return the values of a field at places, or at the nearest ones in the box.

    Parameters
    ----------
    field : with ghosts
    offset : (2,) of its first value inside
    places : (m, 2)
    cubic : True where the field is coefficients of splines, None where it is values
    """
    result = np.empty(len(places))
    most_x = field.shape[0] - 2.0 * GHOSTS - 1.0 + 2.0 * offset[0]
    most_y = field.shape[1] - 2.0 * GHOSTS - 1.0 + 2.0 * offset[1]
    for k in range(len(places)):
        x, y = inside(places[k, 0], most_x), inside(places[k, 1], most_y)
        result[k] = value(field, x - offset[0] + GHOSTS, y - offset[1] + GHOSTS, cubic)
    return result
