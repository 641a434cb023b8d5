"""The measurements of Darcy flow: all methods at the same places, each as good as its order lets it be."""

from __future__ import annotations

import pytest

from sciml.bench.hcmoe import flows
from sciml.bench.hcmoe.rows.flows import GROUPS
from sciml.hcmoe import Elements


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(flows, "FINEST", Elements(6, 10, towards=[0.0, 1.0], smallest=0.08))


def test_all_methods_are_measured_against_the_same_pressure():
    changes = [f"task.init_args.elements.{change}" for change in ("count=4", "degree=8", "smallest=0.2")]
    experts = flows.experts({"config": "hcmoe/darcy_cpu", "changes": changes, "seed": 7})
    galerkin = flows.galerkin({"degree": 20, "seed": 7})
    coarse, fine = (flows.volumes({"cells": cells, "seed": 7})["last"] for cells in (64, 192))
    assert experts["failed"] is None and 1e-8 < experts["last"]["error"] < 1e-4
    assert galerkin["failed"] is None and 1e-8 < galerkin["last"]["error"] < 1e-3
    assert 8 < coarse["error"] / fine["error"] < 10  # of second order
    assert galerkin["last"]["unknowns"] == 19**2 and experts["last"]["unknowns"] == (4 * 5 + 8) ** 2


def test_the_medium_is_that_of_the_seed():
    errors = [flows.galerkin({"degree": 10, "seed": seed})["last"]["error"] for seed in (7, 7, 8)]
    assert errors[0] == errors[1] != errors[2]


def test_every_row_has_a_function():
    rows = [row for group in GROUPS for row in group.rows]
    assert rows and all(callable(getattr(flows, row.function.partition(":")[2])) for row in rows)
