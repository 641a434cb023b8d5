"""A row of the scoreboard shows who wins, ours or not, and pages are made of what was measured."""

from __future__ import annotations

import math
from pathlib import Path

from sciml.bench.headline import Competitor, Headline
from sciml.bench.registry import load_benchmark
from sciml.bench.results import read_results
from sciml.bench.scoreboard import pages, scoreboard, with_scoreboard


def cells(ours: list[float], classical: list[float] | None = None, neural: list[float] | None = None, **more) -> tuple:
    competitors = {
        name: Competitor(f"**{name}**", values)
        for name, values in (("classical", classical), ("neural", neural))
        if values is not None
    }
    return Headline("M", "case", ours, "sciml bench m", **competitors, **more).cells()


def test_the_smallest_median_is_bold_and_dashes_stand_for_what_was_not_measured() -> None:
    won = cells([1e-3, 2e-3, 9e-3], [3e-3], [1.0], paper="4e-2", cost=12.5)
    assert won[2:7] == ("4e-2", "**2.0e-3 (1.0e-3 to 9.0e-3)**", "classical: 3.0e-3", "neural: 1.0e0", "12x")
    lost = cells([2e-3], [1e-3])
    assert lost[2:7] == ("–", "2.0e-3", "classical: **1.0e-3**", "–", "–")
    assert lost[7] == "`sciml bench m`"


def test_a_tie_has_two_winners_and_what_failed_never_wins() -> None:
    assert cells([1.0], [1.0], form="{:g}".format)[3:5] == ("**1**", "classical: **1**")
    failed = cells([math.inf], [math.inf], form="{:g}".format)
    assert failed[3:5] == ("failed", "classical: failed")
    assert cells([math.inf], [2.0], form="{:g}".format)[3:5] == ("failed", "classical: **2**")


def test_pages_hold_the_rows_of_what_was_measured_and_the_readme_those_that_are_featured(repository: Path) -> None:
    benchmarks = [load_benchmark(name) for name in ("training", "poisson")]
    raw = read_results(repository / "datasets" / "results" / "poisson.json", "poisson")
    made = pages({"poisson": raw}, benchmarks)
    assert made.keys() == {"index.md", "poisson.md"}
    board = scoreboard(benchmarks[1].headlines(raw))
    assert board in made["index.md"] and board in made["poisson.md"]
    assert "AMD EPYC, 2 cores" in made["poisson.md"] and "## Where others win" in made["poisson.md"]
    assert "\npoisson\n```" in made["index.md"]
    readme = with_scoreboard("a\n<!-- scoreboard -->\nold\n<!-- /scoreboard -->\nb\n", {"poisson": raw}, benchmarks)
    assert readme.startswith("a\n<!-- scoreboard -->\n| method |") and readme.endswith("<!-- /scoreboard -->\nb\n")
    assert readme.count("| multigrid |") == 1 and "old" not in readme
    assert with_scoreboard("no markers", {}, benchmarks) == "no markers"


def test_the_papers_numbers_are_those_of_the_configs() -> None:
    from sciml.bench.paper import paper_value

    assert paper_value("lpinn/convection_cpu", "relative_l2") == "3.4e-2"
    assert paper_value("lpinn/convection_cpu", "energy") == paper_value("lpinn/burgers_cpu", "relative_l2") == "–"
