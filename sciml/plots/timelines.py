"""The times of a picture: which of them are shown, and the values of a field at one of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sciml.errors import InputError
from sciml.mesh.field import Field

_SAME_TIME = 1e-6  # of the time that a series covers: fields at times that are closer are shown together


def evenly(times: np.ndarray, count: int) -> np.ndarray:
    """Return all times, or of more than ``count`` those that are nearest to equal steps, the ends included."""
    if len(times) <= count:
        return times
    wanted = np.linspace(times[0], times[-1], count)
    return times[np.unique([np.abs(times - time).argmin() for time in wanted])]


def shown_times(field: Field, wanted: Sequence[float] | None, count: int) -> list[float | None]:
    """Return the times of a field that are nearest to the wanted ones, or about ``count`` of them; None if static.

    Raises
    ------
    InputError : times wanted of a static field, none wanted, or one outside the series
    """
    if field.times is None:
        if wanted is not None:
            raise InputError(f"The field {field.name!r} is static: got times={list(wanted)}; leave them out.")
        return [None]
    if not len(field.times):
        raise InputError(f"The field {field.name!r} has no times, so there is nothing to draw.")
    if wanted is None:
        return [float(time) for time in evenly(field.times, count)]
    first, last = float(field.times[0]), float(field.times[-1])
    slack = _SAME_TIME * (last - first)
    if not len(wanted) or not all(first - slack <= time <= last + slack for time in wanted):
        raise InputError(
            f"The times to draw must lie in the series: got {list(wanted)}, expected some from {first:g} to {last:g}."
        )
    return [float(field.times[np.abs(field.times - time).argmin()]) for time in wanted]


def at_time(field: Field, time: float | None) -> Field:
    """Return the static field at one of its times; a static field is the same at all times.

    Raises
    ------
    InputError : the field has no values at that time
    """
    if field.times is None:
        return field
    if time is None or not len(field.times):
        raise InputError(
            f"The field {field.name!r} changes in time, but is drawn with a static one; choose a time first."
        )
    number = int(np.abs(field.times - time).argmin())
    if abs(field.times[number] - time) > _SAME_TIME * max(np.ptp(field.times), abs(time)):
        raise InputError(
            f"The field {field.name!r} has no values at the time {time:.6g}: its nearest time is "
            f"{field.times[number]:.6g}; give all fields of a picture the same times."
        )
    return Field(field.name, field.values[number], field.on, field.location, unit=field.unit)
