"""Elastic bodies as networks: free fall, contact, equilibrium against finite elements, tension, restart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from sciml.domains import Box, CellPoints, GaussPoints, MeshDomain
from sciml.domains.quadrature import Quadrature
from sciml.errors import InputError
from sciml.insr.fitting import FitPoints, LeastSquaresFit
from sciml.insr.integrators import RungeKutta
from sciml.insr.integrators.elastic import Equilibrium, IncrementalPotential
from sciml.insr.problems.contact import Plane, Sphere
from sciml.insr.problems.elasticity import ElasticBody, Motion, Tension, deformation_gradient
from sciml.insr.problems.energies import ArapVolume, StableNeoHookean
from sciml.insr.problems.scalar import Advection
from sciml.insr.solver import TimeStepper
from sciml.mesh import make_mesh
from sciml.nets.coordinate import TanhNetwork
from sciml.nets.dirichlet_ends import DirichletEnds
from sciml.numerics.least_squares import LevenbergMarquardt
from sciml.numerics.random import seeded
from sciml.reference.hyperelasticity_finite_elements import solve_static, square, tension

FITTING = LeastSquaresFit(
    step=LevenbergMarquardt(tolerance=1e-8, max_solves=8, patience=8, damping=1e-6, smallest_damping=1e-10),
    initial=LevenbergMarquardt(tolerance=1e-12, max_solves=30, patience=10, damping=1e-10),
)
# For energies, which are not 0 where they are least: small gains are no reason to stop.
PATIENT = LevenbergMarquardt(
    tolerance=0, max_solves=25, damping=1e-5, smallest_damping=1e-9, decrease=3, increase=3, trials=20, patience=99
)


def network(dim: int, width: int = 12) -> TanhNetwork:
    with seeded(0):
        return TanhNetwork(dim, dim, width, 2).double()


def moving(
    body: ElasticBody,
    points: FitPoints,
    width: int = 12,
    quadrature: Quadrature | None = None,
    fitting: LeastSquaresFit = FITTING,
) -> TimeStepper:
    nets = {name: network(body.domain.dim, width) for name in body.fields}
    rule = IncrementalPotential(quadrature)
    return TimeStepper(body, nets, rule, body.motion.time_step, fitting=fitting, points=points)


def test_the_deformation_gradient_has_the_derivative_of_u_i_by_x_j_in_row_i_and_column_j() -> None:
    net, point = network(2), torch.tensor([[0.3, -0.2]], dtype=torch.float64)
    expected = torch.eye(2) + torch.autograd.functional.jacobian(lambda x: net(x[None])[0], point[0])
    assert torch.allclose(deformation_gradient(net(point, 1))[0], expected.double(), atol=1e-14)


@pytest.mark.parametrize("dim", [2, 3])
def test_free_fall_is_the_parabola_and_momentum_grows_by_the_weight(dim: int) -> None:
    velocity, gravity = [1.0, 2.0, -0.5][:dim], [0.0, -3.0, -10.0][:dim]
    body = ElasticBody(MeshDomain("disk" if dim == 2 else "ball", 1), Motion(0.1, velocity, gravity), density=2.0)
    mass = 2.0 * body.domain.measure
    for state, report in moving(body, FitPoints(60)).run(6):
        for axis, name in enumerate("xyz"[:dim]):
            exact = velocity[axis] * state.time + gravity[axis] * state.time**2 / 2
            assert abs(report.quantities[f"mean_displacement_{name}"] - exact) < 1e-6
            middle = velocity[axis] + gravity[axis] * (state.time - 0.05)
            assert abs(report.quantities[f"momentum_{name}"] - mass * middle) < 1e-5
        assert report.quantities["elastic_energy"] < 1e-10


def test_a_disk_that_falls_on_a_plane_touches_it_and_leaves_again() -> None:
    body = ElasticBody(
        MeshDomain("disk", 2),
        Motion(0.04, velocity=[0.0, -2.5]),
        StableNeoHookean(100.0, 200.0),
        obstacles=[Plane([0.0, -1.1], [0.0, 1.0], 1e5)],
    )
    states = [report.quantities for _, report in moving(body, FitPoints(250, boundary=600)).run(14)]
    momentum = [numbers["momentum_y"] for numbers in states]
    assert momentum[0] < -6 and momentum[-1] > 3
    assert 0 < max(numbers["penetration"] for numbers in states) < 0.01 * 2.0
    assert max(abs(numbers["momentum_x"]) for numbers in states) < 0.05 * abs(momentum[0])
    assert min(numbers["smallest_volume_ratio"] for numbers in states) > 0.3
    assert states[-1]["penetration"] == 0
    assert all(b["total_energy"] < a["total_energy"] + 0.1 for a, b in pairwise(states))


@pytest.mark.slow
def test_a_ball_of_tetrahedra_falls_bounces_and_hardly_enters_the_plane() -> None:
    body = ElasticBody(
        MeshDomain("ball", 2),
        Motion(0.025, gravity=[0.0, 0.0, -10.0]),
        StableNeoHookean(100.0, 200.0),
        obstacles=[Plane([0.0, 0.0, -1.21], [0.0, 0.0, 1.0], 1e6)],
    )
    falling, momentum = 0, []
    for state, report in moving(body, FitPoints(600, boundary=2000), 16).run(20):
        numbers = report.quantities
        if numbers["contact_energy"] == 0 and min(momentum, default=0) > -7.5:
            falling += 1
            assert abs(numbers["mean_displacement_z"] + 5 * state.time**2) < 1e-6
        assert numbers["penetration"] <= 0.01 * 2.0
        momentum.append(numbers["momentum_z"])
    assert falling == 9  # the start and the eight steps before 0.21
    assert momentum[-1] > 0.3 * abs(min(momentum))


def test_a_body_pushed_by_a_sphere_moves_away_from_it() -> None:
    body = ElasticBody(
        Box([-0.5, -0.5], [0.5, 0.5]),
        Motion(0.05),
        ArapVolume(50.0, 100.0),
        obstacles=[Sphere([-0.9, 0.0], 0.45, 1e3)],
    )
    (_, start), (_, first) = list(moving(body, FitPoints(200, boundary=400)).run(1))
    assert start.quantities["penetration"] > 0.04
    assert first.quantities["momentum_x"] > 0.01
    assert abs(first.quantities["momentum_y"]) < 0.3 * first.quantities["momentum_x"]
    assert first.quantities["penetration"] < start.quantities["penetration"]


def test_a_block_that_hangs_comes_to_rest_where_finite_elements_say() -> None:
    """Long steps of implicit Euler damp all motion; the side x = -1 is held by a penalty."""
    energy, gravity = StableNeoHookean(20.0, 20.0), [2.0, 0.0]
    body = ElasticBody(Box([-1, -1], [1, 1]), Motion(2.0, gravity=gravity), energy, held=["x-"], held_stiffness=3e3)
    stepper = moving(
        body, FitPoints(300), quadrature=GaussPoints(6, 3, 2.0), fitting=LeastSquaresFit(PATIENT, FITTING.step)
    )
    *_, (state, _) = stepper.run(3)
    found = solve_static(square(8), energy.material(), {"left": [0, 0]}, degree=2, body_force=gravity)
    points = body.domain.interior(500, torch.Generator().manual_seed(0))
    exact = found(points.numpy())
    values = stepper.fields(state.weights)("displacement", points).numpy()
    assert np.linalg.norm(values - exact) < 0.02 * np.linalg.norm(exact)


def test_tension_is_far_closer_to_quadratic_elements_than_linear_ones_with_as_many_numbers() -> None:
    with seeded(0):
        net = DirichletEnds(TanhNetwork(2, 2, 16, 3, spread=1.5), [0, 0], [2, 0]).double()
    assert sum(weight.numel() for weight in net.parameters()) == 626
    fitting = LeastSquaresFit(PATIENT, LevenbergMarquardt(tolerance=0.03, damping=1e-2, patience=99))
    problem, rule = Tension(), Equilibrium(GaussPoints(8, 3, 2.0))
    stepper = TimeStepper(problem, {"displacement": net}, rule, 1.0, fitting=fitting, points=FitPoints(324))
    *_, (state, report) = stepper.run(1)
    material, points = problem.energy.material(), problem.domain.interior(900, torch.Generator().manual_seed(0))
    reference = tension(square(10, grading=2.0), material, 2)
    linear = tension(square(12), material)
    assert linear.degrees_of_freedom == 626 and reference.stable and linear.stable
    exact = reference(points.numpy())
    found = stepper.fields(state.weights)("displacement", points).numpy()
    assert np.linalg.norm(found - exact) < 0.2 * np.linalg.norm(linear(points.numpy()) - exact)
    assert (
        reference.energy
        < report.quantities["elastic_energy"]
        < reference.energy + 0.2 * (linear.energy - reference.energy)
    )


def test_without_the_ansatz_a_penalty_holds_the_ends() -> None:
    problem = Tension(energy=ArapVolume(1.0, 5.0), extension=0.3, boundary_weight=100.0)
    fitting = LeastSquaresFit(LevenbergMarquardt(tolerance=0, max_solves=6, damping=1e-4, smallest_damping=1e-9))
    points = FitPoints(200, boundary=100)
    stepper = TimeStepper(problem, {"displacement": network(2)}, Equilibrium(), 1.0, fitting=fitting, points=points)
    *_, (state, _) = stepper.run(3)
    ends = torch.tensor([[-1.0, 0.4], [-1.0, -0.7], [1.0, 0.1], [1.0, -0.5]], dtype=torch.float64)
    given = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.3, 0.0], [0.3, 0.0]], dtype=torch.float64)
    assert (stepper.fields(state.weights)("displacement", ends) - given).abs().max() < 0.01


def test_the_exact_tension_is_that_of_quadratic_elements() -> None:
    problem = Tension(energy=StableNeoHookean(1.0, 4.0), extension=0.5, reference_cells=4)
    points = torch.tensor([[-1.0, 0.3], [1.0, 0.2], [0.0, 0.0]], dtype=torch.float64)
    exact = problem.exact_field("displacement", points, 0.0)
    assert torch.allclose(exact[:, 0], torch.tensor([0.0, 0.5, 0.25], dtype=torch.float64), atol=1e-7)
    assert Tension().exact_field("displacement", points, 0.0) is None


def test_a_run_goes_on_from_a_state_as_if_never_stopped() -> None:
    body = ElasticBody(
        MeshDomain("disk", 1), Motion(0.05, gravity=[0.0, -10.0]), obstacles=[Plane([0, -1.01], [0, 1], 1e3)]
    )
    whole = [state for state, _ in moving(body, FitPoints(60)).run(4)]
    parts = [state for state, _ in moving(body, FitPoints(60)).run(2, whole[2])]
    assert all(torch.equal(whole[4].weights[name], parts[1].weights[name]) for name in body.fields)
    assert torch.equal(whole[4].weights["previous"], whole[3].weights["displacement"])


def test_gravity_ends_when_it_should() -> None:
    body = ElasticBody(Box([0, 0], [1, 1]), Motion(0.1, gravity=[0.0, -1.0], until=0.2))
    assert [float(body.motion.acceleration(torch.zeros(1, 2), 0.1 * step)[1]) for step in (1, 2, 3)] == [-1, -1, 0]


def test_bad_input_is_answered_in_a_sentence() -> None:
    box, motion = Box([0, 0], [1, 1]), Motion(0.1)
    with pytest.raises(InputError, match="time step of the motion is 0"):
        Motion(0)
    with pytest.raises(InputError, match="expected 2 numbers as the domain"):
        ElasticBody(box, Motion(0.1, gravity=[0, 0, -1]))
    with pytest.raises(InputError, match="density of a body is -1"):
        ElasticBody(box, motion, density=-1)
    with pytest.raises(InputError, match="3-D, but positions"):
        ElasticBody(box, motion, obstacles=[Plane([0, 0, 0], [0, 0, 1], 1.0)])
    with pytest.raises(InputError, match="1 dimensions, expected 2 or 3"):
        ElasticBody(Box([0], [1]), motion)
    with pytest.raises(InputError, match="tail"):
        ElasticBody(MeshDomain(make_mesh("disk", 1)), motion, held=["tail"])
    with pytest.raises(InputError, match="extension is -2"):
        Tension(extension=-2.0)
    with pytest.raises(InputError, match="reference is for the box"):
        Tension(upper=[2, 1], reference_cells=4)
    with pytest.raises(InputError, match="for elastic bodies at rest"):
        Equilibrium().check(Advection())
    with pytest.raises(InputError, match="use IncrementalPotential"):
        Equilibrium().check(ElasticBody(box, motion))
    with pytest.raises(InputError, match="bodies that move"):
        IncrementalPotential().check(Tension())
    with pytest.raises(InputError, match="the domain is a mesh; use CellPoints"):
        IncrementalPotential(GaussPoints()).check(ElasticBody(MeshDomain("disk", 1), motion))
    with pytest.raises(InputError, match="got a box"):
        Equilibrium(CellPoints()).check(Tension())
    with pytest.raises(InputError, match="needs a problem with a rate"):
        RungeKutta().check(Tension())
    nets = {"displacement": network(2), "previous": network(2)}
    with pytest.raises(InputError, match=r"time step is 0\.2, that of the motion 0\.1"):
        list(TimeStepper(ElasticBody(box, motion), nets, IncrementalPotential(), 0.2).run(1))
    with pytest.raises(InputError, match="two of the same kind and size"):
        unlike = nets | {"previous": network(2, 5)}
        list(TimeStepper(ElasticBody(box, motion), unlike, IncrementalPotential(), 0.1).run(1))


def test_points_at_which_an_energy_would_be_least_alone_are_refused() -> None:
    few = TimeStepper(Tension(), {"displacement": network(2)}, Equilibrium(GaussPoints(2)), 1.0, fitting=FITTING)
    with pytest.raises(InputError, match=r"36 points of quadrature for 218 parameters.* at least 55"):
        list(few.run(1))
    adaptive = TimeStepper(
        Tension(),
        {"displacement": network(2)},
        Equilibrium(),
        1.0,
        fitting=FITTING,
        points=FitPoints(200, adaptive=0.5),
    )
    with pytest.raises(InputError, match=r"adaptive points would change the energy.* got 0\.5"):
        list(adaptive.run(1))
