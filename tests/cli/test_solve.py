"""``sciml solve``: one small case from the config to the table, and what is refused."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from toy_runs import PATIENCE, toy, wait_for
from toy_solves import start_command, start_interrupted, states_of, values_of

from sciml.cli.progress import TrainingBar
from sciml.training import config
from sciml.training.run import finished
from sciml.training.task import Task

PAPER = {"claim": "an error of the order of the step", "source": "Euler 1768", "metrics": {"final_error": 0.02}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("solving")
    (folder / "decay.yaml").write_text(yaml.safe_dump({**values_of(steps=8), "paper": PAPER}))
    (folder / "unstable.yaml").write_text(yaml.safe_dump(values_of(rate=3.5, step=1.0)))
    (folder / "learns.yaml").write_text(yaml.safe_dump(toy().values))
    return folder


@pytest.fixture
def run(folder, command) -> Path:
    """The folder of a solved case."""
    if not finished(folder / "runs" / "decay"):
        code, _, err = command("solve", "decay.yaml")
        assert (code, err) == (0, "")
    return folder / "runs" / "decay"


def refused(answer: tuple[int, str, str]) -> str:
    code, out, err = answer
    assert (code, out) == (2, "")
    assert err.startswith("sciml: ") and err.count("\n") == 1
    return err


def test_the_header_says_what_is_solved_and_the_table_stands_beside_the_paper(folder, command, tmp_path):
    code, out, err = command("solve", "decay.yaml", "-o", tmp_path / "run")
    assert (code, err) == (0, "")
    assert out.startswith(
        "decay\n  Decay, 1 parameter, explicit Euler, 8 steps of 0.125\n  8 steps; seed 0; 64-true on"
    )
    exact = 2.718281828459045**-1 - 0.875**8
    row = next(line.split() for line in out.splitlines() if line.strip().startswith("final_error"))
    assert row == ["final_error", f"{exact:.4g}", "0.02"]
    assert "paper: an error of the order of the step (Euler 1768)" in out
    assert "finished after" in out and "position" in out and "loss/" not in out


@pytest.fixture
def counted(monkeypatch) -> Counter[str]:
    """How often a config is parsed and a task is built.

    The base class is patched: of a patched constructor of its own a class would seem to take no arguments.
    """
    count: Counter[str] = Counter()

    def counting(name: str, function):
        def call(*words, **more):
            count[name] += 1
            return function(*words, **more)

        return call

    monkeypatch.setattr(config, "_config", counting("parsed", config._config))
    monkeypatch.setattr(Task, "__init__", counting("built", Task.__init__))
    return count


def test_a_config_is_parsed_once_and_its_task_is_built_once(folder, command, tmp_path, counted):
    (folder / "three.txt").write_text("3")
    once = {"parsed": 1, "built": 1}
    for words in (
        ["solve", "decay.yaml", "-o", tmp_path / "solved"],
        ["train", "learns.yaml", "training.phases=[{epochs: 1}]", "-o", tmp_path / "trained"],
        ["solve", tmp_path / "solved", "--resume", "--json"],
        ["evaluate", tmp_path / "trained"],
        ["predict", tmp_path / "solved", "three.txt", "-o", tmp_path / "thrice.txt"],
    ):
        counted.clear()
        code, _, err = command(*words)
        assert (code, err) == (0, "")
        assert counted == (once if "--resume" not in words else {"parsed": 1}), words


def test_what_a_task_refuses_leaves_no_folder_behind(folder, command, tmp_path):
    assert "step is -1.0, expected a positive" in refused(
        command("solve", "decay.yaml", "task.init_args.step=-1.0", "-o", tmp_path / "run")
    )
    assert not (tmp_path / "run").exists()


def test_output_times_that_a_method_cannot_write_leave_no_folder_behind(command, tmp_path):
    changes = ["task.init_args.output.every=2", "task.init_args.rounds=1"]
    said = refused(command("solve", "lpinn/convection_cpu", *changes, "-o", tmp_path / "run"))
    assert "every of the output is 2, but the method has no time steps; give times instead." in said
    assert not (tmp_path / "run").exists()


def test_json_is_one_object_and_changes_reach_the_task(folder, command, tmp_path):
    code, out, err = command("solve", "decay.yaml", "task.init_args.steps=3", "-o", tmp_path / "run", "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    result = json.loads(out)
    assert result == json.loads((tmp_path / "run" / "result.json").read_text())
    assert next(iter(result["metrics"])) == "final_error"
    assert result["metrics"]["position"] == pytest.approx(0.875**3, rel=1e-15)


def test_the_printed_config_is_that_of_the_run_and_solves_the_same(run, command, tmp_path):
    code, out, err = command("solve", "decay.yaml", "--print-config")
    assert (code, err) == (0, "")
    assert yaml.safe_load(out) == yaml.safe_load((run / "config.yaml").read_text())
    assert command("solve", run, "--print-config") == (0, out, "")
    (tmp_path / "again.yaml").write_text(out)
    assert command("solve", tmp_path / "again.yaml", "-o", tmp_path / "run")[0] == 0
    assert states_of(tmp_path / "run") == states_of(run)


def test_a_solved_case_is_not_solved_again_nor_replaced_by_accident(run, command):
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    assert "holds a run already" in refused(command("solve", "decay.yaml"))
    assert "leave one of the two out" in refused(command("solve", run, "--resume", "--overwrite"))
    assert "a resumed run keeps its config, got seed (3" in refused(command("solve", run, "seed=3", "--resume"))
    code, out, _ = command("solve", run, "--resume")
    assert code == 0 and "has finished already" in out
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before


def test_a_mistake_in_the_command_is_told_before_the_folder_that_holds_a_run(run, command):
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    for words, told in {
        ("--module", "nofile.py"): "nofile.py",
        ("task.init_args.stepz=3",): "did you mean 'step'?",
        ("task.steps=3",): "steps",
        ("task.init_args.step=-1.0",): "step is -1.0, expected a positive",
        ("trainer.accelerator=abacus",): "abacus",
    }.items():
        for source in ("decay.yaml", run):
            said = refused(command("solve", source, *words))
            assert told in said and "holds a run already" not in said, said
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before


def test_train_solves_the_same(run, command, tmp_path):
    code, _, err = command("train", "decay.yaml", "-o", tmp_path / "run")
    assert (code, err) == (0, "")
    assert states_of(tmp_path / "run") == states_of(run)


def test_evaluate_and_predict_take_a_solved_case(run, command, folder):
    code, out, err = command("evaluate", run, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"final_error": finished(run)["metrics"]["final_error"]}
    (folder / "two.txt").write_text("2")
    code, out, err = command("predict", run, "two.txt", "-o", "twice.txt", "--json")
    assert (code, err) == (0, "")
    assert float((folder / "twice.txt").read_text()) == pytest.approx(2 * 0.875**8)
    code, out, err = command("evaluate", run, "--data", "two.txt")
    assert (code, out) == (2, "") and "Decay draws its points itself" in err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["learns.yaml"], "task Noisy, which learns from data and has no solution of its own; use 'sciml train'"),
        (["decoy.yaml"], "decoy.yaml does not exist; did you mean decay.yaml?"),
        (["decay.yaml", "task.init_args.steps=0"], "task.init_args.steps is 0, expected a whole number of at least 1"),
        (["decay.yaml", "task.init_args.step=0"], "step is 0.0, expected a positive time"),
        (["decay.yaml", "task.init_args.stepz=1"], "did you mean 'step'?"),
        (["decay.yaml", "training.phases=[{epochs: 5}]"], "Decay updates its weights itself; leave training out"),
        (["decay.yaml", "training.gradient_clip=1"], "training.phases is missing"),
        (["decay.yaml", "trainer.precision=32-true"], "but the task allows 64-true"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_sentence_and_leaves_no_folder(command, folder, words, reason):
    assert reason in refused(command("solve", *words, "-o", "nothing"))
    assert not (folder / "nothing").exists()


def test_divergence_is_exit_code_1_and_a_sentence(command, folder):
    code, _, err = command("solve", "unstable.yaml", "--json")
    assert (code, err) == (1, "sciml: the particle is at -15.62 after step 3; take smaller steps.\n")
    result = json.loads((folder / "runs" / "unstable" / "result.json").read_text())
    assert result["status"] == "diverged"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_a_checkpoint_from_which_the_case_goes_on_exactly(tmp_path, number, code):
    gate = tmp_path / "gate"
    slow = values_of(steps=8, noise=0.3, gate=str(gate), closed_after=3)
    (tmp_path / "slow.yaml").write_text(yaml.safe_dump(slow))
    words = ["solve", tmp_path / "slow.yaml", "--resume", "-o"]
    run = tmp_path / "run"
    process = start_command(tmp_path, *words, run)
    wait_for(run / "states" / "0003.txt")
    os.kill(process.pid, number)  # in the fourth step, which ends once the gate is open
    gate.touch()
    process.join(PATIENCE)
    assert process.exitcode == code
    steps = len((run / "metrics.csv").read_text().splitlines()) - 1
    assert 3 <= steps <= 4 and finished(run) is None
    whole, resumed = (start_command(tmp_path, *words, other) for other in (tmp_path / "whole", run))
    for process in (whole, resumed):
        process.join(PATIENCE)
        assert process.exitcode == 0
    assert states_of(run) == states_of(tmp_path / "whole")
    assert finished(run)["metrics"] == finished(tmp_path / "whole")["metrics"]


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
@pytest.mark.parametrize(("step", "reached"), [(0, "before the first step ended"), (2, "after step 3 of 5")])
def test_a_signal_is_answered_with_the_step_and_the_command_that_resumes(
    command, tmp_path, number, code, word, step, reached
):
    (tmp_path / "five.yaml").write_text(yaml.safe_dump(values_of(steps=5)))
    run, answer = tmp_path / "run", tmp_path / "answer"
    process = start_interrupted(answer, "solve", tmp_path / "five.yaml", "-o", run, number=number, step=step)
    process.join(PATIENCE)
    assert process.exitcode == code
    said = answer.read_text().splitlines()[-1]
    assert said == f"sciml: {word} {reached}; resume with `sciml solve {run} --resume`"
    assert command("solve", run, "--resume")[0] == 0
    assert finished(run)


def test_the_lists_show_what_can_be_solved(command, monkeypatch, folder):
    shipped = {"toy/decay": folder / "decay.yaml", "toy/learns": folder / "learns.yaml"}
    monkeypatch.setattr("sciml.config_files.shipped_configs", lambda: shipped)
    code, out, err = command("list", "configs")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines() if "toy/" in line}
    assert lines["toy/decay"].split()[1] == "solve" and lines["toy/learns"].split()[1] == "train"


def test_the_bar_shows_step_error_energy_and_time_left_and_text_goes_above_it(monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stderr", terminal)
    with TrainingBar("step") as bar:
        bar.print("a header")
        bar(12, 40, {"loss/error": 0.125, "loss/energy": 0.5}, 200.0)
        bar.stage("writing the solution")
    assert "writing the solution" in terminal.getvalue() and "a header" not in terminal.getvalue()
    assert capsys.readouterr().out == "a header\n"
    assert "step 13/40  error 0.125  energy 0.5  3 min left" in terminal.getvalue()
