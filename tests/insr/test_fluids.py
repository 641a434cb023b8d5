"""Flows by stream functions: what their form guarantees, what they conserve, exact decay."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.errors import InputError
from sciml.insr import FitPoints, LeastSquaresFit, TimeStepper
from sciml.insr.integrators.semi_lagrangian import SemiLagrangian
from sciml.insr.problems.stream_function import (
    MultiModeEuler,
    Smoke,
    StreamFunctionFlow,
    TaylorGreen,
    TwoVortices,
    largest_divergence,
)
from sciml.nets import OddReflectionNetwork, TanhNetwork
from sciml.nets.ansatz import VanishingOnBox
from sciml.nets.coordinate import Siren
from sciml.numerics.least_squares import LevenbergMarquardt
from sciml.numerics.random import seeded
from tests.insr.sines import SineSeries

FITTING = LeastSquaresFit(
    LevenbergMarquardt(tolerance=1e-9, max_solves=4, damping=1e-7, smallest_damping=1e-10),
    LevenbergMarquardt(tolerance=1e-5, max_solves=60, damping=1e-3, patience=10),
)


def network(width: int = 20) -> VanishingOnBox:
    with seeded(0):
        return VanishingOnBox(Siren(2, width=width, hidden_layers=1, frequency=3.0)).double()


def stepper(problem: StreamFunctionFlow, time_step: float = 0.05, **options: object) -> TimeStepper:
    options = {"fitting": FITTING, "points": FitPoints(576), **options}
    return TimeStepper(problem, {"stream": network()}, SemiLagrangian(), time_step, **options)


@pytest.mark.parametrize("problem", [TaylorGreen(), MultiModeEuler(), TwoVortices()])
def test_any_weights_give_a_flow_without_divergence_in_closed_walls(problem: StreamFunctionFlow) -> None:
    steps = stepper(problem)
    quantities = problem.quantities(steps.fields({"stream": steps.networks["stream"].vector()}), 0.0)
    assert quantities["divergence"] < 1e-10
    assert quantities["through_walls"] < 1e-12


def test_the_divergence_that_is_watched_is_the_divergence() -> None:
    points = torch.rand(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = largest_divergence(lambda x: torch.stack([x[:, 0] ** 2, x[:, 0] * x[:, 1]], 1), points)
    assert found == pytest.approx(3 * float(points[:, 0].max()))


def test_taylor_green_stands_still() -> None:
    problem = TaylorGreen()
    steps = stepper(problem)
    *_, (state, report) = steps.run(3)
    points = problem.domain.interior(900, torch.Generator().manual_seed(1))
    found = problem.present(steps.fields(state.weights), points, state.time)
    assert (found["velocity"] - problem.exact_field("velocity", points, state.time)).square().mean() < 1e-10
    assert (found["vorticity"] - problem.exact_field("vorticity", points, state.time)).abs().max() < 1e-2
    assert report.quantities["energy"] == pytest.approx(1 / math.pi**2, rel=1e-4)
    assert report.quantities["enstrophy"] == pytest.approx(2, rel=1e-4)
    assert sum(steps.networks[name].count for name in steps.networks) <= 700


def test_energy_decays_as_viscosity_says() -> None:
    viscosity, problem = 0.02, TaylorGreen(viscosity=0.02)
    steps = TimeStepper(
        problem, {"stream": SineSeries(4)}, SemiLagrangian(), 0.05, fitting=FITTING, points=FitPoints(100)
    )
    energies = [(state.time, report.quantities["energy"]) for state, report in steps.run(10)]
    for time, energy in energies[1:]:
        assert energy / energies[0][1] == pytest.approx(math.exp(-4 * viscosity * math.pi**2 * time), abs=1e-4)


def test_a_flow_without_viscosity_keeps_energy_and_enstrophy() -> None:
    problem = MultiModeEuler(modes=[[2, 2, 2.0], [1, 1, 1.2], [1, 2, 0.6]])
    with seeded(0):
        stream = OddReflectionNetwork(2, width=14, modes=3).double()
    steps = TimeStepper(
        problem, {"stream": stream}, SemiLagrangian(corrections=1), 0.1, fitting=FITTING, points=FitPoints(900)
    )
    states = list(steps.run(4))
    (_, first), (last, report) = states[0], states[-1]
    for name in ("energy", "enstrophy"):
        assert report.quantities[name] == pytest.approx(first.quantities[name], rel=1e-3)
    points = problem.domain.interior(400, torch.Generator().manual_seed(0))
    start = problem.initial.velocity(points)
    after = problem.velocity_at(steps.fields(last.weights), points)
    assert (after - start).norm() > 0.05 * start.norm()  # it does not stand still


def test_smoke_keeps_its_mass_and_its_largest_density() -> None:
    problem = TaylorGreen(smoke=Smoke(centre=(-0.5, 0.3), width=0.3))
    with seeded(0):
        networks = {"stream": SineSeries(3), "density": TanhNetwork(2, width=14, layers=2, spread=2.0).double()}
    steps = TimeStepper(problem, networks, SemiLagrangian(), 0.25, fitting=FITTING, points=FitPoints(700))
    states = list(steps.run(2))
    first, last = (report.quantities["mass"] for _, report in (states[0], states[-1]))
    assert last == pytest.approx(first, rel=1e-2)
    points = problem.domain.interior(4000, torch.Generator().manual_seed(0))
    density = problem.present(steps.fields(states[-1][0].weights), points, 0.5)["density"]
    assert float(density.max()) == pytest.approx(1, abs=0.03) and float(density.min()) > -0.03


def test_what_a_flow_shows_has_names_that_it_presents() -> None:
    problem = TaylorGreen(smoke=Smoke())
    networks = {"stream": SineSeries(2), "density": TanhNetwork(2, width=4).double()}
    steps = TimeStepper(problem, networks, SemiLagrangian(), 0.1)
    fields = steps.fields({name: flat.vector() for name, flat in steps.networks.items()})
    shown = problem.present(fields, torch.zeros(1, 2, dtype=torch.float64), 0.0)
    assert problem.pictures == ("density", "vorticity")
    assert {*problem.pictures, problem.headline} <= set(shown)


def test_the_exact_flow_decays_as_the_vorticity_equation_says() -> None:
    problem, points = TaylorGreen(viscosity=0.1), torch.tensor([[0.3, -0.2]], dtype=torch.float64)
    now, later = (problem.exact_field("vorticity", points, time) for time in (0.0, 0.5))
    assert float(later / now) == pytest.approx(math.exp(-2 * 0.1 * math.pi**2 * 0.5))
    assert problem.exact_field("density", points, 0.0) is None


def test_wrong_settings_are_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match="viscosity is -1"):
        TaylorGreen(viscosity=-1)
    with pytest.raises(InputError, match="the centre of the smoke is"):
        Smoke(centre=(0.0,))
    with pytest.raises(InputError, match=r"expected \(k, l, amplitude\)"):
        MultiModeEuler(modes=[[1, 2]])
    with pytest.raises(InputError, match="one for each field of TaylorGreen: stream, density"):
        TimeStepper(TaylorGreen(smoke=Smoke()), {"stream": network()}, SemiLagrangian(), 0.1)
