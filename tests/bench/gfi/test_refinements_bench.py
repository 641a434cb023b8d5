"""`sciml bench gfi`, refinements: which maps are tested, and what one of few solves reports."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from sciml.bench.gfi import refinements
from sciml.bench.gfi.benchmark import BENCHMARK
from sciml.bench.gfi.rows.refinements import GROUPS
from sciml.bench.grouped import QUICK

JOBS = {(job["group"], job["method"]): job for job in BENCHMARK.jobs(QUICK)}
SMALL = {"seed": 7, "solves": 16, "maps": 1, "pairs": 3}


@pytest.fixture
def network(monkeypatch):
    """A network that returns a smoothed map of the family, whatever the records."""

    def task():
        smooth = gaussian_filter(refinements.genuine_maps("curvevel-a", "vmodel10")[0], 6.0)
        return lambda records: torch.from_numpy(smooth)[None, None].float().expand(len(records), -1, -1, -1)

    monkeypatch.setattr(refinements, "shipped_task", task)


def measured(group, method, **changes):
    job = {**JOBS[group, method], **changes}
    return getattr(refinements, job["function"].partition(":")[2])(job)


def test_every_limit_and_headline_is_that_of_a_row_with_a_function():
    for group in GROUPS:
        methods = {row.method for row in group.rows}
        assert {each.method for each in (*group.limits, *group.cases)} <= methods
        for row in group.rows:
            assert callable(getattr(refinements, row.function.partition(":")[2]))
            refinements._settings({"seed": 1, **row.settings})
            assert row.settings.get("start", "network") in refinements.STARTS


def test_the_seeds_share_the_sixteen_maps_among_them(monkeypatch):
    maps = np.broadcast_to(np.arange(500.0)[:, None, None], (500, 70, 70))
    monkeypatch.setattr(refinements, "genuine_maps", lambda family, name: maps)
    taken = [refinements.tested_maps({"seed": seed})[:, 0, 0] for seed in (301, 302, 303)]
    assert sorted(np.concatenate(taken)) == list(range(0, 496, 31))
    assert len(refinements.tested_maps({"seed": 301, "maps": 2})) == 2


def test_maps_of_families_without_genuine_files_are_generated():
    first, second = (refinements.tested_maps({"seed": seed, "family": "style-a", "maps": 2}) for seed in (301, 302))
    assert first.shape == second.shape == (2, 70, 70)
    assert not np.array_equal(first, second)


@pytest.mark.usefixtures("generated")
@pytest.mark.parametrize(
    "changes",
    [{"start": "smoothed"}, {"start": "profile", "noise": 0.3, "missing": 0.3, "unknown_wavelet": True}],
    ids=["smoothed", "everything"],
)
def test_a_few_solves_decrease_the_misfit(changes):
    found = refinements.refined({**SMALL, **changes})
    assert found["failed"] is None
    assert 0.0 < found["last"]["misfit"] < 1.0 and 5.0 < found["last"]["solves"] <= 16
    assert found["last"]["change"] == pytest.approx(found["last"]["error"] / found["last"]["start"] - 1.0)


@pytest.mark.usefixtures("generated", "network")
def test_a_start_near_the_truth_wins_against_the_best_classical_one():
    found = measured("refined-classical", "classical", **{**SMALL, "solves": 8})["last"]
    assert found["won"] == 1.0 and found["network"] < found["error"]


@pytest.mark.usefixtures("generated")
def test_the_network_is_given_records_without_noise_and_dead_traces(monkeypatch):
    given = []
    monkeypatch.setattr(refinements, "shipped_task", lambda: lambda each: given.append(each[0]) or each[:, :1])
    jobs = [{**SMALL, **changes} for changes in ({}, {"noise": 0.3}, {"missing": 0.3})]
    cases = [refinements._cases(job) for job in jobs]
    for job, each in zip(jobs, cases, strict=True):
        refinements.STARTS["network"](job, each)
    clean = cases[0][0].records
    assert torch.equal(given[0], clean)
    for (case,), seen, most in zip(cases[1:], given[1:], (0.6, 0.9), strict=True):
        assert (seen - clean).norm() < most * (case.records - clean).norm()


@pytest.mark.usefixtures("generated", "network")
def test_the_spread_over_starts_is_compared_with_the_error_of_their_mean():
    found = measured("spread", "starts", **{**SMALL, "solves": 8}, starts=3)["last"]
    assert -1.0 <= found["rank"] <= 1.0 and 0.0 < found["covered"] <= 1.0
    fields = refinements._smooth_fields(3, (70, 70), torch.Generator().manual_seed(0))
    np.testing.assert_allclose(fields.std((1, 2)), [0.0, 150.0, 150.0])


@pytest.mark.usefixtures("generated")
def test_rows_that_begin_at_the_network_say_that_there_are_no_weights(monkeypatch):
    from sciml.bench.gfi import networks

    networks.shipped_task.cache_clear()
    monkeypatch.setattr(networks, "SHIPPED", "gfi/none")
    for place in (("refined-network", "network-80"), ("refined-classical", "classical")):
        assert "no shipped weights" in measured(*place, **SMALL)["failed"]
