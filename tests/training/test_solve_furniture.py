"""Every task that solves has the same furniture, whatever its method, and adds only its mathematics."""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch

from sciml.errors import InputError
from sciml.gfi import RefineTask
from sciml.hcmoe import DarcyExperts, InverseExperts, SpectralExperts
from sciml.insr import TimeStepping
from sciml.lpinn import PublishedLagrangian, SpaceTimeFitting
from sciml.mesh import Mesh, make_mesh, read_mesh
from sciml.mesh.files import write_mesh
from sciml.numerics.random import seeded
from sciml.training.config import load_config
from sciml.training.output import Output
from sciml.training.prediction import predict_file
from sciml.training.solve_task import SolveTask

# A shipped config of each task that solves, in one dimension where it has one.
CASES = {
    DarcyExperts: "hcmoe/darcy_cpu",
    InverseExperts: "hcmoe/inverse_burgers_cpu",
    SpectralExperts: "hcmoe/burgers_cpu",
    TimeStepping: "insr/advection_1d_cpu",
    SpaceTimeFitting: "lpinn/convection_cpu",
    RefineTask: "gfi/fwi_cpu",
    PublishedLagrangian: "lpinn/convection_paper_cpu",
}
SHARED = (
    "predict_file", "evaluate", "sample_on", "write_series", "draw", "moment", "written_times", "read_state",
    "write_state",
)  # fmt: skip


def untrained(task: type[SolveTask]) -> SolveTask:
    """Return the task of its config, not trained yet."""
    config = load_config(CASES[task], [])
    with seeded(0):
        built = config.build_task()
    built.prepare(config.training, config.seed)
    return built.eval()


def mesh_of(task: SolveTask, cells: int) -> Mesh:
    """Return a mesh of the interval or rectangle of a task."""
    domain = task.problem.domain
    unit, low = make_mesh({1: "interval", 2: "square"}[domain.dim], cells), np.array(domain.lower)
    return replace(unit, points=low + (np.array(domain.upper) - low) * unit.points)


def test_every_task_that_solves_is_looked_at_here():
    of_the_package = {task for task in SolveTask.__subclasses__() if task.__module__.startswith("sciml.")}
    assert {task for task in of_the_package if task.__module__ != SolveTask.__module__} == set(CASES)


@pytest.mark.parametrize("task", CASES, ids=lambda task: task.__name__)
def test_nothing_that_is_shared_is_overridden(task):
    own = [name for name in SHARED if getattr(task, name) is not getattr(SolveTask, name)]
    assert not own
    arguments = inspect.signature(task.__init__).parameters
    assert {"problem", "output"} <= set(arguments)


@pytest.mark.parametrize("task", CASES, ids=lambda task: task.__name__)
def test_fields_are_written_on_a_mesh_with_the_exact_solution_beside_them(task, tmp_path):
    built = untrained(task)
    mesh = mesh_of(built, 3)
    write_mesh(tmp_path / "line.vtu", mesh)
    assert isinstance(built.output, Output)
    assert built.predict_file(tmp_path / "line.vtu", tmp_path / "u.vtu") == {"points": float(mesh.n_points)}
    named = {field.name: field.values for field in read_mesh(tmp_path / "u.vtu")[1]}
    known = built.exact(torch.tensor(mesh.points), 0.0) is not None
    assert {built.headline, *([f"{built.headline}_exact"] if known else [])} <= set(named)
    assert all(np.isfinite(values).all() for values in named.values())


@pytest.mark.parametrize("task", CASES, ids=lambda task: task.__name__)
def test_the_time_is_an_option_of_predict_and_the_last_one_is_the_duration(task, tmp_path):
    built = untrained(task)
    write_mesh(tmp_path / "line.vtu", mesh_of(built, 2))
    predict_file(built, tmp_path / "line.vtu", tmp_path / "u.vtu", [f"time={built.duration}"])
    with pytest.raises(InputError, match=r"expected 0 to .* the end of the run|hold the fields at .* alone"):
        predict_file(built, tmp_path / "line.vtu", tmp_path / "u.vtu", ["time=1e9"])
    assert built.moment(built.duration) == pytest.approx(built.duration)
    times = built.written_times()
    assert times[0] == 0 and times[-1] == pytest.approx(built.duration) and np.all(np.diff(times) > 0)
    assert built.memory_bytes() > 0
