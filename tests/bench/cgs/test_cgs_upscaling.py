"""The measurements of upscaling compare all methods on the same fields, and all solvers on the same wells."""

from __future__ import annotations

import pytest

from sciml.bench.cgs.upscaling import classical, errors, many_sources
from sciml.cgs.upscaling import UpscalingTask


def test_a_network_without_training_has_the_errors_of_its_base() -> None:
    job = {"fields": 1, "seed": 5}
    found = errors(UpscalingTask(hidden=4), job)
    for name in ("averages", "local", "extended"):
        alone = classical(job | {"upscaling": name})["last"]
        for quantity in ("rate_64", "pair_rate_128", "pressure_64"):
            kind, size = quantity.rsplit("_", 1)
            assert found[f"{kind}_{name}_{size}"] == pytest.approx(alone[quantity], rel=1e-9)
    assert found["rate_64"] == pytest.approx(found["rate_local_64"], rel=1e-6)
    assert found["others"] <= 1.0 + 1e-6


def test_solvers_of_many_sources_agree_with_the_fine_factors_as_far_as_they_can() -> None:
    job = {"size": 64, "pairs": 3, "checked": 3, "seed": 1}
    fine, ours = (many_sources(job | {"solver": name}) for name in ("multigrid", "learned"))
    assert fine["last"]["pair_rate"] < 1e-5
    assert 1e-5 < ours["last"]["pair_rate"] < 0.05
    assert many_sources(job | {"solver": "factors"})["last"] == {}
