"""`sciml bench text2pde`: every row can be measured, and what is measured is right on small cases."""

from __future__ import annotations

import math
from importlib import import_module

import pytest
import torch

from sciml.bench.grouped import QUICK
from sciml.bench.text2pde import autoencoders, equations, floors, networks
from sciml.bench.text2pde.benchmark import BENCHMARK
from sciml.bench.text2pde.rows import GROUPS
from sciml.bench.text2pde.simulations import simulations
from sciml.reference.incompressible_smoke import FIELDS
from sciml.text2pde import FirstFrameTask
from sciml.training.config import load_config

JOBS = BENCHMARK.jobs(QUICK, ())
SHIPPED = ("shipped", "unprojected", "projected")  # rows of the weights that come with the package
SMALL = {"seed": 301, "train": 12, "tests": 2}


@pytest.fixture(scope="module")
def small() -> FirstFrameTask:
    """Return the task of a quick run, in place of the one with shipped weights."""
    (job,) = (job for job in JOBS if job["group"] == "first" and job["method"] == "trained")
    return networks._trained(job)[0]


def job_of(group: str, method: str) -> dict:
    (job,) = (job for job in JOBS if (job["group"], job["method"]) == (group, method))
    return job


def measured(job: dict) -> dict[str, float]:
    module, _, name = job["function"].partition(":")
    result = getattr(import_module(module), name)(job)
    assert result["failed"] is None, job["key"]
    assert result["last"] and all(map(math.isfinite, result["last"].values())), job["key"]
    return {**result["last"], "seconds": result["seconds"]}


def test_every_limit_and_headline_is_that_of_a_row_and_compares_with_one() -> None:
    assert len({job["key"] for job in JOBS}) == len(JOBS) == sum(len(group.rows) for group in GROUPS)
    for group in GROUPS:
        methods = {row.method for row in group.rows}
        assert {each.method for each in (*group.limits, *group.cases)} <= methods
        assert {limit.beside for limit in group.limits} <= {None, *methods}
        assert {bound.over for limit in group.limits for bound in limit.bounds} <= {None, *methods}


def test_configs_of_the_full_plan_can_be_built_and_have_one_network() -> None:
    sizes = set()
    for job in (job for job in BENCHMARK.jobs(BENCHMARK.plan, ()) if job["seed"] == 301 and "changes" in job):
        modules = [networks.REGRESSION] if job.get("regression") else []
        places = ["data.init_args.path=smoke.h5", "task.init_args.autoencoder_run=run"]
        task = load_config(job["config"], [*places, *job["changes"]], modules=modules).build_task()
        assert networks._possible(task, job["at"])
        sizes.add(networks._count(task.network) + networks._count(task.conditioner))
    assert len(sizes) == 1 and sizes.pop() < 1_000_000


@pytest.mark.parametrize("group", [group.name for group in GROUPS])
def test_every_row_is_measured_in_a_quick_run_and_has_what_its_limits_read(group: str, small, monkeypatch) -> None:
    for module in (networks, equations):
        monkeypatch.setattr(module, "shipped_task", lambda: small)
    found = {job["method"]: measured(job) for job in JOBS if job["group"] == group}
    (own,) = (each for each in GROUPS if each.name == group)
    for limit in own.limits:
        for bound in limit.bounds:
            if bound.of is None:  # others take more calls than a quick run has
                assert bound.quantity in found[limit.method]
                assert bound.over is None or bound.quantity in found[bound.over]
    single = {"energy_2", "energy_4", "energy_8", "energy_50"}
    assert all(any(column.quantity in each for each in found.values()) for column in own.columns
               if column.quantity not in single)  # fmt: skip
    if group == "data":
        assert found["conservative"]["different"] == 0
        assert found["conservative-kept"]["lost"] < 1e-12 < 0.05 < found["paper-kept"]["lost"]


def test_a_version_without_shipped_weights_says_so_in_its_rows(monkeypatch) -> None:
    networks.shipped_task.cache_clear()
    monkeypatch.setattr(networks, "SHIPPED", "text2pde/none")
    for group, method in (("first", "shipped"), ("equations", "projected"), ("costs", "shipped")):
        job = job_of(group, method)
        module, _, name = job["function"].partition(":")
        assert "there are no shipped weights 'text2pde/none'" in getattr(import_module(module), name)(job)["failed"]


