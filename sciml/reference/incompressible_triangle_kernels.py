"""The loops over triangles of incompressible flow with linear velocities and pressures.

Every triangle has the number of its points, its area A, and the gradients g_k of its barycentric coordinates N_k.
"""

from __future__ import annotations

import numpy as np

from sciml.linalg.kernels.compiled import kernel
from sciml.linalg.kernels.layout import Array
from sciml.linalg.kernels.sums import OPTIONS


@kernel(**OPTIONS)
def momentum(
    triangles: Array,
    areas: Array,
    gradients: Array,
    velocity: Array,
    pressure: Array,
    viscosity: float,
    time_step: float,
) -> Array:
    r"""Return the right-hand side of the momentum equation for every point, (points, 2).

    It is ``-\int (N + dt/2 a . grad N) (a . grad u + grad p) - nu \int grad N . grad u``, with the velocity a of each
    triangle taken at its centre.

    Parameters
    ----------
    triangles, areas, gradients : (cells, 3) point numbers, (cells,), (cells, 3, 2)
    velocity, pressure : (points, 2) and (points,)
    viscosity, time_step : nu and dt
    """
    result = np.zeros_like(velocity)
    for e in range(len(triangles)):
        u, v = 0.0, 0.0
        ux, uy, vx, vy, px, py = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(3):
            i = triangles[e, k]
            gx, gy = gradients[e, k, 0], gradients[e, k, 1]
            u += velocity[i, 0] / 3.0
            v += velocity[i, 1] / 3.0
            ux += gx * velocity[i, 0]
            uy += gy * velocity[i, 0]
            vx += gx * velocity[i, 1]
            vy += gy * velocity[i, 1]
            px += gx * pressure[i]
            py += gy * pressure[i]
        along, across = u * ux + v * uy + px, u * vx + v * vy + py
        for k in range(3):
            i = triangles[e, k]
            gx, gy = gradients[e, k, 0], gradients[e, k, 1]
            weight = areas[e] * (1.0 / 3.0 + 0.5 * time_step * (u * gx + v * gy))
            stress = areas[e] * viscosity
            result[i, 0] -= weight * along + stress * (gx * ux + gy * uy)
            result[i, 1] -= weight * across + stress * (gx * vx + gy * vy)
    return result


@kernel(**OPTIONS)
def mass_times(triangles: Array, areas: Array, values: Array) -> Array:
    """Return the consistent mass matrix times values at the points, (points, 2).

    Parameters
    ----------
    triangles, areas : (cells, 3) point numbers, (cells,)
    values : (points, 2)
    """
    result = np.zeros_like(values)
    for e in range(len(triangles)):
        i, j, k = triangles[e]
        for c in range(2):
            total = values[i, c] + values[j, c] + values[k, c]
            weight = areas[e] / 12.0
            result[i, c] += weight * (total + values[i, c])
            result[j, c] += weight * (total + values[j, c])
            result[k, c] += weight * (total + values[k, c])
    return result


@kernel(**OPTIONS)
def divergence(triangles: Array, areas: Array, gradients: Array, velocity: Array) -> Array:
    r"""Return ``\int N div u`` for every point, (points,).

    Parameters
    ----------
    triangles, areas, gradients : (cells, 3) point numbers, (cells,), (cells, 3, 2)
    velocity : (points, 2)
    """
    result = np.zeros(len(velocity))
    for e in range(len(triangles)):
        total = 0.0
        for k in range(3):
            i = triangles[e, k]
            total += gradients[e, k, 0] * velocity[i, 0] + gradients[e, k, 1] * velocity[i, 1]
        total *= areas[e] / 3.0
        for k in range(3):
            result[triangles[e, k]] += total
    return result


@kernel(**OPTIONS)
def gradient(triangles: Array, areas: Array, gradients: Array, pressure: Array) -> Array:
    r"""Return ``\int N grad p`` for every point, (points, 2).

    Parameters
    ----------
    triangles, areas, gradients : (cells, 3) point numbers, (cells,), (cells, 3, 2)
    pressure : (points,)
    """
    result = np.zeros((len(pressure), 2))
    for e in range(len(triangles)):
        px, py = 0.0, 0.0
        for k in range(3):
            i = triangles[e, k]
            px += gradients[e, k, 0] * pressure[i]
            py += gradients[e, k, 1] * pressure[i]
        for k in range(3):
            result[triangles[e, k], 0] += px * areas[e] / 3.0
            result[triangles[e, k], 1] += py * areas[e] / 3.0
    return result


@kernel(**OPTIONS)
def roughness(triangles: Array, areas: Array, gradients: Array, pressure: Array, smooth: Array) -> Array:
    r"""Return ``\int grad N . (grad p - g)`` for every point, (points,).

    Parameters
    ----------
    triangles, areas, gradients : (cells, 3) point numbers, (cells,), (cells, 3, 2)
    pressure : p, (points,)
    smooth : g, its gradient at the points, (points, 2)
    """
    result = np.zeros(len(pressure))
    for e in range(len(triangles)):
        x, y = 0.0, 0.0
        for k in range(3):
            i = triangles[e, k]
            x += gradients[e, k, 0] * pressure[i] - smooth[i, 0] / 3.0
            y += gradients[e, k, 1] * pressure[i] - smooth[i, 1] / 3.0
        for k in range(3):
            result[triangles[e, k]] += areas[e] * (gradients[e, k, 0] * x + gradients[e, k, 1] * y)
    return result


@kernel(**OPTIONS)
def fastest_rate(triangles: Array, gradients: Array, velocity: Array) -> float:
    """Return the largest ``|a . grad N|`` of all triangles: velocity over height. It is nan where a velocity is.

    Parameters
    ----------
    triangles, gradients : (cells, 3) point numbers, (cells, 3, 2)
    velocity : (points, 2)
    """
    fastest, checksum = 0.0, 0.0
    for e in range(len(triangles)):
        i, j, k = triangles[e]
        u = (velocity[i, 0] + velocity[j, 0] + velocity[k, 0]) / 3.0
        v = (velocity[i, 1] + velocity[j, 1] + velocity[k, 1]) / 3.0
        checksum += u + v
        for m in range(3):
            fastest = max(fastest, abs(u * gradients[e, m, 0] + v * gradients[e, m, 1]))
    return fastest if np.isfinite(checksum) else np.nan
