"""``sciml data``: generate, inspect, check and convert data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sciml.cli.frame import verb_app
from sciml.cli.streams import say

if TYPE_CHECKING:
    from sciml.data import Description
    from sciml.data.formats import FieldReport

app = verb_app(
    "Generate, inspect, check and convert data sets. "
    "Reads our HDF5 layout, The Well's, the three of PDEBench, OpenFWI's .npy and folders, told apart by what is in "
    "them."
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Source = Annotated[Path, typer.Argument(help="Data set in any layout.")]


@app.command()
def generate(
    name: Annotated[str, typer.Argument(help="Name of a generator; `sciml data generators` lists them.")],
    count: Annotated[int, typer.Option("-n", "--count", help="Number of trajectories.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write; a folder for shot records.")],
    options: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Options, as size=128.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="The result is a function of it.")] = 0,
    jobs: Annotated[int, typer.Option("-j", "--jobs", help="Processes; the result does not depend on it.")] = 1,
    shard: Annotated[
        str, typer.Option("--shard", help="I/N makes the I-th of N shares; `convert` joins them.")
    ] = "1/1",
    resume: Annotated[bool, typer.Option("--resume", help="Leave a complete data set as it is, no error.")] = False,
    dask: Annotated[str, typer.Option("--dask", metavar="ADDRESS", help="Run the jobs on this Dask cluster.")] = "",
) -> None:
    """Generate a data set. Called again after an interruption, the command continues where it stopped."""
    from contextlib import nullcontext

    from sciml.cli.progress import ProgressLine
    from sciml.data import generate as make
    from sciml.data.generation import dask_executor
    from sciml.errors import InputError

    words = dict(word.partition("=")[::2] for word in options or [] if "=" in word)
    if len(words) < len(options or []):
        raise InputError(f"options are written KEY=VALUE, each once, such as size=128; got {' '.join(options or [])}.")
    number, slash, shards = shard.partition("/")
    if not (slash and number.isdecimal() and shards.isdecimal()):
        raise InputError(f"a shard is written I/N, such as 2/8; got {shard!r}.")
    with ProgressLine(name) as line, dask_executor(dask) if dask else nullcontext() as executor:
        about = make(
            name,
            count,
            output,
            options=words,
            seed=seed,
            jobs=jobs,
            shard=(int(number), int(shards)),
            executor=executor,
            progress=lambda done, total: line.stage("trajectories", done / total),
            resume=resume,
        )
    say(_sentence(output, about))


@app.command()
def generators() -> None:
    """List the generators of data sets with their options."""
    from dataclasses import fields

    from sciml.cli.output import print_table
    from sciml.data.generators import GENERATORS

    print_table(
        ["name", "content", "options"],
        [
            (name, kind.summary, " ".join(f"{entry.name}={entry.default}" for entry in fields(kind)))
            for name, kind in GENERATORS.items()
        ],
    )


@app.command()
def info(path: Source, json: Json = False) -> None:
    """Print layout, fields, shapes, statistics and checksums of a data set; reads all of it."""
    from sciml.cli.output import print_json
    from sciml.data import inspect

    dataset, reports = inspect(path)
    if json:
        print_json({"path": str(path), **_facts(dataset.description, reports)})
    else:
        _print_facts(path, dataset.description, reports)


@app.command()
def check(path: Source, json: Json = False) -> None:
    """Read everything; find values that are not finite and bytes that changed since they were written."""
    from sciml.cli.output import print_json
    from sciml.data import inspect
    from sciml.data.formats import damaged_files, damaged_parameters, damaged_places
    from sciml.errors import DataFormatError

    dataset, reports = inspect(path)
    faults = damaged_places(dataset) + [sentence for report in reports for sentence in report.damage]
    faults += [
        f"{path}: field {report.name!r} has {report.not_finite} values that are not finite."
        for report in reports
        if report.not_finite
    ]
    faults += damaged_parameters(dataset) + damaged_files(dataset)
    if json:
        print_json({"path": str(path), "sound": not faults, "faults": faults})
    if faults:
        more = f" And {len(faults) - 1} more faults." if len(faults) > 1 else ""
        raise DataFormatError(faults[0] + more)
    if not json:
        say(f"{path}: {sum(report.values for report in reports)} values in {len(reports)} fields, all sound")


@app.command()
def convert(
    paths: Annotated[
        list[Path], typer.Argument(metavar="IN... OUT", help="Data sets or shards, and the file to write.")
    ],
    compress: Annotated[bool, typer.Option("--compress", help="Gzip the values.")] = False,
) -> None:
    """Convert data sets of any layout to ours, and join the shards of one; several become one."""
    from sciml.cli.progress import ProgressLine
    from sciml.data import convert as write
    from sciml.errors import InputError

    *sources, target = paths
    if not sources:
        raise InputError(f"give a data set and the file to write, got {target} alone.")
    with ProgressLine("convert") as line:
        about = write(
            sources,
            target,
            compress=compress,
            progress=lambda done, total: line.stage("trajectories", done / total),
        )
    say(_sentence(target, about))


def _sentence(path: Path, about: Description) -> str:
    noun = "trajectory" if about.trajectories == 1 else "trajectories"
    return f"{path}: {about.trajectories} {noun} of {about.shapes()}"


def _range(values: Any) -> tuple[int, float, int]:
    """Return the smallest, the median and the largest of some whole numbers."""
    import numpy as np

    return int(values.min()), float(np.median(values)), int(values.max())


def _facts(about: Description, reports: list[FieldReport]) -> dict[str, Any]:
    return {
        "layout": about.layout,
        "name": about.name,
        "on": {name: str(place) for name, place in about.places.items()} if about.named else repr(about.on),
        "sizes": {
            name: {what: _range(values) for what, values in sizes.items()} for name, sizes in about.sizes().items()
        },
        "trajectories": about.trajectories,
        "steps": about.steps(),
        "first_time": about.times[0] if about.steps() else None,  # None where each has its own
        "last_time": about.times[-1] if about.steps() else None,
        "boundary": about.boundary,
        "parameters": {name: list(values.shape[1:]) for name, values in about.parameters.items()},
        "generator": about.generator,
        "seed": about.seed,
        "part": about.part,
        "ignored": about.ignored,
        "fields": {
            report.name: {
                "shape": about.shape(report.name),
                "dtype": about[report.name].dtype,
                "unit": about[report.name].unit,
                "location": about[report.name].location,
                "mean": report.mean,
                "deviation": report.deviation,
                "smallest": report.smallest,
                "largest": report.largest,
                "not_finite": report.not_finite,
                "sha256": report.sha256,
                "damage": report.damage,
            }
            for report in reports
        },
    }


def _print_facts(path: Path, about: Description, reports: list[FieldReport]) -> None:
    from sciml.cli.output import print_table

    rows = [("layout", about.layout), ("name", about.name)]
    rows += [(f"on {name}".strip(), str(place)) for name, place in about.places.items()]
    for name, sizes in about.sizes().items():
        ranges = {what: _range(values) for what, values in sizes.items()}
        rows += [(f"{what} of {name}", f"{low} to {high}, median {mid:g}") for what, (low, mid, high) in ranges.items()]
    rows.append(("trajectories", str(about.trajectories)))
    if about.steps() is None:
        low, mid, high = _range(about.step_counts())
        rows.append(("times", f"{low} to {high} of each, median {mid:g}"))
    elif about.steps():
        rows.append(("times", f"{len(about.times)} from {about.times[0]:g} to {about.times[-1]:g}"))
    rows += [(f"boundary {name}", kind) for name, kind in about.boundary.items()]
    rows += [("parameters", ", ".join(about.parameters) or "none"), ("made by", about.generator or "unknown")]
    if about.ignored:
        rows.append(("not read", ", ".join(about.ignored)))
    if about.part is not None:
        rows.append(("part", f"trajectories {about.part[0]} to {about.part[1] - 1} of {about.part[2]}"))
    print_table(["", ""], rows, title=str(path))
    print_table(
        ["field", "unit", "shape", "dtype", "mean", "deviation", "smallest", "largest", "not finite", "sha256"],
        [
            (
                report.name,
                about[report.name].unit,
                "x".join("*" if length is None else str(length) for length in about.shape(report.name)),
                about[report.name].dtype,
                report.mean,
                report.deviation,
                report.smallest,
                report.largest,
                report.not_finite,
                "damaged" if report.damage else report.sha256[:12],
            )
            for report in reports
        ],
    )
