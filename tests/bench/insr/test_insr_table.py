"""The tables of `sciml bench insr` say who wins, at equal memory and at equal time, and hide no failure."""

from __future__ import annotations

import math

import pytest

from sciml.bench.insr.benchmark import BENCHMARK
from sciml.bench.insr.limits import checks, losses
from sciml.bench.report import memory_shown, seconds_shown, shown
from sciml.bench.results import values, values_at

report = BENCHMARK.report


def run(group: str, method: str, error: float | None, seconds: float, numbers: int, **more):
    kind = "ours" if method == "ours" else "classical"
    errors = {"mean_absolute_error": error, "relative_l2": error, "mean_square_error": error, "divergence": 1e-15}
    history = {"time": [0.5, 1.0, 2.0, 2.5], "relative_l2": [error, error, 2 * (error or 0), error]}
    return {
        "group": group, "method": method, "title": "**INSR**, rule" if method == "ours" else method, "kind": kind,
        "seed": 0, "numbers": numbers, "memory_bytes": 8 * numbers, "seconds": seconds, "steps": 50, "solves": 9,
        "last": dict(errors), "mean": dict(errors), "history": history, "failed": None, "finished": "2030-01-02T",
        **more,
    }  # fmt: skip


def results(*jobs, quick: bool = False):
    return {
        "name": "insr",
        "environment": {"processor": "abacus", "cores": 2, "python": "3.11", "packages": {}},
        "plan": {"seeds": [0, 1, 2], "cells": 128, "vortex_cells": 256, "quick": quick},
        "paper": {"taylor_green": "3.35e-4 in hours"},
        "jobs": {str(number): job for number, job in enumerate(jobs)},
    }


def row(raw: dict, title: str):
    (found,) = [check for check in checks(raw) if title in check.title]
    return found


