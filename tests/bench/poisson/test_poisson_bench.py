"""`sciml bench poisson` from end to end on tiny systems: it solves, saves, resumes, and refuses nonsense."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sciml.bench import runner
from sciml.bench.poisson import hypre
from sciml.bench.poisson import jobs as poisson_jobs
from sciml.bench.poisson import plan as poisson
from sciml.bench.poisson.benchmark import BENCHMARK
from sciml.bench.poisson.peers import PEERS, Peer
from sciml.bench.provenance import code_digest, is_changed
from sciml.bench.results import read_results
from sciml.bench.runner import run_benchmark
from sciml.errors import DataFormatError, InputError, MissingExtraError

TINY = poisson.Plan(12, 16, 16, seeds=(100,), jump_seeds=(100,), repetitions=1, quick=True)


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Iterator[tuple[Path, dict, list[str]]]:
    folder, lines = tmp_path_factory.mktemp("bench"), []
    groups = ("iterations", "times", "box", "accuracy", "sabotage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "code_digest", lambda root, names: "this code")  # whatever is edited while the tests run
        yield folder, run_benchmark(BENCHMARK, folder, TINY, only=groups, progress=lines.append), lines


def test_every_job_is_solved_and_saved(measured) -> None:
    folder, results, lines = measured
    assert read_results(folder / "poisson_quick.json", "poisson") == results
    planned = {job["key"] for job in poisson.plan_jobs(TINY) if job["group"] not in ("memory", "large", "threads")}
    assert results["jobs"].keys() == planned
    assert lines[0] == f"{len(planned)} measurements to do, 0 done before"
    for job in results["jobs"].values():
        assert job["code"] and job["finished"] and job["seed"] == 100
        if job["group"] == "iterations":
            assert job["white_status"] == job["smooth_status"] == "converged"
            assert max(job["white_residual"], job["smooth_residual"]) <= 1e-6
        if job["group"] == "accuracy":
            assert job["true_residual"] <= 1.1e-10
        for run in job.get("solvers", {}).values():
            assert isinstance(run, int) or run["true_residual"] <= 1.1e-6


def test_solvers_were_compared_on_the_same_system(measured) -> None:
    _, results, _ = measured
    compared = results["jobs"]["times/mixed/16/100/1t"]
    assert {"multigrid", "sa", "rs", "cg"} <= compared["solvers"].keys()
    assert compared["solvers"]["multigrid"]["iterations"] < compared["solvers"]["cg"]["iterations"]
    assert "again_seconds" in compared["solvers"]["sa"]


def test_a_second_run_measures_only_what_was_measured_with_other_code(measured) -> None:
    folder, results, _ = measured
    path = folder / "poisson_quick.json"
    stale = json.loads(path.read_text())
    stale["jobs"]["iterations/walls/12/100/1t"]["code"] = "older"
    stale["jobs"]["iterations/walls/999/100/1t"] = stale["jobs"]["iterations/walls/12/100/1t"]
    path.write_text(json.dumps(stale))
    with pytest.raises(DataFormatError, match="its jobs do not match their checksum"):
        run_benchmark(BENCHMARK, folder, TINY, only=("iterations",))
    del stale["jobs_sha256"]  # as results of earlier versions
    path.write_text(json.dumps(stale))
    lines: list[str] = []
    again = run_benchmark(BENCHMARK, folder, TINY, only=("iterations",), progress=lines.append)
    assert lines[0] == "1 measurements to do, 9 done before"
    assert again["jobs"].keys() == results["jobs"].keys()  # the others stay, what is not in the plan goes
    assert again["jobs"]["iterations/walls/12/100/1t"]["code"] == "this code"


def test_measurements_of_another_machine_are_not_mixed_in(measured, tmp_path: Path) -> None:
    _, results, _ = measured
    foreign = results | {"environment": results["environment"] | {"processor": "abacus"}}
    (tmp_path / "poisson_quick.json").write_text(json.dumps(foreign))
    fresh = run_benchmark(BENCHMARK, tmp_path, TINY, only=("accuracy",))
    assert {job["group"] for job in fresh["jobs"].values()} == {"accuracy"}


def test_memory_is_measured_beside_the_problem() -> None:
    job = {"case": "mixed", "size": 48, "seed": 100, "solver": "sa", "rtol": 1e-6}
    used = poisson_jobs.memory(job)
    entries = 7 * used["unknowns"]
    assert used["extra_bytes"] > 12 * entries  # smoothed aggregation stores more than one more matrix
    assert used["process_peak_bytes"] >= used["peak_bytes"] >= used["before_bytes"]


def tiny(function: str, case: str = "mixed", **parameters) -> dict:
    job = {"case": case, "size": 12, "seed": 100, "rtol": 1e-6}
    return getattr(poisson_jobs, function)(job | parameters)


def test_every_measurement_solves_its_system() -> None:
    counted = tiny("iterations")
    assert counted["white_status"] == counted["smooth_status"] == "converged"
    assert 0 < counted["white"] <= 7 and counted["white_residual"] <= 1e-6
    assert tiny("accuracy")["true_residual"] <= 1.1e-10
    useless = tiny("sabotage")
    assert all(run["true_residual"] <= 1e-6 for run in useless["preconditioners"].values())
    assert max(run["iterations"] for run in useless["preconditioners"].values()) <= 1.1 * useless["cg"] + 10
    large = tiny("large", "walls")
    assert large["true_residual"] <= 1e-6 and large["process_peak_bytes"] >= large["before_bytes"] > 0
    assert min(tiny("compilation").values()) > 0


def test_hypre_and_ours_take_turns_on_the_same_system(monkeypatch) -> None:
    asked = []

    def run_hypre(problem, b, rtol, solvers):
        asked.append((problem.unknowns, float(np.linalg.norm(b)), solvers))
        return [{"setup_seconds": 1.0, "solve_seconds": 2.0, "iterations": 3, "true_residual": 1e-7}]

    monkeypatch.setattr(hypre, "run_hypre", run_hypre)
    found = tiny("hypre")
    assert [solvers for *_, solvers in asked] == [("pfmg",), ("boomeramg",)] and len({each[:2] for each in asked}) == 1
    assert len(found["runs"]["multigrid"]) == 3 and found["unknowns"] == asked[0][0]
    assert found["solvers"].keys() == {"multigrid", "pfmg", "boomeramg"}


def test_programs_of_hypre_are_required_before_anything_is_measured(tmp_path: Path, monkeypatch) -> None:
    def missing():
        raise MissingExtraError("hypre's PFMG needs a C compiler.")

    monkeypatch.setattr(hypre, "build_pfmg", missing)
    for options in ({"peers": ("hypre",)}, {"only": ("hypre",)}):
        with pytest.raises(MissingExtraError, match="needs a C compiler"):
            run_benchmark(BENCHMARK, tmp_path / "new", TINY, **options)
    assert not (tmp_path / "new").exists()


def test_a_peer_that_is_not_installed_is_left_out_and_said_to_be(monkeypatch) -> None:
    absent = Peer("absent", PEERS["cg"].prepare, package="no_such_package_anywhere")
    monkeypatch.setitem(PEERS, "absent", absent)
    job = {"case": "box", "size": 12, "seed": 0, "solvers": {"cg": 2, "absent": 1}, "rtol": 1e-6}
    result = poisson_jobs.compare(job)
    assert result["not_installed"] == ["absent"]
    assert result["solvers"].keys() == {"cg"} and len(result["runs"]["cg"]) == 2


def test_the_full_plan_has_the_seeds_and_sizes_of_the_published_table() -> None:
    jobs = poisson.plan_jobs(poisson.Plan(), ["hypre"])
    assert len({job["key"] for job in jobs}) == len(jobs)
    jumps = [
        job["seed"] for job in jobs if job["group"] == "iterations" and job["case"] == "jumps" and job["size"] == 128
    ]
    assert jumps == [100, 101, 102, 103, 104]
    for group, case in (("times", "walls"), ("hypre", "jumps"), ("large", "mixed"), ("box", "box")):
        assert len([job for job in jobs if (job["group"], job["case"]) == (group, case)]) == 3
    assert {job["group"] for job in jobs} == set(poisson.GROUPS)


def test_wrong_names_are_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the group of .* is 'speed', expected one of"):
        run_benchmark(BENCHMARK, tmp_path / "new", TINY, only=("speed",))
    with pytest.raises(InputError, match=r"the optional peer of .* is 'petsc', expected hypre"):
        run_benchmark(BENCHMARK, tmp_path / "new", TINY, peers=("petsc",))
    assert not (tmp_path / "new").exists()


def test_a_foreign_file_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "poisson_quick.json"
    path.write_text("[1, 2]")
    with pytest.raises(DataFormatError, match="holds no results"):
        run_benchmark(BENCHMARK, tmp_path, TINY, only=("accuracy",))
    assert path.read_text() == "[1, 2]"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--quick", "--publish"], "a quick one is not published"),
        (["gravity"], "the benchmark is 'gravity'"),
        (["--publish"], "run it at the top of a clone"),
    ],
)
def test_the_command_line_answers_nonsense_with_one_sentence(tmp_path: Path, words: list[str], sentence: str) -> None:
    command = [sys.executable, "-m", "sciml", "bench", *words]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=3600, check=False)
    assert answer.returncode == 2
    assert sentence in answer.stderr and answer.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_prints_the_checks_as_one_json_object(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "sciml",
        "bench",
        "--quick",
        "--only",
        "sabotage",
        "--json",
        "-o",
        str(tmp_path),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    assert answer.returncode == 0, answer.stderr
    (useless,) = [check for check in json.loads(answer.stdout)["checks"] if "useless" in check["check"]]
    assert useless["met"] is True
    assert "[1/1] sabotage/mixed/32/100/1t" in answer.stderr


def test_the_fingerprint_follows_the_measured_code_and_nothing_else(tmp_path: Path) -> None:
    package = tmp_path
    assert {"linalg", "bench/measure.py", "bench/poisson/peers.py"} <= set(BENCHMARK.measured_code)
    for name in ("linalg/solver.py", *BENCHMARK.measured_code[1:]):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("1")
    before = code_digest(package, BENCHMARK.measured_code)
    (package / "bench" / "table.py").write_text("a table is no measurement")
    assert code_digest(package, BENCHMARK.measured_code) == before
    (package / "linalg" / "solver.py").write_text("2")
    assert code_digest(package, BENCHMARK.measured_code) != before


def test_only_changes_of_the_package_make_a_measurement_dirty(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        person = ["-c", "user.name=n", "-c", "user.email=e"]
        subprocess.run(["git", *person, *words], cwd=tmp_path, check=True, capture_output=True)

    package = tmp_path / "sciml"
    package.mkdir()
    assert is_changed(package) is None
    (package / "code.py").write_text("1")
    (tmp_path / "results.json").write_text("1")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    (tmp_path / "results.json").write_text("2")
    assert is_changed(package) is False
    (package / "code.py").write_text("2")
    assert is_changed(package) is True
