r"""Exact solutions of the incompressible Navier-Stokes equations: Taylor-Green vortices that decay and travel.

Points are NumPy arrays or torch tensors (..., 2); the result is of the same kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, pi

from sciml.reference.arrays import Array, array_module, check_axes
from sciml.reference.incompressible_plane_flows import taylor_green


def decaying_taylor_green(points: Array, time: float, viscosity: float) -> Array:
    r"""Return the velocity of Taylor-Green vortices in the box [-1, 1]^2, free slip or periodic.

    (u, v) = (sin X cos Y, -cos X sin Y) exp(-2 \nu \pi^2 t) / \pi, X = \pi (x + 1), Y = \pi (y + 1): each mode of one
    wave number is steady for the Euler equations, and viscosity only scales it.

    Parameters
    ----------
    points : (..., 2)
    time : t
    viscosity : nu >= 0

    Returns
    -------
    array
        (..., 2).
    """
    return exp(-2.0 * viscosity * pi**2 * time) * taylor_green().velocity(points)


def translating_taylor_green(points: Array, time: float, viscosity: float, drift: Sequence[float]) -> Array:
    """Return the velocity of Taylor-Green vortices in a uniform wind, periodic on [-1, 1]^2: U + u(x - U t, t).

    Parameters
    ----------
    points : (..., 2)
    time : t
    viscosity : nu >= 0
    drift : U, two components

    Returns
    -------
    array
        (..., 2).
    """
    check_axes(points, drift=drift)
    xp = array_module(points)
    moved = xp.stack([points[..., axis] - speed * time for axis, speed in enumerate(drift)], -1)
    vortices = decaying_taylor_green(moved, time, viscosity)
    return xp.stack([vortices[..., axis] + speed for axis, speed in enumerate(drift)], -1)
