"""`sciml bench gfi`, refinements: which maps are tested, and what one of few solves reports."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.bench.gfi import refinements
from sciml.bench.gfi.rows.refinements import GROUPS
from sciml.reference.layered_maps import layered_maps


@pytest.fixture(autouse=True)
def generated(monkeypatch):
    """Numbers in place of genuine maps, and one generated map."""
    maps = np.broadcast_to(np.arange(500.0)[:, None, None], (500, 70, 70))
    monkeypatch.setattr(refinements, "_file", lambda name: maps)


def test_every_limit_and_headline_is_that_of_a_row_with_a_function():
    for group in GROUPS:
        methods = {row.method for row in group.rows}
        assert {each.method for each in (*group.limits, *group.cases)} <= methods
        for row in group.rows:
            assert callable(getattr(refinements, row.function.partition(":")[2]))
            refinements._settings({"seed": 1, **row.settings})


def test_the_seeds_share_the_sixteen_maps_among_them():
    taken = [refinements.tested_maps({"seed": seed})[:, 0, 0] for seed in (301, 302, 303)]
    assert sorted(np.concatenate(taken)) == list(range(0, 496, 31))
    assert len(refinements.tested_maps({"seed": 301, "maps": 2})) == 2


@pytest.mark.parametrize(
    "job",
    [{"start": "smoothed"}, {"start": "profile", "noise": 0.3, "missing": 0.3, "unknown_wavelet": True}],
    ids=["smoothed", "everything"],
)
def test_a_few_solves_decrease_the_misfit(job, monkeypatch):
    monkeypatch.setattr(refinements, "_file", lambda name: layered_maps("curvevel-a", range(2)).astype(float))
    monkeypatch.setattr(refinements, "tested_maps", lambda job: refinements._file("any")[:1])
    found = refinements.refined({"seed": 7, "solves": 8, **job})
    assert found["failed"] is None
    assert 0.0 < found["last"]["misfit"] < 1.0 and 8 <= found["last"]["solves"] < 20
    assert found["last"]["change"] == pytest.approx(found["last"]["error"] / found["last"]["start"] - 1.0)
