"""The chapters of ``sciml demo``: each runs one method beside its classical competitors and tells what came out.

A chapter is a plug-in. The module ``sciml/bench/<method>/chapter.py`` defines a subclass of :class:`Chapter` and names
it ``CHAPTER``; nothing else refers to it. :func:`chapter_names` finds such modules without importing them, and
:func:`load_chapter` imports one.
"""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Protocol

from sciml.checks import choice
from sciml.commands import command_line

PACKAGE = "sciml.bench"
MODULE = "chapter"


class Progress(Protocol):
    """Something that shows the progress of a chapter."""

    def say(self, line: str) -> None:
        """Show one line that stays."""

    def show(self, text: str) -> None:
        """Show where the work stands now; the next text replaces it."""


@dataclass(frozen=True)
class Settings:
    """Options of the demo that a chapter may follow.

    Attributes
    ----------
    surface : file of a closed surface, the obstacle in the wind tunnel; None for the one that comes with sciml
    size : cells along each axis of the wind tunnel
    quick : use fewer cells and steps, for a first look and for tests
    """

    surface: Path | None = None
    size: int = 128
    quick: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture file of a chapter.

    Attributes
    ----------
    path : .png or .svg
    alt : what is to be seen, for those who do not see it
    caption : one or two sentences under the picture
    """

    path: Path
    alt: str
    caption: str


@dataclass(frozen=True)
class Table:
    """A table of a chapter: headings, rows of text and numbers, and a caption."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""


@dataclass(frozen=True)
class Story:
    """The outcome of a chapter.

    Attributes
    ----------
    summary : one sentence that states the main result, with numbers
    text : further paragraphs
    tables, pictures : in the order in which they are shown
    commands : shell commands that repeat the chapter or go on from it, with what each does
    files : files worth opening, with what each holds
    metrics : numbers by name, the headline error first
    failure : why the results do not hold, such as a solver that did not converge; None if they do
    """

    summary: str
    text: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    commands: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[Path, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    failure: str | None = None


class Chapter(ABC):
    """One chapter of the demo; the constructor checks the settings and writes nothing.

    Class attributes
    ----------------
    title : of the chapter in the report
    about : what the chapter shows and against what it compares, one or two sentences
    minutes : expected wall time on two cores
    position : chapters are shown by rising position

    Raises
    ------
    InputError
        By the constructor, if a setting cannot be used.
    """

    title: ClassVar[str]
    about: ClassVar[str]
    minutes: ClassVar[float]
    position: ClassVar[int]

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @abstractmethod
    def run(self, folder: Path, progress: Progress) -> Story:
        """Compute, write files into a folder that exists, and return what came out.

        Parameters
        ----------
        folder : of this chapter
        progress : receives reports of the progress
        """


def chapter_names() -> list[str]:
    """Return the names of the subpackages of :mod:`sciml.bench` with a chapter, in alphabetical order."""
    found = pkgutil.iter_modules(import_module(PACKAGE).__path__, f"{PACKAGE}.")
    packages = [module.name for module in found if module.ispkg]
    return sorted(name.rpartition(".")[2] for name in packages if find_spec(f"{name}.{MODULE}"))


def load_chapter(name: str) -> type[Chapter]:
    """Import the chapter of a method and return its class.

    Raises
    ------
    InputError
        If there is no chapter of this name.
    """
    choice("the chapter", name, chapter_names())
    return import_module(f"{PACKAGE}.{name}.{MODULE}").CHAPTER


def load_chapters(names: Sequence[str] = ()) -> dict[str, type[Chapter]]:
    """Return the chapters of these names, or all of them, by name and in the order of the report."""
    chapters = {name: load_chapter(name) for name in names or chapter_names()}
    return dict(sorted(chapters.items(), key=lambda item: (item[1].position, item[0])))


@contextmanager
def one_thread() -> Iterator[None]:
    """Run a block on one thread, as a fair comparison needs it; small networks gain nothing from a second one."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def solve_config(config: str, changes: Sequence[str], folder: Path, progress: Progress) -> dict[str, Any]:
    """Solve a shipped config in a run folder, as ``sciml solve`` does; a run that is there is overwritten.

    Parameters
    ----------
    config : name of a shipped config
    changes : ``key=value`` as on the command line
    folder : of the run
    progress : receives reports of the progress

    Returns
    -------
    dict
        What ``result.json`` of the run holds.
    """
    from sciml.training import run
    from sciml.training.config import load_config

    def report(done: float, epochs: int, terms: Mapping[str, float], seconds_left: float | None) -> None:
        left = "" if seconds_left is None else f"  {max(seconds_left, 1):.0f} s left"
        progress.show(f"step {min(int(done) + 1, epochs)}/{epochs}{left}")

    def stage(name: str, done: float | None) -> None:
        progress.show(name if done is None else f"{name}, {done:.0%}")

    return run.train(load_config(config, list(changes)), folder, overwrite=True, progress=report, stage=stage)


def solve_command(config: str, changes: Sequence[str], folder: Path) -> str:
    """Return the shell command that does again what :func:`solve_config` has done, in the same folder."""
    return command_line("solve", config, *changes, "-o", folder, "--overwrite")


def demo_command(folder: Path, *words: str | Path) -> str:
    """Return the shell command that runs one chapter of the demo again, into the folder of the demo.

    Parameters
    ----------
    folder : of the chapter, named like it
    words : further arguments
    """
    return command_line("demo", *words, "--only", folder.name, "-o", folder.parent, "--overwrite")
