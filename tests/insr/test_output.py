"""Where a solution is written, what readers find there, and how its errors are measured."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from sciml.domains import Box, MeshDomain
from sciml.errors import InputError, MeshFileError
from sciml.insr import Advection, EvolutionProblem, Heat, Output, Problem
from sciml.insr.integrators import NeuralFields
from sciml.insr.output import (
    ERRORS,
    Errors,
    draw,
    evaluation_points,
    read_states,
    sample_on,
    write_series,
    write_states,
)
from sciml.mesh import Grid, Mesh, make_mesh, read_mesh, read_series
from sciml.mesh.files import write_mesh
from sciml.numerics.derivatives import coordinates, linear
from sciml.numerics.flat import FlatModule


class Plane(torch.nn.Module):
    """The field ``c + g . x``, or several of them."""

    def __init__(self, constant: list[float], slope: list[list[float]]) -> None:
        super().__init__()
        self.constant = torch.nn.Parameter(torch.tensor(constant, dtype=torch.float64))
        self.slope = torch.nn.Parameter(torch.tensor(slope, dtype=torch.float64))
        self.outputs, self.inputs = self.slope.shape

    def forward(self, points: Tensor, order: int | None = None, directions: Tensor | None = None):
        jet = linear(coordinates(points, order or 0, directions), self.slope, self.constant)
        return jet.value if order is None else jet


class Rising(EvolutionProblem):
    """``u = x + 1 + t`` on any domain."""

    def __init__(self, domain: Box | MeshDomain) -> None:
        self.domain = domain

    def start(self, points: Tensor) -> Tensor:
        return self.solution(points, 0.0)

    def rate(self, points: Tensor, u, time: float) -> Tensor:
        return torch.ones_like(points[:, :1])

    def solution(self, points: Tensor, time: float) -> Tensor:
        return points[:, :1] + 1 + time


class Stretch(Problem):
    """A displacement and how much it stretches."""

    fields = {"displacement": 2}  # noqa: RUF012 - as problems declare it
    pictures = ("strain",)

    def __init__(self, domain: MeshDomain) -> None:
        self.domain = domain

    def initial(self, name: str, points: Tensor) -> Tensor:
        return torch.zeros_like(points)

    def present(self, fields, points: Tensor, time: float) -> dict[str, Tensor]:
        jet = fields("displacement", points, 1)
        return {"displacement": jet.value, "strain": jet.first[0][:, :1]}


def fields_of(network: torch.nn.Module, name: str = "u") -> tuple[dict, NeuralFields]:
    networks = {name: FlatModule(network)}
    return networks, NeuralFields(networks, {name: networks[name].vector()})


# Where


def test_a_box_has_a_lattice_with_its_faces_and_without_the_repeated_one_of_a_period():
    grid = Output(grid=[5, 3]).place(Box([0, -1], [1, 1]))
    assert grid.coordinates()[..., 0] == pytest.approx(np.repeat([[0], [0.25], [0.5], [0.75], [1]], 3, axis=1))
    periodic = Output(grid=[4]).place(Box([0], [1], True)).coordinates()[:, 0]
    assert np.unique(np.round(periodic % 1, 12)).size >= 4


@pytest.mark.parametrize(("dim", "shape"), [(1, (401,)), (2, (65, 65)), (3, (33, 33, 33))])
def test_without_words_the_lattice_is_fine_enough_to_look_at(dim, shape):
    assert Output().place(Box([0] * dim, [1] * dim)).coordinates().shape == (*shape, dim)


def test_fields_of_more_than_three_dimensions_are_not_written():
    assert Output().place(Box([0] * 5, [1] * 5)) is None


def test_a_problem_on_a_mesh_is_written_there():
    domain = MeshDomain("l_shape", 1)
    assert Output().place(domain) is domain.mesh
    with pytest.raises(InputError, match="has a grid, but the problem is on a mesh; leave it out, or name a mesh"):
        Output(grid=[9, 9]).place(domain)


def test_a_mesh_file_serves_problems_in_boxes_as_far_as_it_lies_inside(tmp_path):
    write_mesh(tmp_path / "disk.vtu", make_mesh("disk", 2))
    output = Output(mesh=str(tmp_path / "disk.vtu"))
    assert isinstance(output.place(Box([-1, -1], [1, 1])), Mesh)
    with pytest.raises(InputError, match=r"disk\.vtu has \d+ of \d+ points outside the box of the problem"):
        output.place(Box([0, -1], [1, 1]))
    with pytest.raises(InputError, match=r"disk\.vtu has 2 dimensions, expected 3"):
        output.place(Box([-1] * 3, [1] * 3))
    with pytest.raises(MeshFileError, match=r"none\.vtu is not a file"):
        Output(mesh=str(tmp_path / "none.vtu")).place(Box([0], [1]))


# What


def test_a_series_on_a_mesh_says_what_the_network_says_whoever_reads_it(tmp_path):
    problem = Rising(MeshDomain("disk", 2))
    networks, start = fields_of(Plane([1.0], [[1.0, 0.0]]))
    later = {"u": start.weights["u"] + torch.tensor([0.5, 0, 0], dtype=torch.float64)}
    write_series(problem, networks, tmp_path, [(0.0, start.weights), (0.5, later)], problem.domain.mesh)
    series = read_series(tmp_path / "fields.xdmf")
    x = series.on.points[:, 0]
    assert list(series.times) == [0.0, 0.5]
    assert series["u"].values == pytest.approx(np.stack([x + 1, x + 1.5]))
    assert series["u_exact"].values == pytest.approx(series["u"].values)
    with h5py.File(tmp_path / "fields.h5") as file:
        assert file["fields/u"][...].reshape(2, -1) == pytest.approx(series["u"].values)
    steps = [time.get("Value") for time in ElementTree.parse(tmp_path / "fields.xdmf").iter("Time")]
    assert list(map(float, steps)) == [0.0, 0.5]


def test_vectors_keep_their_components_on_a_grid():
    problem = Stretch(Box([-1, -1], [1, 1]))
    _, fields = fields_of(Plane([0.0, 0.5], [[0.25, 0.0], [0.0, -0.125]]), "displacement")
    arrays = sample_on(
        problem, fields, Grid.from_spacing((3, 5), (1.0, 0.5), origin=(-1.0, -1.0), centring="vertex"), 0.0
    )
    assert (arrays["displacement"].shape, arrays["strain"].shape) == ((3, 5, 2), (3, 5))
    assert arrays["displacement"][2, 0] == pytest.approx([0.25, 0.625])
    assert arrays["strain"] == pytest.approx(0.25)


@pytest.mark.parametrize("domain", [MeshDomain("disk", 2), Box([-1, -1], [1, 1])], ids=["mesh", "grid"])
def test_bodies_are_drawn_where_they_have_moved_to(tmp_path, monkeypatch, domain):
    problem, drawn = Stretch(domain), []
    networks, start = fields_of(Plane([0.0, 0.0], [[0.0, 0.0], [0.0, 0.0]]), "displacement")
    moved = {"displacement": torch.full_like(start.weights["displacement"], 0.25)}
    place = Output(grid=[5, 4] if isinstance(domain, Box) else None).place(domain)
    write_series(problem, networks, tmp_path, [(0.0, start.weights), (1.0, moved)], place)
    monkeypatch.setattr("sciml.plots.deformed_mesh", lambda field, path, **options: drawn.append((field, options)))
    monkeypatch.setattr("sciml.plots.deformation_animation", lambda field, path, **options: drawn.append((field, path)))
    draw(problem, tmp_path, animation=True)
    (field, options), (_, film) = drawn
    x, y = field.on.points.T
    assert np.all(field.values[0] == 0)
    assert field.values[-1] == pytest.approx(np.repeat(0.25 * (1 + x + y)[:, None], 2, axis=1))
    assert options["values"].values[-1] == pytest.approx(0.25)
    assert list(options["times"]) == [0.0, 1.0]
    assert film == tmp_path / "animation.gif"


def test_states_come_back_bit_by_bit(tmp_path):
    weights = {"u": torch.randn(7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))}
    write_states(tmp_path / "states", 12, {**weights, "v": weights["u"].float()})
    ((name,), (back,)) = (
        [path.name for path in (tmp_path / "states").iterdir()],
        read_states(tmp_path / "states", [12]),
    )
    assert name == "00012.safetensors"
    assert torch.equal(back["u"], weights["u"]) and torch.equal(back["v"], weights["u"].float())


# Errors


def test_errors_of_a_field_that_is_off_by_a_known_amount():
    problem = Rising(Box([-1, -1], [1, 1]))
    _, fields = fields_of(Plane([1.0 + 0.01], [[1.0, 0.0]]))
    found = Errors(problem)(fields, 0.0)
    assert tuple(found) == ERRORS
    assert found["mean_absolute_error"] == pytest.approx(0.01)
    assert found["mean_square_error"] == pytest.approx(1e-4)
    # the mean square of x + 1 on [-1, 1] is 4/3
    assert found["relative_l2"] == pytest.approx(0.01 / math.sqrt(4 / 3), rel=2e-2)
    assert Errors(problem)(fields, 0.01)["mean_absolute_error"] == pytest.approx(0, abs=1e-12)


def test_a_problem_without_an_exact_field_has_no_errors():
    problem = Stretch(MeshDomain("disk", 1))
    assert Errors(problem)(fields_of(Plane([0.0, 0.0], [[0.0, 0.0]] * 2), "displacement")[1], 0.0) == {}


def test_the_evaluation_points_of_the_papers_pulse_are_dense_and_always_the_same():
    points = evaluation_points(Advection().domain)
    assert points.shape == (4001, 1)
    assert torch.equal(points, evaluation_points(Advection().domain))
    many = evaluation_points(Box([0] * 4, [2] * 4))
    assert many.shape[1] == 4 and len(many) >= 10_000
    # low-discrepancy points integrate what they never were told of
    assert float(many.prod(1).mean()) == pytest.approx(1.0, rel=5e-3)
    disk = evaluation_points(MeshDomain("disk", 3))
    assert float(disk.square().sum(1).mean()) == pytest.approx(0.5, rel=2e-2)


def test_heat_in_a_box_is_measured_against_its_decay():
    problem = Heat(lower=[0.0], upper=[1.0])
    zero = fields_of(Plane([0.0], [[0.0]]))[1]
    found = Errors(problem)(zero, 0.1)
    assert found["relative_l2"] == pytest.approx(1.0)
    decay = math.exp(-0.1 * math.pi**2 * 0.1)
    assert found["mean_absolute_error"] == pytest.approx(decay * 2 / math.pi, rel=1e-3)


def test_a_mesh_read_back_from_the_series_is_the_mesh(tmp_path: Path):
    problem = Rising(MeshDomain("l_shape", 2))
    networks, start = fields_of(Plane([1.0], [[1.0, 0.0]]))
    write_series(problem, networks, tmp_path, [(0.0, start.weights)], problem.domain.mesh)
    mesh, _ = read_mesh(tmp_path / "fields.xdmf")
    assert np.array_equal(mesh.points, problem.domain.mesh.points)
    assert np.array_equal(mesh.cells["triangle"], problem.domain.mesh.cells["triangle"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"grid": [3], "mesh": "a.vtu"}, "on a grid or on a mesh, got both"),
        ({"every": 0}, "every of the output is 0"),
        ({"every": True}, "every of the output is True"),
        ({"every": 1.5}, r"every of the output is 1\.5"),
    ],
)
def test_what_an_output_may_not_be(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        Output(**arguments)


def test_a_grid_of_another_dimension_or_of_one_value_is_refused():
    with pytest.raises(
        InputError, match=r"the grid of the output is \[5\], expected at least 2 values along each of 2 axes"
    ):
        Output(grid=[5]).place(Box([0, 0], [1, 1]))
    with pytest.raises(InputError, match=r"is \[5, 1\], expected at least 2 values along each of 2 axes"):
        Output(grid=[5, 1]).place(Box([0, 0], [1, 1]))
