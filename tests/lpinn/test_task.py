"""``sciml solve`` of small transport problems: what it leaves, stops and goes on from, and what it refuses."""

from __future__ import annotations

import csv
import json
import math
import signal
from pathlib import Path

import meshio
import numpy as np
import pytest
import torch
import yaml

from sciml.cli import main
from sciml.errors import CharacteristicCrossingError, ConfigError, InputError
from sciml.lpinn.readout import SpaceTimeField, paths
from sciml.lpinn.solver import SpaceTimeSolver
from sciml.lpinn.task import SpaceTimeFitting
from sciml.mesh import Field, Mesh, make_mesh, read_series
from sciml.mesh.files import write_mesh
from sciml.training.config import config_from_values, load_config
from sciml.training.run import evaluate, finished, load_task, train
from tests.lpinn.pulses import ROUNDS, SLABS, TURN, fourier, state_of, values_of, wave

FILM = {"grid": [40], "times": 5, "animation": True}
PICTURES = {"characteristics.png", "history.png", "u.png"}


@pytest.fixture(scope="module", autouse=True)
def quick():
    """One thread, and errors at few points."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sciml.lpinn.readout.error_norms.EVALUATION", {1: (32, 9), 2: (9, 3)})
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(wave(output=FILM), folder)
    return folder


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr(SpaceTimeFitting, "draw", lambda *arguments: None)
    monkeypatch.setattr(SpaceTimeFitting, "draw_history", lambda *arguments: None)
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


def exact(x: np.ndarray, time: float) -> np.ndarray:
    problem = wave().build_task().problem
    return problem.exact(torch.tensor(x)[:, None], time)[:, 0].numpy()


# What a run leaves


def test_an_epoch_is_a_round_of_a_slab_with_its_error_and_residual(whole):
    rows = rows_of(whole)
    assert [float(row["loss/slab"]) for row in rows] == [slab for slab in range(SLABS) for _ in range(ROUNDS)]
    names = [name for name in rows[0] if name.startswith("loss/")]
    known = ("error", "residual", "smallest_stretch", "solves", "slab", "at_limit", "stalled")
    assert names == [f"loss/{name}" for name in known]
    for row in rows[1::ROUNDS]:
        assert 0 < float(row["loss/error"]) < 5e-3 and 0 < float(row["loss/residual"]) < 2e-2
        assert 0.5 < float(row["loss/smallest_stretch"]) <= 1


def test_the_fields_are_the_wave_at_its_times(whole):
    series = read_series(whole / "fields.xdmf")
    assert series.times == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    x = series.on.coordinates()[:, 0]
    assert series["u"].values[0] == pytest.approx(np.sin(x), abs=1e-12)
    for time, u, known in zip(series.times, series["u"].values, series["u_exact"].values, strict=True):
        assert known == pytest.approx(exact(x, float(time)), abs=1e-12)
        assert u == pytest.approx(known, abs=1e-2)


def test_the_result_has_the_errors_of_the_fluctuation_and_the_memory(whole):
    metrics = finished(whole)["metrics"]
    assert next(iter(metrics)) == "relative_l2"
    assert 0 < metrics["relative_l2"] < 5e-3
    weights = load_task(whole).weights
    assert weights.shape[0] == SLABS and metrics["memory_bytes"] == 8 * weights.numel()
    assert metrics["residual"] == max(float(row["loss/residual"]) for row in rows_of(whole)[1::ROUNDS])
    assert evaluate(whole) == {name: metrics[name] for name in evaluate(whole)}


def test_the_error_of_labels_is_near_that_of_points(whole):
    rows, metrics = rows_of(whole), finished(whole)["metrics"]
    worst = max(float(row["loss/error"]) for row in rows[1::ROUNDS])
    assert 0.5 < worst / metrics["relative_l2_at_end"] < 2


def test_there_are_pictures_of_the_characteristics_and_a_film(whole):
    from PIL import Image

    assert {path.name for path in (whole / "figures").iterdir()} == PICTURES
    for path in [*(whole / "figures").iterdir(), whole / "animation.gif"]:
        with Image.open(path) as picture:
            assert min(picture.size) > 200
            assert getattr(picture, "n_frames", 1) == (5 if path.suffix == ".gif" else 1)
    assert not list(whole.rglob("*.part"))


def test_the_paths_of_a_picture_are_those_of_particles(whole):
    task = load_task(whole)
    times = [0.0, 0.5, 1.0]
    u = read_series(whole / "fields.xdmf")["u"]
    found = paths(
        task._field(), Field("u", np.zeros((3, 40)), u.on, times=np.array(times))
    )  # labels are particles here
    flow = task.problem.flow
    for column, time in enumerate(times):
        known = flow.map(torch.tensor(found[:, :1]), 0.0, time)[:, 0].numpy()
        assert found[:, column] == pytest.approx(known, abs=1e-2)
    assert np.all(np.diff(found, axis=1) > 0.2)  # forward, and not brought back into the circle


def test_the_command_says_where_they_are(whole, capsys):
    code, out, err = called("solve", whole, "--resume", capsys=capsys)
    assert (code, err) == (0, "")
    assert f"fields, for ParaView: {whole / 'fields.xdmf'}" in out and "characteristics.png" in out
    assert "relative_l2" in out and "loss/" not in out


def test_two_dimensions_have_snapshots_and_no_characteristics(tmp_path):
    network = {"class_path": "sciml.nets.TanhNetwork", "init_args": {"inputs": 3, "outputs": 2, "width": 6}}
    arguments = {"network": network, "rounds": 1, "output": {"grid": [9, 9], "times": 3, "animation": False}}
    # a hundredth of a turn, which few weights follow
    problem = {"class_path": "sciml.lpinn.SolidBodyRotation", "init_args": {"duration": 0.01}}
    metrics = train(wave(problem=problem, **arguments), tmp_path / "run")["metrics"]
    assert metrics["relative_l2"] < 1e-2
    assert {path.name for path in (tmp_path / "run" / "figures").iterdir()} == {"history.png", "u.png"}
    assert read_series(tmp_path / "run" / "fields.xdmf")["u"].values.shape == (3, 9, 9)


def test_without_an_exact_solution_the_residual_comes_first(tmp_path, monkeypatch):
    from sciml.lpinn.problems.cases import VariableConvection

    monkeypatch.setattr(VariableConvection, "exact", lambda self, x, t: None)
    metrics = train(wave(rounds=1), tmp_path / "run")["metrics"]
    assert "relative_l2" not in metrics and metrics["residual"] > 0
    assert "loss/error" not in rows_of(tmp_path / "run")[0]
    assert [field.name for field in read_series(tmp_path / "run" / "fields.xdmf").fields] == ["u"]


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
        *[(SpaceTimeSolver, "advance", call) for call in (1, 2, 3)],
        (SpaceTimeFitting, "write_series", 1),
        (SpaceTimeFitting, "draw", 1),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(whole, tmp_path, no_pictures, owner, name, call):
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, owner, name, call)
        with pytest.raises(Stopped):
            train(wave(output=FILM), tmp_path / "run")
    assert finished(tmp_path / "run") is None
    train(wave(output=FILM), tmp_path / "run", resume=True)
    assert state_of(tmp_path / "run") == state_of(whole)
    assert finished(tmp_path / "run")["metrics"] == finished(whole)["metrics"]
    ours, theirs = (read_series(folder / "fields.xdmf") for folder in (tmp_path / "run", whole))
    assert np.array_equal(ours["u"].values, theirs["u"].values)


def test_random_points_that_follow_the_residual_are_the_same_after_a_stop(tmp_path, no_pictures):
    points = {"count": 250, "adaptive": 0.5, "causal": 1.0}
    problem = {"class_path": "sciml.lpinn.Convection", "init_args": {"speed": 5.0, "viscosity": 0.1}}
    config = wave(points=points, problem=problem, frame={"class_path": "sciml.lpinn.Ale"}, slabs=1, rounds=3)
    train(config, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, SpaceTimeSolver, "advance", 3)
        with pytest.raises(Stopped):
            train(config, tmp_path / "run")
    train(config, tmp_path / "run", resume=True)
    assert state_of(tmp_path / "run") == state_of(tmp_path / "whole")


def test_another_seed_gives_another_network(whole, tmp_path, no_pictures):
    train(config_from_values({**values_of(output=FILM), "seed": 4}, "wave.yaml"), tmp_path / "run")
    assert state_of(tmp_path / "run") != state_of(whole)


# What goes wrong on the way


def test_divergence_is_one_sentence_and_the_last_good_state_stays(tmp_path, capsys, no_pictures):
    adam = {"class_path": "sciml.lpinn.GradientRounds", "init_args": {"updates": 3, "learning_rate": 1e160}}
    (tmp_path / "wave.yaml").write_text(yaml.safe_dump(values_of(fitting=adam)))
    run = tmp_path / "run"
    code, _, err = called("solve", tmp_path / "wave.yaml", "-o", run, capsys=capsys)
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("sciml: round 1 of slab 0: the loss of adam is not finite in update 2; take a smaller")
    assert json.loads((run / "result.json").read_text())["status"] == "diverged"


INVISCID = {"class_path": "sciml.lpinn.ViscousBurgers", "init_args": {"mean": 0.3, "viscosity": 0.0, "duration": 2.0}}


def test_past_a_shock_u_is_that_of_least_action(tmp_path):
    solves = {"tolerance": 1e-6, "max_solves": 40, "damping": 1e-3, "patience": 10}
    fitting = {"class_path": "sciml.lpinn.LeastSquaresRounds", "init_args": {"method": solves}}
    metrics = train(wave(problem=INVISCID, slabs=1, rounds=1, fitting=fitting), tmp_path / "run")["metrics"]
    assert metrics["relative_l2"] < 1e-2 and metrics["smallest_stretch"] < 0
    assert "loss/error" not in rows_of(tmp_path / "run")[0]
    series = read_series(tmp_path / "run" / "fields.xdmf")
    x, u = series.on.coordinates()[:, 0], series["u"].values[-1]
    jump = int(np.diff(u).argmin())
    assert x[jump] < math.pi + 0.3 * 2 < x[jump + 1]  # with the mean speed, from pi
    assert np.diff(u)[jump] < -1 and (np.delete(np.diff(u), jump) > -0.05).all()


def test_characteristics_that_cross_are_a_sentence_and_no_field(tmp_path, no_pictures, monkeypatch):
    monkeypatch.setattr("sciml.lpinn.task.field_of", SpaceTimeField)
    with pytest.raises(CharacteristicCrossingError, match="the frame Ale"):
        train(wave(problem=INVISCID, slabs=1, rounds=1), tmp_path / "run")
    assert float(rows_of(tmp_path / "run")[0]["loss/smallest_stretch"]) < 0
    assert not (tmp_path / "run" / "fields.xdmf").exists()


# Files in and out


def test_a_run_is_evaluated_on_a_mesh_file(whole, tmp_path):
    line = make_mesh("interval", 4)
    mesh = Mesh(TURN * line.points, line.cells)
    write_mesh(tmp_path / "line.vtu", mesh)
    assert load_task(whole).predict_file(tmp_path / "line.vtu", tmp_path / "u.vtu") == {"points": mesh.n_points}
    read = meshio.read(tmp_path / "u.vtu")
    assert read.point_data["u"].ravel() == pytest.approx(exact(mesh.points[:, 0], 1.0), abs=1e-2)
    half = load_task(whole)
    half.predict_file(tmp_path / "line.vtu", tmp_path / "half.vtu", time=0.5)
    values = meshio.read(tmp_path / "half.vtu").point_data["u"].ravel()
    assert values == pytest.approx(exact(mesh.points[:, 0], 0.5), abs=1e-2)
    with pytest.raises(InputError, match=r"the time is 1\.5, expected 0 to 1, the end of the run"):
        half.predict_file(tmp_path / "line.vtu", tmp_path / "late.vtu", time=1.5)
    wide = Mesh(5 * mesh.points, mesh.cells)
    write_mesh(tmp_path / "wide.vtu", wide)
    with pytest.raises(InputError, match=r"wide\.vtu has \d+ of \d+ points outside the box of the problem"):
        load_task(whole).predict_file(tmp_path / "wide.vtu", tmp_path / "v.vtu")


def test_a_run_that_is_loaded_has_the_field_of_the_one_that_was_trained_bit_for_bit(whole):
    task = wave(output=FILM).build_task()
    solver, state = task.solver, task.solver.initial()
    solver.seed = 3
    for state, _ in solver.run():  # noqa: B007 - the last one is wanted
        pass
    x = torch.linspace(0, TURN, 50, dtype=torch.float64)[:, None]
    trained, loaded = SpaceTimeField(solver.characteristics, state.weights), load_task(whole)._field()
    for time in (0.0, 0.4, 1.0):
        assert torch.equal(trained(x, time), loaded(x, time))


# Without words, and what a config may not say


def test_without_a_frame_viscous_fronts_get_that_of_the_mean_and_all_else_that_of_the_flow():
    burgers = {"class_path": "sciml.lpinn.ViscousBurgers"}
    assert type(wave(frame=None, problem=burgers).build_task().solver.characteristics.frame).__name__ == "Ale"
    assert type(wave(frame=None).build_task().solver.characteristics.frame).__name__ == "Lagrangian"


def test_labels_start_straight_unless_told_otherwise():
    problem, frame = {"class_path": "sciml.lpinn.ViscousBurgers"}, {"class_path": "sciml.lpinn.Ale"}
    for zero in (True, False):
        field = wave(problem=problem, frame=frame, zero_start=zero).build_task()._field()
        x = torch.linspace(0, 6, 7, dtype=torch.float64)[:, None]
        assert torch.equal(field.follow(x, 0.5)[1], torch.sin(x)) is zero


def test_what_is_known_to_go_wrong_is_told_with_what_is_solved(recwarn):
    burgers, label = "sciml.lpinn.ViscousBurgers", {"diffusion": "label"}
    network = fourier(outputs=2)
    frame = {"class_path": "sciml.lpinn.Lagrangian", "init_args": label}
    task = wave(problem={"class_path": burgers}, frame=frame, network=network).build_task()
    assert "off by 1 to 5 % for Burgers' equation, which no training removes" in task.describe()
    assert "Note" not in wave().build_task().describe() + wave(problem=INVISCID).build_task().describe()
    assert not [warning for warning in recwarn if "training removes" in str(warning.message)]


WRONG = {
    "no rounds": ({"rounds": 0}, r"task\.init_args\.rounds is 0, expected a whole number of at least 1"),
    "no slabs": ({"slabs": 0}, r"task\.init_args\.slabs is 0, expected a whole number of at least 1"),
    "half a slab": ({"slabs": 1.5}, r"task\.init_args\.slabs is 1\.5"),
    "network of too many outputs": ({"network": fourier(outputs=3)}, "3 outputs, expected 2 inputs .* 1 or 2 outputs"),
    "no viscosity below 0": (
        {"problem": {"class_path": "sciml.lpinn.Convection", "init_args": {"viscosity": -1.0}}},
        "the viscosity is -1.0",
    ),
    "unknown frame": ({"frame": {"class_path": "sciml.lpinn.Lagrange"}}, "did you mean 'sciml.lpinn.Lagrangian'"),
    "unknown diffusion": (
        {"frame": {"class_path": "sciml.lpinn.Lagrangian", "init_args": {"diffusion": "labels"}}},
        "label",
    ),
    "unknown optimizer": (
        {"fitting": {"class_path": "sciml.lpinn.GradientRounds", "init_args": {"optimizer": "adamm"}}},
        "optimizer is 'adamm', expected one of adam, soap, lbfgs; did you mean 'adam'",
    ),
    "no points": ({"points": {"count": 0}}, "the count of points is 0"),
    "grid of another dimension": ({"output": {"grid": [9, 9]}}, "at least 2 values along each of 1 axes"),
    "two places": ({"output": {"grid": [9], "mesh": "a.vtu"}}, "on a grid or on a mesh, got both"),
    "one time": ({"output": {"times": 1}}, "times of the output is 1, expected a whole number from 2"),
    "no layers to set to 0": (
        {"network": {"class_path": "sciml.nets.GaussianNetwork", "init_args": {"inputs": 2}}},
        "GaussianNetwork has no layers, expected a last one that can be set to zero; set zero_start to false",
    ),
}


@pytest.mark.parametrize(("changes", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_go_together_is_refused_before_the_run(changes, sentence):
    with pytest.raises(ConfigError, match=sentence) as refused:
        wave(**changes).build_task()
    said = str(refused.value)
    assert said.startswith("wave.yaml: task") and "\n" not in said and len(said) < 400


def test_training_may_only_repeat_the_product_of_rounds_and_slabs():
    phases = [{"optimizer": "none", "epochs": 3}]
    with pytest.raises(ConfigError, match=r"has 3 epochs, but task\.init_args\.rounds times .*slabs is 4"):
        config_from_values({**values_of(), "training": {"phases": phases}}, "wave.yaml")


def test_single_precision_is_refused():
    values = values_of()
    values["trainer"]["precision"] = "32-true"
    with pytest.raises(ConfigError, match="64-true"):
        config_from_values(values, "wave.yaml")


def test_every_shipped_case_loads_and_says_what_it_solves(repository):
    names = sorted(path.stem for path in (repository / "configs" / "lpinn").glob("*.yaml"))
    assert {"convection_cpu", "burgers_cpu", "rotation_cpu", "swirl_cpu", "convection_paper"} <= set(names)
    for name in names:
        config = load_config(f"lpinn/{name}", [])
        if config.task_class is not SpaceTimeFitting:
            continue  # has a test of its own
        task = config.build_task()
        assert task.describe().startswith(type(task.problem).__name__)
        assert "mojgani2023" in config.cite
        assert config.training.epochs == task.solver.rounds * task.solver.characteristics.slabs
        assert math.isinf(float(task.rms.max()))  # nothing fitted yet


def test_the_shipped_case_of_pure_convection_is_exact_from_the_start(tmp_path, no_pictures):
    config = load_config("lpinn/convection_cpu", ["task.init_args.rounds=1", "task.init_args.output.times=3"])
    assert train(config, tmp_path / "run")["metrics"]["relative_l2"] < 1e-13


@pytest.mark.usefixtures("no_pictures")
def test_the_result_says_in_how_many_slabs_the_last_round_stopped_at_its_limit(tmp_path):
    metrics = train(wave(), tmp_path / "run")["metrics"]
    rows = rows_of(tmp_path / "run")
    assert metrics["solves"] == sum(float(row["loss/solves"]) for row in rows)
    last = [row for row in rows if int(row["epoch"]) % ROUNDS == 0]
    assert len(last) == metrics["slabs"] == SLABS
    assert metrics["largest_residual"] == metrics["residual"] == max(float(row["loss/residual"]) for row in last)
    for end in ("at_limit", "stalled"):
        assert metrics[f"slabs_{end}"] == sum(float(row[f"loss/{end}"]) for row in last)
    assert metrics["slabs_at_limit"] == SLABS  # six solves do not reach 1e-10
    (told,) = SpaceTimeFitting.remarks(metrics)
    assert told.startswith("in 2 of 2 slabs a fit stopped at its limit; the largest residual is ")
