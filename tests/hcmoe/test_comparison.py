"""Pictures of predictions: the field, its solution and the error at the same times, and the boxes of experts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from sciml.data import DataField, DatasetWriter, Description, generate
from sciml.errors import InputError
from sciml.hcmoe import ConstrainedOperator, SorptionFamily, VorticityFamily
from sciml.mesh import Field, Grid
from sciml.nets.fno import FourierNeuralOperator
from sciml.nets.time_polynomials import PolynomialsInTime
from sciml.numerics.random import seeded
from sciml.plots.panels import Scene
from sciml.plots.snapshots import snapshots
from sciml.training.prediction import predict_file

FLOWS = {"size": "16", "steps": "4", "duration": "1", "viscosity": "1e-3", "resolution": "32"}
SOLUTE = {"family": "paper", "size": "16", "steps": "5", "scheme": "consistent"}


def operator(mode: str, kind: str) -> ConstrainedOperator:
    with seeded(0):
        if kind == "vorticity":
            family = VorticityFamily(shape=(6, 16, 16), duration=1.0, viscosity=1e-3, experts=(2, 2))
            return ConstrainedOperator(family, PolynomialsInTime(3, 2, [3, 3], [6, 6], degree=2, head=6), mode)
        family = SorptionFamily(times=10, cells=12, experts=(1, 2))
        return ConstrainedOperator(family, FourierNeuralOperator(3, 3, [3, 3], [6, 6, 6], 8), mode)


@pytest.fixture
def drawn(monkeypatch) -> list[tuple[list[Scene], list[float], list[np.ndarray]]]:
    """Return what pictures are made of, as they are made."""
    seen = []

    def spied(rows, times, faces=()):
        seen.append((list(rows), list(times), list(faces)))
        return snapshots(rows, times, faces)

    monkeypatch.setattr("sciml.plots.snapshots.snapshots", spied)
    return seen


@pytest.mark.parametrize(("kind", "options", "axes"), [("vorticity", FLOWS, 2), ("diffusion_sorption", SOLUTE, 1)])
@pytest.mark.parametrize("mode", ["soft", "experts"])
def test_a_picture_shows_prediction_solution_error_and_boxes(tmp_path: Path, drawn, mode, kind, options, axes) -> None:
    source = tmp_path / "data.h5"
    generate(kind, 2, source, options=options, seed=1)
    task = operator(mode, kind)
    found = predict_file(task, source, tmp_path / "out.h5", [f"plot={tmp_path / 'first.png'}"])
    ((rows, _, faces),) = drawn
    assert (tmp_path / "first.png").stat().st_size > 10_000 and found["samples"] == 2
    assert [each.tolist() for each in faces] == [[0, 0.5, 1]] * (axes if mode == "experts" else 0)
    shown, reference = rows[0].field.values, rows[0].reference.values
    batch = next(iter(task.family.cases(path=str(source)).test_dataloader()))
    np.testing.assert_allclose(reference, batch["u"][0].numpy())
    with torch.no_grad():
        expected = task.family.compared(task(task.family.instances(batch)), batch)[0]
    np.testing.assert_allclose(shown, expected.numpy(), rtol=1e-3, atol=1e-5)  # one instance or two in a batch
    if axes == 2:
        np.testing.assert_allclose(rows[2].field.values, shown - reference)


def test_a_start_alone_is_drawn_without_a_solution(tmp_path: Path, drawn) -> None:
    source = tmp_path / "data.h5"
    about = Description(
        *("flows", Grid((16, 16), periodic=True), np.zeros(1), (DataField("vorticity", dtype="float64"),), 1)
    )
    with DatasetWriter(source, about) as writer:
        writer.append({"vorticity": np.sin(2 * np.pi * np.arange(16) / 16)[None, :, None] * np.ones(16)})
    operator("soft", "vorticity").predict_file(source, tmp_path / "out.h5", plot=str(tmp_path / "first.svg"))
    ((rows, times, faces),) = drawn
    assert len(rows) == 1 and not faces
    assert times[0] == 0 and times[-1] == 1


def test_a_picture_of_another_kind_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"first\.gif' has an unknown format"):
        operator("soft", "vorticity").predict_file(tmp_path / "no.h5", tmp_path / "out.h5", plot="first.gif")


def test_the_edges_of_boxes_are_drawn_over_the_first_row_alone() -> None:
    grid, times = Grid((8, 8), periodic=True), np.array([0.0, 1.0])
    field = Field("w", np.random.default_rng(0).normal(size=(2, 8, 8)), grid, times=times)
    rows = Scene(field, Field("truth", np.zeros((2, 8, 8)), grid, times=times)).panels()
    figure = snapshots(rows, [0.0, 1.0], [np.linspace(0, 1, 3), np.linspace(0, 1, 4)])
    assert isinstance(figure, Figure)
    lines = [sum(len(each.get_segments()) for each in axes.collections if hasattr(each, "get_segments"))
             for axes in figure.axes[:6]]  # fmt: skip
    assert lines == [7, 7, 0, 0, 0, 0]
