"""``sciml bench``: the side-by-side measurements behind the published tables, and their limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sciml.cli.frame import FAILED, verb_app
from sciml.cli.streams import report, say

if TYPE_CHECKING:
    from sciml.bench.benchmark import Benchmark
    from sciml.bench.report import Check

PUBLISHED = Path("datasets/results")
MEASURED = Path("runs/bench")

app = verb_app("Measure our solvers beside the best classical ones, on this machine.")


@app.command(no_args_is_help=False)
def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME ...]", help="Benchmarks, as `sciml list benchmarks` shows them; all by default."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Measure small systems with one seed: minutes.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="GROUP", help="Measure this group only, such as iterations or times; may be repeated."),
    ] = None,
    peers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PEER", help="Measure an optional peer too: hypre, deepxde, openpnm, torch-sla, deepwave."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help=f"Folder of the raw JSON; by default {MEASURED}, with --check {PUBLISHED}.",
            show_default=False,
        ),
    ] = None,
    publish: Annotated[bool, typer.Option("--publish", help=f"The same as -o {PUBLISHED}.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure again what an earlier run has finished.")] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Measure nothing: say which limits hold for the results; exit code 1 unless all do."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the limits as one JSON object.")] = False,
) -> None:
    """Measure side by side, save raw JSON after every measurement, print the tables.

    A run that was interrupted resumes where it stopped, as long as the measured code is the same.
    """
    from sciml.bench.registry import load_benchmark
    from sciml.errors import InputError

    if check:
        if quick or fresh or only or peers:
            raise InputError("--check measures nothing; leave out --quick, --fresh, --only and --peers.")
        folder = output or PUBLISHED
        _check([load_benchmark(name) for name in names] if names else _measured_in(folder), folder, json=json)
        return
    if publish and quick:
        raise InputError("--publish is for the full run: a quick one is not published; leave one of the two out.")
    if publish and not PUBLISHED.parent.is_dir():
        raise InputError(f"--publish writes into {PUBLISHED}, which is not here; run it at the top of a clone.")
    chosen = [load_benchmark(name) for name in names] if names else _meant(only or (), peers or ())
    folder = PUBLISHED if publish else output or MEASURED
    _measure(chosen, folder, {"only": only or (), "peers": peers or (), "fresh": fresh}, quick=quick, json=json)


def _meant(only: Sequence[str], peers: Sequence[str]) -> list[Benchmark]:
    """Return the benchmarks that have all of the groups and peers."""
    from sciml.bench.registry import load_benchmarks
    from sciml.checks import choice
    from sciml.errors import InputError

    known = load_benchmarks()
    for group in only:
        choice("the group", group, [group for each in known for group in each.groups])
    for peer in peers:
        choice("the optional peer", peer, [peer for each in known for peer in each.optional_peers])
    meant = [each for each in known if set(only) <= set(each.groups) and set(peers) <= set(each.optional_peers)]
    if not meant:
        raise InputError(f"no benchmark has all of {', '.join((*only, *peers))}; measure them one benchmark at a time.")
    return meant


def _measured_in(folder: Path) -> list[Benchmark]:
    """Return the benchmarks whose full results are in a folder."""
    from sciml.bench.registry import load_benchmarks
    from sciml.errors import InputError

    found = [each for each in load_benchmarks() if (folder / each.file_name(each.plan)).is_file()]
    if not found:
        raise InputError(f"there are no results in {folder}; measure them, or give their folder with -o.")
    return found


def _measure(
    benchmarks: Sequence[Benchmark], folder: Path, options: dict[str, Any], *, quick: bool, json: bool
) -> None:
    from sciml.bench.runner import run_benchmark
    from sciml.cli.output import print_json

    files, rows = [], []
    for benchmark in benchmarks:
        plan = benchmark.quick if quick else benchmark.plan
        raw = run_benchmark(benchmark, folder, plan, progress=report, **options)
        files.append(str(folder / benchmark.file_name(plan)))
        rows += [_row(benchmark, limit) for limit in benchmark.checks(raw)]
        if not json:
            say(benchmark.report(raw))
            say(f"raw results: {files[-1]}")
    if json:
        print_json({"results": files, "quick": quick, "checks": rows})


def _check(benchmarks: Sequence[Benchmark], folder: Path, *, json: bool) -> None:
    """Say which limits the results in a folder keep; leave with exit code 1 unless all of them hold."""
    from sciml.bench.report import check_table
    from sciml.bench.results import read_results, understood
    from sciml.cli.output import print_json
    from sciml.errors import InputError

    limits: list[tuple[Benchmark, Check]] = []
    files = {benchmark.name: folder / benchmark.file_name(benchmark.plan) for benchmark in benchmarks}
    for benchmark in benchmarks:
        path = files[benchmark.name]
        if not path.is_file():
            raise InputError(
                f"there are no results of 'sciml bench {benchmark.name}' in {path}; measure them, or give their "
                "folder with -o."
            )
        raw = read_results(path, benchmark.name)
        with understood(path, benchmark.name):
            checks = benchmark.checks(raw)
        limits += [(benchmark, limit) for limit in checks]
        if not json:
            say(f"{benchmark.title} ({path})\n\n{check_table(checks)}\n")
    missed = [(benchmark, limit) for benchmark, limit in limits if limit.met is False]
    kept, unknown = (sum(limit.met is met for _, limit in limits) for met in (True, None))
    if json:
        rows = [_row(benchmark, limit) for benchmark, limit in limits]
        counts = {"met": kept, "not_met": len(missed), "not_measured": unknown}
        print_json({"results": list(map(str, files.values())), **counts, "checks": rows})
    else:
        say(f"{kept} of {len(limits)} limits hold, {len(missed)} do not, {unknown} have not been measured.")
        for benchmark, limit in missed:
            say(f"Not met, {benchmark.name}: {limit.title}: measured {limit.measured}, must be {limit.must}.")
    if missed or unknown:
        raise typer.Exit(FAILED)


def _row(benchmark: Benchmark, limit: Check) -> dict[str, Any]:
    about = {"check": limit.title, "must": limit.must, "goal": limit.goal, "measured": limit.measured, "met": limit.met}
    return {"benchmark": benchmark.name, **about}
