"""Jobs on elastic bodies: tension beside finite elements, and what is said of a fall."""

from __future__ import annotations

import math

import pytest

from sciml.bench.insr import bodies
from sciml.bench.insr.bodies import drop, fall, tension, tension_fem
from sciml.domains import Box
from sciml.errors import InputError
from sciml.insr import ElasticBody, Motion, Plane

TENSION = "insr/tension_2d_cpu"
SMALL = ["task.init_args.problem.init_args.reference_cells=8", "task.init_args.steps=2"]


def test_a_network_is_far_closer_to_the_reference_than_linear_elements_with_as_many_numbers() -> None:
    ours = tension({"config": TENSION, "seed": 0, "changes": SMALL})
    linear = tension_fem({"config": TENSION, "changes": SMALL, "cells": 12, "degree": 1})
    graded = tension_fem({"config": TENSION, "changes": SMALL, "cells": 6, "degree": 2, "grading": 2.0})
    assert ours["numbers"] == linear["numbers"] == graded["numbers"] == 626
    assert ours["failed"] is None and linear["failed"] is None
    assert ours["last"]["relative_l2"] < 0.5 * linear["last"]["relative_l2"]
    assert graded["last"]["relative_l2"] < 0.2 * linear["last"]["relative_l2"]
    assert linear["reference_energy"] < graded["last"]["elastic_energy"] < linear["last"]["elastic_energy"]
    assert linear["mesh_bytes"] > linear["memory_bytes"] == 626 * 8


def test_the_elements_are_refined_as_long_as_the_time_suffices(monkeypatch) -> None:
    def one_second_for_each_unknown(solve):
        found = solve()
        return found, float(found.degrees_of_freedom)

    monkeypatch.setattr(bodies, "cpu_timed", one_second_for_each_unknown)
    job = {"config": TENSION, "changes": SMALL, "cells": 4, "degree": 1}
    few, more = (tension_fem(job | {"seconds": seconds}) for seconds in (0.0, 200.0))
    assert few["cells"] == 4 < more["cells"] and more["seconds"] == more["numbers"] <= 200
    assert more["last"]["relative_l2"] < few["last"]["relative_l2"]
    finer = tension_fem(job | {"cells": more["cells"] + 1})
    assert finer["numbers"] > 200


def test_a_disk_that_falls_is_told_by_its_momentum_and_penetration() -> None:
    result = drop({"config": "insr/drop_2d_cpu", "seed": 0, "steps": 6})
    told = result["fall"]
    assert result["failed"] is None and told["free_steps"] == 3
    assert told["free_fall_error"] < 1e-6
    assert 0 < told["penetration"] < 0.01
    assert told["momentum_sideways"] < 0.03 * told["momentum_before"]
    assert told["smallest_volume_ratio"] > 0.5


def test_what_is_said_of_a_fall_is_what_the_rows_say() -> None:
    body = ElasticBody(
        Box([0, 0], [1, 4]), Motion(0.1, gravity=[0.0, -10.0]), obstacles=[Plane([0, -0.1], [0, 1], 1.0)]
    )
    columns = {
        "time": [0.0, 0.1, 0.2, 0.3],
        "penetration": [0.0, 0.0, 0.2, 0.1],
        "momentum_x": [0.0, 0.0, 0.5, 0.25],
        "momentum_y": [2.0, -2.0, -6.0, 3.0],
        "mean_displacement_x": [0.0] * 4,
        "mean_displacement_y": [0.0, -0.05 + 1e-3, -0.1, -0.1],
        "smallest_volume_ratio": [1.0, 1.0, 0.7, 0.9],
    }
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    told = fall(body, rows)
    assert math.isclose(told["penetration"], 0.05, rel_tol=1e-3) and told["free_steps"] == 1
    assert math.isclose(told["free_fall_error"], 1e-3, rel_tol=1e-6)
    assert (told["momentum_before"], told["momentum_after"], told["momentum_sideways"]) == (6.0, 3.0, 0.5)
    assert told["smallest_volume_ratio"] == 0.7
    with pytest.raises(InputError, match="neither gravity nor a velocity"):
        fall(ElasticBody(Box([0, 0], [1, 1]), Motion(0.1)), rows)
