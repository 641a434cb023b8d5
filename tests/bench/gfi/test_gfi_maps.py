"""Rows on generated maps: equal sets agree, others do not, and missing data are named."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.bench.gfi import maps
from sciml.bench.gfi.rows.maps import MAPS
from sciml.reference.layered_maps import layered_maps


def test_a_family_agrees_with_itself_and_not_with_others() -> None:
    ours, same = (layered_maps("curvevel-a", range(300), seed) for seed in (1, 2))
    found = maps.compared(ours, same)
    assert found["p"] > 0.01 and found["mean"] < 0.03 and found["deviation"] < 0.03 and found["amplitude"] < 0.2
    stretched = np.repeat(same[:, :35], 2, axis=1)
    assert maps.compared(ours, stretched)["amplitude"] > 0.3
    flat = layered_maps("flatvel-a", range(300), 1)
    assert maps.compared(ours, flat)["p"] < 1e-6 and "amplitude" not in maps.compared(ours, flat)
    assert maps.compared(ours, 1.1 * same)["mean"] > 0.07


def test_families_without_genuine_maps_are_compared_with_published_statistics() -> None:
    found = maps.published({"family": "style-a", "maps": 200, "seed": 1})
    assert found["failed"] is None and 0 < found["last"]["mean"] < 0.05 and found["last"]["deviation"] < 0.08


def test_genuine_maps_are_read_from_the_reference_data(reference_data, monkeypatch, tmp_path) -> None:
    job = {**MAPS.rows[1].settings, "files": [1], "maps": 200, "seed": 1}
    monkeypatch.setenv("SCIML_REFERENCE_DATA", str(reference_data))
    found = maps.genuine(job)
    assert found["failed"] is None and found["last"]["p"] > 0.01 and found["last"]["mean"] < 0.04
    monkeypatch.setenv("SCIML_REFERENCE_DATA", str(tmp_path))
    found = maps.genuine(job)
    assert found["last"] == {} and found["failed"].startswith("there is no CurveVelA_train.zip in openfwi of")


@pytest.mark.parametrize("row", MAPS.rows, ids=lambda row: row.method)
def test_no_row_sees_the_maps_that_networks_are_tested_on(row) -> None:
    assert 10 not in row.settings.get("files", [])
