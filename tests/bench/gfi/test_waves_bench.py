"""`sciml bench gfi`, the wave solver: what is measured is right on one map, and every limit is that of a row."""

from __future__ import annotations

import pytest

from sciml.bench.gfi import waves
from sciml.bench.gfi.rows.waves import GROUPS
from sciml.reference.waves import Acquisition


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Half of OpenFWI's time."""
    values = {**Acquisition.openfwi().as_dict(), "steps": 500, "wavelet": None}
    monkeypatch.setattr(Acquisition, "openfwi", lambda: Acquisition.from_dict(values))


def test_every_limit_and_headline_is_that_of_a_row_with_a_function():
    for group in GROUPS:
        methods = {row.method for row in group.rows}
        assert {each.method for each in (*group.limits, *group.cases)} <= methods
        assert all(callable(getattr(waves, row.function.partition(":")[2])) for row in group.rows)


def test_the_host_scheme_is_equal_to_itself_and_the_numba_engine_nearly():
    ours, host = (
        waves.records({"engine": engine, "maps": 1, "turns": 1, "seed": 7})["last"] for engine in ("numba", "host")
    )
    assert host["error"] == 0.0 and 1e-4 < ours["error"] < 1e-2 < 5e-2 < ours["shifted"]
    assert ours["pairs"] > 0


def test_two_engines_take_turns():
    found = waves.beside({"engine": "numba", "other": "numba", "maps": 1, "turns": 1, "seed": 7})["last"]
    assert found["error"] < 1e-2 and found["forward_ratio"] == found["gradient_ratio"] == 1.0


def test_identities_hold_and_the_remainder_is_of_second_order():
    found = waves.identities({"maps": 1, "seed": 7})
    last = found["last"]
    assert found["failed"] is None and last["slope"] == pytest.approx(2.0, abs=0.1)
    assert max(last["green"], last["surface"]) < 1.5e-2
    assert max(last["adjoint"], last["reciprocity"]) < 1e-4 and max(last["mirror"], last["scaled"]) < 1e-5
