"""Diagnostics in both frames: modes that are known, spectra beside finite differences, landscapes beside parabolas."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.lpinn import (
    Ale,
    Channel,
    Characteristics,
    CollocationPoints,
    Convection,
    Eulerian,
    Frame,
    Lagrangian,
    LeastSquaresRounds,
    Modes,
    SolidBodyRotation,
    SpaceTimeField,
    SpaceTimeSolver,
    SpaceTimeState,
    gauss_newton_spectrum,
    loss_landscape,
    modes,
    transported_modes,
)
from sciml.lpinn.diagnostics import report
from sciml.lpinn.networks import start_at_zero
from sciml.lpinn.task import SpaceTimeFitting
from sciml.numerics.least_squares import LevenbergMarquardt
from sciml.numerics.linearisation import ResidualSystem
from sciml.numerics.random import generator
from sciml.training.run import load_task, train
from tests.lpinn.maps import characteristics, network, random_weights
from tests.lpinn.pulses import fourier, wave

FRAMES = {"Eulerian": (Eulerian(), 1), "Lagrangian": (Lagrangian(), 2)}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def solver_of(
    frame: Frame, outputs: int, *, speed: float = 5.0, viscosity: float = 0.0, slabs: int = 1, zero: bool = True
) -> SpaceTimeSolver:
    problem = Convection(speed, viscosity)
    net = network(problem, outputs)
    if zero:
        start_at_zero(net.module)
    fitting = LeastSquaresRounds(LevenbergMarquardt(1e-12, 30, damping=1e-3, patience=30))
    return SpaceTimeSolver(Characteristics(problem, frame, net, slabs), 1, fitting, CollocationPoints(200))


def fitted(solver: SpaceTimeSolver) -> SpaceTimeState:
    *_, (state, _) = solver.run()
    return state


def groups_of(solver: SpaceTimeSolver, state: SpaceTimeState, slab: int = 0) -> list:
    """At the points of diagnostics, which are drawn like this."""
    return solver.groups(state, slab, generator(solver.seed, slab, solver.rounds + 1))


def differences(solver: SpaceTimeSolver, state: SpaceTimeState, step: float = 1e-3) -> np.ndarray:
    """The Jacobian of the stacked residuals by central differences of order 4."""
    weights = state.weights[0]
    system = ResidualSystem(groups_of(solver, state), len(weights))

    def slope(move: Tensor) -> np.ndarray:
        one, two = ((system.residual(weights + k * move) - system.residual(weights - k * move)).numpy() for k in (1, 2))
        return (8 * one - two) / (12 * step)

    return np.stack([slope(move) for move in step * torch.eye(len(weights), dtype=weights.dtype)], 1)


# Modes and bandwidth


@pytest.mark.parametrize(("speed", "number"), [(1.0, 13), (10.0, 48), (30.0, 45), (50.0, 48), (100.0, 47)])
def test_the_table_of_travelling_waves(speed, number):
    bump, sine = transported_modes("bump", speed), transported_modes("sine", speed)
    assert [bump[name].number for name in ("u", "w", "X")] == [number, 1, 2]
    assert [sine[name].number for name in ("u", "w", "X")] == [2, 1, 2]
    assert sine["u"].bandwidth == pytest.approx(speed / (2 * math.pi), abs=0.25)
    for found in (bump, sine):
        assert found["w"].bandwidth == 0 and found["X"].bandwidth < 0.35  # of labels nothing depends on the speed


def test_the_bandwidth_of_a_bump_grows_with_its_speed():
    slow, fast = (transported_modes("bump", speed)["u"].bandwidth for speed in (10.0, 100.0))
    assert fast / slow == pytest.approx(10, rel=0.05) and slow > 10


@pytest.mark.parametrize("speed", [10.0, 50.0])
def test_labels_that_move_with_the_flow_have_one_mode_where_u_has_two(speed):
    solver = solver_of(Lagrangian(), 2, speed=speed)
    found = modes(SpaceTimeField(solver.characteristics, fitted(solver).weights), grid=64, times=41)
    assert {name: kind.number for name, kind in found.items()} == {"u": 2, "u_exact": 2, "w": 1, "X": 2}
    assert found["u"].bandwidth == pytest.approx(speed / (2 * math.pi), abs=2)
    assert found["w"] == Modes(1, 0.0) and found["X"].bandwidth < 3


def test_at_rest_u_and_w_are_the_same_and_labels_stay():
    solver = solver_of(Eulerian(), 1, speed=1.0)
    found = modes(SpaceTimeField(solver.characteristics, fitted(solver).weights), grid=32, times=20, tolerance=1e-2)
    assert found["u"] == found["w"] and found["u"].number == found["u_exact"].number == 2
    assert found["X"] == Modes(1, 0.0)


def test_there_are_enough_times_for_fast_waves():
    solver = solver_of(Ale(), 1, speed=340.0)
    found = modes(SpaceTimeField(solver.characteristics, solver.initial().weights), grid=16)
    assert found["u"].bandwidth == pytest.approx(340 / (2 * math.pi), abs=2)  # 101 times would show at most 50
    assert found["u"].number == 2


def test_a_large_mean_hides_nothing():
    """The mean of the start is no mode, and does not make the rest look small."""

    class Lifted(Convection):
        def initial(self, x: Tensor) -> Tensor:
            return 1e4 + super().initial(x)

        def exact(self, x: Tensor, t: float) -> Tensor:
            return self.initial(x - self.speed * t)

    made = Characteristics(Lifted(5.0), Ale(), network(Lifted(5.0), 1))
    found = modes(SpaceTimeField(made, torch.zeros(1, made.network.count, dtype=torch.float64)), grid=32, times=21)
    assert (found["u"].number, found["w"].number) == (2, 1)


def test_two_dimensions_have_modes_too():
    made = characteristics(SolidBodyRotation(), Eulerian(), 1)
    field = SpaceTimeField(made, torch.zeros(1, made.network.count, dtype=torch.float64))
    found = modes(field, grid=8, times=5)  # nothing moves yet, but in the exact solution
    assert [found[name].number for name in ("u", "w", "X")] == [1, 1, 1]
    assert found["u_exact"].number == 4 and found["u_exact"].bandwidth > 0  # the fifth is the first again


# Spectrum


@pytest.mark.parametrize(("frame", "outputs"), FRAMES.values(), ids=FRAMES)
def test_the_spectrum_is_that_of_differences(frame, outputs):
    solver = solver_of(frame, outputs, viscosity=0.1, zero=False)
    state = solver.initial()
    found = gauss_newton_spectrum(solver, state, count=3)
    jacobian = differences(solver, state)
    values = np.linalg.eigvalsh(jacobian.T @ jacobian)[::-1]
    assert np.abs(found.values.numpy() - values).max() < 1e-6 * values[0]
    assert found.vectors.shape == (solver.characteristics.network.count, 3)
    images = np.linalg.norm(jacobian @ found.vectors.numpy(), axis=0)
    assert images == pytest.approx(np.sqrt(values[:3]), rel=1e-6)


def test_at_rest_the_largest_eigenvalue_grows_with_the_square_of_the_speed_and_in_a_moving_frame_not():
    def largest(frame: Frame, speed: float) -> float:
        solver = solver_of(frame, 1, speed=speed, viscosity=0.1)
        return float(gauss_newton_spectrum(solver, solver.initial()).values[0])

    assert largest(Eulerian(), 100.0) / largest(Eulerian(), 50.0) == pytest.approx(4, rel=0.05)
    assert largest(Ale(), 100.0) == pytest.approx(largest(Ale(), 50.0), rel=1e-9)
    assert largest(Ale(), 50.0) == pytest.approx(largest(Eulerian(), 0.0), rel=1e-9)


def test_the_slab_with_the_largest_residual_is_looked_at_unless_another_is_wanted():
    solver = solver_of(Ale(), 1, viscosity=0.1, slabs=3, zero=False)
    state = SpaceTimeState(0, random_weights(solver.characteristics), 0.0, (1e-3, 1e-1, 1e-2))
    wanted = [gauss_newton_spectrum(solver, state, slab=slab).values for slab in range(3)]
    assert torch.equal(gauss_newton_spectrum(solver, state).values, wanted[1])
    assert not torch.allclose(wanted[0], wanted[1]) and not torch.allclose(wanted[2], wanted[1])
    assert torch.isfinite(loss_landscape(solver, state, slab=2, count=3).loss).all()


def test_values_on_faces_are_part_of_the_loss():
    problem = Channel()
    solver = SpaceTimeSolver(characteristics(problem, Eulerian(), 1), points=CollocationPoints(100, boundary=10))
    state = solver.initial()
    assert [group.name for group in groups_of(solver, state)] == ["equations", "boundary"]
    jacobian = differences(solver, state)
    wanted = np.linalg.norm(jacobian, 2) ** 2
    assert float(gauss_newton_spectrum(solver, state).values[0]) == pytest.approx(wanted, rel=1e-6)


# Landscape


@pytest.mark.parametrize(("frame", "outputs"), FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("directions", ["spectrum", "random"])
def test_the_middle_of_a_landscape_is_the_loss_of_the_state_and_its_minimum(frame, outputs, directions):
    solver = solver_of(frame, outputs, speed=1.0, viscosity=0.1)
    state = fitted(solver)
    found = loss_landscape(solver, state, count=9, span=0.5, directions=directions)
    weights = state.weights[0]
    assert float(found.loss[4, 4]) == pytest.approx(sum(float(g.loss(weights)) for g in groups_of(solver, state)))
    assert found.loss.argmin() == 9 * 4 + 4
    assert state.rms[0] ** 2 < found.loss.min() < 100 * state.rms[0] ** 2  # at other points than those of the fit
    assert torch.equal(found.loss, loss_landscape(solver, state, count=9, span=0.5, directions=directions).loss)


@pytest.mark.parametrize("frame", [Eulerian(), Ale()], ids=["Eulerian", "Ale"])
def test_where_residuals_are_linear_the_curvature_is_the_eigenvalue(frame):
    """A network whose last layer is 0 depends on no other, and on that one linearly."""
    solver = solver_of(frame, 1, viscosity=0.1)
    state = solver.initial()
    spectrum = gauss_newton_spectrum(solver, state, count=2)
    found = loss_landscape(solver, state, count=7, span=3.0, directions=spectrum.vectors)
    across = found.loss[:, 3], found.loss[3]
    for loss, value in zip(across, spectrum.values, strict=False):
        second = (loss[2:] + loss[:-2] - 2 * loss[1:-1]) / 2
        assert torch.allclose(second, value.expand(5), rtol=1e-9)
    assert found.roughness < 1e-12


def test_a_frame_at_rest_is_rougher_than_one_that_moves():
    """With the same network and problem, after as many solves."""
    rough = {}
    for name, frame in (("rest", Eulerian()), ("moving", Ale())):
        solver = solver_of(frame, 1, speed=50.0, viscosity=0.1)
        rough[name] = loss_landscape(solver, fitted(solver), count=15, span=0.3).roughness
    assert rough["rest"] > 2 * rough["moving"]


def test_what_there_is_not_is_a_sentence():
    solver = solver_of(Ale(), 1, viscosity=0.1)
    state = solver.initial()
    with pytest.raises(InputError, match="there are no directions 'hessian', expected spectrum, random or a tensor"):
        loss_landscape(solver, state, directions="hessian")
    for slab in (1, -1):
        with pytest.raises(InputError, match=f"the slab is {slab}, expected 0 to 0"):
            gauss_newton_spectrum(solver, state, slab=slab)
    with pytest.raises(InputError, match="the speed is nan, expected a finite number"):
        transported_modes("bump", math.nan)
    with pytest.raises(InputError, match="the initial condition is 'square', expected one of bump, sine"):
        transported_modes("square", 1.0)
    other = SpaceTimeState(0, state.weights[:, 1:], 0.0, (0.0,))
    with pytest.raises(InputError, match="the weights of the slabs have shape"):
        loss_landscape(solver, other)


# In a run


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("sciml.lpinn.readout.error_norms.EVALUATION", {1: (32, 9)})
    monkeypatch.setattr(report, "STEPS", 5)
    monkeypatch.setattr(report, "modes", lambda field: modes(field, grid=16, times=8))
    monkeypatch.setattr(SpaceTimeFitting, "draw", lambda *arguments: None)


@pytest.mark.parametrize("frame", FRAMES)
def test_a_run_writes_its_diagnostics_if_asked(frame, tmp_path, quick):
    problem = {"class_path": "sciml.lpinn.Convection", "init_args": {"speed": 2.0}}
    arguments = {
        "problem": problem,
        "frame": {"class_path": f"sciml.lpinn.{frame}"},
        "network": fourier(outputs=FRAMES[frame][1]),
        "rounds": 1,
        "slabs": 1,
    }
    asked = wave(**arguments, output={"grid": [16], "times": 3, "animation": False, "diagnostics": True})
    train(asked, tmp_path / "run")
    found = json.loads((tmp_path / "run" / "diagnostics.json").read_text())
    assert found["frame"] == frame
    assert found["modes"]["w"]["number"] == 1 if frame == "Lagrangian" else found["modes"]["w"] == found["modes"]["u"]
    spectrum, around = found["spectrum"], found["landscape"]
    task = load_task(tmp_path / "run")
    assert len(spectrum["eigenvalues"]) == task.weights.shape[1] and spectrum["slab"] == around["slab"] == 0
    assert np.all(np.diff(spectrum["eigenvalues"]) <= 0) and 0 < spectrum["rank"] <= len(spectrum["eigenvalues"])
    assert np.argmin(around["log10_loss"]) == 12 and around["steps"] == [-1, -0.5, 0, 0.5, 1]
    figures = {path.name for path in (tmp_path / "run" / "figures").iterdir()}
    assert {"spectrum.png", "landscape.png"} <= figures and not list(tmp_path.rglob("*.part"))
    assert all((tmp_path / "run" / "figures" / name).stat().st_size > 5000 for name in figures)


def test_a_finished_run_can_be_asked_later_and_a_new_one_leaves_nothing_of_it(tmp_path, quick):
    plain = wave(problem={"class_path": "sciml.lpinn.Convection"}, network=fourier(outputs=2), rounds=1, slabs=1)
    train(plain, tmp_path / "run")
    file: Path = tmp_path / "run" / "diagnostics.json"
    assert not file.exists()
    found = load_task(tmp_path / "run").diagnose(tmp_path / "run")
    assert json.loads(file.read_text()) == found and found["modes"]["u"]["number"] == 2
    train(plain, tmp_path / "run", overwrite=True)
    assert not file.exists() and not (tmp_path / "run" / "figures" / "spectrum.png").exists()
