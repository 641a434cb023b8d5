"""``sciml solve`` of Darcy flow: what a run leaves, predictions, a medium of one's own, finite volumes beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.text import Text

from sciml.errors import DataFormatError, DivergenceError
from sciml.hcmoe import DarcyExperts, Elements, GridDarcy
from sciml.mesh.series import read_series
from sciml.reference.darcy import random_medium, solve_darcy
from sciml.reference.darcy_finite_volumes import finite_volumes
from sciml.training import load_field
from sciml.training.config import Config, config_from_values
from sciml.training.run import evaluate, finished, train
from sciml.training.solution_figures import draw_series
from sciml.training.stored import load_task


def darcy(problem: dict) -> Config:
    task = {
        "problem": problem,
        "elements": {"count": 4, "degree": 10, "towards": [0.0, 1.0], "smallest": 0.15},
        "output": {"grid": [9, 9]},
    }
    return config_from_values(
        {"title": "flow", "seed": 0, "task": {"class_path": "sciml.hcmoe.DarcyExperts", "init_args": task}}, "a test"
    )


RANDOM = {"class_path": "sciml.hcmoe.RandomDarcy", "init_args": {"seed": 3}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sciml.hcmoe.problems.darcy.REFERENCE_DEGREE", 30)
        patch.setattr("sciml.hcmoe.darcy_task.CELLS", 64)
        train(darcy(RANDOM), folder)
    return folder


def test_pictures_of_a_steady_flow_name_no_time(whole, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("sciml.plots.snapshots.save", lambda figure, path: shown.append(figure))
    draw_series(read_series(whole / "fields.xdmf"), tmp_path, ("pressure", "log_permeability"))
    words = [[text.get_text() for text in figure.findobj(Text)] for figure in shown]
    assert len(words) == 2 and "pressure" in words[0] and "log_permeability" in words[1]
    assert not any(word.startswith("t =") for each in words for word in each)


def test_experts_are_far_closer_to_the_reference_than_finite_volumes(whole):
    found = finished(whole)["metrics"]
    assert 0 < found["relative_l2"] < 1e-5
    assert 1e-4 < found["finite_volumes_relative_l2"] < 5e-3
    assert 0 < found["residual"] < 0.1
    assert found["unknowns"] == (4 * 7 + 2 * 5 - 2) ** 2


def test_pressure_flux_and_medium_are_written_and_drawn(whole):
    named = {field.name: np.asarray(field.values) for field in read_series(whole / "fields.xdmf").fields}
    medium, places = random_medium(np.random.default_rng(3)), np.linspace(0, 1, 9)
    points = np.stack(np.meshgrid(places, places, indexing="ij"), -1)
    pressure = solve_darcy(medium, 1.0, 30)
    flux = -medium(points)[..., None] * pressure.gradient(points)
    for name, expected in (("pressure", pressure(points)), ("log_permeability", np.log(medium(points)))):
        assert np.allclose(named[name].reshape(9, 9), expected, atol=1e-6)
    assert np.allclose(named["velocity"].reshape(9, 9, 2), flux, atol=1e-3)
    assert np.abs(named["pressure"].reshape(9, 9)[[0, -1]]).max() < 1e-15
    figures = {"pressure.png", "log_permeability.png", "experts.png"}
    assert figures <= {entry.name for entry in (whole / "figures").iterdir()}


def test_predictions_have_derivatives_that_satisfy_the_equation(whole):
    p = load_field(whole)
    points = np.array([[0.3, 0.4], [0.6, 0.55]])
    laplacian = sum(p.derivative("pressure", points, 0.0, **{axis: 2}) for axis in "xy")[:, 0]
    slopes = np.concatenate([p.derivative("pressure", points, 0.0, **{axis: 1}) for axis in "xy"], 1)
    medium = random_medium(np.random.default_rng(3))
    source = -medium(points) * laplacian - (medium.gradient(points) * slopes).sum(1)
    assert source == pytest.approx(1.0, abs=0.02)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sciml.hcmoe.problems.darcy.REFERENCE_DEGREE", 30)
        patch.setattr("sciml.hcmoe.darcy_task.CELLS", 64)
        assert evaluate(whole)["relative_l2"] == finished(whole)["metrics"]["relative_l2"]


def test_a_medium_of_ones_own_is_solved_without_a_reference(tmp_path):
    places = np.linspace(0, 1, 9)
    np.save(tmp_path / "k.npy", np.exp(np.add.outer(places, np.sin(3 * places))))
    problem = {"class_path": "sciml.hcmoe.GridDarcy", "init_args": {"file": str(tmp_path / "k.npy"), "source": 2.0}}
    train(darcy(problem), tmp_path / "run")
    found = finished(tmp_path / "run")["metrics"]
    assert "relative_l2" not in found and 0 < found["residual"] < 0.1
    task = load_task(tmp_path / "run")
    middle = task.fields_at(0.0)(torch.tensor([[0.5, 0.5]], dtype=torch.float64))
    assert float(middle["log_permeability"]) == pytest.approx(0.5 + np.sin(1.5), abs=1e-12)
    k = lambda points: np.exp(points[:, 0] + np.sin(3 * points[:, 1]))  # noqa: E731
    volumes = finite_volumes(
        k, lambda points: 2 + 0 * points[:, 0], lambda points: 0 * points[:, 0], [0, 0], [1, 1], 65
    )
    assert float(middle["pressure"]) == pytest.approx(volumes[1][32, 32], rel=1e-3)


def test_media_that_experts_do_not_resolve_are_told_and_those_beyond_all_numbers_refused(tmp_path):
    assert DarcyExperts.remarks({"residual": 1e-3}) == []
    layers, wild = np.where(np.arange(16)[:, None] // 4 % 2, 1.0, 1e3), np.where(np.eye(8) > 0, 1e300, 1e-300)
    for k in (layers * np.ones(16), wild):
        np.save(tmp_path / f"{len(k)}.npy", k)
    task = DarcyExperts(GridDarcy(str(tmp_path / "16.npy")), Elements(2, degree=6))
    (remark,) = DarcyExperts.remarks(task.advance(0))
    assert "finite volumes are the method of choice" in remark
    with pytest.raises(DivergenceError, match="the permeability varies by too many orders of magnitude"):
        DarcyExperts(GridDarcy(str(tmp_path / "8.npy")), Elements(2, degree=6)).advance(0)


def test_a_medium_that_is_missing_leaves_no_folder(tmp_path):
    problem = {"class_path": "sciml.hcmoe.GridDarcy", "init_args": {"file": str(tmp_path / "k.npy")}}
    with pytest.raises(DataFormatError, match="does not exist"):
        train(darcy(problem), tmp_path / "run")
    assert not (tmp_path / "run").exists()
