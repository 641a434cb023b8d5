r"""Redistribution of labels on a periodic interval: dense where a state is or becomes steep, and graded in between.

The spacing that a state u requires at y is h, and its growth with the distance is limited by the grading g,

    1 / h(y) = 2 / L + |u_x(y)| / U,        H(x) = min_y \sqrt{h(y)^2 + g^2 |x - y|^2},

with |x - y| the chord of a circle of length L. Labels have the density 1 / H: around one front they are those of x =
(h / g) sinh(g label / h), on which the tanh of a viscous front is a smooth function with few Fourier modes. Where the
flow converges, h is the value after the time dt of a slab, h (1 + v_x dt), but not below the thickness of fronts. All
minima are smooth, as sums of 1 / h^p over y with the weight dy / h: kinks of a map would be kinks of u on it.

References
----------
Hirt, Amsden, Cook, "An arbitrary Lagrangian-Eulerian computing method for all flow speeds", JCP 14, 1974: rezoning.
Persson, "Mesh size functions for implicit geometries and PDE-based gradient limiting", Eng. Comput. 22, 2006.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sciml.errors import PoorFitError
from sciml.numerics.derivatives import Jet, coordinates
from sciml.numerics.pointwise_roots import differentiable_root

SAMPLES = 512  # labels at which spacings are evaluated
SHARPNESS = 4  # of the smooth minimum
REACH = 4  # modes of a map, in standard deviations of the filter
FINEST = 1e-4  # spacing, relative to the period
LEAST = 0.3  # J of a map, relative to that of its density
HALVINGS = 20  # of a displacement with folds
NEWTON, CLOSE = 60, 4e-16  # largest number of steps; tolerance relative to the period


@dataclass(frozen=True)
class CircleMap:
    """A map of a periodic interval, ``x = label + sum_k a_k cos(k s) + b_k sin(k s)``.

    Here ``s = 2 pi (label - lower) / period``.

    Parameters
    ----------
    lower, period : of the interval
    cosines, sines : a_k and b_k from k = 0, ``(modes + 1,)``
    """

    lower: float
    period: float
    cosines: Tensor
    sines: Tensor

    def __call__(self, labels: Tensor, order: int = 0) -> Jet:
        """Return the positions of labels ``(n, 1)`` as a jet."""
        rate = 2 * math.pi / self.period * torch.arange(len(self.cosines)).to(labels)
        phase = (labels - self.lower) * rate
        cosine, sine = torch.cos(phase), torch.sin(phase)
        a, b = self.cosines.to(labels)[:, None], self.sines.to(labels)[:, None]
        parts = [labels + cosine @ a + sine @ b]
        if order >= 1:
            parts.append(1 + cosine @ (rate[:, None] * b) - sine @ (rate[:, None] * a))
        if order == 2:
            square = rate.square()[:, None]
            parts.append(-cosine @ (square * a) - sine @ (square * b))
        return coordinates(labels, order).apply(*parts)

    def inverse(self, points: Tensor) -> Tensor:
        """Return the labels ``(n, 1)`` of points, by Newton's method with bisection as a safeguard.

        They have exact derivatives by the points.
        """
        labels = self._inverse(points.detach())
        return differentiable_root(lambda labels, points: self(labels).value - points, labels, points)

    def _inverse(self, points: Tensor) -> Tensor:
        reach = float(self.cosines.abs().sum() + self.sines.abs().sum()) + CLOSE * self.period
        lower, upper, labels = points - reach, points + reach, points
        for _ in range(NEWTON):
            jet = self(labels, 1)
            off = jet.value - points
            lower, upper = torch.where(off < 0, labels, lower), torch.where(off > 0, labels, upper)
            moved = labels - off / jet.first[0]
            inside = (moved >= lower) & (moved <= upper)
            moved = torch.where(inside, moved, (lower + upper) / 2)
            step, labels = float((moved - labels).abs().max()), moved
            if step <= CLOSE * max(self.period, float(points.abs().max())):
                break
        return labels

    def after(self, other: CircleMap, labels: Tensor, order: int) -> Jet:
        """Return the labels of this map at the positions of labels of another one: ``self^-1(other(labels))``."""
        outer = other(labels, order)
        value = self.inverse(outer.value)
        if not order:
            return Jet(value[None], 0)
        own = self(value, order)
        slope = 1 / own.first[0]
        return outer.apply(value, slope, -own.second[0] * slope**3 if order == 2 else None)


def even(lower: float, period: float) -> CircleMap:
    """Return the identity map of the circle."""
    nothing = torch.zeros(1, dtype=torch.float64)
    return CircleMap(lower, period, nothing, nothing)


def samples(zones: CircleMap) -> Tensor:
    """Return equispaced labels of a map, ``(SAMPLES, 1)``."""
    return zones.lower + zones.period / SAMPLES * torch.arange(SAMPLES, dtype=torch.float64)[:, None]


def derivative(values: Tensor, period: float) -> Tensor:
    """Return the derivative by the label of periodic values at the samples, ``(SAMPLES,)``."""
    found = torch.fft.rfft(values)
    found *= 2j * math.pi / period * torch.arange(len(found), dtype=values.dtype, device=values.device)
    found[-1] = 0
    return torch.fft.irfft(found, len(values))


def spacing(steepness: Tensor, compression: Tensor, period: float, thinnest: float) -> Tensor:
    """Return the spacing that a state requires.

    Parameters
    ----------
    steepness : ``|u_x| / U``, ``(n,)``
    compression : ``-v_x dt``, ``(n,)``; negative where the flow diverges
    period : of the interval
    thinnest : thickness of the thinnest front that the flow can make; limited to FINEST to 1 times the period

    Returns
    -------
    Tensor
        ``(n,)``; a smooth minimum of the spacings now and after dt, so that maps are smooth.
    """
    wanted, least = 1 / (2 / period + steepness), min(max(thinnest, FINEST * period), period)
    shrunk = wanted * (1 - compression)
    later = least / 2 + (shrunk + (shrunk.square() + least**2).sqrt()) / 2
    return (wanted**-SHARPNESS + later**-SHARPNESS) ** (-1 / SHARPNESS)


def rezoned(before: CircleMap, wanted: Tensor, grading: float, modes: float) -> CircleMap:
    """Return the map whose labels have a given spacing, graded and filtered.

    Parameters
    ----------
    before : map of the samples
    wanted : spacing at the samples, ``(SAMPLES,)``
    grading : g
    modes : of the map: the k-th Fourier mode is multiplied by ``exp(-(k / modes)^2 / 2)``
    """
    period = before.period
    at = samples(before)
    jet = before(at, 1)
    position, stretch = jet.value[:, 0], jet.first[0, :, 0]
    chord = period / math.pi * torch.sin(math.pi / period * (position[:, None] - position))
    around = (wanted.square() + (grading * chord).square()) ** (-SHARPNESS / 2)
    density = stretch * (around @ (stretch / wanted)) ** (1 / SHARPNESS)
    # New labels as a function of the old ones: the integral of the density, scaled to the period.
    found = _integral(density, before.lower, period)
    moved = before(found.inverse(at)).value - at
    numbers = torch.arange(min(round(REACH * modes), SAMPLES // 2 - 1) + 1, dtype=torch.float64)
    filtered = _coefficients(moved[:, 0])[: len(numbers)] * torch.exp(-((numbers / modes) ** 2) / 2)
    made = CircleMap(before.lower, period, filtered.real, -filtered.imag)
    return _without_folds(made, LEAST * float((stretch / density).min() * density.mean()))


def _coefficients(values: Tensor) -> Tensor:
    """Return a_k - i b_k of periodic samples, without the highest mode."""
    found = torch.fft.rfft(values)[: len(values) // 2] / len(values)
    found[1:] *= 2
    return found


def _integral(density: Tensor, lower: float, period: float) -> CircleMap:
    """Return the map whose derivative is proportional to a density at the samples."""
    found = _coefficients(density / density.mean())
    found[1:] /= 2j * math.pi / period * torch.arange(1, len(found), dtype=torch.float64)
    found[0] = 0
    return CircleMap(lower, period, found.real, -found.imag)


def _without_folds(made: CircleMap, least: float) -> CircleMap:
    """Return a map with J of at least some value: halve the displacement, in which the filter may have made folds."""
    labels, half = samples(made), torch.full_like(made.cosines, 0.5)
    half[0] = 1  # the mean displacement makes no folds
    for _ in range(HALVINGS):
        if float(made(labels, 1).first[0].min()) >= least:
            return made
        made = CircleMap(made.lower, made.period, half * made.cosines, half * made.sines)
    raise PoorFitError(
        "labels cannot be redistributed: the state has values that are not finite; use more slabs or rounds."
    )
