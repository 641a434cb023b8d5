"""Every benchmark keeps to the protocol, and its published results can be read."""

from __future__ import annotations

import math
from importlib import import_module
from pathlib import Path

import pytest

import sciml
from sciml.bench.benchmark import Benchmark
from sciml.bench.registry import BENCHMARKS, load_benchmark, load_benchmarks
from sciml.bench.results import middle, read_results
from sciml.errors import InputError


@pytest.fixture(params=BENCHMARKS)
def benchmark(request) -> Benchmark:
    return load_benchmark(request.param)


def test_benchmarks_are_found_by_their_names() -> None:
    assert [each.name for each in load_benchmarks()] == list(BENCHMARKS)
    with pytest.raises(InputError, match="the benchmark is 'gravity', expected one of poisson, dcdm"):
        load_benchmark("gravity")


@pytest.mark.parametrize("size", ["plan", "quick"])
def test_every_group_has_jobs_with_keys_of_their_own_and_functions_that_exist(benchmark, size: str) -> None:
    jobs = benchmark.jobs(getattr(benchmark, size), tuple(benchmark.optional_peers))
    assert len({job["key"] for job in jobs}) == len(jobs)
    left_out = {"poisson": {"compile"}, "dcdm": {"large"}} if size == "quick" else {}
    assert {job["group"] for job in jobs} == set(benchmark.groups) - left_out.get(benchmark.name, set())
    for function in {job["function"] for job in jobs}:
        module, _, name = function.partition(":")
        assert callable(getattr(import_module(module), name))
    assert set(benchmark.optional_peers.values()) <= set(benchmark.groups)


def test_jobs_of_optional_peers_are_measured_on_request_only(benchmark) -> None:
    without = {job["group"] for job in benchmark.jobs(benchmark.plan, ())}
    assert not without & set(benchmark.optional_peers.values())
    for peer, group in benchmark.optional_peers.items():
        assert benchmark.peers_for((), (peer,)) == benchmark.peers_for((group,), ()) == {peer}


def test_the_measured_code_exists(benchmark) -> None:
    package = Path(sciml.__file__).parent
    for name in benchmark.code(benchmark.jobs(benchmark.plan, tuple(benchmark.optional_peers))):
        assert (package / name).exists(), name


def test_published_results_give_headlines_limits_and_tables(benchmark, repository: Path) -> None:
    path = repository / "datasets" / "results" / f"{benchmark.name}.json"
    if not path.exists():
        pytest.skip(f"sciml bench {benchmark.name} has not been published yet")
    raw = read_results(path, benchmark.name)
    planned = {job["key"] for job in benchmark.jobs(benchmark.plan, tuple(benchmark.optional_peers))}
    required = {job["key"] for job in benchmark.jobs(benchmark.plan, ())}
    assert raw["jobs"].keys() <= planned
    # A limit is open only as long as measurements are missing, and its row says that it is not measured.
    assert {check.met for check in benchmark.checks(raw)} <= (
        {True, False} if required <= raw["jobs"].keys() else {True, False, None}
    )
    sections = benchmark.sections(raw)
    assert sections and all(section.table for section in sections)
    for section in sections:
        assert len({line.count("|") for line in section.table.splitlines()}) == 1
    headlines = benchmark.headlines(raw)
    assert headlines and sum(row.featured for row in headlines) <= 4
    for row in headlines:
        assert row.ours and math.isfinite(middle(row.ours))
        assert row.cost is None or 0 < row.cost < 1e6
        assert len(row.cells()) == 8


def test_a_benchmark_without_results_shows_empty_tables_and_no_headlines(benchmark) -> None:
    plan = vars(benchmark.plan)
    environment = {"processor": "abacus", "cores": 2, "python": "3.11", "packages": {}}
    raw = {"name": benchmark.name, "environment": environment, "plan": plan, "jobs": {}, "networks": {}, "rtol": 1e-6}
    assert {check.met for check in benchmark.checks(raw)} == {None}
    assert benchmark.headlines(raw) == [] and benchmark.losses(raw) == []
    assert "abacus, 2 cores; Python 3.11; commit –; none." in benchmark.report(raw)
