"""Seismic velocity maps of the ten two-dimensional families of OpenFWI, generated: depth first, in m/s.

Map number k of a seed is a function of the family, k and the seed alone, whatever was drawn before it. It covers the
same section at any shape: the recipes count in seventieths of its depth and width, the cells of OpenFWI.

FlatVel-A and CurveVel-A follow a recipe read from genuine maps, and agree with others of them in the counts of layers,
mean, standard deviation and amplitudes of the interfaces, within the errors of sampling. No genuine maps of the other
families were at hand: their recipes are stated in their docstrings and agree with published statistics alone, so that
results on them do not compare with results on the genuine sets.

Reference: Deng et al., OpenFWI: large-scale multi-structural benchmark datasets for full waveform inversion, NeurIPS
2022; dataset statistics from its ``dataset_config.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch

from sciml.checks import choice, whole_number
from sciml.numerics.random import generator

LOWEST, HIGHEST = 1500.0, 4500.0  # m/s
CELLS = 70  # along each axis of the genuine maps


def layered_map(family: str, number: int, seed: int = 0, shape: Sequence[int] = (CELLS, CELLS)) -> np.ndarray:
    """Return one velocity map of a family, (nz, nx) float32 in m/s with depth first.

    Parameters
    ----------
    family : key of :data:`FAMILIES`
    number : of the map, at least 0
    seed : of all maps, at least 0
    shape : (nz, nx), each at least 7; the layers keep their depths and slopes relative to the section

    Examples
    --------
    >>> section = layered_map("flatvel-a", 3)
    >>> section.shape, bool((np.diff(section, axis=0) >= 0).all()), bool((section == section[:, :1]).all())
    ((70, 70), True, True)
    """
    choice("the family", family, FAMILIES)
    nz, nx = (whole_number("the cells of a map along an axis", cells, at_least=7) for cells in shape)
    draws = Draws(generator(seed, list(FAMILIES).index(family), number))
    return FAMILIES[family].draw(draws, nz, nx).astype(np.float32)


def layered_maps(
    family: str, numbers: Sequence[int], seed: int = 0, shape: Sequence[int] = (CELLS, CELLS)
) -> np.ndarray:
    """Return several maps of a family, (maps, nz, nx) float32 in m/s; see :func:`layered_map`.

    Parameters
    ----------
    family : key of :data:`FAMILIES`
    numbers : of the maps
    seed : of all maps
    shape : (nz, nx)
    """
    return np.stack([layered_map(family, number, seed, shape) for number in numbers])


class Draws:
    """Random numbers as NumPy arrays in double precision, from a generator of torch.

    Parameters
    ----------
    source : the generator
    """

    def __init__(self, source: torch.Generator) -> None:
        self._source = source

    def uniform(self, low: float, high: float, *shape: int) -> np.ndarray:
        """Return numbers that are uniform between low and high."""
        return low + (high - low) * torch.rand(shape, generator=self._source, dtype=torch.float64).numpy()

    def normal(self, *shape: int) -> np.ndarray:
        """Return numbers from the standard normal distribution."""
        return torch.randn(shape, generator=self._source, dtype=torch.float64).numpy()

    def whole(self, low: int, stop: int, *shape: int) -> np.ndarray:
        """Return whole numbers from low to stop - 1, all equally likely."""
        return torch.randint(low, stop, shape, generator=self._source).numpy()


class Recipe(Protocol):
    """The way in which the maps of a family are drawn."""

    def draw(self, draws: Draws, nz: int, nx: int) -> np.ndarray:
        """Return one map, (nz, nx) float64 in m/s."""
        ...


@dataclass(frozen=True)
class Layers:
    """Layers with flat or curved interfaces, cut by no fault or several.

    With n from 3 to 7, all equally likely, and d = 70 / n, interface k has at each control point the depth

        z_1 = first d + U(-d/2, d/2),    z_{k+1} = z_k + d + U(-1, 1),

    and the velocities of the n + 1 layers are whole numbers, uniform from 1500 to 4499. Flat interfaces have one
    control point. Curved ones have 7, at x = 0, 10, ..., 60, and are splines between them: :func:`curve_of_controls`.

    Attributes
    ----------
    curved : whether the interfaces are curved
    ascending : whether the velocities are sorted downwards
    faults : number of faults. Each is a straight line through a random point of the middle 40 cells of the section with
        a dip of 45 to 80 degrees to either side, along which the ground on its right is displaced by 5 to 15 cells up
        or down. Cells that the line passes through mix both sides.
    first : mean depth of the first interface, in layers
    thinner : factor of all depths
    """

    curved: bool
    ascending: bool = False
    faults: int = 0
    first: float = 1.0
    thinner: float = 1.0

    def draw(self, draws: Draws, nz: int, nx: int) -> np.ndarray:
        """Return one map, (nz, nx) float64 in m/s."""
        layers = int(draws.whole(3, 8))
        thickness = CELLS / layers
        curve = curve_of_controls(nx) if self.curved else np.ones((nx, 1))
        controls = curve.shape[1]
        first = thickness * (self.first + draws.uniform(-0.5, 0.5, 1, controls))
        steps = thickness + draws.uniform(-1.0, 1.0, layers - 1, controls)
        interfaces = self.thinner * np.cumsum(np.concatenate([first, steps]), axis=0) @ curve.T
        velocities = draws.whole(int(LOWEST), int(HIGHEST), layers + 1).astype(float)
        if self.ascending:
            velocities.sort()
        faults = [_Fault.draw(draws) for _ in range(self.faults)]
        z, x = np.meshgrid(np.arange(nz) * (CELLS / nz), np.arange(nx) * (CELLS / nx), indexing="ij")
        return _faulted(z, x, interfaces, velocities, faults)


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian random field on a linear trend in depth, cut off at 1500 and 4500 m/s.

    The genuine maps of Style are photographs in the style of a geological section. The length, the deviations and the
    noise are those that a contestant of the 2025 challenge on these sets gave his prior, whose trend is too wide to be
    drawn from.

    v(z, x) = mean + trend (a N_1 + b (z - 34.5) N_2) + sigma f(z, x) + noise N(z, x), with f of unit variance and the
    correlation exp(-r^2 / (2 length^2)); N are standard normal numbers, of which each map has its N_1 and N_2.

    Attributes
    ----------
    mean : m/s, that of the published statistics
    length : correlation length in cells
    deviation : sigma, m/s
    noise : deviation of independent noise of each cell, m/s
    offset, slope : a and b, deviations of a constant (m/s) and of the slope (m/s per cell)
    trend : common factor of both, chosen for the published standard deviation
    """

    mean: float
    length: float
    deviation: float
    noise: float
    offset: float
    slope: float
    trend: float

    def draw(self, draws: Draws, nz: int, nx: int) -> np.ndarray:
        """Return one map, (nz, nx) float64 in m/s."""
        offset, slope = self.trend * draws.normal(2) * (self.offset, self.slope)
        z = np.arange(nz)[:, None] * (CELLS / nz)
        field = _gaussian_field(draws, (nz, nx), (self.length * nz / CELLS, self.length * nx / CELLS))
        values = self.mean + offset + slope * (z - (CELLS - 1) / 2) + self.deviation * field
        return np.clip(values + self.noise * draws.normal(nz, nx), LOWEST, HIGHEST)


