"""The tables say what the raw results say: medians, ranges, the best rival of each seed, what was lost or missed."""

from __future__ import annotations

import math

from sciml.bench.poisson.benchmark import BENCHMARK
from sciml.bench.poisson.tables import checks, losses, time_table
from sciml.bench.report import Part, check_table, markdown

report = BENCHMARK.report


def run(setup: float, solve: float, iterations: int = 5, again: float = 1.0, residual: float = 9e-7):
    names = ("setup_seconds", "solve_seconds", "iterations", "again_seconds", "true_residual")
    return dict(zip(names, (setup, solve, iterations, again, residual), strict=True))


def job(group: str, case: str = "mixed", size: int = 128, seed: int = 100, **measured):
    stamp = {"commit": "0123456789abcdef", "dirty": False, "finished": "2030-01-02T03:04:05+00:00", "rtol": 1e-6}
    return {"group": group, "case": case, "size": size, "seed": seed, "unknowns": 1_500_000, **stamp, **measured}


def results(*jobs, quick: bool = False):
    packages = dict.fromkeys(("numpy", "scipy", "numba", "pyamg"), "1.0")
    sizes = {"small": 64, "medium": 128, "large": 256}
    return {
        "name": "poisson",
        "environment": {"processor": "abacus", "cores": 2, "python": "3.11", "packages": packages},
        "plan": {**sizes, "seeds": [100, 102], "jump_seeds": [100, 104], "quick": quick},
        "rtol": 1e-6,
        "jobs": {str(number): each for number, each in enumerate(jobs)},
    }


def row(raw, title: str):
    (found,) = [check for check in checks(raw) if title in check.title]
    return found


def compared(seed: int, ours: float, sa: float, rs: float, case: str = "mixed"):
    return job("times", case, seed=seed, solvers={"multigrid": run(0, ours), "sa": run(sa, 0), "rs": run(0, rs)})


def test_the_rival_is_the_best_of_each_seed_and_the_ratio_a_median() -> None:
    mixed = [compared(100, 1, 12, 99), compared(101, 2, 99, 22), compared(102, 1, 30, 40)]
    check = row(results(*mixed, compared(100, 1, 21, 22, "smoke")), "faster than the best of PyAMG")
    assert check.parts[0].values == [12, 11, 30]
    assert check.measured == "12.0x (11.0x to 30.0x) / 21.0x"
    assert check.verdict == "yes"  # 12 is above the limit of 10 and below the goal of 20


def test_a_row_is_met_only_if_every_part_is() -> None:
    def walls(small: int, medium: int):
        pairs = ((64, small), (128, medium))
        return results(*(job("iterations", "walls", size, white=n, white_status="converged") for size, n in pairs))

    assert row(walls(9, 10), "thin walls, 64").verdict == "yes, the goal too"
    assert row(walls(13, 16), "thin walls, 64").verdict == "yes"
    assert row(walls(13, 17), "thin walls, 64").verdict == "**no**"


def test_what_did_not_converge_counts_as_endless() -> None:
    raw = results(job("iterations", "walls", 64, white=3, white_status="maxiter"))
    assert row(raw, "thin walls, 64").parts[0].values == [math.inf]
    runs = {"nan": {"iterations": 100, "status": "fallback"}, "0": {"iterations": 5, "status": "stagnated"}}
    sabotaged = job("sabotage", size=64, cg=100, preconditioners=runs)
    assert row(results(sabotaged), "useless").parts[0].values == [math.inf]
    runs["0"]["status"] = "converged"
    assert row(results(sabotaged), "useless").measured == "0.83"  # 100 / (110 + 10)


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    for check in checks(results()):
        assert check.measured == "not measured"
        assert check.verdict == "–"
    assert "not measured" in report(results())


def test_memory_threads_and_the_large_system_are_ratios_of_what_was_measured() -> None:
    raw = results(
        job("memory", solver="multigrid", extra_bytes=200),
        job("memory", solver="sa", extra_bytes=800),
        job("threads", threads=1, solvers={"multigrid": run(0.5, 0.5)}),
        job("threads", threads=2, solvers={"multigrid": run(0.25, 0.25)}),
        job("large", size=256, process_peak_bytes=2_600_000_000, **run(1, 4)),
        job("accuracy", true_residual=9e-11) | {"seed": 101},
        job("accuracy", "jumps", true_residual=1.2e-10),
    )
    assert row(raw, "memory against").measured == "1/4.0"
    assert row(raw, "speed-up").measured == "2.00x"
    assert row(raw, "seconds, peak").measured == "5.0 s / 2.60 GB"
    assert row(raw, "seconds, peak").verdict == "**no**"
    assert row(raw, "1e-10").measured == "1.2e-10"
    assert row(raw, "1e-10").verdict == "**no**"


def test_a_solver_that_beats_ours_is_named() -> None:
    solvers = {"multigrid": run(0.25, 0.25), "transform": run(0, 0.25), "cg": run(0, 1)}
    told = losses(results(job("box", "box", solvers=solvers), compared(100, 1, 2, 3)))
    assert told[0] == "On box, sciml fast transform is 2.0x faster than our multigrid."
    assert len(told) == 2 and "auto" in told[1]


def test_a_solver_that_missed_the_tolerance_is_named() -> None:
    (sentence,) = losses(results(job("times", solvers={"multigrid": run(0, 1), "sa": run(9, 9, residual=1e-3)})))
    assert sentence == "Not converged: sa on mixed 128³, seed 100 (residual 1.0e-03)."


def test_the_times_are_medians_over_the_seeds_and_empty_where_nobody_ran() -> None:
    jobs = [job("times", seed=s, solvers={"multigrid": run(0.1 * s, 1.0, 5 + s), "sa": run(9, 8, 7)}) for s in range(3)]
    table = time_table(results(*jobs, job("box", "box", solvers={"transform": run(0, 0.3, 0)})))
    lines = table.splitlines()
    assert lines[0] == "| solver | mixed, 1.5 M unknowns | box, 1.5 M unknowns |"
    assert "| **sciml multigrid** | 0.10 + 1.00 (6) |  |" in lines
    assert "| PyAMG SA + CG | 9.00 + 8.00 (7) |  |" in lines
    assert "| sciml fast transform |  | 0.00 + 0.30 (0) |" in lines


def test_a_quick_run_meets_no_limit() -> None:
    raw = results(job("iterations", "walls", 64, white=9, white_status="converged"), quick=True)
    assert all(line.endswith("| – |") for line in check_table(checks(raw), quick=True).splitlines()[2:])


def test_every_line_of_a_table_has_the_cells_of_its_head() -> None:
    lines = check_table(checks(results(compared(100, 1, 12, 99)))).splitlines()
    assert {line.count("|") for line in lines} == {6}
    assert markdown(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_the_report_says_where_and_from_what_it_comes() -> None:
    dirty = compared(101, 1, 12, 99) | {"commit": "fedcba98765", "dirty": True, "finished": "2030-01-03T00:00:00"}
    text = report(results(compared(100, 1, 12, 99), dirty))
    assert "commit 0123456789, fedcba9876 with changes; 2030-01-02 to 2030-01-03." in text
    assert "abacus, 2 cores" in text


def test_a_part_without_a_goal_never_reaches_it() -> None:
    assert Part([1.0], 2.0, None, most=True).keeps(2.0)
    assert not Part([1.0], 2.0, None, most=True).keeps(None)
