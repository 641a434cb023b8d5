"""Flows in a periodic square in `sciml bench hcmoe`: floor, classical solver and operators, on small grids."""

from __future__ import annotations

from typing import Any

import pytest

from sciml.bench.grouped import QUICK
from sciml.bench.hcmoe import vorticity
from sciml.bench.hcmoe.benchmark import BENCHMARK

GRID: dict[str, Any] = {"shape": [8, 16, 16], "cases": 1, "seed": 7}


def test_more_fourier_modes_come_closer_to_the_reference() -> None:
    errors = [vorticity.spectral({**GRID, "values": values})["last"]["error"] for values in (16, 24, 32)]
    assert errors[2] < 0.7 * errors[1] < 0.49 * errors[0] < 0.3


def test_the_floor_has_less_residual_than_the_solution_and_another_field() -> None:
    found = [vorticity.floor({**GRID, "iterations": iterations})["last"] for iterations in (10, 60)]
    assert found[1]["residual"] < 0.5 * found[0]["residual"]
    assert 1e-3 < found[1]["error"] < 0.3


@pytest.mark.parametrize("method", ["soft", "experts"])
def test_a_shipped_config_is_trained_and_tested(method: str) -> None:
    (job,) = (job for job in BENCHMARK.jobs(QUICK) if (job["group"], job["method"]) == ("vorticity", method))
    found = vorticity.operator(job)
    last = found["last"]
    assert found["failed"] is None
    assert 0 < last["residual"] < 1.0 and 0.05 < last["error"] < 1.0
    assert (last["error"] == pytest.approx(last["sum"])) == (method == "soft")
    assert ("independent" in last) == (method == "experts")
    if method == "experts":
        assert last["error"] < last["sum"] and 0.05 < last["single"] < 1.0
        assert last["single"] != pytest.approx(last["error"]) and last["independent"] != pytest.approx(last["error"])