@lru_cache(maxsize=8)
def curve_of_controls(nx: int) -> np.ndarray:
    """Return the matrix (nx, 7) that takes depths at control points to those of a curve in all columns.

    The curves of genuine CurveVel-A maps span seven dimensions: they are quadratic splines with a continuous slope and
    breaks at x = 20, 30, ..., 60, through the values at x = 0, 10, ..., 60, whose slope is zero at x = 68.5 of 70. What
    a slope overshoots in one interval comes back in the next, so that the curves swing more to the right of the map.

    Parameters
    ----------
    nx : columns of the map
    """
    from scipy.interpolate import BSpline

    basis = BSpline([0, 0, 0, 2, 3, 4, 5, 6, 7, 7, 7], np.eye(8), 2)  # x counts control points
    conditions = np.vstack([basis(np.arange(7.0)), basis.derivative()([6.85])])
    return basis(np.arange(nx) * (7.0 / nx)) @ np.linalg.inv(conditions)[:, :7]


@dataclass(frozen=True)
class _Fault:
    """A straight fault: a point of it and its direction in cells (z, x), and how far the right side is displaced."""

    point: np.ndarray
    direction: np.ndarray
    displacement: float

    @classmethod
    def draw(cls, draws: Draws) -> _Fault:
        dip = np.deg2rad(draws.uniform(45.0, 80.0))
        side, way = 2 * draws.whole(0, 2, 2) - 1
        direction = np.array([np.sin(dip), side * np.cos(dip)])
        return cls(draws.uniform(15.0, 55.0, 2), direction, float(way * draws.uniform(5.0, 15.0)))

    def share(self, z: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Share of each cell that is on the right side."""
        (z0, x0), (down, along) = self.point, self.direction
        return np.clip((x - x0) * down - (z - z0) * along + 0.5, 0.0, 1.0)


def _faulted(
    z: np.ndarray, x: np.ndarray, interfaces: np.ndarray, velocities: np.ndarray, faults: Sequence[_Fault]
) -> np.ndarray:
    """Return the velocities at places (z, x) after the faults, of which the last is the youngest."""
    if not faults:
        columns = np.linspace(0.0, CELLS, interfaces.shape[1], endpoint=False)
        layer = np.zeros(z.shape, dtype=int)
        for number, depths in enumerate(interfaces, start=1):
            layer[z >= np.interp(x, columns, depths)] = number
        return velocities[layer]
    *older, fault = faults
    share = fault.share(z, x)
    dz, dx = fault.displacement * fault.direction
    left = _faulted(z, x, interfaces, velocities, older)
    right = _faulted(z - dz, x - dx, interfaces, velocities, older)
    return left + share * (right - left)


def _gaussian_field(draws: Draws, shape: tuple[int, int], lengths: tuple[float, float]) -> np.ndarray:
    """Return a field of zero mean and unit variance, correlated as exp(-r^2 / 2) in units of the lengths.

    White noise on a box that is larger by six lengths, so that opposite sides do not meet, is smoothed in the
    frequency domain by the root of the spectrum.
    """
    box = tuple(cells + int(np.ceil(6 * length)) for cells, length in zip(shape, lengths, strict=True))
    kz, kx = np.fft.fftfreq(box[0])[:, None], np.fft.rfftfreq(box[1])[None, :]
    root = np.exp(-(np.pi**2) * ((lengths[0] * kz) ** 2 + (lengths[1] * kx) ** 2))
    unit = np.sqrt(np.mean(np.abs(np.fft.fft2(np.fft.irfft2(root, s=box))) ** 2))
    return np.fft.irfft2(np.fft.rfft2(draws.normal(*box)) * root / unit, s=box)[: shape[0], : shape[1]]


FAMILIES: dict[str, Recipe] = {
    "flatvel-a": Layers(curved=False, ascending=True),
    "flatvel-b": Layers(curved=False),
    "curvevel-a": Layers(curved=True, ascending=True),
    "curvevel-b": Layers(curved=True),
    "flatfault-a": Layers(curved=False, ascending=True, faults=1, first=0.65, thinner=0.86),
    "flatfault-b": Layers(curved=False, faults=2),
    "curvefault-a": Layers(curved=True, ascending=True, faults=1, first=0.65, thinner=0.86),
    "curvefault-b": Layers(curved=True, faults=2),
    "style-a": Gaussian(2728.5, 3.48, 183.4, 0.1, 520.0, 31.4, trend=0.85),
    "style-b": Gaussian(2837.3, 1.96, 158.0, 58.0, 1239.0, 92.0, trend=0.296),
}
"""Recipes by family.

FlatVel-A, CurveVel-A: read from genuine maps, see :class:`Layers`. FlatVel-B, CurveVel-B: the same layers, velocities
in any order. FlatFault-A, CurveFault-A: one fault, and depths that give the published mean and standard deviation;
FlatFault-B, CurveFault-B: two faults and velocities in any order. Style-A, Style-B: see :class:`Gaussian`.
"""
