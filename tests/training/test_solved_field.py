"""The solution of a run as a function: kinds of arrays, derivatives of manufactured fields, and what is refused."""

from __future__ import annotations

import math
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from sciml.cli import main
from sciml.domains import Box, Disc, Domain, MeshDomain
from sciml.errors import CheckpointError, InputError
from sciml.mesh import read_series
from sciml.training import SolvedField, load_field
from sciml.training.checkpoints import read_checkpoint, write_checkpoint
from sciml.training.run import export_weights, train
from sciml.training.solve_task import SolveTask
from tests.insr.pulses import STEP, STEPS, VELOCITY, pulse
from tests.lpinn.pulses import wave


class Place:
    """A problem on a domain."""

    def __init__(self, domain: Domain, duration: float = 1.0) -> None:
        self.domain, self.duration = domain, duration


class Waves(SolveTask):
    """``u = exp(-t) sin(2 x) cos(3 y)`` and ``velocity = (x^2 t, y)`` in the plane."""

    headline = "u"

    def fields_at(self, time: float):
        evaluate = self.fields_in_time(time)
        return lambda points: evaluate(points, torch.full_like(points[:, :1], time))

    def fields_in_time(self, time: float):
        def evaluate(points: Tensor, times: Tensor) -> dict[str, Tensor]:
            x, y = points[:, :1], points[:, 1:2]
            u = torch.exp(-times) * torch.sin(2 * x) * torch.cos(3 * y)
            return {"velocity": torch.cat([x**2 * times, y], 1), "u": u}

        return evaluate


class Steady(SolveTask):
    """``u = x``, by a function that says nothing about time."""

    def fields_at(self, time: float):
        return lambda points: {"u": points[:, :1]}


class Read(SolveTask):
    """A table: what torch cannot differentiate."""

    def fields_at(self, time: float):
        return lambda points: {"u": points[:, :1].detach().sin()}


SQUARE = Box([-1.0, 0.0], [1.0, 2.0])


@pytest.fixture
def field() -> SolvedField:
    return SolvedField(Waves(Place(SQUARE)), "two waves")


def some(count: int = 5) -> np.ndarray:
    return np.array([-1.0, 0.0]) + 2 * np.random.default_rng(0).random((count, 2))


# Values and derivatives


def test_derivatives_of_a_manufactured_field_are_exact(field: SolvedField) -> None:
    points, time = some(), 0.4
    x, y = points[:, :1], points[:, 1:]
    decay, s, c = math.exp(-time), np.sin(2 * x), np.cos(3 * y)
    u = decay * s * c
    u_x, u_y = 2 * decay * np.cos(2 * x) * c, -3 * decay * s * np.sin(3 * y)
    assert field(points, time) == pytest.approx(u)
    assert field.derivative("u", points, time, x=1) == pytest.approx(u_x)
    assert field.derivative("u", points, time, x=2, y=1, t=1) == pytest.approx(4 * u_y)
    assert field.derivative("u", points, time, x=0) == pytest.approx(u)
    assert field.gradient("u", points, time) == pytest.approx(np.stack([u_x, u_y], -1))
    assert field.laplacian("u", points, time) == pytest.approx(-13 * u)
    assert field.time_derivative("u", points, time) == pytest.approx(-u)
    assert field(points, time, "velocity") == pytest.approx(np.hstack([x**2 * time, y]))
    assert field.gradient("velocity", points, time).shape == (5, 2, 2)
    assert field.gradient("velocity", points, time)[:, 0, 0] == pytest.approx(2 * x[:, 0] * time)
    assert field.derivative("velocity", points, time, x=2, t=1) == pytest.approx(np.tile([2.0, 0.0], (5, 1)))
    assert field.derivative("velocity", points, time, x=3) == pytest.approx(0.0)  # differentiated away
    assert set(field.all(points, time)) == {"u", "velocity"}


