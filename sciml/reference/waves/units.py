"""The check that the velocities of a map are in metres per second."""

from __future__ import annotations

from sciml.errors import SciMLError

SLOWEST = 20.0  # m/s, of a map: anything below is in kilometres per second


def check_metres_per_second(name: str, low: float, high: float, error: type[SciMLError]) -> None:
    """Refuse a map by its least and its largest velocity: one that is not positive or finite, or in km/s.

    Parameters
    ----------
    name : of the map, as ``"velocity map 3"``
    low, high : both not-a-number if any velocity is
    error : the class of the error
    """
    if not (low > 0.0 and high < float("inf")):
        raise error(f"{name} has velocities from {low:g} to {high:g} m/s, expected positive finite numbers.")
    if high < SLOWEST:
        raise error(
            f"{name} has velocities from {low:g} to {high:g}, expected metres per second; these look like km/s: "
            "multiply by 1000."
        )
