"""The estimate of the time that is left, from the pace of the recent work."""

from __future__ import annotations

from collections import deque

SHARE = 1 / 3  # of the time so far that counts as recent
SHORTEST, LONGEST = 5.0, 600.0  # [s] that count as recent at least and at most
SPACING = 0.25  # [s] between two notes that are kept


class Pace:
    """The pace of some work of known size, and the time that the rest takes at the pace of the recent part.

    What comes before the first note is left out: the first step of a run also compiles, loads and fits the initial
    condition, so that it says nothing about the others.

    Parameters
    ----------
    total : size of the work, in any unit

    Examples
    --------
    >>> pace = Pace(total=100)
    >>> for done, now in ((1, 60.0), (11, 65.0), (21, 70.0)):
    ...     pace.note(done, now)
    >>> pace.seconds_left(70.0)
    39.5
    """

    def __init__(self, total: float) -> None:
        self.total = total
        self._notes: deque[tuple[float, float]] = deque()
        self._origin = 0.0
        self._done = 0.0

    def note(self, done: float, now: float) -> None:
        """Take note of the work that is done at a time [s]; less than before counts as nothing."""
        if not self._notes:
            self._origin, self._done = now, done
            self._notes.append((now, done))
        elif done > self._done:
            self._done = done
            if now - self._notes[-1][0] >= SPACING:
                self._notes.append((now, done))

    def seconds_left(self, now: float) -> float | None:
        """Return the time for the rest [s]; None while nothing is known, and if nothing was done of late."""
        if not self._notes:
            return None
        recent = now - min(max(SHARE * (now - self._origin), SHORTEST), LONGEST)
        while len(self._notes) > 1 and self._notes[1][0] <= recent:
            self._notes.popleft()
        then, before = self._notes[0]
        gained = self._done - before
        return (self.total - self._done) * (now - then) / gained if gained > 0 else None