def test_the_headline_comes_first_and_the_end_of_the_run_is_the_default(field: SolvedField) -> None:
    assert field.names == ("u", "velocity") and field.channels == {"u": 1, "velocity": 2}
    assert field.coordinates == ("x", "y") and field.times == (0.0, 1.0)
    assert field(some()) == pytest.approx(field(some(), 1.0))


def test_torch_results_are_differentiable_by_points_and_by_time(field: SolvedField) -> None:
    points = torch.from_numpy(some(3)).requires_grad_()
    time = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda points, time: field(points, time), (points, time))
    assert gradcheck(lambda points: field.laplacian("u", points, 0.4), points)
    assert gradgradcheck(lambda points: field.gradient("velocity", points, 0.4), points)
    assert gradcheck(lambda points, time: field.derivative("u", points, time, x=1, t=1), (points, time))
    rate = torch.autograd.grad(field(points, time).sum(), time)[0]
    assert rate.item() == pytest.approx(field.time_derivative("u", points, time).sum().item())


def test_results_are_of_the_kind_of_the_points(field: SolvedField) -> None:
    points = some()
    double = field.laplacian("u", points, 0.4)
    for kind in (np.float32, np.float64):
        for found in (field.laplacian("u", points.astype(kind), 0.4), field(points.astype(kind), 0.4)):
            assert isinstance(found, np.ndarray) and found.dtype == kind
    single = field.laplacian("u", torch.from_numpy(points).float(), 0.4)
    assert single.dtype == torch.float32 and not single.requires_grad
    assert single.numpy() == pytest.approx(double, rel=1e-5)
    assert field(points.tolist(), 0.4) == pytest.approx(field(points, 0.4))
    whole = field(np.array([[1, 1]]), 0)
    assert whole.dtype == np.float64
    assert field(np.zeros((0, 2)), 0.4).shape == (0, 1)
    with torch.no_grad():
        kept = field.gradient("u", torch.from_numpy(points).requires_grad_(), 0.4)
    assert not kept.requires_grad and kept.shape == (5, 1, 2)


@pytest.mark.gpu
def test_a_field_on_a_gpu_takes_points_from_anywhere(field: SolvedField) -> None:
    points = torch.from_numpy(some())
    here = field.laplacian("u", points, 0.4)
    there = field.to("cuda").laplacian("u", points.cuda(), 0.4)
    assert there.device.type == "cuda"
    torch.testing.assert_close(there.cpu(), here)
    torch.testing.assert_close(field.laplacian("u", points, 0.4), here)


# Where


def test_a_periodic_axis_has_values_everywhere_and_the_same_derivatives_at_both_ends() -> None:
    field = SolvedField(Waves(Place(Box([0.0, 0.0], [math.pi, 1.0], [True, False]))))
    ends = np.array([[0.0, 0.5], [math.pi, 0.5], [-3 * math.pi, 0.5]])
    slopes = field.derivative("u", ends, 0.1, x=1)
    assert slopes == pytest.approx(2 * math.exp(-0.1) * math.cos(1.5))
    assert field(ends + [0.1, 0.0], 0.1) == pytest.approx(math.exp(-0.1) * math.sin(0.2) * math.cos(1.5))


def test_derivatives_on_faces_are_whole(field: SolvedField) -> None:
    """A clamp would halve them, or make them vanish."""
    corners = np.array([[-1.0, 0.0], [1.0, 2.0]])
    beyond = corners + [[-1e-9, 0], [1e-9, 0]]  # by rounding
    exact = 2 * np.cos(2 * corners[:, :1]) * np.cos(3 * corners[:, 1:])
    for points in (corners, beyond):
        assert field.derivative("u", points, 0.0, x=1) == pytest.approx(exact)


@pytest.mark.parametrize(
    ("domain", "outside"),
    [(SQUARE, 2.1), (Disc([0.0, 0.0], 1.0), 1.001), (MeshDomain("disk", 3), 1.001), (MeshDomain("l_shape", 2), 1.1)],
    ids=["box", "disc", "round mesh", "mesh with a corner"],
)
def test_points_outside_of_the_domain_are_refused(domain: Domain, outside: float) -> None:
    field = SolvedField(Waves(Place(domain)))
    inside = domain.interior(1, torch.Generator().manual_seed(0)).numpy()
    assert field(inside, 0.5).shape == (1, 1)
    with pytest.raises(
        InputError, match=r"1 of 2 points are outside of the domain .*, such as \[0\.0, .*leave them out"
    ):
        field(np.vstack([inside, [[0.0, outside]]]), 0.5)


