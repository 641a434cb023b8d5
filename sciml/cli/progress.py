"""The live line of long work: on standard error when that is a terminal, nothing at all otherwise.

Library code knows nothing of it. It takes ``callback(iteration, relative_residual)`` and calls it once per iteration;
the stages before and between are announced by the verb through :meth:`ResidualLine.stage`.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.live import Live
    from rich.progress import Progress

SECONDS_BETWEEN_UPDATES = 0.1


class ResidualLine:
    """A line that shows the stage of the work, the iteration and the relative residual, and vanishes at the end.

    Use it as a context and pass it as ``callback``::

        with ResidualLine("multigrid") as line:
            line.stage("set-up")
            result = solve(problem, b, callback=line)

    Parameters
    ----------
    label : str
        What is being done.
    enabled : bool, optional
        Whether to show the line; by default if standard error is a terminal.
    """

    def __init__(self, label: str, *, enabled: bool | None = None) -> None:
        self.label = label
        self.enabled = sys.stderr.isatty() if enabled is None else enabled
        self._live: Live | None = None
        self._last_update = 0.0

    def __enter__(self) -> Self:
        if self.enabled:
            from rich.console import Console
            from rich.live import Live

            # No refresh thread: it would compete with the solver for the interpreter.
            self._live = Live(console=Console(file=sys.stderr), auto_refresh=False, transient=True)
            self._live.start()
            self._show(self.label)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __call__(self, iteration: int, relative_residual: float) -> None:
        """Show an iteration, at most ten times a second."""
        now = time.monotonic()
        if self._live is not None and now - self._last_update >= SECONDS_BETWEEN_UPDATES:
            self._last_update = now
            self._show(f"{self.label}  iteration {iteration}  relative residual {relative_residual:.2e}")

    def fraction(self, done: float, state: str) -> None:
        """Show the fraction of the work that is done and a few words about its state, at most ten times a second."""
        now = time.monotonic()
        if self._live is not None and now - self._last_update >= SECONDS_BETWEEN_UPDATES:
            self._last_update = now
            self._show(f"{self.label}  {done:4.0%}  {state}")

    def stage(self, name: str) -> None:
        """Show the name of the stage that begins."""
        if self._live is not None:
            self._show(f"{self.label}  {name}")

    def _show(self, text: str) -> None:
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)


class ChapterLine(ResidualLine):
    """The progress of a chapter of the demo: lines that stay on standard output, and a live line on standard error."""

    def say(self, line: str) -> None:
        """Print one line that stays."""
        if self._live is not None:
            self._live.stop()
        print(line, flush=True)
        if self._live is not None:
            self._live.start()

    def show(self, text: str) -> None:
        """Show where the work stands now, at most ten times a second."""
        now = time.monotonic()
        if now - self._last_update >= SECONDS_BETWEEN_UPDATES:
            self._last_update = now
            self._show(text)


class TrainingBar:
    """The bar of a run: epochs or steps, the last values of the loss, the time left; it vanishes at the end.

    Use it as a context and pass it as ``progress``::

        with TrainingBar() as bar:
            train(config, folder, progress=bar)

    Parameters
    ----------
    unit : str
        What an epoch is called; a ``"step"`` is shown without the prefix ``loss/`` of its numbers.
    enabled : bool, optional
        Whether to show the bar; by default if standard error is a terminal.
    """

    def __init__(self, unit: str = "epoch", *, enabled: bool | None = None) -> None:
        self.unit = unit
        self.enabled = sys.stderr.isatty() if enabled is None else enabled
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self.enabled:
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
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def print(self, text: str) -> None:
        """Print text on standard output, above the bar."""
        if self._bar is not None:
            self._bar.stop()  # while it is shown, rich sends all output to standard error
        print(text, flush=True)
        if self._bar is not None:
            self._bar.start()

    def stage(self, name: str) -> None:
        """Show the name of a stage after the last epoch."""
        if self._bar is not None:
            self._bar.update(self._task, description=name, refresh=True)

    def __call__(self, done: float, epochs: int, terms: Mapping[str, float], seconds_left: float | None) -> None:
        """Show how far the training is.

        Parameters
        ----------
        done : epochs, a fraction inside an epoch
        epochs : in all
        terms : of the last finished epoch by name; the first three are shown
        seconds_left : None while it is not known
        """
        if self._bar is not None:
            state = [f"{self.unit} {min(int(done) + 1, epochs)}/{epochs}"]
            shown = list(terms.items())[:3]
            if self.unit == "step":
                shown = [(name.removeprefix("loss/"), value) for name, value in shown]
            state += [f"{name} {value:.3g}" for name, value in shown]
            state += [] if seconds_left is None else [f"{duration(seconds_left)} left"]
            self._bar.update(self._task, completed=done, total=epochs, description="  ".join(state), refresh=True)


def duration(seconds: float) -> str:
    """Return a duration in words: 45 s, 3 min, 2 h 05 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
