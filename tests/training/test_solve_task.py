"""What every task that solves has: where its fields are written, what readers find there, how errors are measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from sciml.domains import Box, Disc, Domain, MeshDomain
from sciml.domains.output_points import evaluation_points
from sciml.errors import InputError, MeshFileError
from sciml.insr import Advection, Heat
from sciml.lpinn import SpaceTimeFitting
from sciml.mesh import Grid, Mesh, make_mesh, read_mesh, read_series
from sciml.mesh.files import write_mesh
from sciml.training.output import Output
from sciml.training.point_errors import ERRORS, PointErrors
from sciml.training.settings import Phase, Training
from sciml.training.solve_task import SolveTask
from sciml.training.states import read_state, write_state


class Rising:
    """``u = x + 1 + t`` on any domain."""

    def __init__(self, domain: Domain, duration: float = 0.5) -> None:
        self.domain, self.duration = domain, duration

    def exact(self, points: Tensor, time: float) -> Tensor:
        return points[:, :1] + 1 + time


class Known(SolveTask):
    """The exact solution plus a constant."""

    times_by_default = {1: 3, 2: 3, 3: 3}  # noqa: RUF012 - as tasks declare it

    def __init__(self, problem: Rising, output: Output | None = None, off: float = 0.0) -> None:
        super().__init__(problem, output)
        self.off = torch.nn.Parameter(torch.tensor(off, dtype=torch.float64))

    def fields_at(self, time: float):
        return lambda points: {"u": self.problem.exact(points, time) + self.off}


class Stepped(Known):
    """The same, known after steps of 0.1 only."""

    @property
    def step_times(self) -> Sequence[float]:
        return [0.1 * step for step in range(6)]


class Stretch:
    """A displacement that grows with time, and how much it stretches; nothing is known exactly."""

    def __init__(self, domain: Domain) -> None:
        self.domain, self.duration = domain, 1.0


class Stretched(SolveTask):
    """``displacement = t (1 + x + y) / 4`` in both directions."""

    times_by_default = {2: 2}  # noqa: RUF012 - as tasks declare it
    headline = displacement = "displacement"
    pictures = ("strain",)

    def __init__(self, problem: Stretch, output: Output | None = None) -> None:
        super().__init__(problem, output)

    def fields_at(self, time: float):
        def fields(points: Tensor) -> dict[str, Tensor]:
            moved = time * (1 + points.sum(1, keepdim=True)) / 4
            return {"displacement": moved.expand(-1, 2), "strain": torch.full_like(moved, time / 4)}

        return fields


# Where


def place(output: Output, domain: Domain) -> Grid | Mesh | None:
    return output.place(domain, SolveTask.values_per_axis)


def test_a_box_has_a_lattice_with_its_faces_and_without_the_repeated_one_of_a_period():
    grid = place(Output(grid=[5, 3]), Box([0, -1], [1, 1]))
    assert grid.coordinates()[..., 0] == pytest.approx(np.repeat([[0], [0.25], [0.5], [0.75], [1]], 3, axis=1))
    periodic = place(Output(grid=[4]), Box([0], [1], True)).coordinates()[:, 0]
    assert np.unique(np.round(periodic % 1, 12)).size >= 4


@pytest.mark.parametrize(("dim", "shape"), [(1, (401,)), (2, (65, 65)), (3, (33, 33, 33))])
def test_the_default_lattice_is_fine_enough_to_look_at(dim, shape):
    assert place(Output(), Box([0] * dim, [1] * dim)).coordinates().shape == (*shape, dim)


def test_fields_of_more_than_three_dimensions_are_not_written(tmp_path):
    task = Known(Rising(Box([0] * 5, [1] * 5)), off=0.25)
    assert task.place is None
    assert task.solution(tmp_path)["mean_absolute_error"] == pytest.approx(0.25)
    assert not list(tmp_path.glob("fields.*"))


def test_a_problem_on_a_mesh_is_written_there():
    domain = MeshDomain("l_shape", 1)
    assert place(Output(), domain) is domain.mesh
    with pytest.raises(InputError, match="has a grid, but the problem is on a mesh; leave it out, or name a mesh"):
        place(Output(grid=[9, 9]), domain)


def test_a_mesh_file_serves_problems_in_boxes_as_far_as_it_lies_inside(tmp_path):
    write_mesh(tmp_path / "disk.vtu", make_mesh("disk", 2))
    output = Output(mesh=str(tmp_path / "disk.vtu"))
    assert isinstance(place(output, Box([-1, -1], [1, 1])), Mesh)
    with pytest.raises(InputError, match=r"disk\.vtu has \d+ of \d+ points outside the box of the problem"):
        place(output, Box([0, -1], [1, 1]))
    with pytest.raises(InputError, match=r"disk\.vtu has 2 dimensions, expected 3"):
        place(output, Box([-1] * 3, [1] * 3))
    with pytest.raises(MeshFileError, match=r"none\.vtu is not a file"):
        place(Output(mesh=str(tmp_path / "none.vtu")), Box([0], [1]))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"grid": [3], "mesh": "a.vtu"}, "on a grid or on a mesh, got both"),
        ({"every": 0}, "every of the output is 0"),
        ({"every": True}, "every of the output is True"),
        ({"every": 1.5}, r"every of the output is 1\.5"),
        ({"times": 1}, "times of the output is 1, expected a whole number from 2"),
        ({"times": 3, "every": 2}, "has both times and every; leave one of the two out"),
    ],
)
def test_an_output_that_contradicts_itself_is_refused(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        Output(**arguments)


def test_a_grid_of_another_dimension_or_of_one_value_is_refused():
    with pytest.raises(
        InputError, match=r"the grid of the output is \[5\], expected at least 2 values along each of 2 axes"
    ):
        place(Output(grid=[5]), Box([0, 0], [1, 1]))
    with pytest.raises(InputError, match=r"is \[5, 1\], expected at least 2 values along each of 2 axes"):
        place(Output(grid=[5, 1]), Box([0, 0], [1, 1]))


# When


def test_times_are_spread_over_the_run_and_are_those_of_steps_where_there_are_any():
    steps = [0.1 * step for step in range(6)]
    assert Output(times=5).moments(2.0) == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert len(Output().moments(2.0, default=7)) == 7
    assert Output().moments(0.5, steps) == steps
    assert Output(every=2).moments(0.5, steps) == [steps[0], steps[2], steps[4], steps[5]]
    assert Output(times=3).moments(0.5, steps) == [steps[0], steps[2], steps[5]]
    assert Output(times=99).moments(0.5, steps) == steps
    assert Output(every=3).moments(0.0) == [0.0], "a steady problem is written once"
    with pytest.raises(InputError, match="every of the output is 2, but the method has no time steps; give times"):
        Output(every=2).moments(1.0)


def test_times_that_the_method_cannot_write_are_refused_before_it_solves():
    problem = Rising(Box([0], [1]))
    with pytest.raises(InputError, match="every of the output is 2, but the method has no time steps; give times"):
        Known(problem, Output(every=2)).prepare(Training([Phase(1, "none")]), 0)
    Stepped(problem, Output(every=2)).prepare(Training([Phase(1, "none")]), 0)


def test_a_time_between_steps_or_outside_of_the_run_is_refused():
    box = Box([0.0], [1.0])
    assert Known(Rising(box)).moment(0.123) == 0.123
    task = Stepped(Rising(box))
    assert task.moment(0.3) == task.step_times[3]
    assert task.moment(0.5) == task.step_times[5]
    with pytest.raises(InputError, match=r"the time is 0\.25, expected that of a step, a multiple of 0\.1"):
        task.moment(0.25)
    for time in (-0.1, 0.6, math.nan):
        with pytest.raises(InputError, match=r"expected 0 to 0\.5, the end of the run"):
            task.moment(time)


# What


def test_a_series_on_a_mesh_has_the_values_of_the_fields_whoever_reads_it(tmp_path):
    task = Known(Rising(MeshDomain("disk", 2)), Output(times=2))
    task.solution(tmp_path)
    series = read_series(tmp_path / "fields.xdmf")
    x = series.on.points[:, 0]
    assert list(series.times) == [0.0, 0.5]
    assert series["u"].values == pytest.approx(np.stack([x + 1, x + 1.5]))
    assert series["u_exact"].values == pytest.approx(series["u"].values)
    with h5py.File(tmp_path / "fields.h5") as file:
        assert file["fields/u"][...].reshape(2, -1) == pytest.approx(series["u"].values)
    steps = [time.get("Value") for time in ElementTree.parse(tmp_path / "fields.xdmf").iter("Time")]
    assert list(map(float, steps)) == [0.0, 0.5]
    mesh, _ = read_mesh(tmp_path / "fields.xdmf")
    assert np.array_equal(mesh.points, task.problem.domain.mesh.points)
    assert np.array_equal(mesh.cells["triangle"], task.problem.domain.mesh.cells["triangle"])


def test_vectors_keep_their_components_on_a_grid():
    task = Stretched(Stretch(Box([-1, -1], [1, 1])))
    grid = Grid.from_spacing((3, 5), (1.0, 0.5), origin=(-1.0, -1.0), centring="vertex")
    arrays = task.sample_on(grid, 1.0)
    assert (arrays["displacement"].shape, arrays["strain"].shape) == ((3, 5, 2), (3, 5))
    assert arrays["displacement"][2, 0] == pytest.approx([0.25, 0.25])
    assert arrays["displacement"][2, 4] == pytest.approx([0.75, 0.75])
    assert arrays["strain"] == pytest.approx(0.25)


def test_points_beside_a_disc_in_its_box_are_nan():
    task = Known(Rising(Disc([0.0, 0.0], 1.0)))
    grid = task.problem.domain.lattice(5)
    u, points = task.sample_on(grid, 0.5)["u"], grid.coordinates()
    inside = np.linalg.norm(points, axis=-1) <= 1
    assert 0 < inside.sum() < inside.size
    assert u[inside] == pytest.approx(points[inside][:, 0] + 1.5)
    assert np.isnan(u[~inside]).all()


@pytest.mark.parametrize("domain", [MeshDomain("disk", 2), Box([-1, -1], [1, 1])], ids=["mesh", "grid"])
def test_bodies_are_drawn_where_they_have_moved_to(tmp_path, monkeypatch, domain):
    drawn = []
    monkeypatch.setattr("sciml.plots.deformed_mesh", lambda field, path, **options: drawn.append((field, options)))
    monkeypatch.setattr("sciml.plots.deformation_animation", lambda field, path, **options: drawn.append((field, path)))
    Stretched(Stretch(domain), Output(grid=[5, 4] if isinstance(domain, Box) else None)).solution(tmp_path)
    (field, options), (_, film) = drawn
    x, y = field.on.points.T
    assert np.all(field.values[0] == 0)
    assert field.values[-1] == pytest.approx(np.repeat(0.25 * (1 + x + y)[:, None], 2, axis=1))
    assert options["values"].values[-1] == pytest.approx(0.25)
    assert list(options["times"]) == [0.0, 1.0]
    assert film == tmp_path / "animation.gif"


def test_a_solution_leaves_pictures_and_a_steady_one_no_animation(tmp_path):
    for name, duration in (("moving", 0.5), ("steady", 0.0)):
        (tmp_path / name).mkdir()
        numbers = Known(Rising(Box([0.0], [1.0]), duration), off=0.25).solution(tmp_path / name)
        assert numbers["mean_absolute_error"] == pytest.approx(0.25)
        assert numbers["memory_bytes"] == 8
        assert (tmp_path / name / "figures" / "u.png").stat().st_size > 1000
    assert (tmp_path / "moving" / "animation.gif").exists()
    assert not (tmp_path / "steady" / "animation.gif").exists()


def test_each_stage_of_the_output_is_told_with_its_progress_and_none_goes_back(tmp_path):
    for problem in (Rising(Box([0.0], [1.0])), Rising(Box([0.0, 0.0], [1.0, 1.0]))):
        task, told = Known(problem, Output(times=5)), {}
        task.listener = lambda name, done, told=told: told.setdefault(name, []).append(done)
        task.solution(tmp_path)
        assert list(told) == [
            "measuring errors", "writing fields", "drawing figures", "drawing the animation", "drawing the history",
        ]  # fmt: skip
        assert told["writing fields"] == told["drawing the animation"] == [0.0, 0.2, 0.4, 0.6, 0.8]


def test_fields_at_any_time_are_evaluated_on_a_mesh_file(tmp_path):
    write_mesh(tmp_path / "line.vtu", make_mesh("interval", 3))
    task = Known(Rising(Box([0.0], [1.0])))
    for time, offset in ((None, 1.5), (0.25, 1.25)):
        options = {} if time is None else {"time": time}
        assert task.predict_file(tmp_path / "line.vtu", tmp_path / "u.vtu", **options) == {"points": 9.0}
        mesh, fields = read_mesh(tmp_path / "u.vtu")
        u = next(field for field in fields if field.name == "u")
        assert u.values == pytest.approx(mesh.points[:, 0] + offset)


# States


def test_states_come_back_bit_for_bit(tmp_path: Path):
    weights = {"u": torch.randn(7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))}
    write_state(tmp_path, 12, {**weights, "v": weights["u"].float()})
    (name,) = [path.name for path in (tmp_path / "states").iterdir()]
    back = read_state(tmp_path, 12)
    assert name == "00012.safetensors"
    assert torch.equal(back["u"], weights["u"]) and torch.equal(back["v"], weights["u"].float())


def test_a_state_that_is_missing_or_damaged_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"00003\.safetensors is missing or damaged; solve the case again"):
        read_state(tmp_path, 3)
    (tmp_path / "states").mkdir()
    (tmp_path / "states" / "00003.safetensors").write_bytes(b"half")
    with pytest.raises(InputError, match="missing or damaged"):
        read_state(tmp_path, 3)


def test_a_task_of_no_run_has_no_states():
    with pytest.raises(InputError, match="Known belongs to no run; load it from the folder of one"):
        Known(Rising(Box([0.0], [1.0]))).read_state(1)


# Errors


def test_errors_of_a_field_that_is_off_by_a_known_amount():
    task = Known(Rising(Box([-1, -1], [1, 1])), off=0.01)
    found = task.errors(task.fields_at(0.0), 0.0)
    assert tuple(found) == ERRORS
    assert found["mean_absolute_error"] == pytest.approx(0.01)
    assert found["mean_square_error"] == pytest.approx(1e-4)
    # the mean square of x + 1 on [-1, 1] is 4/3
    assert found["relative_l2"] == pytest.approx(0.01 / math.sqrt(4 / 3), rel=2e-2)
    assert task.errors(task.fields_at(0.0), 0.01)["mean_absolute_error"] == pytest.approx(0, abs=1e-12)


def test_a_problem_without_an_exact_field_has_no_errors():
    assert Stretched(Stretch(MeshDomain("disk", 1))).metrics() == {}


def test_the_evaluation_points_of_the_papers_pulse_are_dense_and_always_the_same():
    points = evaluation_points(Advection().domain)
    assert points.shape == (4001, 1)
    assert torch.equal(points, evaluation_points(Advection().domain))
    many = evaluation_points(Box([0] * 4, [2] * 4))
    assert many.shape[1] == 4 and len(many) >= 10_000
    # low-discrepancy points integrate functions that they were not made for
    assert float(many.prod(1).mean()) == pytest.approx(1.0, rel=5e-3)
    disk = evaluation_points(MeshDomain("disk", 3))
    assert float(disk.square().sum(1).mean()) == pytest.approx(0.5, rel=2e-2)


def test_heat_in_a_box_is_measured_against_its_decay():
    problem = Heat(lower=[0.0], upper=[1.0])
    errors = PointErrors(problem.domain, problem.exact)
    found = errors(torch.zeros_like, 0.1)
    assert found["relative_l2"] == pytest.approx(1.0)
    decay = math.exp(-0.1 * math.pi**2 * 0.1)
    assert found["mean_absolute_error"] == pytest.approx(decay * 2 / math.pi, rel=1e-3)


def test_an_error_and_a_residual_of_a_solve_have_axes_of_their_own(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("sciml.plots.histories.save", lambda figure, path: drawn.extend(figure.axes))
    rows = [{"epoch": number, "loss/error": 0.1**number, "loss/residual": 30.0} for number in range(3)]
    object.__new__(SpaceTimeFitting).draw_history(rows, tmp_path / "history.png")
    panels = [(axes.get_ylabel(), [line.get_label() for line in axes.lines]) for axes in drawn]
    assert panels == [("", ["error"]), ("of the equation", ["residual"])]
