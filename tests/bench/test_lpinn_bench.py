"""`sciml bench lpinn`: every row can be measured, rivals are what they claim, tables say who wins."""

from __future__ import annotations

from importlib import import_module

import pytest

from sciml.bench import lpinn
from sciml.bench.lpinn_jobs import case, finite_volumes
from sciml.bench.lpinn_table import LIMITS, checks, report
from sciml.errors import InputError
from sciml.training.config_files import find_config

JOBS = {job["key"]: job for job in lpinn.plan_jobs(lpinn.Plan())}


@pytest.mark.parametrize("plan", [lpinn.Plan(), lpinn.QUICK])
def test_every_group_is_planned_and_every_function_and_config_exists(plan: lpinn.Plan) -> None:
    jobs = lpinn.plan_jobs(plan)
    assert len({job["key"] for job in jobs}) == len(jobs) and {job["group"] for job in jobs} == set(lpinn.GROUPS)
    for job in jobs:
        module, _, name = job["function"].partition(":")
        assert callable(getattr(import_module(module), name)) and find_config(job["config"]).is_file()
    assert {(group, method) for group, method, *_ in LIMITS} <= {(job["group"], job["method"]) for job in jobs}


def test_whatever_draws_weights_has_three_seeds() -> None:
    seeds: dict[tuple[str, str], list[int]] = {}
    for job in JOBS.values():
        if job["kind"] != "classical":
            seeds.setdefault((job["group"], job["method"]), []).append(job["seed"])
    assert all(found == [0, 1, 2] for found in seeds.values())


@pytest.mark.parametrize(
    ("key", "bound"),
    [
        ("variable/lpinn-weno256", 1e-4),
        ("burgers/standard-weno256", 1e-2),
        ("diffusion/strong-weno256", 1e-3),
        ("inviscid/lpinn-weno256", 0.2),
    ],
)
def test_finite_volumes_solve_the_problem_of_the_config_and_gain_from_cells(key: str, bound: float) -> None:
    coarse, fine = (finite_volumes(JOBS[key] | {"cells": cells})["last"]["relative_l2"] for cells in (64, 128))
    assert fine < bound and fine < 0.8 * coarse  # at a shock as the root of the cells


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
        run("burgers", "fast-weno256", "classical", 1e-3, cells=256),
        run("convection", "eulerian", "baseline", 0.9),
    ]
    results = {
        "plan": {"quick": False, "seeds": [0, 1, 2]},
        "environment": {"processor": "P", "cores": 2, "python": "3.12"},
        "jobs": {str(number): job for number, job in enumerate(runs)},
    }
    rows = {row.title: row for row in checks(results)}
    assert rows["burgers fast"].measured == "3.0e-06 (1.0e-06 to 2.0e-05)"
    assert rows["burgers fast"].verdict == "yes, the goal too"
    assert next(row for title, row in rows.items() if "baseline" in title).met
    assert rows["plane, swirl"].met is None
    text = report(results)
    assert "256 cells: 1.0e-03 in 2 s" in text and "**LPINN**, burgers fast | 353 | 2.82 kB" in text


def test_names_that_do_not_exist_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="there is no group 'waves' in this benchmark, expected one of convection"):
        lpinn.run(tmp_path, lpinn.QUICK, only=["waves"])
    with pytest.raises(InputError, match="no optional peers, got deepxde"):
        lpinn.run(tmp_path, lpinn.QUICK, peers=["deepxde"])
