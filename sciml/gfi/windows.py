"""Windows of a line: sets of its shots that lie as those of a network do, all at one factor of lengths."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sciml.errors import InputError
from sciml.reference.waves import Acquisition

ASIDE = 0.5  # cells by which a source may lie beside that of the network
WIDEST_STEP = 0.75  # of a window's width, to the next window
BAND = (0.6, 1.6)  # of the median frequency of records to the peak of the network's wavelet
MOST_TRIED = 200  # shots from which windows of any factor are looked for, to say why there are none
ROUNDING = 1e-6  # relative to a cell
ELSE = "the wave equation takes any positions: sciml solve gfi/fwi_cpu"


class Window(NamedTuple):
    """Shots of a line that lie as those of the network.

    Attributes
    ----------
    factor : of lengths
    left : x of the first column
    shots : their numbers
    """

    factor: float
    left: float
    shots: tuple[int, ...]


class _Layouts(NamedTuple):
    """Sets of shots, each at the factor at which its first and its last one are apart as the network's are.

    Attributes
    ----------
    factors : of lengths, (sets,)
    shots : numbers, (sets, shots)
    aside : cells by which they lie aside at most, when all are moved by the same distance, (sets,)
    worst : x where the network would have the shot that lies aside most, (sets,)
    """

    factors: np.ndarray
    shots: np.ndarray
    aside: np.ndarray
    worst: np.ndarray

    def of(self, chosen: np.ndarray) -> _Layouts:
        """Return some of them."""
        return _Layouts(*(each[chosen] for each in self))


def windows_of(across: np.ndarray, frequency: float, wanted: Acquisition) -> list[Window]:
    """Return the windows of one factor, from left to right.

    Parameters
    ----------
    across : x of the shots of the line, (shots,)
    frequency : median one of their records, in hertz
    wanted : acquisition of the network

    Raises
    ------
    InputError
        If there are none, their frequency is not that of the network at this length, or they do not overlap.
    """
    of_network = wanted.sources[:, 1]
    if len(across) < wanted.shots:
        raise InputError(f"the line has {len(across)} shots, but the network is made for {wanted.shots}.")
    if not np.ptp(across) > 0 or not np.ptp(of_network) > 0:
        raise InputError("all sources of the line or of the network lie at one place, expected sources along it.")
    lowest, highest = (end * wanted.frequency / frequency for end in BAND)
    tried = _layouts(across, wanted, (lowest, highest))
    found = tried.of(tried.aside <= ASIDE + ROUNDING)
    if not len(found.factors):
        raise InputError(_why_none(across, frequency, wanted))
    best = int((np.abs(np.log(frequency * found.factors / wanted.frequency)) + found.aside).argmin())
    factor, tolerance = float(found.factors[best]), ASIDE * wanted.spacing / np.ptp(of_network)
    cell = factor * wanted.spacing
    shots = np.unique(found.shots[np.abs(found.factors / factor - 1) <= tolerance], axis=0)
    beside = across[shots] - factor * of_network
    lefts = (beside.max(1) + beside.min(1)) / 2
    kept = np.flatnonzero(np.ptp(beside, axis=1) / 2 <= (ASIDE + ROUNDING) * cell)
    kept = kept[lefts[kept].argsort(kind="stable")]
    widest, most = float(np.diff(lefts[kept]).max(initial=0.0)), WIDEST_STEP * cell * wanted.shape[1]
    if widest > most:
        raise InputError(
            f"the windows in which the shots of the line lie as the network's do are up to {widest:g} m apart, "
            f"expected at most {most:g} m, so that they overlap; give the parts of the line one by one."
        )
    return [Window(factor, float(lefts[each]), tuple(shots[each].tolist())) for each in kept]


def _layouts(
    across: np.ndarray, wanted: Acquisition, factors: tuple[float, float], most: int | None = None
) -> _Layouts:
    """Return all sets of shots at x between whose first and last one the others are nearest to the network's places.

    Parameters
    ----------
    across : x of the shots of the line
    wanted : acquisition of the network
    factors : the least and the largest one
    most : number of first shots that are tried, from the left; all by default
    """
    places, numbers = np.unique(across, return_index=True)
    offsets = wanted.sources[:, 1] - wanted.sources[:, 1].min()
    width, found = float(offsets.max()), []
    for number, left in enumerate(places[:most]):
        low, high = np.searchsorted(places, [left + end * width for end in factors], side="right")
        scales = (places[max(low, number + 1) : high] - left) / width
        expected = left + scales[:, None] * offsets
        after = np.clip(np.searchsorted(places, expected), 1, len(places) - 1)
        nearest = after - (expected - places[after - 1] <= places[after] - expected)
        beside = places[nearest] - expected
        middle = (beside.max(1) + beside.min(1)) / 2
        off = np.abs(beside - middle[:, None])
        worst = np.take_along_axis(expected, off.argmax(1)[:, None], 1)[:, 0] + middle
        found.append(_Layouts(scales, numbers[nearest], off.max(1) / (scales * wanted.spacing), worst))
    return _Layouts(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _why_none(across: np.ndarray, frequency: float, wanted: Acquisition) -> str:
    """Return the sentence on a line without windows whose frequency is that of the network."""
    tried = _layouts(across, wanted, (0.0, np.inf), MOST_TRIED)
    best = int(tried.aside.argmin())
    cell = float(tried.factors[best]) * wanted.spacing
    if tried.aside[best] > ASIDE + ROUNDING:
        return (
            f"no {wanted.shots} shots of the line lie as the network's do: where the line fits best, it has none "
            f"within {tried.aside[best] * cell:.3g} m of {tried.worst[best]:g} m, expected one within half a cell, "
            f"{ASIDE * cell:.3g} m; {ELSE}."
        )
    suits = tried.of(tried.aside <= ASIDE + ROUNDING).factors
    nearest = float(suits[np.abs(np.log(frequency * suits / wanted.frequency)).argmin()])
    return (
        f"the records have a median frequency of {frequency:.3g} Hz, but at this distance between shots the network is "
        f"made for wavelets of {wanted.frequency / nearest:.3g} Hz; filter them, or train a network on records of your "
        "own wavelet."
    )
