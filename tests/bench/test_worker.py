"""Jobs run in a process with the threads they were given; what is finished before a failure is not lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from sciml.bench.worker import THREAD_VARIABLES, run_jobs
from sciml.errors import SciMLError

TRICKS = """
import os
from sciml.errors import InputError

def threads(job):
    return {name: os.environ[name] for name in job["names"]}

def chatter(job):
    print("a library says hello")
    os.write(1, b"so does one written in C")
    return {"value": job["value"]}

def wrong(job):
    raise InputError("the coefficient is -1, expected > 0.")

def leave(job):
    os._exit(3)
"""


@pytest.fixture
def modules(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tricks.py").write_text(TRICKS)
    return {"PYTHONPATH": str(tmp_path)}


def job(function: str, key: str = "group/job", **parameters):
    return {"key": key, "function": f"tricks:{function}", **parameters}


def test_every_library_is_given_the_same_number_of_threads(modules) -> None:
    ((_, threads),) = run_jobs([job("threads", names=THREAD_VARIABLES)], 3, modules)
    assert threads == dict.fromkeys(THREAD_VARIABLES, "3")


def test_what_libraries_print_does_not_mix_with_results(modules, capfd) -> None:
    jobs = [job("chatter", f"group/{number}", value=number) for number in range(3)]
    assert list(run_jobs(jobs, 1, modules)) == [(f"group/{number}", {"value": number}) for number in range(3)]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("function", "sentence"),
    [("wrong", r"group/bad failed: the coefficient is -1"), ("leave", r"group/bad failed: .* code 3")],
)
def test_a_failure_names_its_job_and_comes_after_what_was_finished(modules, function: str, sentence: str) -> None:
    results = run_jobs([job("chatter", value=1), job(function, "group/bad"), job("chatter", value=2)], 1, modules)
    assert next(results) == ("group/job", {"value": 1})
    with pytest.raises(SciMLError, match=sentence):
        next(results)
