r"""Exact solutions of advection and diffusion in closed form: travelling and spreading Gaussians, decaying sines.

Points are NumPy arrays or torch tensors (..., d); the result is of the same kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, pi, prod, sqrt

from sciml.checks import positive
from sciml.errors import InputError
from sciml.reference.arrays import Array, array_module, check_axes


def travelling_gaussian(
    points: Array, time: float, centre: Sequence[float], deviation: float, velocity: Sequence[float]
) -> Array:
    r"""Return the solution of du/dt + c . grad u = 0 that starts as exp(-|x - x_0|^2 / (2 \sigma^2)), any dimension.

    Parameters
    ----------
    points : (..., d)
    time : t
    centre : x0, d coordinates at t = 0
    deviation : sigma > 0
    velocity : c, d components

    Returns
    -------
    array
        (...).
    """
    check_axes(points, centre=centre, velocity=velocity)
    now = [start + speed * time for start, speed in zip(centre, velocity, strict=True)]
    return spreading_gaussian(points, 0.0, now, deviation, 0.0)


def spreading_gaussian(
    points: Array, time: float, centre: Sequence[float], deviation: float, diffusivity: float
) -> Array:
    r"""Return the solution of du/dt = D \Delta u in free space that starts as exp(-|x - x_0|^2 / (2 \sigma^2)).

    u = (\sigma^2 / s)^{d/2} exp(-|x - x_0|^2 / (2 s)),    s = \sigma^2 + 2 D t.

    Parameters
    ----------
    points : (..., d)
    time : t >= 0
    centre : x0, d coordinates
    deviation : sigma > 0
    diffusivity : D >= 0

    Returns
    -------
    array
        (...).
    """
    check_axes(points, centre=centre)
    variance = positive("the deviation of a Gaussian", deviation) ** 2 + 2.0 * diffusivity * time
    positive("the variance of a Gaussian", variance)
    squares = sum((points[..., axis] - middle) ** 2 for axis, middle in enumerate(centre))
    return sqrt(deviation**2 / variance) ** len(centre) * array_module(points).exp(squares / (-2.0 * variance))


def decaying_sines(
    points: Array,
    time: float,
    modes: Sequence[tuple[Sequence[int], float]],
    diffusivity: float,
    lower: Sequence[float],
    upper: Sequence[float],
) -> Array:
    r"""Return the solution of du/dt = D \Delta u in a box with u = 0 on its boundary that starts as a sum of sines.

    u = \sum a \exp(-D \sum_i (k_i \pi / L_i)^2 t) \prod_i sin(k_i \pi (x_i - l_i) / L_i),    L = upper - lower.

    Parameters
    ----------
    points : (..., d)
    time : t
    modes : pairs (k, a) of d whole numbers and an amplitude
    diffusivity : D >= 0
    lower, upper : corners of the box, d coordinates

    Returns
    -------
    array
        (...).
    """
    check_axes(points, lower=lower, upper=upper)
    lengths = [top - bottom for bottom, top in zip(lower, upper, strict=True)]
    if not modes or min(lengths) <= 0.0:
        raise InputError(
            f"the sines have the modes {modes} in a box from {lower} to {upper}, expected at least one mode and every "
            "lower bound below its upper one."
        )
    xp, total = array_module(points), 0.0
    for numbers, amplitude in modes:
        check_axes(points, mode=numbers)
        waves = [k * pi / length for k, length in zip(numbers, lengths, strict=True)]
        sines = prod(xp.sin(k * (points[..., axis] - lower[axis])) for axis, k in enumerate(waves))
        total = total + amplitude * exp(-diffusivity * sum(k**2 for k in waves) * time) * sines
    return total
