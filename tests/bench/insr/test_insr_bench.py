"""`sciml bench insr`: errors are the paper's, rivals have every advantage, tables say who wins."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sciml.bench.insr import benchmark
from sciml.bench.insr import dimensions as insr_dimensions
from sciml.bench.insr import flows as insr_flows
from sciml.bench.insr import grids as insr_grids
from sciml.bench.insr import jets as insr_jets
from sciml.bench.insr import plan as insr
from sciml.bench.insr.adam import TunedAdam
from sciml.bench.insr.cases import build, summary
from sciml.bench.results import read_results
from sciml.bench.runner import BenchmarkRun, run_benchmark
from sciml.bench.worker import run_jobs
from sciml.errors import InputError
from sciml.insr.fitting import Fit, Sample
from sciml.insr.integrators import NeuralFields
from sciml.numerics.least_squares import Residuals
from sciml.numerics.random import generator

JOBS = {job["key"]: job for job in insr.plan_jobs(insr.Plan(), ("deepxde",))}


def changed(key: str, **parameters):
    """A job of the full plan with other parameters."""
    return JOBS[key] | parameters


# -------------------------------------------------------------------------------------------------------------- plan


def test_whatever_draws_weights_has_three_seeds_and_a_classical_rival() -> None:
    seeds: dict[tuple[str, str], list[int]] = {}
    for job in JOBS.values():
        if job["kind"] != "classical" and job["group"] != "jets":
            seeds.setdefault((job["group"], job["method"]), []).append(job["seed"])
    longer = ("pinn", f"pinn{insr.Plan().more_time}")
    assert seeds.pop(longer) == [0] and all(found == [0, 1, 2] for found in seeds.values())
    rivals = {job["group"] for job in JOBS.values() if job["kind"] == "classical"}
    assert {"advection", "taylor_green", "euler", "vortices", "burgers"} <= rivals


def test_the_peer_is_measured_only_where_it_is_asked_for_and_in_a_process_of_its_own(tmp_path: Path) -> None:
    assert not any(job["group"] == "pinn" for job in insr.plan_jobs(insr.Plan()))
    assert all(job["alone"] for job in JOBS.values() if job["group"] == "pinn")
    with pytest.raises(InputError, match=r"the optional peer of .* is 'hypre', expected deepxde"):
        run_benchmark(benchmark.BENCHMARK, tmp_path / "new", insr.QUICK, peers=("hypre",))
    with pytest.raises(InputError, match=r"the group of .* is 'speed', expected one of"):
        run_benchmark(benchmark.BENCHMARK, tmp_path / "new", insr.QUICK, only=("speed",))
    assert not (tmp_path / "new").exists()


def test_a_peer_that_is_not_installed_is_refused_in_a_sentence(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(benchmark, "find_spec", lambda name: None)
    for options in ({"peers": ("deepxde",)}, {"only": ("pinn",)}):
        with pytest.raises(InputError, match="DeepXDE is not installed; install it with"):
            run_benchmark(benchmark.BENCHMARK, tmp_path, insr.QUICK, **options)


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(("method", "error"), [("upwind901", 0.0146), ("upwind7001", 0.0029), ("floor", 0.00184)])
def test_the_errors_of_the_paper_s_grids_are_those_of_the_paper(method: str, error: float) -> None:
    found = insr_grids.advection(JOBS[f"metric/{method}/0"])
    assert found["mean"]["mean_absolute_error"] == pytest.approx(error, abs=1e-4 if error > 0.002 else 1e-5)


def test_averages_leave_the_start_out_and_the_last_row_is_kept() -> None:
    rows = [{"time": step / 4, "error": float(step + 5)} for step in range(101)]
    found = summary(rows)
    assert found["mean"] == {"error": 55.5} and found["last"] == rows[-1]
    assert found["history"]["time"][0] == 0 and found["history"]["time"][-1] == 25.0
    assert len(found["history"]["error"]) < 30
    assert summary([]) == {"last": {}, "mean": {}, "history": {}}


def test_an_error_in_five_dimensions_is_found_although_random_points_miss_the_pulse() -> None:
    problem = build("insr/advection_5d_cpu", 0).task.problem

    class Exact(NeuralFields):
        def __init__(self, scale: float) -> None:
            self.scale = scale

        def __call__(self, name: str, points: torch.Tensor) -> torch.Tensor:
            return self.scale * problem.exact(points, 3.0)

    assert insr_dimensions.sampled_error(problem, Exact(1.0), 3.0) == 0
    assert insr_dimensions.sampled_error(problem, Exact(1.01), 3.0) == pytest.approx(0.01, rel=0.02)
    assert insr_dimensions.sampled_error(problem, Exact(0.0), 3.0) == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize(("space", "time", "nodes"), [("central4", "pade22", 80), ("waves", "exact", 20)])
def test_the_predicted_error_of_a_grid_is_the_one_it_makes(space: str, time: str, nodes: int) -> None:
    case = build(insr.ADVECTION, 0, steps=40)
    predicted = insr_dimensions.grid_error(case, space, nodes)
    job = changed("advection/waves-exact-64/0", space=space, time=time, nodes=nodes + (space != "waves"), steps=40)
    found = insr_grids.advection(job)["last"]["relative_l2"]
    assert predicted == pytest.approx(found, rel=0.2) and predicted > 1e-4


def test_errors_of_a_product_add_up_over_the_dimensions() -> None:
    cases = [build(f"insr/advection_{dim}d_cpu", 0) for dim in (2, 5)]
    small = [insr_dimensions.grid_error(case, "waves", 40) for case in cases]
    assert small[0] < 1e-3 and small[1] < 1e-3
    coarse = [insr_dimensions.grid_error(case, "central4", 60) for case in cases]
    # The pulse is wider by sqrt(dim) along each axis, so that five dimensions are easier than two on the same grid.
    assert coarse[1] < coarse[0] < 1.5


# ------------------------------------------------------------------------------------------------------------- rivals


def test_a_grid_may_be_refined_until_it_takes_as_long_as_the_network(monkeypatch) -> None:
    def one_second_for_each_value(advect):
        states = advect()
        return states, float(states.size)

    monkeypatch.setattr(insr_grids, "cpu_timed", one_second_for_each_value)
    plain = insr_grids.advection(changed("advection/upwind-midpoint-901/0", steps=8))
    finer = insr_grids.advection(changed("advection/refined/0", steps=8, seconds=40 * plain["seconds"]))
    # Twice as fine in space and time takes four times as long, and the next refinement is left out if it may take more.
    assert finer["finer"] == 4 and finer["numbers"] == 3601 and finer["seconds"] < 40 * plain["seconds"]
    expected = plain["mean"]["mean_absolute_error"] / finer["finer"]
    assert finer["mean"]["mean_absolute_error"] == pytest.approx(expected, rel=0.15)  # of first order


def test_differences_of_burgers_equation_converge_to_its_waves_with_their_orders() -> None:
    errors = {
        (space, nodes): insr_grids.burgers(changed("burgers/waves/0", space=space, nodes=nodes, steps=5))["last"][
            "relative_l2"
        ]
        for space in ("central2", "central4")
        for nodes in (120, 240)
    }
    assert errors["central2", 120] / errors["central2", 240] == pytest.approx(4, rel=0.05)
    assert errors["central4", 120] / errors["central4", 240] == pytest.approx(16, rel=0.2)
    assert insr_grids.burgers(changed("burgers/waves/0", steps=5))["last"]["relative_l2"] < 1e-6


def test_stable_fluids_lose_energy_and_sines_keep_a_flow_that_stands_still() -> None:
    grid, cubic, sines = (
        function(changed(f"taylor_green/{method}/0", steps=8, cells=32))
        for method, function in (
            ("stable48", insr_flows.stable_fluids),
            ("cubic48", insr_flows.stable_fluids),
            ("sines8", insr_flows.sines),
        )
    )
    assert grid["energy_change"] < -0.01 < cubic["energy_change"] < 0
    assert cubic["last"]["mean_square_error"] < 1e-3 * grid["last"]["mean_square_error"]
    assert sines["last"]["mean_square_error"] < 1e-28 and abs(sines["energy_change"]) < 1e-12
    assert grid["numbers"] == 2 * 48 * 49 and sines["numbers"] == 64 and sines["memory_bytes"] == 512


def test_grids_have_the_viscosity_of_the_case() -> None:
    job = changed("vortices/cubic128/0", steps=10, cells=96)
    found, series = insr_flows.stable_fluids(job), insr_flows.sines(job | {"nodes": 72})
    assert found["energy_change"] == pytest.approx(found["exact_energy_change"], rel=0.1)
    assert series["energy_change"] == pytest.approx(found["exact_energy_change"], rel=0.1)
    assert found["exact_energy_change"] < -0.02


@pytest.mark.parametrize("group", ["taylor_green", "euler"])
def test_grids_of_equal_memory_have_no_more_numbers_than_the_network_and_hardly_fewer(group: str) -> None:
    network = build(insr.FLOWS[group], 0).numbers
    for method, function in (("stable", insr_flows.stable_fluids), ("sines", insr_flows.sines)):
        numbers = function(changed(f"{group}/{method}/0", steps=1, cells=48))["numbers"]
        assert 0.9 * network < numbers <= network


def test_errors_of_velocities_are_integrals_over_the_box() -> None:
    case = build(insr.FLOWS["taylor_green"], 0, steps=1)
    velocity = case.task.problem.initial.velocity(insr_flows.points())
    reference = insr_flows.reference_of(insr.FLOWS["taylor_green"], 16, 1)
    np.testing.assert_allclose(reference.velocities[1], velocity, atol=1e-14)
    # u and v are sin sin and cos cos over pi, each with mean square 1/4.
    row = insr_flows._row(case, 1, 1.1 * velocity, reference)
    assert row["mean_square_error"] == pytest.approx(0.01 / (4 * math.pi**2))
    assert row["relative_l2"] == pytest.approx(0.1)
    assert row["energy"] == pytest.approx(1.21 * reference.energy[0])


# --------------------------------------------------------------------------------------------------------------- Adam


def line(start: torch.Tensor) -> Fit:
    """A straight line through points of one."""

    def left(weights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return (weights[0] + weights[1] * x - 1 - 2 * x)[:, None]

    return Fit("u", start, lambda sample: [Residuals("line", left, (sample.interior[:, 0],))])


@pytest.mark.parametrize("schedule", ["constant", "plateau", "cosine"])
@pytest.mark.parametrize("fresh", [False, True])
def test_adam_learns_in_the_time_that_it_has(schedule: str, fresh: bool) -> None:
    drawn = []

    def draw(number: int, weights: torch.Tensor) -> Sample:
        drawn.append((number, weights.clone()))
        return Sample(torch.rand(50, 1, generator=generator(number), dtype=torch.float64))

    start = torch.zeros(2, dtype=torch.float64)
    clock = itertools.count().__next__  # a second for each iteration
    fitted = TunedAdam(0.05, schedule, seconds=200, fresh=fresh, clock=clock).fit(line(start), draw, generator(0))
    assert fitted.solves == len(drawn) if fresh else len(drawn) == 1
    assert fitted.solves == 199 and fitted.rms < 0.3
    assert torch.linalg.norm(fitted.parameters - torch.tensor([1.0, 2.0])) < 0.5 * math.sqrt(5)
    if fresh:  # the points follow the weights
        assert drawn[-1][0] == fitted.solves - 1 and not torch.equal(drawn[-1][1], start)


def test_adam_on_fixed_points_ends_with_the_best_weights_that_it_came_across() -> None:
    sample = Sample(torch.linspace(0, 1, 50, dtype=torch.float64)[:, None])
    fit = line(torch.tensor([1.0, 2.001], dtype=torch.float64))
    start = math.sqrt(float(fit.residuals(sample)[0].loss(fit.start)))
    fitted = TunedAdam(0.5, "constant", seconds=20, clock=itertools.count().__next__)
    fitted = fitted.fit(fit, lambda number, weights: sample, generator(0))
    assert fitted.rms <= start  # at a rate that throws it far away at once


# ------------------------------------------------------------------------------------------------------- jets and PINN


def test_all_ways_to_differentiate_agree_and_are_timed() -> None:
    found = insr_jets.jets({"points": 40, "repetitions": 2, "calls": 1, "seed": 0})["networks"]
    assert found.keys() == insr_jets.NETWORKS.keys()
    for network in found.values():
        assert network["difference"] < 1e-10
        for task in ("seconds", "training"):
            assert network[task].keys() == insr_jets.METHODS.keys()
            assert all(len(times) == 2 for times in network[task].values())


@pytest.mark.timing
@pytest.mark.slow
def test_a_pinn_starts_from_the_pulse_and_leaves_this_process_as_it_is() -> None:
    job = changed("pinn/pinn1/0", seconds=2.0, steps=4)
    before = torch.get_default_dtype()
    ((_, found),) = run_jobs([job], threads=1)
    assert torch.get_default_dtype() is before and "deepxde" not in sys.modules
    assert 2.0 <= found["seconds"] < 4.0 and found["iterations"] > 20
    errors = found["history"]["relative_l2"]
    assert errors[0] < 0.06 and errors[0] < errors[-1] < 0.3  # the form holds the start


# --------------------------------------------------------------------------------------------------------- side by side


def test_two_runs_of_unlike_groups_may_write_one_file_and_its_order_is_that_of_the_plan(tmp_path: Path) -> None:
    # A job that answers with what it is asked.
    jobs = [{"key": f"{name}/0", "group": name, "function": "builtins:dict", "threads": 1} for name in "abc"]
    run = BenchmarkRun("insr", tmp_path / "insr.json", {"plan": {}}, jobs, ("bench/worker.py",))
    lines: list[str] = []

    def meanwhile(line: str) -> None:
        if line.startswith("2 measurements"):
            run.measure(jobs[1:2], progress=lines.append)

    results = run.measure([jobs[2], jobs[0]], progress=meanwhile)
    assert list(results["jobs"]) == ["a/0", "b/0", "c/0"]
    assert read_results(tmp_path / "insr.json", "insr")["jobs"] == results["jobs"]
    assert [path.name for path in tmp_path.iterdir()] == ["insr.json"]
    run.measure(jobs, progress=lines.append)
    assert lines[-1] == "0 measurements to do, 3 done before"
