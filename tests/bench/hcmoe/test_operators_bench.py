"""Operators without solutions in the benchmark: what the floor is, and that goals are found from solutions."""

from __future__ import annotations

import torch

from sciml.bench.hcmoe import operators
from sciml.bench.hcmoe.benchmark import BENCHMARK
from sciml.hcmoe.families.sorption import SorptionFamily

JOB = {"cases": 1, "tests": 5, "seed": 301, "family": "paper"}


def test_the_floor_is_near_the_solutions_and_has_less_residual_than_they():
    family, batch = SorptionFamily("paper"), operators._tests(JOB)
    assert operators.floor(JOB)["last"]["error"] < 5e-3
    instances = family.instances(batch)
    least, solved = operators._least(family, batch), operators._solved(family, instances)
    squares = [sum(family.squares(u, instances).values()) for u in (least, solved)]
    assert squares[0] < 0.5 * squares[1]
    assert torch.equal(solved[:, 0], instances["start"])
    assert float((least - solved)[:, 5:].norm() / solved[:, 5:].norm()) < 0.01


def test_all_rows_of_a_group_come_with_one_seed_before_the_next():
    jobs = [job for job in BENCHMARK.jobs(BENCHMARK.plan) if job["group"] == "operators"]
    seeds = [job["seed"] for job in jobs]
    assert seeds == sorted(seeds) and set(seeds) == set(BENCHMARK.plan.seeds)
    assert len({job["method"] for job in jobs if job["seed"] == 301}) == 5
