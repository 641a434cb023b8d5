"""The Chebyshev smoother of the multigrid cycle: its polynomials, and how a level applies them.

The compiled loops of a smoothing step are in :mod:`sciml.linalg.kernels.numba_smoother`.
"""

from __future__ import annotations

from typing import Any

# The part of the spectrum of D^-1 A in [0, 2] that smoothing damps evenly; below it the coarse grid takes over.
SMOOTHING_INTERVAL = (0.3, 2.0)

Factors = tuple[float, float, float]


def chebyshev_factors(degree: int, low: float, high: float) -> list[Factors]:
    """Return the factors (a, s, g) of the steps of Chebyshev's iteration on the interval [low, high].

    A step is x_new = a x + s D^-1 (b - A x) - g x_old.

    Reference: Golub and Van Loan, Matrix Computations, section 11.2.8.
    """
    centre, half = (high + low) / 2, (high - low) / 2
    rho = half / centre
    factors = [(1.0, 1.0 / centre, 0.0)]
    for _ in range(degree - 1):
        new = 1.0 / (2.0 * centre / half - rho)
        factors.append((1.0 + new * rho, 2.0 * new / half, new * rho))
        rho = new
    return factors


def smooth(level: Any, factors: list[Factors]) -> None:
    """Smooth the values of a level, one Chebyshev step for each triple of factors."""
    for each in factors:
        level.smooth(each)


def smooth_from_zero(level: Any, factors: list[Factors]) -> None:
    """Smooth from the initial guess 0, which saves the first residual; the values before are never read."""
    level.start(factors[0][1])
    for each in factors[1:2]:
        level.smooth((each[0], each[1], 0.0))
    for each in factors[2:]:
        level.smooth(each)
