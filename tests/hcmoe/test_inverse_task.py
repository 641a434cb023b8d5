"""``sciml solve`` of an inverse problem: what a run leaves, how it is resumed, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from sciml.errors import DataFormatError, InputError
from sciml.hcmoe import BurgersWaves, InverseExperts, SyntheticReadings
from sciml.training import load_field
from sciml.training.config import Config, config_from_values
from sciml.training.run import evaluate, finished, train
from sciml.training.stored import load_task

pytestmark = pytest.mark.usefixtures("quick")
TRUTH = {"viscosity": 0.05, "waves": [0.6, -0.4], "duration": 0.3}
UNKNOWN = {"viscosity": "positive", "wave_1": "real", "wave_2": "real"}


def inverse(**arguments: object) -> Config:
    def waves(**values: object) -> dict:
        return {"class_path": "sciml.hcmoe.BurgersWaves", "init_args": {**TRUTH, **values}}

    drawn = {"problem": waves(), "count": 20}
    task = {
        "problem": waves(viscosity=0.1, waves=[0.3, 0.0]),
        "unknown": UNKNOWN,
        "readings": {"class_path": "sciml.hcmoe.SyntheticReadings", "init_args": drawn},
        "iterations": 9,
        "elements": {"count": 3, "degree": 8},
        "slabs": {"count": 2, "degree": 5},
        "output": {"grid": [11], "times": 3, "animation": False},
    } | arguments
    return config_from_values(
        {"title": "waves", "seed": 11, "task": {"class_path": "sciml.hcmoe.InverseExperts", "init_args": task}},
        "a test",
    )


def tabled(file: Path, deviation: float) -> dict:
    return {"class_path": "sciml.hcmoe.ReadingsTable", "init_args": {"file": str(file), "deviation": deviation}}


@contextmanager
def stopped_after(epochs: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stop a run as a kill would."""

    class Stopped(BaseException):
        pass

    advance = InverseExperts.advance

    def stop(task: InverseExperts, batch: int) -> dict:
        if task.current_epoch == epochs:
            raise Stopped
        return advance(task, batch)

    with monkeypatch.context() as patch:
        patch.setattr(InverseExperts, "advance", stop)
        with pytest.raises(Stopped):
            yield


