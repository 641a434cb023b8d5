"""``sciml solve`` of an inversion: what a run leaves, how it is resumed, and what is refused."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from sciml.data.formats.segy import write_segy
from sciml.errors import DataFormatError, InputError
from sciml.gfi.refine_task import RefineTask
from sciml.gfi.refinement import Refinement, ShotProblem, Stage, Survey
from sciml.gfi.refinement.refining import Refiner
from sciml.gfi.remarks import remarks
from sciml.mesh.series import read_series
from sciml.reference.waves import Acquisition, WaveSolver
from sciml.run_records import read_rows
from sciml.training import load_field, load_task
from sciml.training.config import config_from_values
from sciml.training.run import evaluate, finished, train

SHAPE = (12, 16)
STAGES = [{"highest": 0.6}, {}]


def acquisition():
    places = np.array([(10.0, 10.0 * column) for column in range(0, 16, 3)])
    return Acquisition(SHAPE, 10.0, 1e-3, 150, places[[1, 4]], places, 15.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with records of two layers, their acquisition, the true map and a start."""
    folder = tmp_path_factory.mktemp("files")
    truth = np.full(SHAPE, 1900.0)
    truth[6:] = 2300.0
    with torch.no_grad():
        records = WaveSolver(acquisition())(torch.from_numpy(truth)[None])[0]
    np.save(folder / "shots.npy", records.numpy())
    np.save(folder / "truth.npy", truth)
    np.save(folder / "start.npy", gaussian_filter(truth, 3.0)[None])
    (folder / "acquisition.json").write_text(json.dumps(acquisition().as_dict()))
    return folder


def inversion(folder, **changes):
    arguments = {
        "shots": str(folder / "shots.npy"),
        "problem": {"rows": 12, "columns": 16, "acquisition": str(folder / "acquisition.json")},
        "start": str(folder / "start.npy"),
        "truth": str(folder / "truth.npy"),
        "refinement": {"solves": 16, "stages": STAGES},
        "blocks": 4,
    } | changes
    task = {"class_path": "sciml.gfi.RefineTask", "init_args": arguments}
    return config_from_values({"title": "two layers", "seed": 0, "task": task}, "a test")


@contextmanager
def stopped_after(epochs, monkeypatch):
    """Stop a run as a kill would."""

    class Stopped(BaseException):
        pass

    advance = RefineTask.advance

    def stop(task, batch):
        if task.current_epoch == epochs:
            raise Stopped
        return advance(task, batch)

    with monkeypatch.context() as patch:
        patch.setattr(RefineTask, "advance", stop)
        with pytest.raises(Stopped):
            yield


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    run = tmp_path_factory.mktemp("whole") / "run"
    train(inversion(folder), run)
    return run


def test_a_run_decreases_misfit_and_error(whole, folder):
    found = finished(whole)["metrics"]
    assert next(iter(found)) == "mean_absolute_error"
    start = np.abs(np.load(folder / "start.npy")[0] - np.load(folder / "truth.npy")).mean()
    assert found["mean_absolute_error"] < 0.8 * start
    assert found["misfit"] < 0.1 * found["start_misfit"]
    assert 14 <= found["solves"] <= 16 and found["stalled"] == found["at_limit"] == 0
    assert 0.0 <= found["unseen"] < 1.0 and 0.1 < found["unrecorded"] < 0.3  # 0.15 s are short
    assert [float(row["loss/stage"]) for row in read_rows(whole / "metrics.csv")][-1] == len(STAGES)
    drawn = {entry.name for entry in (whole / "figures").iterdir()}
    assert {"maps.png", "gathers.png", "illumination.png", "history.png"} <= drawn


def test_the_map_is_written_with_depth_downwards(whole, folder):
    named = {field.name: np.asarray(field.values) for field in read_series(whole / "fields.xdmf").fields}
    assert set(named) == {"wave_speed", "wave_speed_exact", "start", "illumination"}
    exact = named["wave_speed_exact"].reshape(16, 12)
    np.testing.assert_allclose(exact[:, ::-1].T, np.load(folder / "truth.npy"))  # along x, then upwards
    top, bottom, between = load_field(whole)(np.array([[70.0, 0.0], [70.0, -110.0], [75.0, -110.0]]))[:, 0]
    found = named["wave_speed"].reshape(16, 12)
    assert (top, bottom) == pytest.approx((found[7, 11], found[7, 0]))
    assert between == pytest.approx(found[7:9, 0].mean())
    errors = np.abs(named["wave_speed"] - named["wave_speed_exact"])
    assert errors.mean() == pytest.approx(finished(whole)["metrics"]["mean_absolute_error"], rel=1e-9)
    assert evaluate(whole)["mean_absolute_error"] == finished(whole)["metrics"]["mean_absolute_error"]


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_run_that_was_killed_ends_with_the_same_bits(whole, folder, tmp_path, monkeypatch, epochs):
    with stopped_after(epochs, monkeypatch):
        train(inversion(folder), tmp_path / "run")
    train(inversion(folder), tmp_path / "run", resume=True)
    ended, killed = finished(whole)["metrics"], finished(tmp_path / "run")["metrics"]
    assert {name: value for name, value in killed.items() if "second" not in name} == {
        name: value for name, value in ended.items() if "second" not in name
    }
    fields = [read_series(run / "fields.xdmf")["wave_speed"].values for run in (whole, tmp_path / "run")]
    np.testing.assert_array_equal(*fields)


