"""`sciml bench generative`: every row can be measured, and what is measured is right on small cases."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib import import_module

import pytest
import torch

from sciml.bench.generative import floors, flows, guided, sensors
from sciml.bench.generative.benchmark import BENCHMARK
from sciml.bench.generative.ensembles import smoke
from sciml.bench.generative.rows import GROUPS
from sciml.bench.grouped import QUICK
from sciml.metrics import relative_l2

SMALL = {"train": 24, "tests": 4, "modes": 8, "seed": 301}
JOBS = BENCHMARK.jobs(QUICK, ())


def test_every_limit_and_headline_is_that_of_a_row_and_compares_with_one() -> None:
    assert len({job["key"] for job in JOBS}) == len(JOBS) == sum(len(group.rows) for group in GROUPS)
    for group in GROUPS:
        methods = {row.method for row in group.rows}
        assert {each.method for each in (*group.limits, *group.cases)} <= methods
        assert {limit.beside for limit in group.limits} <= {None, *methods}
        assert {bound.over for limit in group.limits for bound in limit.bounds} <= {None, *methods}


@pytest.mark.parametrize("group", [group.name for group in GROUPS])
def test_every_row_is_measured_in_a_quick_run_and_has_what_its_limits_read(group: str) -> None:
    found = {}
    for job in (job for job in JOBS if job["group"] == group):
        module, _, name = job["function"].partition(":")
        result = getattr(import_module(module), name)(job)
        assert result["failed"] is None, job["method"]
        assert result["last"] and all(map(math.isfinite, result["last"].values())), job["method"]
        found[job["method"]] = result["last"]
    (own,) = (each for each in GROUPS if each.name == group)
    for limit in own.limits:
        for bound in limit.bounds:
            if bound.of is None:  # others take more calls than a quick run has
                assert bound.quantity in found[limit.method]
                assert bound.over is None or bound.quantity in found[bound.over]
    assert all(any(column.quantity in each for each in found.values()) for column in own.columns[:6])


def test_the_truth_has_no_error_and_members_of_the_modes_have_what_these_miss() -> None:
    case = smoke(SMALL)
    truth = case.truth()
    perfect = case.scores(truth[None])
    assert perfect["sample"] == perfect["mean"] == perfect["energy"] == 0.0 and perfect["fine"] == 1.0
    decoded = case.decode(case.latents[case.train :])
    errors = [relative_l2(*pair) for pair in zip(decoded, truth, strict=True)]
    assert case.scores(decoded[None])["sample"] == pytest.approx(sum(errors) / len(errors), rel=1e-6)
    # The training itself is its own nearest neighbour, and completed to the fields that it came from.
    condition = case.conditions["first"].clone()
    condition[case.train :] = condition[: case.tests]
    own = replace(case, conditions={"first": condition})
    completed = own.completed(own.decode(own.latents[: own.tests])[None], "first")
    assert completed[0] == pytest.approx(own.fields[: own.tests], abs=1e-5)


def test_a_measurement_repeats_bit_for_bit_and_depends_on_its_seed() -> None:
    job = {**SMALL, "condition": "caption", "updates": 3, "at": 2, "calls": [2], "sampler": "euler"}

    def energy(**changes: object) -> float:
        flows._learned.cache_clear()
        return flows.flow({**job, **changes})["last"]["energy"]

    first = energy()
    assert energy() == first
    assert energy(seed=302) != first
    assert energy(path="trigonometric") != first


def test_training_makes_a_flow_better_than_members_at_random() -> None:
    job = {**SMALL, "condition": "first", "at": 2, "calls": [2], "sampler": "euler", "source": "linear"}
    few, many = (flows.flow({**job, "updates": updates})["last"]["energy"] for updates in (1, 150))
    assert many < few and many < floors.climatology(job)["last"]["energy"]


def test_analogs_are_simulations_and_persistence_is_the_first_frame() -> None:
    job = {**SMALL, "condition": "first", "degree": 1}
    found = {name: getattr(floors, name)(job)["last"] for name in ("analogs", "climatology", "persistence")}
    assert found["analogs"]["energy"] < found["climatology"]["energy"]
    truth = smoke(job).truth()
    errors = [relative_l2(each[:, :1].expand_as(each), each) for each in truth]
    assert found["persistence"]["energy"] == pytest.approx(sum(errors) / len(errors), rel=1e-6)


def test_rows_of_smoke_and_captions_are_those_of_decoded_fields() -> None:
    case = smoke(SMALL)
    latents = case.latents[:5]
    fields = case.decode(latents)
    rows, origin = guided.smoke_rows(case)
    assert latents @ rows.T + origin == pytest.approx(fields[:, 2].flatten(1), abs=1e-5)
    rows, origin = guided.caption_rows(case)
    first = float(case.fields[: case.train, 2, 0].mean())
    assert (latents @ rows.T + origin)[:, 0] == pytest.approx(fields[:, 2, 0].mean((1, 2)) / first, abs=1e-5)


def test_sensors_see_latents_with_errors_of_variance_one() -> None:
    job = {**SMALL, "train": 200}
    seen = sensors.Sensors(job)
    case = seen.case
    assert seen.rows.shape == (round(0.05 * case.fields[0].numel()), 8)
    missed = seen.values - case.latents[case.train :] @ seen.rows.T
    assert 0.3 < float(missed.square().mean()) < 10.0  # of four tests
    torch.testing.assert_close(case.conditions["sensors"], case.normal().flatten(1)[:, case.sensors])