def test_vertices_and_random_points_of_a_mesh_are_in_it_and_others_are_not() -> None:
    domain = MeshDomain("disk", 3)
    assert bool(domain.contains(domain.vertices).all())
    assert bool(domain.contains(domain.interior(500, torch.Generator().manual_seed(0))).all())
    angle = torch.linspace(0, 6, 50, dtype=torch.float64)[:, None]
    assert not bool(domain.contains(1.01 * torch.cat([angle.cos(), angle.sin()], 1)).any())


# What is refused


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (np.zeros(2), r"the shape of the points is \(2,\), expected \(number of points, 2\); a point has 2 coordinat"),
        (np.zeros((3, 1)), r"the shape of the points is \(3, 1\), expected \(number of points, 2\)"),
        (np.zeros((3, 2), complex), "the values of the points are complex, expected real ones"),
        (np.ma.masked_greater(np.full((3, 2), 0.5), 0.25), "6 of 6 values of the points are masked"),
        (np.full((3, 2), np.datetime64("2020-01-01")), "the values of the points are dates, expected real ones"),
        (np.array([["a", "b"]]), "the values of the points are texts, expected real ones"),
        (torch.zeros(3, 2, dtype=torch.int64), r"the points are of the type torch\.int64, expected a tensor of real"),
        (np.array([[np.nan, 0.0]]), "1 of 2 values of the points are not finite"),
    ],
)
def test_points_of_another_shape_or_kind_are_refused(field: SolvedField, points, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        field(points, 0.5)


@pytest.mark.parametrize("time", [-0.1, 1.1, 1e300])
def test_times_outside_of_the_run_are_refused(field: SolvedField, time: float) -> None:
    with pytest.raises(InputError, match=r"expected 0 to 1, the end of the run\."):
        field(some(), time)


def test_times_that_are_no_number_are_refused(field: SolvedField) -> None:
    for time, sentence in (("soon", "the time is 'soon'"), (math.nan, "the time is nan"), (True, "the time is True")):
        with pytest.raises(InputError, match=f"{sentence}, expected a finite number"):
            field(some(), time)
    with pytest.raises(InputError, match=r"the time has shape \(5,\), expected one number for all points"):
        field(some(), torch.zeros(5))


def test_unknown_fields_coordinates_and_orders_are_refused(field: SolvedField) -> None:
    with pytest.raises(InputError, match="the field is 'velocty', expected one of u, velocity; did you mean 'velocit"):
        field(some(), 0.5, "velocty")
    with pytest.raises(InputError, match="a coordinate is 'z', expected one of x, y, t"):
        field.derivative("u", some(), 0.5, z=1)
    for order in (-1, 1.5):
        with pytest.raises(InputError, match=r"the order of the derivative by x is .*, expected a whole number"):
            field.derivative("u", some(), 0.5, x=order)


def test_derivatives_that_a_method_does_not_have_are_refused_and_not_zero() -> None:
    steady, read = SolvedField(Steady(Place(SQUARE))), SolvedField(Read(Place(SQUARE)))
    assert steady.derivative("u", some(), 0.5, x=1) == pytest.approx(1.0)
    with pytest.raises(InputError, match=r"Steady does not say how its fields depend on the time.*fields_in_time"):
        steady.time_derivative("u", some(), 0.5)
    assert read(some(), 0.5).shape == (5, 1)
    with pytest.raises(InputError, match=r"the field 'u' of Read is no torch function of the points"):
        read.gradient("u", some(), 0.5)


# Runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """A pulse by INSR and a wave by LPINN, and both half-way."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sciml.lpinn.readout.error_norms.EVALUATION", {1: (32, 9)})
        patch.setattr("sciml.training.solve_task.SolveTask.draw", lambda task, folder: None)
        train(pulse(), folder / "pulse")
        train(wave(), folder / "wave")
    torch.set_num_threads(threads)
    return folder


def test_a_run_of_insr_is_a_field_that_satisfies_its_equation(runs: Path) -> None:
    field = load_field(runs / "pulse")
    x = np.linspace(-2, 2, 41)[:, None]
    problem = field._task.problem
    for time in (0.0, 1.5 * STEP, 2 * STEP, STEPS * STEP):
        assert field(x, time) == pytest.approx(problem.exact(torch.from_numpy(x), time).numpy(), abs=2e-4)
        left = field.time_derivative("u", x, time) + VELOCITY * field.derivative("u", x, time, x=1)
        assert np.abs(left).max() < 1e-3
    assert repr(field).splitlines()[:3] == [
        "Field of 'a pulse'", "  problem       Advection", "  fields        u"]  # fmt: skip
    assert "polynomials of degree 4 between them" in repr(field) and "not finished" not in repr(field)


def test_a_run_of_lpinn_is_a_field_that_satisfies_its_equation(runs: Path) -> None:
    field = load_field(runs / "wave")
    x = np.linspace(0.0, 6.2, 31)[:, None]
    for time in (0.0, 0.3, 0.77, 1.0):
        left = field.time_derivative("u", x, time) + (1 + np.sin(x) / 2) * field.derivative("u", x, time, x=1)
        assert np.abs(left).max() < 3e-2
        points = torch.from_numpy(x)
        assert field(points, time).numpy() == pytest.approx(field(x, time), abs=1e-14)
        assert field(x, time) == pytest.approx(field._task.problem.exact(points, time).numpy(), abs=1e-2)
    assert "networks of space and time in 2 time slabs" in repr(field)


def unfinished(run: Path, folder: Path, epochs: int) -> Path:
    """A copy of a run as it was after some epochs; the weights may be later ones."""
    import shutil

    shutil.copytree(run, folder)
    (folder / "result.json").unlink()
    file = folder / "checkpoints" / "last.ckpt"
    checkpoint = read_checkpoint(file)
    checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"] = epochs
    write_checkpoint(checkpoint, file)
    return folder


def test_a_run_that_goes_on_is_known_as_far_as_it_has_got(runs: Path, tmp_path: Path) -> None:
    pulse_so_far = load_field(unfinished(runs / "pulse", tmp_path / "pulse", 2))
    assert pulse_so_far.times == (0.0, pytest.approx(2 * STEP))
    assert "run           not finished: 2 of 4 steps" in repr(pulse_so_far)
    with pytest.raises(InputError, match=r"the time is 0\.4, expected 0 to 0\.2, as far as the run has got"):
        pulse_so_far(np.zeros((1, 1)), 0.4)
    assert load_field(unfinished(runs / "wave", tmp_path / "wave", 1)).times == (0.0, 0.5)
    with pytest.raises(InputError, match="has not completed its first step; wait for it, or resume it"):
        load_field(unfinished(runs / "pulse", tmp_path / "begun", 0))


def test_published_weights_are_a_field_as_far_as_they_hold_one(runs: Path, tmp_path: Path) -> None:
    x = np.linspace(0, 1, 5)[:, None]
    for name in ("pulse", "wave"):
        export_weights(runs / name, tmp_path / f"{name}.safetensors")
        published, field = load_field(tmp_path / f"{name}.safetensors"), load_field(runs / name)
        assert np.array_equal(published(x), field(x))
    assert np.array_equal(published(x, 0.3), field(x, 0.3))  # a network of space and time needs no states


def test_averaged_weights_are_taken_where_a_run_averages_them(tmp_path: Path) -> None:
    from sciml.training.config import config_from_values

    network = {"class_path": "sciml.lpinn.PublishedNetwork", "init_args": {"width": 4}}
    task = {
        "problem": {"class_path": "sciml.lpinn.Convection", "init_args": {"speed": 1.0}},
        "network": network,
        "labels": 16,
        "times": 4,
        "adds_label": True,
        "output": {"grid": [8], "times": 2, "animation": False},
    }
    config = config_from_values(
        {
            "title": "averaged",
            "task": {"class_path": "sciml.lpinn.PublishedLagrangian", "init_args": task},
            "training": {"phases": [{"epochs": 3, "learning_rate": 1e-2}], "ema_decay": 0.5},
            "trainer": {"accelerator": "cpu"},
        },
        "averaged.yaml",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sciml.lpinn.readout.error_norms.EVALUATION", {1: (16, 3)})
        train(config, tmp_path / "run")
    checkpoint = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    field, raw = load_field(tmp_path / "run"), config.build_task()
    raw.load_state_dict(checkpoint["state_dict"])
    x = np.linspace(0.5, 5.0, 7)[:, None]
    assert field(x, 0.5) == pytest.approx(raw.fields_at(0.5)(torch.from_numpy(x))["u"].numpy())
    raw.load_state_dict(checkpoint["current_model_state"])
    assert not np.allclose(field(x, 0.5), raw.fields_at(0.5)(torch.from_numpy(x))["u"].numpy(), rtol=1e-6)
    with pytest.raises(InputError, match="no torch function of the points, so that it has no derivatives"):
        field.gradient("u", x, 0.5)


def test_what_is_no_run_of_a_solution_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"holds DirectionTask, which was trained on data.*use sciml\.training\.load_tas"
    ):
        load_field(Path(__file__).parents[2] / "sciml" / "dcdm" / "weights" / "box2d_cpu.safetensors")
    with pytest.raises(CheckpointError, match="is not a run"):
        load_field(tmp_path)


def test_the_command_predicts_at_one_time_at_several_and_at_all(runs: Path, tmp_path: Path, capsys) -> None:
    def called(*words: object) -> tuple[int, str, str]:
        handler = signal.getsignal(signal.SIGTERM)
        with pytest.raises(SystemExit) as left:
            main([*map(str, words)])
        signal.signal(signal.SIGTERM, handler)
        said = capsys.readouterr()
        return left.value.code or 0, said.out, said.err

    field, run = load_field(runs / "pulse"), runs / "pulse"
    np.savetxt(tmp_path / "points.csv", [[0.5], [1.0]])
    assert called("predict", run, tmp_path / "points.csv", "--time", 0.25, "-o", tmp_path / "u.npz")[0] == 0
    with np.load(tmp_path / "u.npz") as found:
        assert found["times"].tolist() == [0.25]
        assert found["u"][0] == pytest.approx(field(found["points"], 0.25)[:, 0], abs=1e-14)
    assert called("predict", run, "--time", "all", "-o", tmp_path / "u.xdmf")[1].endswith("points 41, times 5\n")
    assert read_series(tmp_path / "u.xdmf").times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert called("predict", run, "--time", "1e-1", "--time", 0.2, "-o", tmp_path / "v.xdmf")[0] == 0
    assert read_series(tmp_path / "v.xdmf")["u_exact"].values.shape == (2, 41)
    code, _, said = called("predict", run, "--time", "soon", "-o", tmp_path / "u.npz")
    assert code == 2 and "time is 'soon', expected a number or a list (a number each) or all or null" in said
    halfway = unfinished(run, tmp_path / "halfway", 2)
    code, said, _ = called("predict", halfway, "-o", tmp_path / "u.npz")
    assert code == 0 and said.endswith(f"note: {halfway} is not finished: 2 of 4 steps\n")
    with np.load(tmp_path / "u.npz") as found:
        assert found["times"].tolist() == [pytest.approx(2 * STEP)]
    code, said, _ = called("evaluate", halfway)
    assert code == 0 and said.endswith(f"note: {halfway} is not finished: 2 of 4 steps\n")
    code, _, said = called("predict", "dcdm/box2d_cpu", tmp_path / "points.csv", "--time", 1, "-o", tmp_path / "u.npz")
    assert code == 2 and "there is no option 'time'; the options are rtol" in said
