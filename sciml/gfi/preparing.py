"""Records made ready for a network, which has seen neither noise nor dead traces in its training.

The refinement compares with the records as they were observed, but for the dead traces, which it leaves out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from sciml.errors import InputError
from sciml.gfi.refinement.bands import Band, signal_response

if TYPE_CHECKING:
    from sciml.reference.waves import Acquisition

LIVING = 0.5  # share of the traces of a shot that have to be there


class Prepared(NamedTuple):
    """Records that are ready for a network, and how many of their traces were interpolated.

    Attributes
    ----------
    records : (shots, steps, receivers) float32
    interpolated : number of receivers, over all shots, whose traces were interpolated
    """

    records: np.ndarray
    interpolated: int


def living_traces(records: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Return which traces there are, (shots, receivers): those that the mask does not leave out and that are not zero.

    Parameters
    ----------
    records : (shots, steps, receivers)
    mask : (shots, receivers), False where there is no trace
    """
    alive = (records != 0).any(1)
    return alive if mask is None else alive & mask


def without_dead_traces(acquisition: Acquisition, records: np.ndarray) -> Acquisition:
    """Return the acquisition of records (shots, steps, receivers), whose mask also leaves out the traces of zeros."""
    alive = living_traces(records, acquisition.mask)
    return acquisition if alive.all() else replace(acquisition, mask=alive)


def declared_traces(acquisition: Acquisition) -> int:
    """Return the number of traces that the mask of an acquisition does not leave out."""
    if acquisition.mask is None:
        return acquisition.shots * acquisition.receiver_count
    return int(acquisition.mask.sum())


def prepared(
    records: np.ndarray, receivers: np.ndarray, mask: np.ndarray | None = None, noise: float | None = None
) -> Prepared:
    """Return records behind a Wiener filter, with dead traces interpolated linearly between their living neighbours.

    Dead are traces that the mask leaves out, and those of zeros; beyond the last living one, they are equal to it.

    Parameters
    ----------
    records : (shots, steps, receivers)
    receivers : their positions (z, x), (receivers, 2) or (shots, receivers, 2)
    mask : (shots, receivers), False where there is no trace
    noise : root mean square of white noise as a share of that of the records; None for no filter

    Raises
    ------
    InputError
        If fewer than half of the traces of a shot are there.
    """
    alive = living_traces(records, mask)
    if noise is not None:
        records = without_noise(np.where(alive[:, None], records, np.float32(0)), noise)
    if alive.all():
        return Prepared(records, 0)
    across = np.broadcast_to(receivers[..., 1], alive.shape)
    shots = [_interpolated(*given) for given in zip(records, across, alive, strict=True)]
    return Prepared(np.stack([each.records for each in shots]), sum(each.interpolated for each in shots))


def without_noise(records: np.ndarray, noise: float) -> np.ndarray:
    """Return records (shots, steps, receivers) behind the Wiener filter that keeps what is signal in them.

    Parameters
    ----------
    records : zeros where there is no trace
    noise : root mean square of white noise as a share of that of the records
    """
    observed = torch.from_numpy(np.ascontiguousarray(records, np.float32))
    # The response is given at each frequency, so that the length of a time step does not matter.
    return Band(1.0, records.shape[1], weights=signal_response(observed, noise))(observed).numpy()


def _interpolated(traces: np.ndarray, across: np.ndarray, alive: np.ndarray) -> Prepared:
    """Return the traces (steps, receivers) of a shot, of which the dead ones are interpolated along the line."""
    places, first = np.unique(across[alive], return_index=True)
    missing = np.setdiff1d(across[~alive], places)  # a shot with fewer receivers than others has some places twice
    if len(places) < LIVING * (len(places) + len(missing)):
        raise InputError(
            f"a shot has {len(places)} living traces of {len(places) + len(missing)}, expected at least half of them; "
            "leave the shot out, or use sciml solve gfi/fwi_cpu."
        )
    living, dead = traces[:, np.flatnonzero(alive)[first]], np.flatnonzero(~alive)
    place = np.interp(across[dead], places, np.arange(len(places)))
    before = place.astype(int)
    share, after = place - before, np.minimum(before + 1, len(places) - 1)
    found = traces.copy()
    found[:, dead] = (1 - share) * living[:, before] + share * living[:, after]
    return Prepared(found, len(missing))
