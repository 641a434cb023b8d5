r"""Labels that are spread anew on a circle: close where a state is steep, or becomes so, and graded in between.

The spacing that a state u asks for at y is h, and how fast it may change with the distance is limited by the grading g,

    1 / h(y) = 2 / L + |u_x(y)| / U,        H(x) = min_y \sqrt{h(y)^2 + g^2 |x - y|^2},

with |x - y| the chord of the circle of length L. Labels have the density 1 / H: around one front they are those of x =
(h / g) sinh(g label / h), in which the tanh of a viscous front is a smooth function of few waves. Where the flow
converges, h is what it will be after the time dt of a slab, h (1 + v_x dt), but not below the thickness of fronts. All
minima are smooth ones, 1 / h^p being summed, over y with the weight dy / h: kinks of a map would be kinks of u on it.

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

from sciml.errors import CharacteristicCrossingError
from sciml.numerics.derivatives import Jet, coordinates

SAMPLES = 512  # labels at which spacings are asked for
SHARPNESS = 4  # of the smooth minimum
REACH = 4  # waves of a map, in deviations of the filter
FINEST = 1e-4  # spacing, of the circle
LEAST = 0.3  # J of a map, of what its density asks for
HALVINGS = 20  # of a displacement that folds
NEWTON, CLOSE = 60, 4e-16  # steps at most; relative to the circle


@dataclass(frozen=True)
class CircleMap:
    """``x = label + sum over k of cosines_k cos(k a) + sines_k sin(k a)``, ``a = 2 pi (label - lower) / period``.

    Parameters
    ----------
    lower, period : of the circle
    cosines, sines : from k = 0, ``(waves + 1,)``
    """

    lower: float
    period: float
    cosines: Tensor
    sines: Tensor

    def __call__(self, labels: Tensor, order: int = 0) -> Jet:
        """Positions of labels ``(n, 1)`` as a jet."""
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
        """Labels ``(n, 1)`` of points, by Newton's method between bounds that close in on each."""
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
        """Labels of this map that are where those of another one are: ``self^-1(other(labels))``."""
        outer = other(labels, order)
        value = self.inverse(outer.value)
        if not order:
            return Jet(value[None], 0)
        own = self(value, order)
        slope = 1 / own.first[0]
        return outer.apply(value, slope, -own.second[0] * slope**3 if order == 2 else None)


def even(lower: float, period: float) -> CircleMap:
    """The map that leaves labels where they are."""
    nothing = torch.zeros(1, dtype=torch.float64)
    return CircleMap(lower, period, nothing, nothing)


def samples(zones: CircleMap) -> Tensor:
    """Evenly spread labels of a map, ``(SAMPLES, 1)``."""
    return zones.lower + zones.period / SAMPLES * torch.arange(SAMPLES, dtype=torch.float64)[:, None]


def derivative(values: Tensor, period: float) -> Tensor:
    """Of periodic values at the samples by the label, ``(SAMPLES,)``."""
    waves = torch.fft.rfft(values)
    waves *= 2j * math.pi / period * torch.arange(len(waves), dtype=values.dtype, device=values.device)
    waves[-1] = 0
    return torch.fft.irfft(waves, len(values))


def spacing(steepness: Tensor, compression: Tensor, period: float, thinnest: float) -> Tensor:
    """What a state asks for.

    Parameters
    ----------
    steepness : ``|u_x| / U``, ``(n,)``
    compression : ``-v_x dt``, ``(n,)``; negative where the flow diverges
    period : of the circle
    thinnest : front that the flow can make; kept between FINEST and 1 of the circle

    Returns
    -------
    Tensor
        ``(n,)``; a smooth minimum of what is asked for now and after dt, so that maps are smooth.
    """
    wanted, least = 1 / (2 / period + steepness), min(max(thinnest, FINEST * period), period)
    shrunk = wanted * (1 - compression)
    later = least / 2 + (shrunk + (shrunk.square() + least**2).sqrt()) / 2
    return (wanted**-SHARPNESS + later**-SHARPNESS) ** (-1 / SHARPNESS)


def rezoned(before: CircleMap, wanted: Tensor, grading: float, waves: float) -> CircleMap:
    """Return the map whose labels have the spacing wanted, graded and filtered.

    Parameters
    ----------
    before : map of the samples at which spacings are wanted
    wanted : spacing at the samples, ``(SAMPLES,)``
    grading : g
    waves : of the map: the k-th one is multiplied by ``exp(-(k / waves)^2 / 2)``
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
    numbers = torch.arange(min(round(REACH * waves), SAMPLES // 2 - 1) + 1, dtype=torch.float64)
    waves_of = _waves(moved[:, 0])[: len(numbers)] * torch.exp(-((numbers / waves) ** 2) / 2)
    made = CircleMap(before.lower, period, waves_of.real, -waves_of.imag)
    return _without_folds(made, LEAST * float((stretch / density).min() * density.mean()))


def _waves(values: Tensor) -> Tensor:
    """Coefficients of the cosines, and minus those of the sines as imaginary parts, below the highest wave."""
    found = torch.fft.rfft(values)[: len(values) // 2] / len(values)
    found[1:] *= 2
    return found


def _integral(density: Tensor, lower: float, period: float) -> CircleMap:
    """The map whose derivative is proportional to a density at the samples."""
    waves = _waves(density / density.mean())
    waves[1:] /= 2j * math.pi / period * torch.arange(1, len(waves), dtype=torch.float64)
    waves[0] = 0
    return CircleMap(lower, period, waves.real, -waves.imag)


def _without_folds(made: CircleMap, least: float) -> CircleMap:
    """Halve the displacement until J is at least some value: the filter may have made folds of steep changes."""
    labels, half = samples(made), torch.full_like(made.cosines, 0.5)
    half[0] = 1  # the mean displacement only numbers the labels
    for _ in range(HALVINGS):
        if float(made(labels, 1).first[0].min()) >= least:
            return made
        made = CircleMap(made.lower, made.period, half * made.cosines, half * made.sines)
    raise CharacteristicCrossingError("labels could not be rezoned: the state has values that are not finite.")
