"""`sciml bench hcmoe`: every row can be measured, and what is measured is right on small cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.bench.grouped import QUICK
from sciml.bench.hcmoe import costs, families, gradients, inversions, layers, sensitivities, solutions
from sciml.bench.hcmoe.benchmark import BENCHMARK
from sciml.bench.hcmoe.rows import GROUPS
from sciml.config_files import find_config
from sciml.hcmoe.problems import Burgers

SMALL = [f"task.init_args.{key}" for key in ("elements.count=8", "elements.degree=8", "slabs=6", "time_degree=4")]


def test_every_config_exists_and_every_limit_and_headline_is_that_of_a_row() -> None:
    jobs = BENCHMARK.jobs(BENCHMARK.plan, ())
    assert all(find_config(job["config"]).is_file() for job in jobs if "config" in job)
    assert len({job["key"] for job in BENCHMARK.jobs(QUICK, ())}) == sum(len(group.rows) for group in GROUPS)
    for group in GROUPS:
        methods = {row.method for row in group.rows}
        assert len(methods) == len(group.rows) and group.columns
        assert {each.method for each in (*group.limits, *group.cases)} <= methods
        assert {limit.beside for limit in group.limits} <= {None, *methods}
        assert {bound.over for limit in group.limits for bound in limit.bounds} <= {None, *methods}


def test_coupled_experts_have_no_jumps_and_their_error_is_that_against_the_exact_solution() -> None:
    changes = [*SMALL, "task.init_args.elements.smallest=0.02"]
    found = solutions.coupled({"config": "hcmoe/burgers_cpu", "changes": changes})
    last = found["last"]
    assert found["failed"] is None and 1e-9 < last["error"] < 0.1
    assert max(last[name] for name in ("jump", "slope_jump", "ends")) < 1e-12
    assert 0 < last["start"] < 1e-3  # polynomials of degree 8


def test_fourier_collocation_is_measured_at_the_same_places() -> None:
    coarse, fine = (solutions.fourier({"number": number})["last"]["error"] for number in (512, 1024))
    assert 1e-9 < fine < 0.1 * coarse < 0.1


def test_lpinn_is_measured_at_the_same_places() -> None:
    few = [f"task.init_args.{key}" for key in ("slabs=2", "rounds=1", "points.count=300")]
    found = solutions.lagrangian({"config": "lpinn/burgers_standard_cpu", "changes": few, "seed": 7})
    assert found["failed"] is None and 1e-4 < found["last"]["error"] < 0.3


@pytest.mark.parametrize(("basis", "sizes"), [("chebyshev", [[3, 8], [5, 16]]), ("tanh", [16, 32]), ("sine", [16, 32])])
def test_a_single_domain_is_measured_for_each_size(basis: str, sizes: list) -> None:
    found = solutions.single_domain({"basis": basis, "sizes": sizes, "seed": 7})
    last = found["last"]
    assert found["failed"] is None and last["error"] <= min(last["error_1"], last["error_2"]) + 1e-15
    assert 0.05 < last["error"] < 2


def test_features_are_the_hidden_units_of_a_network() -> None:
    basis, count = solutions.BASES["tanh"](5, 7)
    times, x = torch.tensor([0.25, 0.5]), torch.tensor([-0.5, 0.0, 0.5])
    values = basis.derivatives([(0, 0)], times.double(), x.double())
    assert values.shape == (1, 1, 2, 3, count) and count == 5
    assert float(values.abs().max()) <= 1 and torch.linalg.matrix_rank(values[0, 0].flatten(0, 1)) == 5


def test_errors_of_the_truth_are_relative() -> None:
    truth = solutions.truth_of(Burgers(0.1))
    assert truth.error(truth.u) == 0 and truth.error(1.5 * truth.u) == pytest.approx(0.5)


def test_exact_faces_have_no_jumps_and_independent_experts_have() -> None:
    exact, loose = (
        layers.faces({"coupling": coupling, "start": start, "boxes": [2, 2]})["last"]
        for coupling, start in (("exact", "lift"), ("independent", "rows"))
    )
    assert exact["jump"] < 1e-10 and exact["start"] < 1e-13 and loose["jump"] > 1e-2
    assert exact["error"] < loose["error"] < 1


def test_the_projection_is_exact_and_orthogonal() -> None:
    found = layers.projected({"grid": [4, 8], "seed": 7})["last"]
    assert found["before"] > 0.1
    assert max(found[name] for name in ("violation", "moved", "cosine")) < 1e-13


def test_gradients_are_those_of_an_unrolled_iteration_at_constant_memory() -> None:
    found = gradients.unrolling({"experts": 4, "points": 24, "functions": 6, "seed": 7})["last"]
    assert 0 < found["gradient_error"] < 1e-11 and found["memory_growth"] == 1 < found["memory_ratio"]
    assert found["iterations_least"] < found["iterations_most"]


def test_costs_are_those_of_all_numbers_of_experts() -> None:
    found = costs.divided({"grid": [16, 32], "unknowns": 32, "each": False, "turns": 1, "seed": 7})["last"]
    assert found["speedup_16"] == pytest.approx(found["seconds_1"] / found["seconds_16"])
    found = costs.coupled({"experts": [2, 4], "slabs": 1, "turns": 1})["last"]
    assert found["ratio"] == pytest.approx(found["seconds_4"] / found["seconds_2"])


def test_the_family_of_starts_is_solved_together_and_held_against_a_finer_reference() -> None:
    few = {"count": 3, "cells": 32}
    elements = {"count": 8, "degree": 6, "towards": [0.0, 1.0], "smallest": 1e-3}
    found = families.coupled({**few, "elements": elements, "slabs": {"count": 5, "degree": 4, "first": 1e-5}})["last"]
    assert 1e-6 < found["error"] < found["error_most"] < 1e-2
    spline = families.spline({**few, "snapshots": 4})
    assert 1e-6 < spline["last"]["error"] < 1e-2 and 0 < spline["last"]["setup"] < spline["seconds"]
    coarse, reference = (function(few)["last"]["error"] for function in (families.volumes, families.reference))
    assert 0 < reference < 0.05 * coarse < 1e-3


def test_starts_are_the_draws_of_pdebench() -> None:
    assert families.starts(1) == [np.random.RandomState(9000).uniform(0, 0.2)]


def test_adjoint_solves_and_differences_give_the_same_gradient() -> None:
    job = {"waves": 3, "turns": 1, "seed": 7}
    adjoint, differences = (function(job) for function in (sensitivities.adjoint, sensitivities.differences))
    assert adjoint["last"]["error"] < 1e-5 and differences["last"]["error"] < 1e-5
    assert adjoint["last"]["backward_ratio"] < adjoint["last"]["ratio"]
    assert adjoint["seconds"] == pytest.approx(adjoint["last"]["ratio"] * adjoint["last"]["forward"])


def test_the_error_of_a_gradient_is_relative() -> None:
    waves = sensitivities.Waves({"waves": 2, "seed": 7})
    sizes = waves.sizes.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(waves(sizes), sizes)
    assert waves.error(1.5 * gradient) == pytest.approx(0.5, abs=1e-4)


def test_experts_and_scipy_find_the_same_coefficients() -> None:
    few = [
        "task.init_args.unknown={viscosity: positive, wave_1: real}",
        "task.init_args.problem.init_args.waves=[0.5]",
        "task.init_args.readings.init_args.problem.init_args={viscosity: 0.05, waves: [0.8]}",
        "task.init_args.elements.count=4",
        "task.init_args.slabs.count=4",
    ]
    job = {"config": "hcmoe/inverse_burgers_cpu", "changes": few, "seed": 7}
    ours, scipy = inversions.experts(job), inversions.least_squares({**job, "number": 128, "steps": 32})
    assert max(each["last"]["forward_error"] for each in (ours, scipy)) < 1e-3
    assert ours["last"]["error"] == pytest.approx(scipy["last"]["error"], rel=0.05) and 0 < ours["last"]["error"] < 3
    assert 0.8 < ours["last"]["misfit"] < 1.2 and scipy["last"]["solves"] > ours["last"]["solves"] > 2
