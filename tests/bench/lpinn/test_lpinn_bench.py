"""`sciml bench lpinn`: every row can be measured, rivals are what they claim, tables say who wins."""

from __future__ import annotations

import pytest

from sciml.bench.lpinn import grids as lpinn_grids
from sciml.bench.lpinn import plan as lpinn
from sciml.bench.lpinn.baselines import baseline, label_diffusion, modes
from sciml.bench.lpinn.benchmark import BENCHMARK
from sciml.bench.lpinn.cases import CASES, COMPARISONS, EULERIAN_PINNS
from sciml.bench.lpinn.jobs import case
from sciml.bench.lpinn.tables import MODES, checks
from sciml.bench.runner import run_benchmark
from sciml.config_files import find_config
from sciml.errors import InputError
from sciml.lpinn import baselines

JOBS = {job["key"]: job for job in lpinn.plan_jobs(lpinn.Plan())}


def test_every_config_exists_and_every_comparison_is_planned() -> None:
    assert all(find_config(job["config"]).is_file() for job in JOBS.values() if "config" in job)
    planned = {(job["group"], job["method"]) for job in JOBS.values()}
    assert {(row.group, row.method) for row in CASES} | {problem.ours for problem in COMPARISONS} <= planned
    assert all(issubclass(getattr(baselines, pinn.baseline), baselines.Baseline) for pinn in EULERIAN_PINNS)


def test_whatever_draws_weights_has_three_seeds() -> None:
    seeds: dict[tuple[str, str], list[int]] = {}
    for job in JOBS.values():
        if job["kind"] in ("ours", "baseline"):
            seeds.setdefault((job["group"], job["method"]), []).append(job["seed"])
    assert all(found == [0, 1, 2] for found in seeds.values())


@pytest.mark.parametrize(
    ("key", "coarse", "bound"),
    [
        ("variable/lpinn-finite_volumes256", 64, 1e-4),
        ("burgers/standard-finite_volumes256", 64, 1e-2),
        ("diffusion/strong-finite_volumes256", 64, 1e-3),
        ("inviscid/lpinn-finite_volumes256", 64, 0.2),
        ("variable/lpinn-spectral64", 16, 1e-3),
        ("burgers/fast-spectral512", 64, 1e-2),
        ("plane/swirl-semi_lagrangian65", 17, 0.3),
        ("plane/reversal-traced10", 3, 1e-4),
    ],
)
def test_a_classical_method_solves_the_problem_of_the_config_and_gains_from_resolution(
    key: str, coarse: int, bound: float
) -> None:
    solve = getattr(lpinn_grids, JOBS[key]["function"].partition(":")[2])
    first, second = (solve(JOBS[key] | {"number": number})["last"]["relative_l2"] for number in (coarse, 2 * coarse))
    assert second < bound and second < 0.8 * first  # at a shock as the root of the cells


@pytest.mark.parametrize("rival", EULERIAN_PINNS, ids=lambda rival: rival.name)
def test_a_pinn_in_the_eulerian_frame_keeps_to_its_budget_and_reports_what_it_has(rival) -> None:
    found = baseline(JOBS[f"rivals/speed30-{rival.name}/1"] | {"updates": 10})
    assert found["failed"] is None and found["solves"] <= 10
    assert found["numbers"] > 100 and 0.3 < found["last"]["relative_l2"] < 10  # a profile that it has not learned yet


def test_diffusion_by_label_is_off_by_a_per_cent() -> None:
    found = label_diffusion(JOBS["burgers/label"])["last"]
    assert found["relative_l2"] == pytest.approx(1.2e-2, rel=0.05)
    assert found["relative_l2_at_end"] == pytest.approx(4e-2, rel=0.15)


def test_modes_are_those_that_were_counted_by_others() -> None:
    for start, expected in MODES.items():
        rows = modes(JOBS[f"modes/{start}"])["modes"]
        assert [row["speed"] for row in rows] == [1, 10, 30, 50, 100]
        for name, numbers in expected.items():
            assert max(abs(row[name] - number) for row, number in zip(rows, numbers, strict=True)) <= 1


def test_a_case_is_the_config_with_its_changes() -> None:
    found = case(JOBS["diffusion/weak/0"] | {"rounds": 1})
    assert found["last"]["relative_l2"] < 1e-5 and found["failed"] is None and found["solves"] == 30
    assert found["memory_bytes"] == 8 * found["numbers"] == 8 * 353


def test_the_table_shows_medians_limits_and_the_rows_that_are_missing() -> None:
    def run(group: str, method: str, kind: str, error: float, **more: object) -> dict:
        last = {"relative_l2": error, "relative_l2_at_end": 2 * error}
        about = {"numbers": 353, "memory_bytes": 2824, "seconds": 2.0, "last": last, "failed": None}
        origin = {"commit": "0123456789abcdef", "dirty": False, "finished": "2026-11-23T00:00:00"}
        return {"group": group, "method": method, "kind": kind, "title": f"{group} {method}", **about, **origin, **more}

    runs = [run("burgers", "fast", "ours", error, solves=20) for error in (1e-6, 3e-6, 2e-5)]
    runs += [
        run("burgers", "fast-weno256", "classical", 1e-3, of="fast"),
        run("burgers", "fast-weno1024", "classical", 1e-4, of="fast"),
        run("burgers", "faster-weno1024", "classical", 1e-9, of="faster"),
        run("convection", "rest50", "baseline", 0.9),
        run("convection", "speed50", "ours", 1e-15, solves=31),
        run("rivals", "speed50-xpinn", "baseline", 0.7),
    ]
    results = {
        "plan": {"quick": False, "seeds": [0, 1, 2]},
        "environment": {"processor": "P", "cores": 2, "python": "3.12"},
        "jobs": {str(number): job for number, job in enumerate(runs)},
    }
    rows = {row.title: row for row in checks(results)}
    assert rows["Burgers, mean 50, viscosity 0.01"].measured == "3.0e-06 (1.0e-06 to 2.0e-05)"
    assert rows["Burgers, mean 50, viscosity 0.01"].verdict == "yes, the goal too"
    assert rows["speed 50, Eulerian: the baseline fails"].met
    assert not rows["speed 50, Lagrangian, from random weights"].met  # one solve too many
    assert rows["swirl, reversed"].met is None
    text = BENCHMARK.report(results)
    assert "| burgers fast-weno1024: 1.0e-04 in 2 s |" in text and "**LPINN**, burgers fast | 353 | 2.82 kB" in text
    assert "| XPINN | – | 7.0e-01 after 2 |" in text and "| **LPINN** | – | 1.0e-15 after 2 |" in text


def test_names_that_do_not_exist_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"the group of .* is 'waves', expected one of convection"):
        run_benchmark(BENCHMARK, tmp_path, lpinn.QUICK, only=["waves"])
    with pytest.raises(InputError, match="no optional peers, got deepxde"):
        run_benchmark(BENCHMARK, tmp_path, lpinn.QUICK, peers=["deepxde"])