def test_the_score_of_one_prediction_is_its_error_without_the_given_frame() -> None:
    case = simulations(SMALL)
    truth = case.tests.fields
    larger = 1.1 * truth
    larger[:, :, 0] += 1.0
    assert case.scores(lambda block: larger[None, block])["energy"] == pytest.approx(0.1, rel=1e-4)
    still = floors.persistence(SMALL)["last"]
    scaled = (truth / case.units)[:, :, 1:]
    apart = ((truth[:, :, :1] - truth) / case.units)[:, :, 1:]
    expected = (apart.flatten(1).norm(dim=1) / scaled.flatten(1).norm(dim=1)).mean()
    assert still["energy"] == still["sample"] == pytest.approx(float(expected), rel=1e-5)
    assert "ratio" not in still and "coverage" not in still


def test_analogs_of_the_training_itself_are_its_simulations_and_completed_laws_miss_less() -> None:
    case = simulations(SMALL)
    own = type(case)(case.folder, case.training, case.training, 0.0)
    known, asked = floors._conditions(own, {**SMALL, "frame_modes": 4})
    torch.testing.assert_close(known, asked)
    nearest = floors.Analogs(known, case.training.fields).sample(asked, 1, None)
    assert torch.equal(nearest[0], case.training.fields)
    assert float(known[:, :4].square().mean()) == pytest.approx(1.0, rel=0.05)
    job = {**SMALL, "frame_modes": 4, "modes": 4}
    whole, part = (floors.linear_gaussian({**job, "completed": each})["last"] for each in (True, False))
    assert whole["sample"] != part["sample"]


def test_modes_are_orthonormal_directions_of_the_largest_variance() -> None:
    rows = torch.randn(200, 30, generator=torch.Generator().manual_seed(0)) * torch.linspace(3, 0.1, 30) + 1.0
    mean, modes = autoencoders.principal(rows, 3, seed=0)
    torch.testing.assert_close(mean, rows.mean(0))
    torch.testing.assert_close(modes.T @ modes, torch.eye(3), atol=1e-5, rtol=0)
    caught = float(((rows - mean) @ modes).square().sum())
    largest = float(torch.linalg.svdvals(rows - mean)[:3].square().sum())
    assert caught == pytest.approx(largest, rel=1e-3)


def test_frames_of_the_solver_obey_it_and_projection_leaves_no_divergence(monkeypatch, small) -> None:
    exact = measured(job_of("equations", "solver"))
    assert exact["velocity"] < 1e-4 and exact["smoke"] < 1e-4
    monkeypatch.setattr(equations, "shipped_task", lambda: small)
    free, projected = (measured(job_of("equations", name)) for name in ("unprojected", "projected"))
    assert projected["divergence"] < 1e-12 < free["divergence"]
    assert projected["velocity"] < free["velocity"]


def test_a_regression_has_its_least_loss_at_the_mean() -> None:
    from sciml.bench.text2pde.regression import Regression
    from sciml.generative import Interpolant, LinearPath

    objective = Regression(Interpolant(LinearPath(), 1.0))
    draws = torch.Generator().manual_seed(0)
    data = torch.tensor([[1.0], [3.0]]).repeat(500, 1)
    source = objective.draw(torch.zeros_like(data), draws)
    losses = {
        mean: float(objective.loss(lambda x, t, mean=mean: torch.full_like(x, mean), data, source, {}, draws).mean())
        for mean in (1.9, 2.0, 2.1)
    }
    assert min(losses, key=losses.__getitem__) == 2.0 and losses[2.0] == pytest.approx(1.0)


def test_the_fields_are_those_of_the_generator_in_their_order() -> None:
    found = simulations(SMALL)
    assert list(found.deviations) == list(FIELDS)
    assert found.tests.fields.shape == (2, 3, 32, 64, 64) and found.tests.buoyancy.shape == (2, 1)
    assert not torch.equal(found.tests.first, found.training.first[:2])
    assert len(found.training.fields) == SMALL["train"]
