"""Regions: DeepXDE's points lie inside, its normals look outward, and problems are solved on them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sciml.deepxde_backend import DISTRIBUTIONS, RANDOM, deepxde, double_precision
from sciml.domains import Box, Difference, Disc, Polygon, Region
from sciml.domains.box import KINDS
from sciml.errors import InputError
from sciml.lpinn import (
    Characteristics,
    CollocationPoints,
    Eulerian,
    Lagrangian,
    LeastSquaresRounds,
    SolidBodyRotation,
    SpaceTimeField,
    SpaceTimeSolver,
    TransportProblem,
    relative_error,
)
from sciml.lpinn.networks import start_at_zero
from sciml.lpinn.readout import relative_errors
from sciml.mesh import read_series
from sciml.nets import TanhNetwork
from sciml.numerics.flat import FlatModule
from sciml.numerics.random import generator, seeded
from sciml.training.output import Output
from sciml.training.solve_task import Fields, SolveTask
from tests.lpinn.plate import AroundTheHole

pytestmark = pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors:DeprecationWarning")  # DeepXDE's

ARROW = [[0.0, 0.0], [2.0, 0.0], [1.0, 1.0], [2.0, 3.0], [0.0, 2.0]]
RING = Difference(Disc([0.0, 0.0], 1.0), Disc([0.2, 0.0], 0.3))
REGIONS = {
    "disc": (Disc([0.1, 0.2], 1.0), math.pi),
    "ball": (Disc([0.0, 0.0, 0.0], 1.0), 4 * math.pi / 3),
    "arrow": (Polygon(ARROW), 3.5),
    "triangle": (Polygon([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), 0.5),
    "ring": (RING, 0.91 * math.pi),
    "plate": (Polygon([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0], [0.0, 2.0]]) - Disc([0.5, 1.0], 0.25), 2 - math.pi / 16),
    "lens": (Disc([0.0, 0.0], 1.0) & Disc([1.0, 0.0], 1.0), 2 * math.pi / 3 - math.sqrt(3) / 2),
    "pair": (Disc([0.0, 0.0], 1.0) | Disc([1.0, 0.0], 1.0), 4 * math.pi / 3 + math.sqrt(3) / 2),
}


@pytest.mark.parametrize("name", REGIONS)
def test_points_are_inside_as_many_as_asked_and_spread_evenly(name: str) -> None:
    region, measure = REGIONS[name]
    assert region.measure == pytest.approx(measure, rel=5e-3) and not any(region.periodic)
    for kind in ("uniform", "stratified", "shifted", "Sobol"):
        points = region.interior(200, generator(1), kind)
        assert points.shape == (200, region.dim) and points.dtype == torch.float64
        assert bool(region.contains(points).all())
        exact = region.interior(20000, generator(2), "shifted").mean(0)
        assert float((points.mean(0) - exact).abs().max()) < 0.2


@pytest.mark.parametrize("name", REGIONS)
def test_normals_have_length_one_and_look_outward(name: str) -> None:
    region, _ = REGIONS[name]
    points, normals = region.boundary(150, generator(0))
    assert points.shape == normals.shape == (150, region.dim)
    assert torch.allclose(normals.norm(dim=1), torch.ones(150, dtype=torch.float64))
    assert bool(region.contains(points).all())
    away = 1e-7 * normals
    share = (region.contains(points - away) & ~region.contains(points + away)).double().mean()
    assert float(share) > 0.98  # all but near corners


@pytest.mark.parametrize("kind", [*KINDS, *DISTRIBUTIONS])
def test_draws_are_a_function_of_the_generator_and_leave_global_states_alone(kind: str) -> None:
    before = torch.get_rng_state().tolist(), str(np.random.get_state()), torch.get_default_dtype()  # noqa: NPY002
    for region in (RING, RING.during(1.0, 3.0)):
        first, again, other = (region.interior(50, generator(seed), kind) for seed in (0, 0, 1))
        assert torch.equal(first, again)
        assert torch.equal(first[:, :2], other[:, :2]) == (kind in DISTRIBUTIONS and kind not in RANDOM)
        draws = generator(0)
        assert not torch.equal(region.interior(50, draws, "uniform"), region.interior(50, draws, "uniform"))
    assert before == (torch.get_rng_state().tolist(), str(np.random.get_state()), torch.get_default_dtype())  # noqa: NPY002


def test_boundaries_are_a_function_of_the_generator() -> None:
    first, again, other = (RING.boundary(20, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first.points, again.points) and not torch.equal(first.points, other.points)


def test_space_time_is_the_region_at_the_times_between() -> None:
    sweep = RING.during(1.0, 3.0)
    for kind in ("shifted", "uniform", "LHS", "Sobol"):
        points = sweep.interior(300, generator(0), kind)
        assert points.shape == (300, 3) and bool(sweep.contains(points).all())
        assert bool(RING.contains(points[:, :2]).all())
        assert 1.0 <= float(points[:, 2].min()) < 1.1 and 2.9 < float(points[:, 2].max()) <= 3.0
    box = Box([0.0], [1.0], True).during(0.0, 2.0)
    assert box.upper == (1.0, 2.0) and box.periodic == (True, False)


def test_what_is_no_region_is_refused() -> None:
    shapes = deepxde().geometry
    with double_precision():
        ellipse, interval = shapes.Ellipse([0.0, 0.0], 2.0, 1.0), shapes.Interval(0.0, 1.0)
    for make, message in (
        (lambda: Region("disc"), "a region is a geometry of DeepXDE, got str"),
        (lambda: Region(shapes.Disk([0.0, 0.0], 1.0)), "single precision, expected double"),
        (lambda: Region(interval), "2 or 3 axes, got 1; use a Box"),
        (lambda: Region(ellipse), "outside of it or of its bounding box"),
        (lambda: Disc([0.0], 1.0), "centre of a disc is"),
        (lambda: Disc([0.0, 0.0], -1.0), "radius of a disc is -1.0"),
        (lambda: Polygon([[0.0, 0.0], [1.0, 1.0]]), "at least 3 finite points"),
        (lambda: RING - Disc([0.0, 0.0, 0.0], 1.0), "the difference is of two regions of 2 axes"),
        (lambda: RING.interior(5, generator(0), "grid"), "the kind of points is 'grid', expected one of"),
        (lambda: RING.boundary(5, generator(0), "hole"), "no face 'hole'"),
        (lambda: RING.onto_faces(torch.zeros(1, 2)), "faces of boxes only"),
    ):
        with pytest.raises(InputError, match=message):
            make()


# ----------------------------------------------------------------------------------------------------- problems on them


class Written(SolveTask):
    """A field that is known already, as a task."""

    def __init__(self, field: SpaceTimeField, output: Output) -> None:
        super().__init__(field.problem, output)
        self.field = field

    def fields_at(self, time: float) -> Fields:
        return lambda points: {"u": self.field(points, time)}


def solved(
    problem: TransportProblem, frame: Lagrangian | Eulerian, rounds: int, points: CollocationPoints, width: int
) -> SpaceTimeField:
    """By one slab and a small network."""
    lower, upper = problem.labels.lower, problem.labels.upper
    with seeded(0):
        network = TanhNetwork(3, 2 if frame.moves else 1, width, 2, [[*lower, 0.0], [*upper, 1.0]]).double()
    start_at_zero(network)
    made = Characteristics(problem, frame, FlatModule(network))
    *_, (state, _) = SpaceTimeSolver(made, rounds, LeastSquaresRounds(), points).run()
    return SpaceTimeField(made, state.weights)


def test_a_bump_turns_in_a_disc_and_files_have_nothing_outside_of_it(tmp_path: Path) -> None:
    disc = Disc([0.0, 0.0], 1.0)
    problem = SolidBodyRotation(duration=0.1, domain=disc)
    assert problem.labels is disc
    problem.check()
    assert bool(disc.contains(problem.probes()).all())
    field = solved(problem, Lagrangian(), 2, CollocationPoints(400), 10)
    assert relative_errors(field)["relative_l2"] < 1e-4
    task = Written(field, Output(grid=[21, 17], times=2))
    place, sampled = task.place, task.sample_on(task.place, 0.05)
    inside = disc.contains(torch.tensor(place.coordinates())).numpy()
    assert sampled["u"].shape == (21, 17) and 0.6 < inside.mean() < 0.8
    for values in sampled.values():
        assert np.array_equal(np.isfinite(values), inside)
    task.write_series(tmp_path)
    last = read_series(tmp_path / "fields.xdmf")["u"].values[-1]
    assert np.array_equal(np.isfinite(np.asarray(last)).reshape(inside.shape), inside)
    with pytest.raises(InputError, match="outside of the domain"):
        field(torch.tensor([[0.9, 0.9]], dtype=torch.float64), 0.1)


@pytest.mark.parametrize("viscosity", [0.0, 0.1])
def test_what_flows_through_a_plate_with_a_hole_is_found(viscosity: float) -> None:
    problem = AroundTheHole(viscosity)
    field = solved(problem, Eulerian(), 1, CollocationPoints(500, boundary=120), 10)
    points = problem.domain.interior(300, generator(5), "shifted")
    assert relative_error(field, [0.1, 0.3, 0.5], points) < 2e-3
