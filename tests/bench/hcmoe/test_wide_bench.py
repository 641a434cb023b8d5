"""Untrained rows of the wide family of sorption: classical convergence, what more functions gain, and their floor."""

from __future__ import annotations

import pytest

from sciml.bench.hcmoe import wide

JOB = {"cases": 1, "seed": 5, "tests": 5, "coupling": "windows", "experts": 4}


def test_finite_volumes_converge_to_the_cases_at_second_order():
    errors = [wide.volumes({**JOB, "number": cells})["last"]["error"] for cells in (16, 32)]
    assert 2.5 < errors[0] / errors[1] < 6


def test_more_modes_come_closer_and_never_below_their_nearest_combinations_by_much():
    found = [wide.modes({**JOB, "functions": count, "snapshots": 12})["last"] for count in (3, 11)]
    assert found[1]["error"] < 0.7 * found[0]["error"]
    assert found[1]["floor"] < found[0]["floor"]
    assert all(each["error"] <= each["error_most"] and each["setup"] > 0 for each in found)


def test_more_experts_and_higher_degrees_come_closer_with_polynomials():
    changes = ({"experts": 1, "degrees": [1, 3]}, {"experts": 4, "degrees": [1, 3]}, {"experts": 4, "degrees": [3, 5]})
    errors = [wide.polynomials({**JOB, **each})["last"]["error"] for each in changes]
    assert errors[0] > errors[1] > 1.5 * errors[2]


def test_cases_are_functions_of_the_seed():
    first, again, other = (wide.volumes({**JOB, "tests": seed, "number": 16})["last"] for seed in (5, 5, 6))
    assert first == pytest.approx(again)
    assert abs(first["error"] - other["error"]) > 1e-6
