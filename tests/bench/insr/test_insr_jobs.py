"""The jobs of `sciml bench insr` on our networks: small errors in few steps, Adam behind least squares."""

from __future__ import annotations

import itertools
import math

import pytest

from sciml.bench.insr import adam, jobs, plan
from sciml.bench.insr.dimensions import grid_error, pulse
from sciml.bench.insr.flows import flow
from sciml.bench.insr.pinn import pinn
from sciml.insr.fitting import Fitting

JOBS = {job["key"]: job for job in plan.plan_jobs(plan.Plan(), ("deepxde",))}


@pytest.fixture
def budgets(monkeypatch) -> list[float]:
    """The seconds that every Adam was given; it makes thirty iterations per fit instead, whatever the processor."""
    given: list[float] = []
    tuned = adam.TunedAdam

    def counted(rate: float, schedule: str, seconds: float, fresh: bool = False) -> Fitting:
        given.append(seconds)
        return tuned(rate, schedule, 31.0, fresh, clock=itertools.count().__next__)

    for module in (adam, jobs):
        monkeypatch.setattr(module, "TunedAdam", counted)
    return given


def test_a_pulse_is_carried_on_with_a_small_error() -> None:
    found = jobs.case(JOBS["advection/pade22/0"] | {"steps": 2})
    assert found["failed"] is None and found["steps"] == 2 and found["history"]["time"][0] == 0
    assert found["last"]["mean_absolute_error"] < 1e-4
    assert found["numbers"] == 561 and found["memory_bytes"] == 8 * 561
    assert 0 < found["start_seconds"] <= found["seconds"]


def test_burgers_equation_is_measured_against_fourier_modes() -> None:
    found = jobs.burgers(JOBS["burgers/insr/0"] | {"steps": 1})
    assert found["failed"] is None and len(found["history"]["relative_l2"]) == 2
    assert max(found["history"]["relative_l2"]) < 1e-3


def test_adam_starts_from_the_state_of_least_squares_and_falls_behind(budgets, monkeypatch) -> None:
    monkeypatch.setattr(adam, "RATES", adam.RATES[1::2])
    job = JOBS["adam/adam/0"] | {"steps": 1, "longer": 1}
    found = adam.compare(job)
    assert len(found["adam"]) == len(adam.RATES) * len(adam.SCHEDULES) * 2
    assert all(run["solves"] == 30 and run["failed"] is None for run in found["adam"].values())
    (longer,) = found["longer"]
    assert longer == min(found["adam"], key=lambda name: found["adam"][name]["relative_l2"])
    assert budgets[-1] == pytest.approx(adam.LONGER * budgets[0]) and len(set(budgets[:-1])) == 1
    best = min(run["relative_l2"] for run in found["adam"].values())
    assert found["least_squares"]["relative_l2"] < 0.2 * best


def test_the_ablation_of_the_optimiser_gives_adam_the_time_of_least_squares(budgets, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "TIMED_STEPS", 1)
    found = jobs.adam(JOBS["ablation/adam/0"] | {"steps": 2})
    squares = jobs.case(JOBS["ablation/base/0"] | {"steps": 2})
    assert found["solves"] == 2 * 30 and len(budgets) == 1 and budgets[0] > 0
    assert found["last"]["relative_l2"] > 3 * squares["last"]["relative_l2"]


def test_the_grid_of_equal_error_is_the_smallest_that_reaches_the_error_of_the_network() -> None:
    job = JOBS["high_dimension/2d/0"] | {"steps": 1}
    found = pulse(job)
    error = found["last"]["relative_l2"]
    assert found["dimension"] == 2 and error < 1e-2
    from sciml.bench.insr.cases import build

    case = build(job["config"], 0, steps=1)
    for name, grid in found["grids"].items():
        assert grid["bytes"] == 8 * grid["nodes"] ** 2
        assert grid_error(case, name, grid["nodes"]) <= error < grid_error(case, name, math.floor(grid["nodes"] / 1.12))


def test_a_stream_function_is_measured_by_its_velocity_and_keeps_its_energy() -> None:
    found = flow(JOBS["taylor_green/insr/0"] | {"steps": 1, "cells": 32})
    assert found["failed"] is None and found["last"]["mean_square_error"] < 1e-9
    assert abs(found["energy_change"]) < 1e-4 and abs(found["exact_energy_change"]) < 1e-12


def test_a_pinn_holds_the_initial_condition_by_its_ansatz() -> None:
    found = pinn(JOBS["pinn/pinn1/0"] | {"seconds": 1e9, "updates": 30, "steps": 2})
    errors = found["history"]["relative_l2"]
    assert found["iterations"] <= 31 and found["memory_bytes"] == 8 * found["numbers"]
    assert errors[0] < errors[-1] < 0.3  # the error grows from zero at time 0
