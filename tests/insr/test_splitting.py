"""The operator splitting of the paper: what each of its fits is for, and the errors it leaves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.insr import (
    Advection,
    ChorinSplitting,
    FitPoints,
    IncompressibleFlow,
    LeastSquaresFit,
    TaylorGreenPrimitive,
    TimeStepper,
    TwoVorticesPrimitive,
)
from sciml.insr.fitting import Fit, Fitted, Sample
from sciml.insr.integrators.paths import BackTrace
from sciml.insr.integrators.semi_lagrangian import SemiLagrangian
from sciml.insr.problems.stream_function import TaylorGreen, largest_divergence
from sciml.nets.coordinate import FourierNetwork, Siren
from sciml.numerics.least_squares import LevenbergMarquardt
from sciml.numerics.random import seeded
from sciml.reference.incompressible_plane_flows import sine_flow
from sciml.reference.incompressible_spectral import flow_in_box

FITTING = LeastSquaresFit(
    LevenbergMarquardt(tolerance=1e-6, max_solves=15, damping=1e-7, smallest_damping=1e-10),
    LevenbergMarquardt(tolerance=1e-4, max_solves=60, damping=1e-3, patience=10),
)


class Remembering(LeastSquaresFit):
    """Least squares that keep the weights of every fit."""

    def __init__(self) -> None:
        super().__init__(FITTING.step, FITTING.initial)
        object.__setattr__(self, "kept", [])

    def fit(self, fit: Fit, draw: Callable[[int], Sample], generator: torch.Generator) -> Fitted:
        fitted = super().fit(fit, draw, generator)
        self.kept.append((fit.field, fitted.parameters))
        return fitted


def stepper(back_trace: BackTrace, fitting: LeastSquaresFit = FITTING) -> TimeStepper:
    with seeded(0):
        networks = {
            "velocity": Siren(2, 2, width=16, hidden_layers=1, frequency=5.0).double(),
            "pressure": Siren(2, 1, width=12, hidden_layers=1, frequency=5.0).double(),
        }
    points = FitPoints(500, boundary=100)
    return TimeStepper(
        TaylorGreenPrimitive(), networks, ChorinSplitting(back_trace), 0.1, fitting=fitting, points=points
    )


@pytest.mark.parametrize("back_trace", ["euler", "rk4"])
def test_the_correction_takes_the_divergence_out_of_what_was_advected(back_trace: BackTrace) -> None:
    fitting = Remembering()
    steps = stepper(back_trace, fitting)
    state, _ = steps.initial()
    state, report = steps.advance(state)
    assert [field for field, _ in fitting.kept] == ["velocity", "pressure", "velocity"]
    points = steps.problem.domain.interior(400, torch.Generator().manual_seed(0))

    def divergence(weights: Tensor) -> float:
        return largest_divergence(lambda x: steps.fields({"velocity": weights})("velocity", x), points)

    advected, corrected = divergence(fitting.kept[0][1]), divergence(fitting.kept[2][1])
    assert advected == pytest.approx(0.2, abs=0.05)  # 2 dt, the largest trace of dt (grad u)^2
    assert corrected < advected / 5
    assert report.quantities["through_walls"] < 0.02
    error = steps.fields(state.weights)("velocity", points) - steps.problem.exact_field("velocity", points, state.time)
    assert error.square().mean() < 3.35e-4 / 10  # a tenth of the published error after 100 steps


def test_a_flow_that_changes_does_so_as_the_spectral_reference_says() -> None:
    start = sine_flow((2, 2, 2.0), (1, 1, 1.2), (1, 2, 0.6))
    with seeded(0):
        networks = {
            "velocity": Siren(2, 2, width=18, hidden_layers=1, frequency=4.0).double(),
            "pressure": Siren(2, 1, width=14, hidden_layers=1, frequency=4.0).double(),
        }
    problem, points = IncompressibleFlow(start), FitPoints(500, boundary=100)
    steps = TimeStepper(problem, networks, ChorinSplitting("rk4"), 0.1, fitting=FITTING, points=points)
    *_, (state, _) = steps.run(1)
    places = problem.domain.interior(400, torch.Generator().manual_seed(0))
    exact = torch.from_numpy(flow_in_box(start.vorticity, 24, [0.1], 0.02).velocity(0, places.numpy()))
    found = problem.present(steps.fields(state.weights), places, state.time)["velocity"]
    assert (found - exact).norm() < 0.2 * (start.velocity(places) - exact).norm()


def test_the_vorticity_that_is_shown_is_the_curl_of_the_velocity() -> None:
    problem = TwoVorticesPrimitive()
    with seeded(0):
        networks = {"velocity": Siren(2, 2, width=5).double(), "pressure": Siren(2, 1, width=5).double()}
    steps = TimeStepper(problem, networks, ChorinSplitting(), 0.1)
    fields = steps.fields({name: flat.vector() for name, flat in steps.networks.items()})
    places, step = problem.domain.interior(30, torch.Generator().manual_seed(0)) / 2, 1e-5
    along, across = (step * torch.eye(2, dtype=torch.float64)[axis] for axis in (0, 1))
    rise = fields("velocity", places + along)[:, 1] - fields("velocity", places - along)[:, 1]
    fall = fields("velocity", places + across)[:, 0] - fields("velocity", places - across)[:, 0]
    shown = problem.present(fields, places, 0.0)
    assert torch.allclose(shown["vorticity"][:, 0], (rise - fall) / (2 * step), rtol=1e-5, atol=1e-5)
    assert set(problem.pictures) <= set(shown)


def test_a_problem_without_pressure_and_wrong_settings_are_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match=r"Advection has \{'u': 1\}"):
        TimeStepper(Advection(), {"u": FourierNetwork(1)}, ChorinSplitting(), 0.1)
    with pytest.raises(InputError, match=r"TaylorGreen has \{'stream': 1\}"):
        TimeStepper(TaylorGreen(), {"stream": Siren(2)}, ChorinSplitting(), 0.1)
    with pytest.raises(InputError, match="TaylorGreenPrimitive is not"):
        TimeStepper(TaylorGreenPrimitive(), {"velocity": Siren(2, 2), "pressure": Siren(2)}, SemiLagrangian(), 0.1)
    with pytest.raises(InputError, match="there is no back-trace 'leapfrog'"):
        ChorinSplitting("leapfrog")
    with pytest.raises(InputError, match="weight of the boundary is 0"):
        TaylorGreenPrimitive(boundary_weight=0)
