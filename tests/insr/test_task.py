"""``sciml solve`` of a small case: what it leaves, stops and goes on from, and what it refuses."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path

import meshio
import numpy as np
import pytest
import torch
import yaml
from toy_runs import wait_for
from toy_solves import start_command

from sciml.cli import main
from sciml.errors import ConfigError, InputError, MeshFileError
from sciml.insr.solver import TimeStepper
from sciml.insr.task import TimeStepping
from sciml.mesh import Mesh, make_mesh, read_series
from sciml.mesh.files import write_mesh
from sciml.training.run import evaluate, finished, load_task, train
from sciml.training.states import read_state
from tests.insr.pulses import STEP, STEPS, VELOCITY, WIDTH, files_of, pulse, values_of

FILM = {"grid": [41], "animation": True, "every": 2}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(pulse(output=FILM), folder)
    return folder


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr(TimeStepping, "draw", lambda task, folder: None)
    monkeypatch.setattr(TimeStepping, "draw_history", lambda task, history, path: None)
    monkeypatch.setattr("sciml.plots.training_history", lambda rows, path, **words: None)


def rows_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "metrics.csv").open()))


def called(*words: object, capsys: pytest.CaptureFixture) -> tuple[int, str, str]:
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left:
        main(list(map(str, words)))
    signal.signal(signal.SIGTERM, handler)
    said = capsys.readouterr()
    return left.value.code, said.out, said.err


# What a run leaves


def test_the_folder_holds_the_weights_of_every_step(whole):
    states = files_of(whole)
    assert list(states) == [f"{step:05d}.safetensors" for step in range(STEPS + 1)]
    count = sum(weight.numel() for weight in load_task(whole).networks["u"].parameters())
    for (weights,) in (read_state(whole, step).values() for step in range(STEPS + 1)):
        assert (weights.shape, weights.dtype) == ((count,), torch.float64)
    assert not list(whole.rglob("*.part"))


def test_the_pulse_has_moved_by_velocity_times_time_and_kept_its_mass(whole):
    series = read_series(whole / "fields.xdmf")
    assert series.times == pytest.approx([0, 2 * STEP, 4 * STEP])
    x, u = series.on.coordinates()[:, 0], series["u"].values[-1]
    distance = (x + 1.5 - VELOCITY * STEPS * STEP + 2) % 4 - 2
    assert u == pytest.approx(np.exp(-(distance**2) / (2 * WIDTH**2)), abs=2e-4)
    assert series["u_exact"].values[-1] == pytest.approx(np.exp(-(distance**2) / (2 * WIDTH**2)), abs=1e-12)
    metrics = finished(whole)["metrics"]
    assert metrics["mass"] == pytest.approx(WIDTH * (2 * np.pi) ** 0.5, rel=1e-3)
    assert abs(metrics["mass_change"]) < 1e-4


def test_the_result_has_the_papers_error_and_the_memory_of_the_weights(whole):
    metrics, rows = finished(whole)["metrics"], rows_of(whole)
    assert next(iter(metrics)) == "time_averaged_mae"
    errors = [float(row["loss/mean_absolute_error"]) for row in rows]
    assert len(errors) == STEPS
    assert metrics["time_averaged_mae"] == pytest.approx(np.mean(errors), rel=1e-9)
    assert 0 < metrics["mean_absolute_error"] < 1e-4 and 0 < metrics["relative_l2"] < 1e-3
    assert metrics["mean_square_error"] < 1e-7
    count = sum(weight.numel() for weight in load_task(whole).networks["u"].parameters())
    assert metrics["memory_bytes"] == 8 * count


def test_evaluate_says_what_the_run_said(whole):
    said, metrics = evaluate(whole), finished(whole)["metrics"]
    assert next(iter(said)) == "mean_absolute_error"
    assert {name: said[name] for name in ("relative_l2", "mass", "memory_bytes")} == {
        name: pytest.approx(metrics[name], rel=1e-12) for name in ("relative_l2", "mass", "memory_bytes")
    }


def test_there_are_pictures_and_a_film(whole):
    from PIL import Image

    assert {path.name for path in (whole / "figures").iterdir()} == {"history.png", "u.png"}
    for path in [*(whole / "figures").iterdir(), whole / "animation.gif"]:
        with Image.open(path) as picture:
            assert min(picture.size) > 200
            assert getattr(picture, "n_frames", 1) == (3 if path.suffix == ".gif" else 1)


def test_the_command_says_where_they_are(whole, capsys):
    code, out, err = called("solve", whole, "--resume", capsys=capsys)
    assert (code, err) == (0, "")
    assert f"fields, for ParaView: {whole / 'fields.xdmf'}" in out
    assert out.endswith(f"pictures: {whole}/figures/history.png, {whole}/figures/u.png, {whole}/animation.gif\n")
    assert "time_averaged_mae" in out and "loss/" not in out


def test_the_bar_shows_the_error_first(whole):
    names = [name for name in rows_of(whole)[0] if name.startswith("loss/")]
    assert names[:3] == ["loss/mean_absolute_error", "loss/time", "loss/rms"]


def test_equal_seeds_give_equal_bits_and_unlike_ones_do_not(whole, tmp_path, no_pictures):
    train(pulse(output=FILM), tmp_path / "again")
    assert files_of(tmp_path / "again") == files_of(whole)
    other = {**values_of(output=FILM), "seed": 4}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(other))
    from sciml.training.config import load_config

    train(load_config(tmp_path / "other.yaml", []), tmp_path / "other")
    assert files_of(tmp_path / "other") != files_of(whole)


def test_a_run_builds_one_time_stepper_and_gives_it_the_seed(tmp_path, no_pictures, monkeypatch):
    real, made = TimeStepper.__init__, []

    def counted(stepper, *arguments, **options):
        made.append(stepper)
        real(stepper, *arguments, **options)

    monkeypatch.setattr(TimeStepper, "__init__", counted)
    train(pulse(output=FILM), tmp_path / "run")
    assert [stepper.seed for stepper in made] == [values_of()["seed"]] != [0]


# Stopped and resumed


class Stopped(BaseException):
    """Stands for a kill: nothing of ours catches it."""


def stop_at(monkeypatch, owner: object, name: str, call: int) -> None:
    real, calls = getattr(owner, name), []

    def counted(*arguments, **options):
        calls.append(1)
        if len(calls) == call:
            raise Stopped
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, counted)


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        *[(TimeStepper, "initial", 1), (TimeStepper, "advance", 1), (TimeStepper, "advance", 3)],
        *[(TimeStepping, "write_state", call) for call in (1, 2, 5)],
        *[(TimeStepping, "write_series", 1), (TimeStepping, "draw", 1)],
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(whole, tmp_path, no_pictures, owner, name, call):
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, owner, name, call)
        with pytest.raises(Stopped):
            train(pulse(output=FILM), tmp_path / "run")
    assert finished(tmp_path / "run") is None
    train(pulse(output=FILM), tmp_path / "run", resume=True)
    assert files_of(tmp_path / "run") == files_of(whole)
    assert finished(tmp_path / "run")["metrics"] == finished(whole)["metrics"]
    ours, theirs = (read_series(folder / "fields.xdmf") for folder in (tmp_path / "run", whole))
    assert np.array_equal(ours["u"].values, theirs["u"].values)


@pytest.mark.slow
def test_kill_9_costs_one_step(tmp_path):
    (tmp_path / "pulse.yaml").write_text(yaml.safe_dump(values_of(steps=12)))
    words = ["solve", tmp_path / "pulse.yaml", "--resume", "-o"]
    process = start_command(tmp_path, *words, tmp_path / "run")
    wait_for(tmp_path / "run" / "states" / "00005.safetensors")
    process.kill()
    process.join()
    for name in ("run", "whole"):
        process = start_command(tmp_path, *words, tmp_path / name)
        process.join(3600)
        assert process.exitcode == 0
    assert len(files_of(tmp_path / "run")) == 13
    assert files_of(tmp_path / "run") == files_of(tmp_path / "whole")


def test_a_run_is_not_resumed_with_another_config(whole, tmp_path):
    changed = pulse(output=FILM, time_step=0.2)
    with pytest.raises(ConfigError, match=r"in task\.init_args\.time_step \(0\.2, it was 0\.1\)"):
        train(changed, whole, resume=True)


# What goes wrong on the way

UNSTABLE = {
    "problem": {"class_path": "sciml.insr.PeriodicBurgers"},
    "networks": {
        "u": {
            "class_path": "sciml.nets.FourierNetwork",
            "init_args": {"inputs": 1, "width": 6, "waves": 4, "box": [[0], [6.283185307179586]]},
        }
    },
    "integrator": {"class_path": "sciml.insr.RungeKutta", "init_args": {"rule": "explicit_euler"}},
}


def test_divergence_is_one_sentence_and_the_last_good_state_stays(tmp_path, capsys, no_pictures):
    (tmp_path / "burgers.yaml").write_text(yaml.safe_dump(values_of(**UNSTABLE, time_step=1.0, steps=12)))
    run = tmp_path / "run"
    code, _, err = called("solve", tmp_path / "burgers.yaml", "-o", run, capsys=capsys)
    assert code == 1
    assert err.startswith("sciml: the energy grew from") and err.endswith("take a smaller time step.\n")
    assert err.count("\n") == 1
    assert json.loads((run / "result.json").read_text())["status"] == "diverged"
    rows, states = rows_of(run), files_of(run)
    assert len(states) == len(rows) + 1  # the start, and every good step
    good = load_task(run)
    last = read_state(run, len(rows))
    weights = torch.nn.utils.parameters_to_vector(good.networks["u"].parameters())
    assert torch.equal(weights.detach(), last["u"])
    assert bool(weights.isfinite().all())


def test_a_network_that_cannot_hold_the_start_is_a_sentence(tmp_path, capsys, no_pictures):
    narrow = {"class_path": "sciml.insr.Advection", "init_args": {"width": 0.005}}
    (tmp_path / "narrow.yaml").write_text(yaml.safe_dump(values_of(problem=narrow)))
    code, _, err = called("solve", tmp_path / "narrow.yaml", "-o", tmp_path / "run", capsys=capsys)
    assert (code, err.count("\n")) == (1, 1)
    assert (
        "fits the initial condition with a relative error of" in err
        and "make it wider, or change its frequency or modes" in err
    )


def test_single_precision_solves_to_what_it_resolves_and_says_so(tmp_path, no_pictures):
    from sciml.training.config import config_from_values

    loose = {"tolerance": 1e-4, "max_solves": 40, "damping": 1e-2, "patience": 10}
    fitting = {"class_path": "sciml.insr.LeastSquaresFit", "init_args": {"step": loose, "initial": loose}}
    values = values_of(fitting=fitting, steps=2)
    values["trainer"]["precision"] = "32-true"
    metrics = train(config_from_values(values, "single.yaml"), tmp_path / "run")["metrics"]
    assert metrics["relative_l2"] < 5e-3
    state = read_state(tmp_path / "run", 2)
    assert state["u"].dtype == torch.float32
    assert metrics["memory_bytes"] == 4 * len(state["u"])
    fine = values_of(steps=2)
    fine["trainer"]["precision"] = "32-true"
    with pytest.raises(InputError, match=r"tolerance 1e-06 is below what float32 resolves, .* compute in float64"):
        train(config_from_values(fine, "fine.yaml"), tmp_path / "fine")


def test_a_config_may_say_infinity(tmp_path, no_pictures):
    step = {"tolerance": 1e-4, "max_solves": 4, "damping": 1e-8, "largest_damping": float("inf")}
    fitting = {"class_path": "sciml.insr.LeastSquaresFit", "init_args": {"step": step, "initial": {"tolerance": 1e-3}}}
    train(pulse(fitting=fitting, steps=1), tmp_path / "run")
    assert load_task(tmp_path / "run").fitting.step.largest_damping == float("inf")
    assert "Infinity" not in (tmp_path / "run" / "result.json").read_text()
    assert train(pulse(fitting=fitting, steps=1), tmp_path / "run", resume=True)["status"] == "finished"


# Files in and out


def test_a_run_is_evaluated_on_a_mesh_file(whole, tmp_path):
    mesh = make_mesh("interval", 4)
    write_mesh(tmp_path / "line.vtu", mesh)
    assert load_task(whole).predict_file(tmp_path / "line.vtu", tmp_path / "u.vtu") == {"points": mesh.n_points}
    read = meshio.read(tmp_path / "u.vtu")
    named = {name: values.ravel() for name, values in read.point_data.items()}
    x = read.points[:, 0]
    distance = x + 1.5 - VELOCITY * STEPS * STEP
    distance -= 4 * np.round(distance / 4)
    assert named["u"] == pytest.approx(np.exp(-(distance**2) / (2 * WIDTH**2)), abs=2e-4)


@pytest.mark.parametrize("step", [2, 2.5])
def test_a_run_is_evaluated_at_the_time_of_any_step_and_between(whole, tmp_path, step):
    write_mesh(tmp_path / "line.vtu", make_mesh("interval", 4))
    task = load_task(whole)
    task.predict_file(tmp_path / "line.vtu", tmp_path / "u.vtu", time=step * STEP)
    read = meshio.read(tmp_path / "u.vtu")
    x = read.points[:, 0]
    expected = task.problem.exact_field("u", torch.tensor(x[:, None]), step * STEP)[:, 0].numpy()
    assert read.point_data["u"].ravel() == pytest.approx(expected, abs=2e-4)
    assert read.point_data["u_exact"].ravel() == pytest.approx(expected, abs=1e-12)


def test_a_mesh_beyond_the_domain_or_of_another_dimension_is_refused(whole, tmp_path):
    task = load_task(whole)
    write_mesh(tmp_path / "square.vtu", make_mesh("square", 1))
    with pytest.raises(InputError, match=r"square\.vtu has 2 dimensions, expected 1"):
        task.predict_file(tmp_path / "square.vtu", tmp_path / "u.vtu")
    wide = make_mesh("interval", 2)
    write_mesh(tmp_path / "wide.vtu", Mesh(5 * wide.points, wide.cells))
    with pytest.raises(InputError, match=r"wide\.vtu has 3 of 5 points outside the box .* \[-2\.0\] to \[2\.0\]"):
        task.predict_file(tmp_path / "wide.vtu", tmp_path / "u.vtu")
    with pytest.raises(MeshFileError, match=r"none\.vtu is not a file"):
        task.predict_file(tmp_path / "none.vtu", tmp_path / "u.vtu")
    assert not (tmp_path / "u.vtu").exists()


# What a config may not say

FOURIER = "sciml.nets.FourierNetwork"


def network(class_path: str = FOURIER, **arguments: object) -> dict[str, object]:
    return {"u": {"class_path": class_path, "init_args": {"inputs": 1, "width": 6, **arguments}}}


BOX = [[-2], [2]]
HARD = {"network": {"class_path": "sciml.nets.TanhNetwork", "init_args": {"inputs": 1, "width": 6}}}
OPEN = {"class_path": "sciml.insr.Advection", "init_args": {"width": WIDTH, "boundary": "zero"}}
WRONG = {
    "no steps": ({"steps": 0}, "steps is 0, expected a whole number of at least 1"),
    "no time": ({"time_step": 0.0}, "the time step is 0.0, expected a positive number"),
    "back in time": ({"time_step": -0.1}, "the time step is -0.1, expected a positive number"),
    "endless step": ({"time_step": float("inf")}, "the time step is inf, expected a positive number"),
    "unknown rule": (
        {"integrator": {"class_path": "sciml.insr.RungeKutta", "init_args": {"rule": "rk5"}}},
        "no Runge-Kutta method 'rk5', expected one of explicit_euler, implicit_euler, midpoint, sdirk3, rk4",
    ),
    "unknown integrator": ({"integrator": {"class_path": "sciml.insr.Pade33"}}, "did you mean 'sciml.insr.Pade22'"),
    "unknown solver": (
        {"fitting": {"class_path": "sciml.insr.LeastSquare"}},
        "did you mean 'sciml.insr.LeastSquaresFit'",
    ),
    "unknown network": (
        {"networks": network("sciml.nets.Relu")},
        "sciml.nets.Relu, which is no class that a config may name; expected a Module such as sciml.nets.",
    ),
    "class of another kind": ({"networks": network("sciml.insr.Heat")}, "expected a Module such as"),
    "misspelt argument": ({"networks": network(widht=3)}, "networks.u.init_args has no 'widht'; did you mean 'width'"),
    "unknown method of least squares": (
        {"fitting": {"class_path": "sciml.insr.LeastSquaresFit", "init_args": {"step": {"method": "cholesky"}}}},
        "normal",
    ),
    "linear rule for Burgers": (
        {"problem": {"class_path": "sciml.insr.PeriodicBurgers"}, "networks": network(box=[[0], [6.283185307179586]])},
        "pade22 needs a linear problem .* PeriodicBurgers is not; use RungeKutta with sdirk3 or rk4",
    ),
    "rule for another kind of problem": (
        {"integrator": {"class_path": "sciml.insr.ChorinSplitting"}},
        "Advection",
    ),
    "network of another dimension": (
        {"networks": network(inputs=2, box=[[-2, -2], [2, 2]])},
        "the network of 'u' has 2 inputs and 1 outputs, expected 1 and 1",
    ),
    "network of too many channels": (
        {"networks": network(outputs=2, box=BOX)},
        "has 1 inputs and 2 outputs, expected 1 and 1",
    ),
    "network of another field": (
        {"networks": {"velocity": network(box=BOX)["u"]}},
        "networks for velocity, expected one for each field of Advection: u",
    ),
    "network that is not periodic": (
        {"networks": network("sciml.nets.TanhNetwork")},
        "periodic along axis 0 with period 4, but the network of 'u', a TanhNetwork, has other values a period away",
    ),
    "network of another period": ({"networks": network(box=[[-1.5], [2]])}, "has other values a period away"),
    "ansatz of another box": (
        {"problem": OPEN, "networks": {"u": {"class_path": "sciml.nets.ansatz.VanishingOnBox", "init_args": HARD}}},
        r"vanishes on the faces of the box \[-1\.0\] to \[1\.0\], but the domain of Advection is the box \(-2\.0,\)",
    ),
    "too few points": ({"points": {"count": 30}}, "there are 30 points for the 103 parameters of 'u'.* at least 52"),
    "no points": ({"points": {"count": 0}}, "the count of points is 0, expected a whole number of at least 1"),
    "unknown kind of points": ({"points": {"kind": "sobol"}}, "stratified"),
    "share over 1": ({"points": {"adaptive": 1.5}}, "adaptive share of the points is 1.5, expected a number from 0"),
    "output of another dimension": (
        {"output": {"grid": [21, 21]}},
        r"the grid of the output is \[21, 21\], expected at least 2 values along each of 1 axes",
    ),
    "output of one value": ({"output": {"grid": [1]}}, "expected at least 2 values along each of 1 axes"),
    "two outputs": ({"output": {"grid": [21], "mesh": "a.vtu"}}, "on a grid or on a mesh, got both"),
    "never written": ({"output": {"every": 0}}, "every of the output is 0, expected a whole number of at least 1"),
    "no damping": (
        {"fitting": {"class_path": "sciml.insr.LeastSquaresFit", "init_args": {"step": {"damping": 0.0}}}},
        "damping of least squares is 0.0, expected a positive number",
    ),
    "Adam without a rate": (
        {"fitting": {"class_path": "sciml.insr.AdamFit", "init_args": {"rate": 0.0}}},
        "the learning rate of Adam is 0.0",
    ),
    "pulse without width": (
        {"problem": {"class_path": "sciml.insr.Advection", "init_args": {"width": 0.0}}},
        "the width of the pulse is 0.0, expected a positive number",
    ),
}


@pytest.mark.parametrize(("changes", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_go_together_is_refused_before_the_run(changes, sentence):
    with pytest.raises(ConfigError, match=sentence) as refused:
        pulse(**changes).build_task()
    said = str(refused.value)
    assert said.startswith("pulse.yaml: task") and "\n" not in said and len(said) < 400


def body_of(mesh: object) -> dict[str, object]:
    domain = {"class_path": "sciml.domains.MeshDomain", "init_args": {"mesh": str(mesh)}}
    init_args = {"domain": domain, "motion": {"time_step": 0.1}}
    return {"class_path": "sciml.insr.ElasticBody", "init_args": init_args}


def test_meshes_that_are_no_domain_are_refused_and_the_fault_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"lines, triangles or tetrahedra, the mesh has quad.*; split its cells"):
        pulse(problem=body_of("square_quad")).build_task()
    corners = np.array([[0.0, 0], [1, 0], [0.5, 1], [0.4, 0.5]])
    write_mesh(tmp_path / "flipped.vtu", Mesh(corners, {"triangle": np.array([[0, 1, 2], [1, 0, 3]])}))
    with pytest.raises(ConfigError, match=r"cell 0 \(area 0\.5\) and cell 1 \(area -0\.25\) .* one is flipped"):
        pulse(problem=body_of(tmp_path / "flipped.vtu")).build_task()
    corners[2] = [0.5, 0]
    flat = np.column_stack([corners, np.zeros(4)])
    meshio.Mesh(flat, [("triangle", np.array([[0, 1, 3], [0, 1, 2]]))]).write(tmp_path / "flat.vtu")
    with pytest.raises(ConfigError, match=r"flat\.vtu.* triangle 1 has no area: its points .* are degenerate"):
        pulse(problem=body_of(tmp_path / "flat.vtu")).build_task()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("nowhere.vtu", "nowhere.vtu is not a file; check the name"), ("a.step", "the ending must be one of .vtu")],
)
def test_a_mesh_for_the_output_that_cannot_be_read_is_refused_before_the_run(name, sentence):
    with pytest.raises(ConfigError, match=sentence):
        pulse(output={"mesh": name}).build_task()


def test_a_gpu_that_is_not_there_is_a_sentence(tmp_path, capsys):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    values = values_of()
    values["trainer"]["accelerator"] = "gpu"
    (tmp_path / "pulse.yaml").write_text(yaml.safe_dump(values))
    code, _, err = called("solve", tmp_path / "pulse.yaml", "-o", tmp_path / "run", capsys=capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert "asks for trainer.accelerator=gpu, but torch finds none on this machine; set it to cpu or auto" in err
    assert not (tmp_path / "run").exists()


def fits_of(solves: int, tolerance: float = 1e-6) -> dict:
    solver = {"tolerance": tolerance, "max_solves": solves, "damping": 1e-8}
    initial = {"tolerance": 1e-6, "max_solves": 60, "damping": 1e-2, "patience": 10}
    return {"class_path": "sciml.insr.LeastSquaresFit", "init_args": {"step": solver, "initial": initial}}


@pytest.mark.parametrize(("solves", "tolerance", "limited"), [(1, 1e-12, STEPS), (20, 1e-2, 0)])
@pytest.mark.usefixtures("no_pictures")
def test_the_result_says_in_how_many_steps_a_fit_stopped_at_its_limit(tmp_path, solves, tolerance, limited):
    metrics = train(pulse(fitting=fits_of(solves, tolerance)), tmp_path / "run")["metrics"]
    rows = rows_of(tmp_path / "run")
    assert metrics["largest_residual"] == max(float(row["loss/rms"]) for row in rows)
    assert metrics["solves"] == sum(float(row["loss/solves"]) for row in rows)
    assert (metrics["steps"], metrics["steps_at_limit"], metrics["steps_stalled"]) == (STEPS, limited, 0)
    told = TimeStepping.remarks(metrics)
    assert len(told) == bool(limited)
    if limited:
        assert told[0].startswith("in 4 of 4 steps a fit stopped at its limit; the largest residual is ")
        assert f" {metrics['largest_residual']:.1e}. If that is too large, allow more solves" in told[0]


def test_a_run_whose_first_steps_are_of_an_older_version_says_nothing_of_their_ends():
    from sciml.training.fit_outcomes import remarks, summed

    row = {"loss/rms": "1e-3", "loss/solves": "4"}
    numbers = summed([row, {**row, "loss/at_limit": "1.0", "loss/stalled": "0.0"}], "step", "rms")
    assert numbers == {"largest_residual": 1e-3, "solves": 8.0}
    assert remarks(numbers, "step", "more solves") == []
