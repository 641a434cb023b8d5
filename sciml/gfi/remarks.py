"""Sentences on a velocity map that its user must see, from the numbers about it."""

from __future__ import annotations

from collections.abc import Mapping

from sciml.training import fit_outcomes

UNSEEN = 0.2  # share of the cells that the data do not see, from which the user is told
UNFITTED = 0.5  # of the energy of the records, at which a map explains less than half of them
INTERPOLATED = "interpolated"  # the number of dead traces that the network was given interpolated
DEAD = "dead_traces"  # the number of those that the mask does not leave out
UNRECORDED = "unrecorded"  # the share of the depth below which no wave is back in time


def remarks(numbers: Mapping[str, float]) -> list[str]:
    """Return sentences about dead traces, searches that did not get to their end, cells not seen, and short records.

    >>> remarks({"stalled": 0.5, "unrecorded": 0.25})  # doctest: +NORMALIZE_WHITESPACE
    ['of 50% of the maps, the misfit hardly fell any further; if it is large, begin from another map.',
     'the records end before waves are back from the lowest 25% of the map, of which they say nothing; record longer, or
     take a shallower map.']

    Parameters
    ----------
    numbers : metrics of an inversion, or means over several maps
    """
    told = []
    if count := numbers.get(INTERPOLATED):
        told.append(
            f"the number of traces that are zero, or that the mask leaves out, is {count:.0f}; the network was given "
            "these interpolated between their neighbours, and a refinement leaves them out."
        )
    if count := numbers.get(DEAD):
        told.append(f"the number of traces that are zero, and are therefore left out of the misfit, is {count:.0f}.")
    if numbers.get("misfit", 0.0) > UNFITTED:
        told.append(
            f"the records of the map are not those observed: the difference has {numbers['misfit']:.0%} of their "
            "energy; begin from another map or lower frequencies, and check wavelet and positions."
        )
    if share := numbers.get(fit_outcomes.AT_LIMIT):
        told.append(
            f"{_of(share)}the solves were used up before the misfit was that of the noise; allow more, or state more "
            "noise."
        )
    if share := numbers.get(fit_outcomes.STALLED):
        told.append(f"{_of(share)}the misfit hardly fell any further; if it is large, begin from another map.")
    if numbers.get("unseen", 0.0) > UNSEEN:
        told.append(
            f"the records hardly change with {numbers['unseen']:.0%} of the cells, which are what the start and the "
            "priors say; see illumination."
        )
    if share := numbers.get(UNRECORDED):
        told.append(
            f"the records end before waves are back from the lowest {share:.0%} of the map, of which they say nothing; "
            "record longer, or take a shallower map."
        )
    return told


def _of(share: float) -> str:
    """Return for how many of the maps something holds, in words, if not for all."""
    return "" if share == 1.0 else f"of {share:.0%} of the maps, "
