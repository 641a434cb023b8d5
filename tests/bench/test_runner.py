"""What a benchmark measures again when it is run twice into the same file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sciml.bench.runner import BenchmarkRun

JOB = {"key": "speed/ours/7", "group": "speed", "method": "ours", "title": "ours", "kind": "ours", "threads": 1,
       "rates": (0.5, 0.25)}  # fmt: skip


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the jobs that a process was asked to measure."""
    keys: list[str] = []

    def stand_in(batch: list[dict[str, Any]], *_: object):
        for job in batch:
            keys.append(job["key"])
            yield job["key"], {"last": {"error": 1.0}}

    monkeypatch.setattr("sciml.bench.runner.run_jobs", stand_in)
    return keys


def run(folder: Path, *jobs: dict[str, Any]) -> None:
    BenchmarkRun("made_up", folder / "made_up.json", {"plan": {}}, jobs, ("errors.py",)).measure(jobs)


def test_a_job_is_measured_once_whatever_the_tables_call_it(tmp_path: Path, measured: list[str]) -> None:
    run(tmp_path, JOB)
    run(tmp_path, JOB | {"title": "Ours, by its full name"}, JOB | {"key": "speed/ours/8"})
    assert measured == ["speed/ours/7", "speed/ours/8"]


@pytest.mark.parametrize("changed", [{"rates": (0.5, 0.125)}, {"threads": 2}, {"options": {"width": 3}}])
def test_a_job_with_other_settings_is_measured_again(tmp_path: Path, measured: list[str], changed) -> None:
    run(tmp_path, JOB)
    run(tmp_path, JOB | changed)
    run(tmp_path, JOB | changed)
    assert measured == ["speed/ours/7"] * 2