@pytest.fixture(scope="module")
def whole(quick, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(inverse(), folder)
    return folder


@pytest.fixture
def table(tmp_path) -> Path:
    """Return the readings of the run as a user's table."""
    drawn = SyntheticReadings(BurgersWaves(**TRUTH), 20).read(11)
    rows = zip(drawn.t.tolist(), drawn.x.tolist(), drawn.u.tolist(), strict=True)
    file = tmp_path / "mine.csv"
    file.write_text("t,x,u\n" + "".join(f"{t!r},{x!r},{u!r}\n" for t, x, u in rows))
    return file


def test_the_result_holds_coefficients_within_their_deviations(whole):
    found = finished(whole)["metrics"]
    assert next(iter(found)) == "error_over_deviation" and 0.05 < found["error_over_deviation"] < 2
    true = {"viscosity": 0.05, "wave_1": 0.6, "wave_2": -0.4}
    for name, value in true.items():
        assert 0 < found[f"{name}_deviation"] < 0.2 * abs(value)
        ratio = (found[name] - value) / found[f"{name}_deviation"]
        assert found[f"{name}_error_over_deviation"] == pytest.approx(ratio)
    assert 0.5 < found["misfit"] < 1.5 and 0 < found["relative_l2_at_end"] < 0.02
    assert 3 < found["iterations"] < 9 and found["at_limit"] == found["stalled"] == 0


def test_the_run_leaves_pictures_and_a_table_of_readings_beside_the_solution(whole):
    assert {"coefficients.png", "readings.png", "u.png"} <= {entry.name for entry in (whole / "figures").iterdir()}
    rows = np.genfromtxt(whole / "diagnostics.csv", delimiter=",", names=True)
    u = load_field(whole)
    for row in rows:
        assert row["found"] == pytest.approx(float(u(np.array([[row["x"]]]), float(row["t"]))[0, 0]), abs=1e-12)
    misfit = finished(whole)["metrics"]["misfit"]
    assert np.sqrt((rows["misfit_over_deviation"] ** 2).mean()) == pytest.approx(misfit, rel=1e-4)


def test_evaluation_and_predictions_are_those_of_the_coefficients_found(whole, tmp_path):
    assert evaluate(whole)["wave_2"] == finished(whole)["metrics"]["wave_2"]
    task = load_task(whole)
    (tmp_path / "points.csv").write_text("x\n0.25\n0.5\n")
    assert task.predict_file(tmp_path / "points.csv", tmp_path / "u.csv", time=[0.0, 0.3]) == {
        "points": 2.0,
        "times": 2.0,
    }
    table = np.genfromtxt(tmp_path / "u.csv", delimiter=",", names=True)
    found = finished(whole)["metrics"]
    start = found["wave_1"] * np.sin(np.pi * table["x"][:2]) + found["wave_2"] * np.sin(2 * np.pi * table["x"][:2])
    assert table["u"][:2] == pytest.approx(start, abs=1e-5)
    assert table["u"] == pytest.approx(table["u_exact"], abs=0.02)


def test_a_run_that_was_stopped_ends_with_the_same_bits(whole, tmp_path, monkeypatch):
    with stopped_after(3, monkeypatch):
        train(inverse(), tmp_path / "run")
    shutil.copytree(tmp_path / "run", tmp_path / "copy", ignore=shutil.ignore_patterns(".lock"))
    train(inverse(), tmp_path / "copy", resume=True)
    assert finished(tmp_path / "copy")["metrics"] == finished(whole)["metrics"]


def test_readings_of_a_table_give_the_same_coefficients_and_no_errors(whole, table, tmp_path):
    deviation = SyntheticReadings(BurgersWaves(**TRUTH), 20).read(11).deviation
    train(inverse(readings=tabled(table, deviation)), tmp_path / "run")
    found, drawn = finished(tmp_path / "run")["metrics"], finished(whole)["metrics"]
    assert next(iter(found)) == "misfit"
    assert not [name for name in found if "error" in name or "l2" in name]
    assert all(found[name] == drawn[name] for name in [*UNKNOWN, "viscosity_deviation", "misfit"])
    assert load_task(tmp_path / "run").exact(torch.zeros(1, 1), 0.0) is None


def test_other_readings_than_at_the_start_are_refused(table, tmp_path, monkeypatch):
    with stopped_after(1, monkeypatch):
        train(inverse(readings=tabled(table, 0.01)), tmp_path / "run")
    table.write_text(table.read_text() + "0.1,0.5,0.2\n")
    with pytest.raises(InputError, match="readings have changed since the run began"):
        train(inverse(readings=tabled(table, 0.01)), tmp_path / "run", resume=True)


def test_readings_that_cannot_be_used_leave_no_folder(table, tmp_path):
    with pytest.raises(DataFormatError, match="does not exist"):
        train(inverse(readings=tabled(tmp_path / "none.csv", 0.01)), tmp_path / "run")
    table.write_text("t,x,u\n0.1,0.5,0.3\n0.2,0.5,0.3\n")
    with pytest.raises(InputError, match="2 readings for 3 coefficients"):
        train(inverse(readings=tabled(table, 0.01)), tmp_path / "run")
    table.write_text("t,x,u\n0.1,0.5,0.3\n0.2,-0.5,0.3\n")
    with pytest.raises(InputError, match=r"reading 2 is at x = -0\.5"):
        train(inverse(readings=tabled(table, 0.01)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_search_that_did_not_converge_and_readings_that_do_not_fit_are_told():
    told = InverseExperts.remarks({"misfit": 7.0, "at_limit": 1.0, "stalled": 0.0})
    assert len(told) == 2 and "allow more iterations" in told[0] and "7.0 deviations" in told[1]
    assert not InverseExperts.remarks({"misfit": 1.0, "at_limit": 0.0, "stalled": 0.0})