def line(text: str, start: str) -> list[str]:
    """Cells of the one row that begins so."""
    (found,) = [line for line in text.splitlines() if line.startswith(f"| {start}")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_limits_are_held_against_medians_and_the_range_is_shown() -> None:
    jobs = [run("burgers", "ours", error, 5.0, 229, seed=seed) for seed, error in enumerate((5e-4, 9e-4, 2e-3))]
    check = row(results(*jobs), "Burgers")
    assert check.title == "Burgers, rule, 50 steps, 229 parameters: relative L2 at t = 1"
    assert check.measured == "9.0e-04 (5.0e-04 to 2.0e-03)" and check.verdict == "yes"
    assert row(results(*jobs[1:]), "Burgers").verdict == "**no**"
    assert row(results(), "Burgers").measured == "not measured" and row(results(), "Burgers").met is None


def test_errors_of_the_paper_s_grid_are_pinned_from_both_sides() -> None:
    def both(small: float, large: float):
        jobs = [run("metric", "upwind901", small, 0.1, 901), run("metric", "upwind7001", large, 0.2, 7001)]
        return row(results(*jobs), "paper's grid")

    assert both(0.01455, 0.00291).met and both(0.01455, 0.00291).measured == "0.0146 / 0.0029"
    assert both(0.01435, 0.00291).met is False and both(0.01455, 0.0031).met is False


def test_the_best_rival_is_named_at_equal_memory_and_at_equal_time_although_it_wins() -> None:
    raw = results(
        run("euler", "ours", 1e-3, 10.0, 500),
        run("euler", "small grid", 1e-1, 0.1, 505),
        run("euler", "large grid", 1e-5, 9.0, 5000),
        run("euler", "slow grid", 1e-9, 11.0, 9000),
    )
    equal = line(report(raw), "the unsteady Euler flow, rule")
    assert equal[1:] == [
        "1.0e-03 (4 kB, 10 s)",
        "1.0e-01 (4.04 kB, 0.1 s): small grid",
        "1.0e-05 (40 kB, 9 s): large grid",
    ]
    assert row(raw, "Euler flow").classical == "slow grid: 1.0e-09 in 11 s"
    assert losses(raw) == ["On the unsteady Euler flow, more accurate than ours in less time: large grid."]


def test_what_failed_is_infinitely_wrong_and_called_so() -> None:
    failed = run("ablation", "tanh", None, 3.0, 90, failed="the fit is not finite", history={}, last={}, mean={})
    good = run("ablation", "tanh", 1e-3, 3.0, 90, seed=1)
    assert values([failed, good], "last", "relative_l2") == [math.inf, 1e-3]
    assert values_at([failed, good], "relative_l2", 1.0) == [math.inf, 1e-3]
    cells = line(report(results(failed, failed | {"seed": 1})), "tanh")
    assert cells[3:] == ["failed", "failed", "–", "–"]
    cells = line(report(results(failed, good, good | {"seed": 2})), "tanh")
    assert cells[3] == "1.0e-03 (1.0e-03 to failed)"
    check = row(
        results(*[run("burgers", "ours", None, 1.0, 9, failed="lost", history={}) for _ in range(2)]), "Burgers"
    )
    assert check.met is False


def test_the_flow_that_moves_is_held_against_its_error_at_the_right_time_and_its_energy() -> None:
    jobs = [run("euler", "ours", 1.5e-3, 20.0, 697, seed=n, energy_change=c) for n, c in enumerate((-4e-3, 1e-3, 2e-3))]
    check = row(results(*jobs), "Euler flow")
    assert check.parts[1].values == [4e-3, 1e-3, 2e-3] and check.met
    assert check.measured.endswith("0.20% (0.10% to 0.40%)")


def test_two_vortices_count_how_many_times_worse_the_grid_of_the_paper_is() -> None:
    jobs = [run("vortices", "ours", error, 30.0, 900, seed=n) for n, error in enumerate((0.01, 0.02, 0.005))]
    raw = results(*jobs, run("vortices", "stable48", 0.2, 1.0, 4704))
    assert row(raw, "two vortices").parts[0].values == pytest.approx([20, 10, 40])
    assert row(raw, "two vortices").verdict == "yes"


def test_adam_is_as_good_as_the_best_of_its_settings() -> None:
    def fit(error: float, seconds: float = 0.5):
        return {"relative_l2": error, "seconds": seconds, "solves": 90, "failed": None}

    cosine, plateau = "0.001, cosine, fixed points", "0.01, plateau, new points"
    adam = {
        cosine: fit(3e-3) | {"settings": [1e-3, "cosine", False]},
        plateau: fit(4e-3) | {"settings": [1e-2, "plateau", True]},
    }
    job = run("adam", "adam", None, 1.0, 561) | {
        "least_squares": {"relative_l2": 1e-5, "seconds": 0.5, "solves": 30, "failed": None},
        "adam": adam,
        "longer": {cosine: fit(1e-3, 5.0)},
    }
    raw = results(job)
    assert row(raw, "tuned Adam").measured == "300x" and row(raw, "tuned Adam").met
    text = report(raw)
    assert line(text, "least squares |")[1:4] == ["1.0e-05", "30", "0.5"]
    assert line(text, "best Adam on new points")[4] == "400x"
    assert line(text, "best Adam, ten times the time (0.001, cosine)")[3:] == ["5", "100x"]


def test_jets_are_compared_with_the_fastest_way_of_each_kind() -> None:
    seconds = {"jets": [1.0, 1.0], "backward": [1.5, 1.5], "forward": [8.0, 3.0], "mixed": [5.0, 6.0]}
    network = {"parameters": 2241, "difference": 1e-15, "seconds": seconds, "training": seconds}
    raw = results(run("jets", "jets", None, 1.0, 0) | {"networks": {"sine": network}})
    check = row(raw, "jets of second order")
    assert check.parts[0].values == [1e-15] and check.parts[1].values == [5.0, 3.0] and check.met
    cells = line(report(raw), "sine")
    assert cells[1:6] == ["2,241", "1e-15", "1000.0", "1.5x", "4.0x (3.0x to 5.0x)"]


def test_in_many_dimensions_the_grid_of_equal_error_stands_beside_the_network() -> None:
    grids = {"central4": {"nodes": None, "bytes": None}, "waves": {"nodes": 17, "bytes": 8 * 17**5}}
    raw = results(run("high_dimension", "5d", 1e-2, 40.0, 88, kind="ours", dimension=5, grids=grids))
    cells = line(report(raw), "5d")
    assert cells[-2:] == ["none reaches it", "17^5 nodes, 11.4 MB"]
    assert "11.4 MB" in row(raw, "at the end").classical


def test_tension_is_held_against_the_best_linear_elements_that_take_no_more_memory() -> None:
    def pulled(method: str, error: float, numbers: int, seed: int = 0, **more):
        body = run("tension", method, error, 3.0, numbers, seed=seed, reference_energy=6.25, **more)
        body["last"] |= {"elastic_energy": 6.5}
        return body

    ours = [pulled("ours", error, 626, seed) for seed, error in enumerate((0.002, 0.003, 0.008))]
    plain, graded = pulled("plain", 0.05, 626, degree=1), pulled("graded", 0.01, 626, degree=1, mesh_bytes=11_920)
    finer, quadratic = pulled("finer", 0.001, 5000, degree=1), pulled("quadratic", 0.004, 626, degree=2)
    raw = results(*ours, plain, graded, finer, quadratic)
    check = row(raw, "tension")
    assert check.parts[0].values == pytest.approx([0.2, 0.3, 0.8]) and check.verdict == "yes, the goal too"
    assert check.classical == "finer: 1.0e-03 in 3 s"
    assert line(report(raw), "graded")[3:6] == ["1.0e-02", "+4.00%", "11.9 kB"]


def test_a_ball_has_to_spring_back() -> None:
    def fallen(after: float):
        fall = {"penetration": 0.008, "free_fall_error": 1e-14, "momentum_before": 8.0, "momentum_after": after}
        return results(run("drop", "ours", None, 50.0, 774, fall=fall | {"smallest_volume_ratio": 0.7}))

    assert row(fallen(3.2), "ball").measured == "0.80% / 1.0e-14 / 0.40" and row(fallen(3.2), "ball").met
    assert row(fallen(-1.0), "ball").met is False
    assert line(report(fallen(3.2)), "**INSR**")[3:8] == ["0.80%", "1.0e-14", "8.00", "3.20", "0.70"]


def test_a_quick_run_meets_nothing() -> None:
    text = report(results(run("burgers", "ours", 1e-5, 1.0, 229), quick=True))
    assert text.startswith("A quick run") and line(text, "Burgers, rule, 50 steps")[5] == "–"


def test_numbers_are_short() -> None:
    assert [memory_shown(n) for n in (7, 4488, 3.5e10, None)] == ["7 B", "4.49 kB", "35 GB", "–"]
    assert [seconds_shown([s]) for s in (0.001, 0.25, 4.04, 33.3)] == ["< 0.01", "0.25", "4", "33"]
    assert shown([]) == "–" and shown([1.0, 1.0], "{:.0f}".format) == "1"
