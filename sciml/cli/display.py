"""Displays of the state of long work on standard error: a live line or bar in a terminal, a few lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from sciml.cli.streams import VARIABLE, one_line, report

if TYPE_CHECKING:
    from rich.live import Live

SECONDS_BETWEEN_UPDATES = 0.1
FIRST_LINE, LONGEST_WAIT = 20.0, 600.0  # [s]: the waits between lines double from the one to the other


class Display(Protocol):
    """Something that shows the state of the work; each text replaces the one before."""

    def start(self) -> None:
        """Begin, or go on after a stop."""

    def stop(self) -> None:
        """Leave the terminal to others."""

    def due(self) -> bool:
        """Return whether it is time for another text, which is then shown; texts that come earlier need not be made."""

    def show(self, text: str, done: float | None = None) -> None:
        """Show a text, and the fraction that is done where there is one."""


def display(live: type[LiveLine] | type[LiveBar], enabled: bool | None) -> Display:
    """Return the display that suits standard error.

    Parameters
    ----------
    live : the display of a terminal
    enabled : False for none at all, True for the one of a terminal, None to find out
    """
    if enabled is None and not sys.stderr.isatty():
        return Silent() if os.environ.get(VARIABLE) == "off" else SparseLines()
    return Silent() if enabled is False else live()


class Silent:
    """A display that shows nothing."""

    def start(self) -> None:
        """Leave everything as it is."""

    def stop(self) -> None:
        """Leave everything as it is."""

    def due(self) -> bool:
        """Return False, so that no text is made."""
        return False

    def show(self, text: str, done: float | None = None) -> None:
        """Leave everything as it is."""


class SparseLines:
    """Lines that stay, for logs: the first after 20 s, then after twice the time, at last every ten minutes."""

    def __init__(self) -> None:
        self._wait = FIRST_LINE
        self._next = time.monotonic() + self._wait

    def start(self) -> None:
        """Leave everything as it is."""

    def stop(self) -> None:
        """Leave everything as it is."""

    def due(self) -> bool:
        """Return whether the wait is over."""
        return time.monotonic() >= self._next

    def show(self, text: str, done: float | None = None) -> None:
        """Print the text if the wait is over."""
        if self.due():
            self._next = time.monotonic() + self._wait
            self._wait = min(2 * self._wait, LONGEST_WAIT)
            report(text)


class LiveDisplay:
    """A display of a terminal, in which a text stays for a tenth of a second at least."""

    def __init__(self) -> None:
        self._last = 0.0

    def due(self) -> bool:
        """Return whether the last text that was due has been there for a tenth of a second."""
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_UPDATES:
            return False
        self._last = now
        return True


class LiveLine(LiveDisplay):
    """One line of a terminal, which vanishes at the end."""

    def __init__(self) -> None:
        super().__init__()
        self._live: Live | None = None

    def start(self) -> None:
        """Show the line in the terminal."""
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            # No refresh thread: it would compete with the solver for the interpreter.
            self._live = Live(console=Console(file=sys.stderr), auto_refresh=False, transient=True)
        self._live.start()

    def stop(self) -> None:
        """Remove the line from the terminal."""
        self._live.stop()

    def show(self, text: str, done: float | None = None) -> None:
        """Show the text in place of the last one."""
        from rich.text import Text

        self._live.update(Text(one_line(text), no_wrap=True, overflow="ellipsis"), refresh=True)


class LiveBar(LiveDisplay):
    """A bar with a text in a terminal, which vanishes at the end."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Any = None

    def start(self) -> None:
        """Show the bar in the terminal."""
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            # No refresh thread: it would compete with the training for the interpreter.
            self._bar = Progress(
                BarColumn(bar_width=20),
                TextColumn("{task.description}", markup=False),
                console=Console(file=sys.stderr),
                auto_refresh=False,
                transient=True,
            )
            self._task = self._bar.add_task("starting", total=1.0)
        self._bar.start()

    def stop(self) -> None:
        """Remove the bar from the terminal."""
        self._bar.stop()

    def show(self, text: str, done: float | None = None) -> None:
        """Show the text, and the bar at the fraction that is done; without one it stays where it is."""
        moved = {} if done is None else {"completed": done}
        self._bar.update(self._task, description=one_line(text), refresh=True, **moved)
