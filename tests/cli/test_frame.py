"""The frame of the command line, through its real entry point in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import sciml
from sciml.cli.frame import VERBS
from sciml.cli.output import plain

CPU_SECONDS_OF_HELP = 0.3

# A verb for the tests, put in the place of a real one: it does what its first argument says.
BOOM = """
import sys, time
from sciml import errors
from sciml.cli.frame import verb_app
from sciml.cli.output import print_json, print_table
from sciml.cli.progress import ResidualLine

app = verb_app("A verb for the tests.")

@app.command()
def boom(what: str) -> None:
    if what == "input":
        raise errors.InputError("cells has code 7,\\ngot 7, expected 0, 1 or 2; recode it")
    if what == "mesh":
        raise errors.MeshFileError("a.vtu ends early")
    if what == "divergence":
        raise errors.DivergenceError("the residual is nan at iteration 3")
    if what == "memory":
        raise MemoryError("Unable to allocate 9 TiB")
    if what == "torch's memory":
        words = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
        raise RuntimeError(f"{words} allocate 120000000000 bytes. Error code 12 (Cannot allocate memory)")
    if what == "missing":
        open("no/such/file.npz")
    if what == "folder":
        open(".")
    if what == "interrupt":
        raise KeyboardInterrupt
    if what == "bug":
        raise RuntimeError("a fault of ours")
    if what == "wait":
        try:
            print("waiting", flush=True)
            time.sleep(3600)
        except KeyboardInterrupt:
            print("saved", flush=True)
            raise
    if what == "flood":
        for _ in range(100_000):
            print("a line")
    if what == "json":
        print_json({"status": "converged", "residual": float("nan"), "history": (1, 0.5)})
    if what == "table":
        print_table(["method", "seconds"], [["multigrid", 1.23456], ["[cg]", None]], title="times")
    if what == "line":
        with ResidualLine("multigrid", rtol=1e-6) as line:
            line.stage("set-up")
            line(5, 3.25e-7)
