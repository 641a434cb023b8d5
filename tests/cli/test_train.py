"""``sciml train``, ``evaluate``, ``predict``, ``cite``: one small run, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from sciml.cli.predict import sampling_options
from sciml.cli.progress import TrainingBar, duration
from sciml.linalg import VoxelPoisson
from sciml.linalg.sparse_files import write_cells

CONFIG = {
    "title": "a small box",
    "task": {"class_path": "sciml.dcdm.DirectionTask", "init_args": {"dimension": 2, "filters": 4, "pairs": [1, 1, 1]}},
    "data": {
        "class_path": "sciml.dcdm.RitzDirections",
        "init_args": {"sizes": [16], "cases": {"box": 1}, "batch_size": 2, "batches_per_epoch": 3},
    },
    "training": {"phases": [{"epochs": 2, "learning_rate": 1e-3}]},
    "paper": {"claim": "few iterations", "source": "the paper", "metrics": {"ratio": 0.125}},
    "cite": ["kaneda2023"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def run(folder, repository) -> tuple[Path, str]:
    """The folder and the output of a run of two epochs in a process of its own."""
    (folder / "small.yaml").write_text(yaml.safe_dump(CONFIG))
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "sciml", "train", "small.yaml", "training.phases.0.epochs=3"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=3600, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "runs" / "small", done.stdout


def refused(answer: tuple[int, str, str]) -> str:
    code, out, err = answer
    assert (code, out) == (2, "")
    assert err.startswith("sciml: ") and err.count("\n") == 1
    return err


def test_a_run_says_what_it_does_and_leaves_what_it_did(run):
    path, said = run
    assert said.startswith("a small box (changed: training.phases.0.epochs=3)\n  DirectionTask, ")
    assert "3 epochs of adam; seed 0; 32-true on the CPU" in said
    assert "paper: few iterations (the paper)" in said
    assert f"pictures: {path.relative_to(path.parent.parent) / 'figures' / 'history.png'}" in said
    with (path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    result = json.loads((path / "result.json").read_text())
    assert result["status"] == "finished"
    assert result["metrics"]["val/residual"] == pytest.approx(float(rows[-1]["val/residual"]))
    assert f"{result['metrics']['val/residual']:.4g}" in said
    values = yaml.safe_load((path / "config.yaml").read_text())
    assert values["training"]["phases"][0]["epochs"] == 3
    assert values["task"]["init_args"]["scaled"] is True, "defaults are written down"


def test_a_finished_run_is_not_run_again(run, command):
    path, _ = run
    before = (path / "checkpoints" / "last.ckpt").read_bytes()
    code, out, _ = command("train", path, "--resume")
    assert code == 0 and "has finished already" in out
    code, out, _ = command("train", path, "--resume", "--json")
    assert code == 0 and json.loads(out) == json.loads((path / "result.json").read_text())
    assert (path / "checkpoints" / "last.ckpt").read_bytes() == before


def test_a_run_is_not_replaced_by_accident(run, command):
    path, _ = run
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert "holds a run already" in refused(command("train", "small.yaml", "-o", path))
    assert "holds a run already" in refused(command("train", path))
    assert "leave -o" in refused(command("train", path, "--resume", "-o", "elsewhere"))
    assert "leave one of the two out" in refused(command("train", path, "--resume", "--overwrite"))
    assert "a resumed run keeps its config, got seed (3" in refused(command("train", path, "seed=3", "--resume"))
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


def test_the_printed_config_is_that_of_the_run(run, command):
    path, _ = run
    code, out, err = command("train", "small.yaml", "training.phases.0.epochs=3", "--print-config")
    assert (code, err) == (0, "")
    assert yaml.safe_load(out) == yaml.safe_load((path / "config.yaml").read_text())
    assert command("train", path, "--print-config") == (0, out, "")


def test_evaluation_stands_beside_the_paper_and_json_is_one_object(run, command):
    path, _ = run
    code, out, err = command("evaluate", path)
    assert (code, err) == (0, "")
    row = next(line.split() for line in out.splitlines() if line.strip().startswith("ratio"))
    code, out, _ = command("evaluate", path, "--json")
    metrics = json.loads(out)
    assert code == 0 and next(iter(metrics)) == "ratio"
    assert row == ["ratio", f"{metrics['ratio']:.4g}", "0.125"]


def test_a_prediction_takes_the_options_of_the_task(run, command, folder):
    problem = VoxelPoisson.from_cells(np.zeros((16, 16), np.uint8), outside="dirichlet")
    b = np.random.default_rng(0).standard_normal(problem.shape)
    write_cells(folder / "t.npz", problem.cells, b, outside="dirichlet")
    residuals = []
    for rtol in ("1e-2", "1e-5"):
        code, out, err = command("predict", run[0], "t.npz", f"rtol={rtol}", "-o", "t_x.npz", "--json")
        assert (code, err) == (0, "")
        residuals.append(json.loads(out)["true_residual"])
    assert 1e-5 < residuals[0] <= 1e-2 and residuals[1] <= 1e-5


def test_flags_of_a_task_that_samples_are_its_options_and_others_refuse_them(run, command, folder):
    assert sampling_options(4, 0) == ["members=4", "seed=0"] and sampling_options(None, None) == []
    (folder / "any.npz").touch()
    for flags in (["-n", "4"], ["--members", "4"], ["--seed", "1"]):
        code, out, err = command("predict", run[0], "any.npz", *flags, "-o", "x_any.npz")
        assert (code, out) == (2, "") and "the task draws no samples" in err and not (folder / "x_any.npz").exists()


def test_a_prediction_solves_the_system(run, command, folder):
    problem = VoxelPoisson.from_cells(np.zeros((16, 16), np.uint8), outside="dirichlet")
    b = np.random.default_rng(0).standard_normal(problem.shape)
    write_cells(folder / "s.npz", problem.cells, b, outside="dirichlet")
    code, out, err = command("predict", run[0], "s.npz", "-o", "x.npz", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["true_residual"] <= 1e-6
    with np.load(folder / "x.npz") as file:
        assert np.linalg.norm(b - problem.matvec(file["x"])) <= 1.01e-6 * np.linalg.norm(b)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["evaluate", "runs/smal"], "runs/smal does not exist; did you mean runs/small?"),
        (["evaluate", "no_such_weights_at_all"], "neither the folder of a run nor shipped weights"),
        (["evaluate", "."], "no config.yaml"),
        (["evaluate", "small.yaml"], "small.yaml is not a run"),
        (["evaluate", "runs/small", "--data", "absent.h5"], "absent.h5 does not exist"),
        (["predict", "runs/small", "absent.npz", "-o", "x.npz"], "absent.npz does not exist"),
        (["predict", "runs/small", "small.yaml", "-o", "small.yaml"], "would replace the input"),
        (["predict", "runs/small", "small.yaml", "-o", "no/x.npz"], "no/x.npz cannot be written"),
        (["predict", "runs/small", "-o", "x.npz"], "DirectionTask is applied to a file; give its name"),
        (["predict", "runs/small", "rtlo=1e-3", "-o", "x.npz"], "'rtlo' (did you mean 'rtol'?); the options are rtol"),
        (["predict", "runs/small", "small.yaml", "rtol=low", "-o", "x.npz"], "rtol is 'low', expected a number"),
        (["cite", "smal.yaml"], "did you mean small.yaml?"),
    ],
)
def test_wrong_input_is_one_sentence(run, command, words, reason):
    assert reason in refused(command(*words))


def test_cite_prints_the_method_and_the_optimiser(run, command):
    for what in ("small.yaml", run[0], "dcdm/box2d_cpu"):
        code, out, err = command("cite", what)
        assert (code, err) == (0, "")
        assert [line for line in out.splitlines() if line.startswith("@")] == [
            "@inproceedings{kaneda2023,",
            "@inproceedings{kingma2015,",
        ]


def test_the_lists_name_configs_with_their_titles(command):
    code, out, err = command("list", "configs")
    assert (code, err) == (0, "")
    assert re.search(r"dcdm/box2d_cpu +train +4.0 CPU minutes +DCDM with the published network", out)


def test_the_bar_shows_epoch_values_and_time_left(capsys, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stderr", terminal)
    with TrainingBar() as bar:
        bar(1.5, 4, {"val/error": 0.125}, 200.0)
    said = terminal.getvalue()
    assert "epoch 2/4" in said and "val/error 0.125" in said and "3 min left" in said
    with TrainingBar(enabled=False) as bar:
        bar(1.5, 4, {}, None)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "under 1 s"),
        (0.4, "under 1 s"),
        (1.4, "1 s"),
        (59, "59 s"),
        (59.7, "1 min"),
        (200, "3 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_times_are_told_as_people_do(seconds, text):
    assert duration(seconds) == text


def test_a_config_is_printed_whatever_folder_the_run_would_have(command):
    code, out, err = command("train", "small.yaml", "--print-config", "-o", "run")
    assert (code, err) == (0, "") and out == command("train", "small.yaml", "--print-config")[1]
    assert not Path("run").exists()


@pytest.mark.parametrize("option", [("--resume",), ("--overwrite",), ("--json",)])
def test_options_of_a_run_are_refused_where_the_config_is_only_printed(command, option):
    code, out, err = command("train", "small.yaml", "--print-config", *option)
    assert (code, out) == (2, "") and f"--print-config prints a config and runs nothing; leave {option[0]} out" in err