def test_before_the_first_block_has_ended_the_map_is_the_start(folder, tmp_path, monkeypatch):
    with stopped_after(0, monkeypatch):
        train(inversion(folder), tmp_path / "run")
    found = load_task(tmp_path / "run").found.numpy()
    np.testing.assert_array_equal(found, np.load(folder / "start.npy").reshape(SHAPE))


def test_traces_of_zeros_are_left_out_and_told(folder, tmp_path):
    mine = shutil.copytree(folder, tmp_path / "files")
    broken = np.load(mine / "shots.npy")
    broken[0, :, 2] = 0.0
    np.save(mine / "shots.npy", broken)
    few = {"refinement": {"solves": 7, "stages": [{}]}, "blocks": 1}
    found = train(inversion(mine, start=str(mine / "truth.npy"), **few), tmp_path / "run")["metrics"]
    assert found["dead_traces"] == 1 and found["start_misfit"] < 1e-6  # zeros would differ by a tenth of the energy
    assert any("traces that are zero" in remark for remark in RefineTask.remarks(found))


def test_records_that_changed_are_not_resumed(folder, tmp_path, monkeypatch):
    mine = shutil.copytree(folder, tmp_path / "files")
    with stopped_after(1, monkeypatch):
        train(inversion(mine), tmp_path / "run")
    np.save(mine / "shots.npy", 2.0 * np.load(mine / "shots.npy"))
    with pytest.raises(InputError, match="have changed since the run began"):
        train(inversion(mine), tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("shots", np.zeros((2, 6, 150)), "exchange their axes"),
        ("shots", np.array(["a"]), "texts"),
        ("start", np.full((16, 12), 2000.0), "depth first"),
        ("shots", np.full((2, 150, 6), 1e60), r"as large as 1\.0e\+60, .* in another unit"),
        ("shots", np.full((2, 150, 6), 1j), "complex"),
        ("shots", np.ones((3, 2, 150, 6)), "the records of several maps"),
        ("start", np.full((12, 16), 2.0), r"the map in .*bad\.npy has velocities from 2 to 2, .* look like km/s"),
        ("truth", np.full((12, 16), np.nan), "expected positive finite numbers"),
        ("truth", np.zeros(3), "expected"),
    ],
)
def test_files_that_do_not_suit_leave_no_folder(folder, tmp_path, name, array, message):
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises((InputError, DataFormatError), match=message):
        train(inversion(folder, **{name: str(tmp_path / "bad.npy")}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_damaged_files_are_refused_in_sentences(folder, tmp_path):
    (tmp_path / "cut.npy").write_bytes((folder / "shots.npy").read_bytes()[:-7])
    survey = Survey(12, 16, acquisition=str(folder / "acquisition.json"))
    with pytest.raises(DataFormatError, match=r"cut\.npy is no array in \.npy"):
        survey.read(str(tmp_path / "cut.npy"))
    (tmp_path / "other.json").write_text("[1, 2]")
    with pytest.raises(DataFormatError, match=r"other\.json holds no acquisition"):
        Survey(12, 16, acquisition=str(tmp_path / "other.json")).read(str(folder / "shots.npy"))
    with pytest.raises(InputError, match="give rows, columns and spacing"):
        Survey(13, 16, acquisition=str(folder / "acquisition.json")).read(str(folder / "shots.npy"))


def test_options_that_a_file_answers_itself_are_refused_unless_they_agree(folder):
    known = {"rows": 12, "columns": 16, "acquisition": str(folder / "acquisition.json")}
    assert Survey(**known, frequency=15.0).read(str(folder / "shots.npy")).acquisition.frequency == 15.0
    with pytest.raises(
        InputError, match=r"acquisition\.json has a wavelet that peaks at 15 Hz, but .* is 25 Hz; leave the frequency"
    ):
        Survey(**known, frequency=25.0).read(str(folder / "shots.npy"))
    with pytest.raises(InputError, match=r"line\.sgy says itself where it was recorded, so that .* has no effect"):
        Survey(**known).read("line.sgy")
    with pytest.raises(DataFormatError, match=r"there is no file .*absent\.json"):
        Survey(**{**known, "acquisition": str(folder / "absent.json")}).read(str(folder / "shots.npy"))


def test_a_line_sampled_too_coarsely_for_the_solver_is_interpolated(tmp_path):
    """Records at 4 ms, of which the waves of 8 Hz are far below the highest frequency, over cells of 20 m."""
    pytest.importorskip("segyio", reason="writing SEG-Y needs the extra segy")

    def made(time_step, steps):
        places = np.array([(20.0, 20.0 * column) for column in range(0, 16, 3)])
        return Acquisition(SHAPE, 20.0, time_step, steps, places[[1, 4]], places, 8.0)

    truth = np.full((1, *SHAPE), 2200.0)
    with torch.no_grad():
        fine = WaveSolver(made(2e-3, 241))(torch.from_numpy(truth))[0].numpy()
    write_segy(tmp_path / "line.sgy", fine[:, ::2], made(4e-3, 121))
    survey = Survey(*SHAPE, spacing=20.0, frequency=8.0)
    found = survey.read(str(tmp_path / "line.sgy"), fastest=4500.0)
    assert found.acquisition.time_step == 2e-3 and found.noise_factor == pytest.approx(np.sqrt(2))
    assert np.linalg.norm(found.records - fine) < 1e-2 * np.linalg.norm(fine)
    assert survey.read(str(tmp_path / "line.sgy"), fastest=3000.0).acquisition.time_step == 4e-3
    problem = {"rows": SHAPE[0], "columns": SHAPE[1], "spacing": 20.0, "frequency": 8.0}
    given = {"shots": str(tmp_path / "line.sgy"), "problem": problem, "start": None, "truth": None}
    refinement = {"solves": 8, "stages": STAGES, "noise": 0.01}
    metrics = train(inversion(tmp_path, **given, refinement=refinement), tmp_path / "run")["metrics"]
    assert metrics["misfit"] < metrics["start_misfit"]


def test_more_blocks_than_anybody_waits_for_are_refused():
    with pytest.raises(InputError, match="the number of blocks is 100000000, expected a whole number from 1 to 10000"):
        RefineTask(blocks=10**8)


def test_a_line_of_another_frequency_than_the_survey_is_refused(folder, tmp_path):
    pytest.importorskip("segyio")
    write_segy(tmp_path / "line.sgy", np.load(folder / "shots.npy"), acquisition())
    survey = {"rows": 12, "columns": 16, "spacing": 10.0}
    assert Survey(**survey).read(str(tmp_path / "line.sgy")).acquisition.frequency == 15.0
    with pytest.raises(InputError, match=r"line\.sgy has records with a median frequency of .* peaks at 1 Hz; give"):
        Survey(**survey, frequency=1.0).read(str(tmp_path / "line.sgy"))
    with pytest.raises(InputError, match=r"line\.sgy: .* outside of the map.*; give rows, columns and spacing of the"):
        Survey(rows=12, columns=3, spacing=10.0).read(str(tmp_path / "line.sgy"))


def test_a_map_whose_records_are_not_those_observed_is_remarked_upon():
    (told,) = remarks({"misfit": 1.27})
    assert "the difference has 127% of their energy" in told and not remarks({"misfit": 0.1})


def test_without_files_a_drawn_map_is_inverted_from_velocities_that_rise_with_depth(folder, tmp_path):
    survey = {"rows": 12, "columns": 16, "acquisition": str(folder / "acquisition.json")}
    task = RefineTask(problem=Survey(**survey), refinement=Refinement(solves=7, stages=[Stage()]))
    shots = task.survey.example(3)
    assert shots.truth.shape == SHAPE and (shots.truth != task.survey.example(4).truth).any()
    with torch.no_grad():
        modelled = WaveSolver(shots.acquisition)(torch.from_numpy(shots.truth)[None])[0].numpy()
    assert np.linalg.norm(modelled - shots.records) < 0.05 * np.linalg.norm(shots.records)


@pytest.mark.parametrize("top", [1500.0, 2250.0, 2700.0])
def test_the_start_by_default_rises_from_the_velocity_of_the_direct_waves(top, tmp_path):
    rising = np.linspace(top, top + 1800.0, SHAPE[0])[:, None].repeat(SHAPE[1], 1)
    layers = top + 400.0 * (np.arange(SHAPE[0]) // 4)[:, None] + np.zeros(SHAPE[1])
    with torch.no_grad():
        records = WaveSolver(acquisition())(torch.from_numpy(np.stack([rising, layers])))
    for each, tolerance in zip(records, (1e-9, 200.0), strict=True):
        task = RefineTask(problem=Survey(rows=12, columns=16), refinement=Refinement(solves=7))
        task._refiner = Refiner(ShotProblem(each, acquisition()), task.refinement)
        start = task._rising()
        assert start[0] == pytest.approx(np.full(SHAPE[1], top), abs=tolerance)
        assert start[-1, 0] - start[0, 0] == pytest.approx(1800.0)
