"""`sciml bench cgs`: every row can be measured, every limit is that of a row, and tables say who wins."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.bench.cgs import berea, classification, diffusion, peers, theorems
from sciml.bench.cgs.benchmark import BENCHMARK
from sciml.bench.cgs.rows import GROUPS
from sciml.bench.grouped import QUICK, Plan
from sciml.bench.outcome import outcome
from sciml.bench.runner import run_benchmark
from sciml.config_files import find_config
from sciml.errors import DivergenceError, InputError, MissingExtraError

JOBS = {job["key"]: job for job in BENCHMARK.jobs(Plan(), ())}


def test_every_config_exists_and_every_limit_and_headline_is_that_of_a_row() -> None:
    assert all(find_config(job["config"]).is_file() for job in JOBS.values() if "config" in job)
    assert len({group.name for group in GROUPS}) == len(GROUPS)
    for group in GROUPS:
        methods = [row.method for row in group.rows]
        assert len(set(methods)) == len(methods) > 0 and group.columns
        assert {each.method for each in (*group.limits, *group.cases)} <= set(methods)
        assert {limit.beside for limit in group.limits} <= {None, *methods}
        assert {bound.over for limit in group.limits for bound in limit.bounds} <= {None, *methods}


def test_whatever_is_drawn_has_three_seeds_on_which_nothing_was_chosen() -> None:
    seeds: dict[tuple[str, str], list[int]] = {}
    for job in JOBS.values():
        seeds.setdefault((job["group"], job["method"]), []).append(job["seed"])
    drawn = {(group.name, row.method) for group in GROUPS for row in group.rows if row.drawn}
    assert all(found == [301, 302, 303] for place, found in seeds.items() if place in drawn)


def test_a_quick_run_has_the_same_rows_once() -> None:
    quick = [(job["group"], job["method"], job["seed"]) for job in BENCHMARK.jobs(QUICK, ())]
    assert sorted(quick) == sorted(
        (group.name, row.method, 301) for group in GROUPS if not group.peer for row in group.rows
    )


def test_an_outcome_holds_what_is_finite_and_the_sentence_of_what_failed() -> None:
    found = outcome(lambda: {"error": 1, "bound": float("inf"), "seconds": 2.5})
    assert found["last"] == {"error": 1.0} and found["seconds"] == 2.5 and found["failed"] is None

    def diverges() -> dict[str, float]:
        raise DivergenceError("not solved.")

    assert outcome(diverges)["failed"] == "not solved."


def test_finite_elements_of_the_bench_are_of_second_order() -> None:
    found = diffusion.order({"shape": "square", "refinements": 3})
    assert found["failed"] is None and 1.9 < found["last"]["order"] < 2.1 and 0 < found["last"]["relative_l2"] < 0.1


@pytest.mark.parametrize("weights", ["fem", "clipped", "learned"])
def test_weights_are_measured_on_the_same_sheared_meshes(weights: str) -> None:
    about = {"weights": weights, "seed": 3, "tests": 4, "examples": 4, "updates": 4}
    found = diffusion.obtuse(about)["last"]
    assert found["negative"] == pytest.approx(0.22, abs=0.06)
    assert 0 < found["relative_l2"] < 0.4 and (weights == "fem" or found["excess"] == 0)
    assert ("weights" in found) == (weights == "learned")


def test_the_table_shows_medians_limits_and_ratios() -> None:
    origin = {"commit": "0123456789abcdef", "dirty": False, "finished": "2026-11-23T00:00:00"}

    def run(method: str, error: float, seed: int) -> dict:
        job = JOBS[f"obtuse/{method}/{seed}"]
        last = {"relative_l2": error, "relative_l2_larger": 2 * error, "excess": 0.0, "negative": 0.2}
        return {**job, **origin, "last": last, "seconds": 2.0, "failed": None}

    runs = [run("learned", error, seed) for error, seed in ((0.1, 301), (0.12, 302), (0.2, 303))]
    runs.append(run("clipped", 0.24, 301))
    raw = {
        "plan": {"quick": False, "seeds": [301, 302, 303]},
        "environment": {"processor": "P", "cores": 2, "python": "3.12"},
        "jobs": {run["key"]: run for run in runs},
    }
    (row,) = (check for check in BENCHMARK.checks(raw) if check.title.startswith("learned positive"))
    assert row.met and row.measured.endswith("/ 0.50 (0.42 to 0.83)")
    assert {check.met for check in BENCHMARK.checks(raw) if check is not row} >= {None}
    text = BENCHMARK.report(raw)
    assert "| **learned positive weights** | 1.2e-1 (1.0e-1 to 2.0e-1) | 2.4e-1" in text
    assert isinstance(BENCHMARK.headlines(raw), list)


def test_the_cubic_network_of_the_peers_is_connected_from_inlet_to_outlet_and_a_missing_peer_is_named() -> None:
    throats, conductances, inlet, outlet = peers.cubic_network(4, seed=0)
    assert len(throats) == 3 * 3 * 16 == len(conductances) and (conductances > 0).all()
    assert inlet.sum() == outlet.sum() == 16 and not (inlet & outlet).any()
    assert (np.diff(throats, axis=1) > 0).all() and np.bincount(throats.ravel()).min() == 3
    with pytest.raises(MissingExtraError, match="gone is not installed"):
        peers.require_module("gone", "a_module_that_is_gone")


def test_untrained_heads_keep_the_maximum_principle_and_conserve() -> None:
    found = theorems.untrained({"networks": 4, "seed": 5})
    assert found["failed"] is None and found["last"]["excess"] == 0 and found["last"]["imbalance"] < 1e-11


def test_rows_on_reference_data_fail_with_the_file_that_is_missing(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("SCIML_REFERENCE_DATA", str(tmp_path))
    for found in (
        classification.cross_validation({"set": "MUTAG", "config": "cgs/mutag_cpu", "seed": 0}),
        berea.solved({"seed": 0}),
        berea.learned({"config": "cgs/berea_learned_cpu", "seed": 0}),
        berea.circular({"edges": [1e-3, 2e-3]}),
    ):
        assert found["last"] == {} and f"SCIML_REFERENCE_DATA ({tmp_path}), expected" in found["failed"]
        assert found["failed"].startswith(("there is no MUTAG.txt in tu/MUTAG of", "there is no Berea_node1.dat in"))


def test_names_that_do_not_exist_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"the group of .* is 'waves', expected one of"):
        run_benchmark(BENCHMARK, tmp_path, QUICK, only=["waves"])
