"""The progress of long work on standard error: live in a terminal, in a few lines elsewhere.

Library code knows nothing of it. It takes ``callback(iteration, relative_residual)`` and calls it once per iteration;
the stages before and between are announced by the verb through :meth:`ResidualLine.stage`.
"""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sciml.cli.display import LiveBar, LiveLine, display
from sciml.cli.streams import say
from sciml.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Mapping

SHORT = 5.0  # [s]: of a solve that is over sooner, the time that is left is not told


class ProgressLine:
    """A line that shows what is being done, its stage and how much is done, and vanishes at the end.

    Use it as a context::

        with ProgressLine("box2d_cpu") as line:
            line.stage("loading")
            for number in range(10):
                line.stage("evaluating", number / 10)

    Parameters
    ----------
    label : str
        What is being done.
    enabled : bool, optional
        Whether to show anything; by default a live line in a terminal, and a few lines that stay elsewhere.
    """

    def __init__(self, label: str, *, enabled: bool | None = None) -> None:
        self.label = label
        self._display = display(LiveLine, enabled)
        self._stages = Stages()

    def __enter__(self) -> Self:
        self._display.start()
        self._display.show(self.label)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._display.stop()

    def fraction(self, done: float, state: str) -> None:
        """Show the fraction of the work that is done and a few words about its state, at most ten times a second."""
        if self._display.due():
            self._display.show(f"{self.label}  {done:4.0%}  {state}")

    def stage(self, name: str, done: float | None = None) -> None:
        """Show the name of a stage, how much of it is done, and how long the rest takes."""
        text = self._stages.text(name, done)
        if done is None or self._display.due():
            self._display.show(f"{self.label}  {text}")


class ResidualLine(ProgressLine):
    """A line that also shows iterations, the relative residual, and how long it will take from the convergence so far.

    Pass it as ``callback``::

        with ResidualLine("multigrid", rtol=1e-6) as line:
            line.stage("set-up")
            result = solve(problem, b, rtol=1e-6, callback=line)

    Parameters
    ----------
    label, enabled : as of :class:`ProgressLine`
    rtol : float
        Relative residual at which the iteration ends.
    """

    def __init__(self, label: str, *, rtol: float, enabled: bool | None = None) -> None:
        super().__init__(label, enabled=enabled)
        # The work is the decrease of the logarithm of the residual, which is about even over the iterations.
        self._pace = Pace(-math.log(rtol)) if 0 < rtol < 1 else None

    def __call__(self, iteration: int, relative_residual: float) -> None:
        """Take note of an iteration, and show it, at most ten times a second."""
        if self._pace is not None and relative_residual > 0:
            self._pace.note(-math.log(relative_residual), time.monotonic())
        if self._display.due():
            left = None if self._pace is None else self._pace.seconds_left(time.monotonic())
            told = "" if left is None or left < SHORT else f"  about {duration(left)} left"
            text = f"{self.label}  iteration {iteration}  relative residual {relative_residual:.2e}{told}"
            self._display.show(text)


class ChapterLine(ProgressLine):
    """The progress of a chapter of the demo: lines that stay on standard output, and a live line on standard error."""

    def say(self, line: str) -> None:
        """Print one line that stays."""
        self._display.stop()
        say(line, flush=True)
        self._display.start()

    def show(self, text: str) -> None:
        """Show where the work stands now, at most ten times a second."""
        if self._display.due():
            self._display.show(text)


class TrainingBar:
    """The bar of a run: epochs or steps, the last values of the loss, the time left, and the stages after them.

    Use it as a context and pass it as ``progress`` and ``stage``::

        with TrainingBar() as bar:
            train(config, folder, progress=bar, stage=bar.stage)

    Parameters
    ----------
    unit : str
        What an epoch is called; a ``"step"`` is shown without the prefix ``loss/`` of its numbers.
    then : str
        What comes after the last epoch, which the time that is left does not contain.
    enabled : bool, optional
        Whether to show anything; by default a live bar in a terminal, and a few lines that stay elsewhere.

    Attributes
    ----------
    reached : str
        The last epoch that ended, in words.
    """

    def __init__(self, unit: str = "epoch", *, then: str = "", enabled: bool | None = None) -> None:
        self.unit, self.then = unit, then
        self._display = display(LiveBar, enabled)
        self._stages = Stages()
        self.reached = f"before the first {unit} ended"

    def __enter__(self) -> Self:
        self._display.start()
        self._display.show("starting")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._display.stop()

    def print(self, text: str) -> None:
        """Print text on standard output, above the bar."""
        self._display.stop()  # while it is shown, rich sends all output to standard error
        say(text, flush=True)
        self._display.start()

    def stage(self, name: str, done: float | None = None) -> None:
        """Show the name of a stage after the last epoch, how much of it is done, and how long the rest takes."""
        text = self._stages.text(name, done)
        if done is None or self._display.due():
            self._display.show(text, done or 0.0)

    def __call__(self, done: float, epochs: int, terms: Mapping[str, float], seconds_left: float | None) -> None:
        """Show how far the training is.

        Parameters
        ----------
        done : epochs, a fraction inside an epoch
        epochs : in all
        terms : of the last finished epoch by name; the first three are shown
        seconds_left : None while it is not known
        """
        if done >= 1:
            self.reached = f"after {self.unit} {int(done)} of {epochs}"
        state = [f"{self.unit} {min(int(done) + 1, epochs)}/{epochs}"]
        shown = list(terms.items())[:3]
        if self.unit == "step":
            shown = [(name.removeprefix("loss/"), value) for name, value in shown]
        state += [f"{name} {value:.3g}" for name, value in shown]
        if seconds_left is not None:
            state.append(f"{duration(seconds_left)} left" + (f", then {self.then}" if self.then else ""))
        self._display.show("  ".join(state), done / epochs)


class Stages:
    """The texts of stages of work, one after the other, each with its own pace."""

    def __init__(self) -> None:
        self._name = ""

    def text(self, name: str, done: float | None) -> str:
        """Return the text of a stage of which a fraction is done, if that is known."""
        if name != self._name:
            self._name, self._pace = name, Pace(1.0)
        if done is None:
            return name
        now = time.monotonic()
        self._pace.note(done, now)
        left = self._pace.seconds_left(now) if done < 1 else None
        return f"{name}, {done:.0%}" + ("" if left is None else f", {duration(left)} left")


def duration(seconds: float) -> str:
    """Return a duration in words: 45 s, 3 min, 2 h 05 min; never 0 s, which only finished work has left."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
