"""Semi-Lagrangian steps: orders in time, transport without a limit on the step, diffusion."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.errors import InputError
from sciml.insr import FitPoints, LeastSquaresFit, PeriodicBurgers, TimeStepper
from sciml.insr.integrators.semi_lagrangian import SemiLagrangian
from sciml.insr.problems.scalar import Advection
from sciml.insr.problems.stream_function import MultiModeEuler, Smoke, TaylorGreen
from sciml.nets.coordinate import FourierNetwork, Siren
from sciml.numerics.least_squares import LevenbergMarquardt
from sciml.numerics.random import seeded
from sciml.reference.incompressible_spectral import flow_in_box
from tests.insr.sines import SineSeries

EXACTLY = LeastSquaresFit(*[LevenbergMarquardt(tolerance=1e-12, max_solves=3, damping=1e-12)] * 2)


def velocity_error(dt: float, integrator: SemiLagrangian, viscosity: float = 0.0, until: float = 0.4) -> float:
    """Of modes that stir one another, against the spectral reference."""
    problem = MultiModeEuler(viscosity=viscosity)
    stepper = TimeStepper(
        problem, {"stream": SineSeries(7)}, integrator, dt, fitting=EXACTLY, points=FitPoints(196), seed=1
    )
    *_, (state, _) = stepper.run(round(until / dt))
    points = problem.domain.interior(400, torch.Generator().manual_seed(0))
    reference = flow_in_box(problem.initial.vorticity, 32, [until], 0.02, viscosity)
    exact = torch.from_numpy(reference.velocity(0, points.numpy()))
    found = problem.velocity_at(stepper.fields(state.weights), points)
    return float((found - exact).norm() / exact.norm())


@pytest.mark.parametrize(
    ("integrator", "viscosity", "order"),
    [
        (SemiLagrangian("euler"), 0.0, 1.0),
        (SemiLagrangian("rk4"), 0.0, 2.0),
        (SemiLagrangian("rk2", corrections=1), 0.0, 2.0),
        (SemiLagrangian(corrections=1), 0.05, 2.0),
    ],
)
def test_order_in_time_with_a_vorticity_that_makes_its_velocity(
    integrator: SemiLagrangian, viscosity: float, order: float
) -> None:
    coarse, fine = (velocity_error(dt, integrator, viscosity) for dt in (0.2, 0.1))
    assert math.log2(coarse / fine) > order - 0.35
    assert integrator.order == order


def test_a_correction_lowers_the_error() -> None:
    plain, corrected = (velocity_error(0.2, SemiLagrangian(corrections=k)) for k in (0, 1))
    assert corrected < plain / 3


def test_a_pulse_is_carried_over_its_own_width_in_one_step() -> None:
    problem = Advection(velocity=(0.25,), width=0.25, centre=-0.5)
    with seeded(0):
        network = FourierNetwork(1, box=[[-2], [2]], width=10).double()
    stepper = TimeStepper(problem, {"u": network}, SemiLagrangian(), time_step=1.0, points=FitPoints(300, "shifted"))
    *_, (state, _) = stepper.run(4)
    points = torch.linspace(-2, 2, 401, dtype=torch.float64)[:, None]
    error = stepper.fields(state.weights)("u", points) - problem.exact(points, 4.0)
    assert error.abs().max() < 1e-3


def test_smoke_in_a_steady_flow_goes_where_its_particles_go() -> None:
    problem = TaylorGreen(smoke=Smoke(width=0.4))
    with seeded(0):
        networks = {"stream": SineSeries(3), "density": Siren(2, width=14, hidden_layers=1, frequency=3.0).double()}
    stepper = TimeStepper(problem, networks, SemiLagrangian(), 0.25, points=FitPoints(500))
    *_, (state, report) = stepper.run(2)
    points = problem.domain.interior(400, torch.Generator().manual_seed(0))
    reference = flow_in_box(problem.initial.vorticity, 12, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5], 0.02)
    exact = problem.smoke(torch.from_numpy(reference.origins(-1, points.numpy())))
    found = problem.present(stepper.fields(state.weights), points, 0.5)["density"]
    assert (found - exact).abs().max() < 0.02
    assert report.quantities["mass"] == pytest.approx(float(problem.smoke(points).mean()) * 4, rel=0.02)


def test_a_problem_without_a_velocity_and_wrong_settings_are_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match="PeriodicBurgers is not"):
        TimeStepper(PeriodicBurgers(), {"u": FourierNetwork(1)}, SemiLagrangian(), 0.1)
    with pytest.raises(InputError, match="there is no back-trace 'rk3'"):
        SemiLagrangian("rk3")
    with pytest.raises(InputError, match="corrections is -1"):
        SemiLagrangian(corrections=-1)
