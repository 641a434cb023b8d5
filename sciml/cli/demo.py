"""``sciml demo``: the guided tour, one chapter per method, each beside its classical competitors, in one report."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sciml.cli.frame import FAILED, full_disk, verb_app
from sciml.cli.streams import say

if TYPE_CHECKING:
    from sciml.bench.chapters import Chapter, Story
    from sciml.cli.demo_report import Entry
    from sciml.run_folder import RunFolder

DEFAULT_FOLDER = Path("runs/demo")
REPORT = "report.html"
NOT_RUN = "This chapter has not been run, because the demo was interrupted before."

app = verb_app("The guided tour: each method beside its classical competitors, in one report with pictures and tables.")


@app.command()
def demo(
    surface: Annotated[
        Path | None,
        typer.Argument(help="Closed surface for the wind tunnel: .stl .ply .obj ...; by default a trefoil knot."),
    ] = None,
    size: Annotated[int, typer.Option("--size", help="Cells along each axis of the wind tunnel.")] = 128,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Run this chapter only; may be repeated.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Use fewer cells and time steps, for a first look.")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help=f"Folder for the results; by default {DEFAULT_FOLDER}.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Use a folder that is not empty.")] = False,
) -> None:
    """Run the chapters of the tour and write one report, with the fields and tables beside it."""
    from sciml.bench.chapters import Settings, load_chapters
    from sciml.run_folder import RunFolder
    from sciml.status import Status

    settings = Settings(surface, size, quick)
    chapters = {name: chapter(settings) for name, chapter in load_chapters(only or ()).items()}
    # The default folder is the demo's own, so that `make demo` can be repeated.
    folder = RunFolder(output or DEFAULT_FOLDER, overwrite=overwrite or output is None)
    minutes = sum(chapter.minutes for chapter in chapters.values())
    say(f"{len(chapters)} chapters, about {minutes:.1g} min on two cores: {', '.join(chapters)}.", flush=True)
    entries = run_chapters(chapters, folder)
    metrics = {
        f"{entry.name}/{key}": value for entry in entries if entry.story for key, value in entry.story.metrics.items()
    }
    failed = [entry.name for entry in entries if entry.problem]
    config = {"surface": surface and str(surface), "size": size, "quick": quick, "chapters": list(chapters)}
    folder.finish(Status.FAILED if failed else Status.FINISHED, metrics, config=config, failed=failed)
    say(f"\nReport: {folder / REPORT}\nNumbers: {folder / 'result.json'}, {folder / 'environment.json'}")
    if failed:
        say(f"Failed: {', '.join(failed)}; the report says why.")
        raise typer.Exit(FAILED)


def run_chapters(chapters: Mapping[str, Chapter], folder: RunFolder) -> list[Entry]:
    """Run chapters one after another, and write the report after each.

    A chapter that fails does not stop the others. An interrupt does; the report of what has been done stays.
    """
    from sciml.atomic import make_folder
    from sciml.cli.demo_report import Entry

    begin = clock.perf_counter()
    entries = {name: Entry(name, chapter.title, chapter.about, problem=NOT_RUN) for name, chapter in chapters.items()}
    write_report(folder, list(entries.values()), begin)
    for number, (name, chapter) in enumerate(chapters.items(), start=1):
        minutes = f"about {chapter.minutes:.1g} min" if chapter.minutes >= 1 else f"about {60 * chapter.minutes:.0f} s"
        say(f"\n{number} of {len(chapters)}. {chapter.title}, {minutes}", flush=True)
        make_folder(folder / name)
        entries[name] = run_chapter(entries[name], chapter, folder)
        write_report(folder, list(entries.values()), begin)
    return list(entries.values())


def run_chapter(entry: Entry, chapter: Chapter, folder: RunFolder) -> Entry:
    """Run one chapter, and return its entry with the outcome or with the reason of its failure."""
    from sciml.cli.progress import ChapterLine

    begin, story, problem = clock.perf_counter(), None, None
    try:
        with ChapterLine(chapter.title) as progress:
            story = chapter.run(folder / entry.name, progress)
        problem = story.failure
    except Exception as error:
        if full_disk(error):  # all but this
            raise
        problem = f"{type(error).__name__}: {error}"
    if story:
        show(entry.name, story, folder)
    if problem:
        say(f"This chapter failed. {problem}", flush=True)
    return replace(entry, story=story, problem=problem, seconds=clock.perf_counter() - begin)


def show(name: str, story: Story, folder: RunFolder) -> None:
    """Print what came out of a chapter, and write its tables."""
    from sciml.cli.output import markdown_table, print_table

    for table in story.tables:
        print_table(table.columns, table.rows)
    if story.tables:
        folder.write_text(
            f"{name}/table.md", "\n".join(markdown_table(table.columns, table.rows) for table in story.tables)
        )
    say(story.summary)
    print_list("Open next", {str(path): what for path, what in story.files.items()})
    print_list("Try next", story.commands)


def print_list(title: str, items: Mapping[str, str]) -> None:
    """Print words and what they mean under a title."""
    if items:
        say("\n".join([f"{title}:", *(f"  {item}   {what}" for item, what in items.items())]), flush=True)


def write_report(folder: RunFolder, entries: Sequence[Entry], begin: float) -> None:
    """Write the page of the chapters so far."""
    from sciml.cli.demo_report import report_page

    folder.write_text(REPORT, report_page(entries, folder.environment, clock.perf_counter() - begin))
