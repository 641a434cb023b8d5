"""`sciml bench gfi`, networks: rows of small sizes, what they report, and the baselines that need no training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.bench.gfi import networks
from sciml.bench.gfi.benchmark import BENCHMARK
from sciml.bench.gfi.rows.networks import GROUPS
from sciml.bench.grouped import QUICK

pytestmark = pytest.mark.usefixtures("generated")
JOBS = {job["method"]: job for job in BENCHMARK.jobs(QUICK) if job["group"] == "networks"}
FORWARD = {job["method"]: job for job in BENCHMARK.jobs(QUICK) if job["group"] == "forward"}


def measured(job):
    function = getattr(networks, job["function"].partition(":")[2])
    return function(job)


def test_every_limit_and_headline_is_that_of_a_row_with_a_function():
    for group in GROUPS:
        methods = {row.method for row in group.rows}
        assert {each.method for each in (*group.limits, *group.cases)} <= methods
        assert all(callable(getattr(networks, row.function.partition(":")[2])) for row in group.rows)


def test_changes_of_all_rows_are_those_of_networks_that_can_be_built():
    from sciml.training.config import load_config

    sizes = {}
    for job in BENCHMARK.jobs(BENCHMARK.plan):
        if job["group"] in ("networks", "forward") and "config" in job and job["seed"] == 301:
            task = load_config(job["config"], [*job["changes"], "data.init_args.path=maps"]).build_task()
            sizes[job["group"], job["method"]] = sum(each.numel() for each in task.network.parameters())
    assert sizes["networks", "transformer"] == sizes["networks", "transformer-short"] < 1_200_000
    assert len(sizes) == 7 and len(set(sizes.values())) == 5


def test_a_row_trains_a_network_on_maps_it_makes_and_tests_it_on_others():
    found = measured(JOBS["transformer-short"])
    assert found["failed"] is None
    assert 0.0 < found["last"]["mae"] < 3000.0 and -1.0 < found["last"]["ssim"] < 1.0
    assert found["last"]["weights"] == 714_073 and found["last"]["generation"] > 0.0


def test_a_row_from_maps_to_records_stands_beside_the_solver():
    found = measured(FORWARD["latent-unet"])
    assert found["failed"] is None
    assert found["last"]["solver_error"] < 0.02 < found["last"]["records"] < 20.0


def test_the_mean_and_the_nearest_map_are_those_of_the_training():
    job = JOBS["mean"]
    pairs, (truth, _) = networks.training_pairs(job["pairs"], job["seed"]), networks.tests(job["tests"])
    mean = pairs.shots.maps(range(job["pairs"])).mean(0)
    expected = np.abs(mean - truth.numpy()).mean()
    assert measured(job)["last"]["mae"] == pytest.approx(expected, rel=1e-5)
    assert measured(JOBS["nearest"])["failed"] is None
    own = torch.from_numpy(pairs.shots.records([5, 2]))
    found = networks.nearest(pairs.shots, own + 0.01 * own.std() * torch.randn_like(own))
    np.testing.assert_array_equal(found.numpy(), pairs.shots.maps([5, 2]))


def test_a_version_without_shipped_weights_says_so_in_its_row(monkeypatch):
    networks.shipped_task.cache_clear()
    monkeypatch.setattr(networks, "SHIPPED", "gfi/none")
    assert "there are no shipped weights 'gfi/none'" in measured(JOBS["shipped"])["failed"]


def test_shipped_weights_invert_records_of_maps_that_they_have_not_seen():
    assert measured(JOBS["shipped"])["last"]["mae"] < 300.0