"""

RUN_WITH_BOOM = """
import sys
from sciml.cli import frame, main
frame.VERBS["boom"] = ("boom_verb", "A verb for the tests.")
frame.VERBS["broken"] = ("module_that_must_not_be_imported", "Listed, never loaded.")
main(sys.argv[1:])
"""

SMALLER = "choose a smaller problem, network or batch"


def sciml_command(*words: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sciml", *words], capture_output=True, text=True, timeout=3600, check=False, **options
    )


@pytest.fixture(scope="module")
def boom_environment(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("verbs")
    (folder / "boom_verb.py").write_text(BOOM)
    (folder / "run.py").write_text(RUN_WITH_BOOM)
    package_home = Path(sciml.__file__).parent.parent
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{package_home}", "BOOM_RUN": str(folder / "run.py")}


@pytest.fixture
def boom(boom_environment, tmp_path):
    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, boom_environment["BOOM_RUN"], *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=3600, check=False, env=boom_environment, cwd=tmp_path
        )

    return call


def test_help_lists_each_verb_with_its_line() -> None:
    answer = sciml_command("--help")
    assert answer.returncode == 0
    assert answer.stderr == ""
    listing = " ".join(answer.stdout.split())
    for verb, (_, help_text) in VERBS.items():
        assert f"{verb} {help_text}" in listing


def test_short_help_equals_long_help() -> None:
    assert sciml_command("-h").stdout == sciml_command("--help").stdout


def test_each_verb_explains_itself() -> None:
    for verb in VERBS:
        answer = sciml_command(verb, "--help")
        assert (answer.returncode, answer.stderr) == (0, "")
        assert answer.stdout.startswith(f"Usage: sciml {verb}")


def test_each_module_of_the_command_line_that_has_an_app_has_a_row_and_each_row_a_module() -> None:
    folder = Path(sciml.__file__).parent / "cli"
    apps = {f"sciml.cli.{path.stem}" for path in folder.glob("*.py") if "\napp = " in path.read_text()}
    assert {module for module, _ in VERBS.values()} == apps
    assert all(find_spec(module) is not None for module, _ in VERBS.values())


def test_help_imports_few_modules() -> None:
    """What makes it quick, on any machine: 149 modules with those of Python itself, 300 at most."""
    command = [sys.executable, "-X", "importtime", "-m", "sciml", "--help"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=True)
    assert 50 < answer.stderr.count("import time:") < 300


@pytest.mark.timing
def test_help_needs_less_than_a_third_of_a_second_of_cpu() -> None:
    def cpu_seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        sciml_command("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(cpu_seconds() for _ in range(3)) < CPU_SECONDS_OF_HELP


def test_version_is_that_of_the_package() -> None:
    assert sciml_command("--version").stdout == f"sciml {sciml.__version__}\n"


@pytest.mark.parametrize("words", [["no-such-verb"], ["--no-such-option"], []], ids=" ".join)
def test_wrong_usage_ends_with_code_2_and_no_traceback(words: list[str]) -> None:
    answer = sciml_command(*words)
    assert answer.returncode == 2
    assert "Usage: sciml" in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr


def test_listing_the_verbs_imports_none_of_them(boom) -> None:
    answer = boom("--help")
    assert answer.returncode == 0
    assert "Listed, never loaded." in answer.stdout


@pytest.mark.parametrize(
    ("what", "code", "sentence"),
    [
        ("input", 2, "sciml: cells has code 7, got 7, expected 0, 1 or 2; recode it\n"),
        ("mesh", 2, "sciml: a.vtu ends early\n"),
        ("divergence", 1, "sciml: the residual is nan at iteration 3\n"),
        (
            "memory",
            2,
            f"sciml: this needs more memory than is available (Unable to allocate 9 TiB); {SMALLER}\n",
        ),
        (
            "torch's memory",
            2,
            f"sciml: this needs more memory than is available (112 GiB at once); {SMALLER}\n",
        ),
        ("missing", 2, "sciml: no/such/file.npz does not exist; check the name\n"),
        ("folder", 2, "sciml: . is a folder, expected a file\n"),
        ("interrupt", 130, "sciml: interrupted\n"),
    ],
)
def test_an_error_is_one_sentence_and_an_exit_code(boom, what: str, code: int, sentence: str) -> None:
    answer = boom("boom", what)
    assert (answer.returncode, answer.stdout, answer.stderr) == (code, "", sentence)


def test_a_fault_of_ours_keeps_its_traceback(boom) -> None:
    answer = boom("boom", "bug")
    assert answer.returncode == 1
    assert answer.stderr.startswith("Traceback")
    assert answer.stderr.endswith("RuntimeError: a fault of ours\n")


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_lets_the_verb_save_its_work_first(boom_environment, number: int, code: int, word: str) -> None:
    command = [sys.executable, boom_environment["BOOM_RUN"], "boom", "wait"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=boom_environment
    ) as process:
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=3600)
    assert (process.returncode, out, err) == (code, "saved\n", f"sciml: {word}\n")


def test_a_reader_that_leaves_early_causes_no_complaint(boom_environment) -> None:
    command = [sys.executable, boom_environment["BOOM_RUN"], "boom", "flood"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=boom_environment) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_json_is_one_strict_object_and_nothing_else(boom) -> None:
    answer = boom("boom", "json")
    assert answer.stderr == ""
    assert answer.stdout.count("\n") == 1
    assert json.loads(answer.stdout) == {"status": "converged", "residual": None, "history": [1, 0.5]}


def test_json_knows_numpy_numbers_and_arrays() -> None:
    import numpy as np

    result = {"n": np.int64(3), "x": np.array([[1.0, np.inf]]), "flag": np.bool_(True), "path": Path("a")}
    assert plain(result) == {"n": 3, "x": [[1.0, None]], "flag": True, "path": "a"}


def test_a_table_shows_text_as_it_is_and_four_digits(boom) -> None:
    lines = [line.split() for line in boom("boom", "table").stdout.splitlines()]
    assert ["times"] in lines
    assert ["multigrid", "1.235"] in lines
    assert ["[cg]", "-"] in lines


def test_the_live_line_shows_the_residual_on_a_terminal_and_vanishes(boom_environment) -> None:
    terminal, its_end = os.openpty()
    command = [sys.executable, boom_environment["BOOM_RUN"], "boom", "line"]
    environment = {**boom_environment, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=its_end, env=environment) as process:
        os.close(its_end)
        shown = b""
        with contextlib.suppress(OSError):  # Linux ends a closed terminal with an input/output error
            while piece := os.read(terminal, 4096):
                shown += piece
        assert process.stdout.read() == b""
    os.close(terminal)
    assert b"multigrid  set-up" in shown
    assert b"relative residual 3.25e-07" in shown
    assert shown.index(b"3.25e-07") < shown.rindex(b"\x1b[2K"), "the last act erases the line"


def test_there_is_no_live_line_without_a_terminal(boom) -> None:
    answer = boom("boom", "line")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_a_path_that_the_system_refuses_is_one_sentence() -> None:
    answer = sciml_command("cite", "a" * 300)
    assert answer.returncode == 2 and not answer.stdout
    assert "cannot be used" in answer.stderr and answer.stderr.count("\n") == 1
