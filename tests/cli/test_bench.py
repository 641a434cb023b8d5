"""`sciml bench` finds the benchmark that was meant by its name, its groups or its peers, and says what holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sciml.bench.registry import BENCHMARKS, load_benchmarks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, dict]]:
    """Which benchmarks were run, and how; none measures anything."""
    calls = []

    def stand_in(benchmark, folder, plan, **options):
        calls.append((benchmark.name, options | {"folder": folder, "quick": plan.quick}))
        packages = dict.fromkeys(("numpy", "scipy", "torch", "numba", "pyamg"), "1")
        environment = {"processor": "abacus", "cores": 2, "python": "3.11", "packages": packages}
        header = {"networks": {}, "rtol": 1e-6, "paper": {}}
        return {"name": benchmark.name, "environment": environment, "plan": vars(plan), "jobs": {}, **header}

    monkeypatch.setattr("sciml.bench.runner.run_benchmark", stand_in)
    return calls


@pytest.fixture
def published(repository: Path, folder: Path) -> Path:
    """The published results, in a folder of their own."""
    return shutil.copytree(repository / "datasets" / "results", folder / "results")


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ((), list(BENCHMARKS)),
        (("insr",), ["insr"]),
        (("--only", "ablation"), ["insr"]),
        (("--only", "metric", "--only", "pinn"), ["insr"]),
        (("--peers", "deepxde"), ["insr"]),
        (("--peers", "hypre"), ["poisson"]),
    ],
)
def test_groups_and_peers_say_which_benchmark_is_meant(command, asked, words, chosen) -> None:
    code, out, _ = command("bench", *words, "--quick", "--json")
    assert code == 0 and [name for name, _ in asked] == chosen
    answer = json.loads(out)
    assert [Path(file).stem for file in answer["results"]] == [f"{name}_quick" for name in chosen]
    assert all(check["met"] is None for check in answer["checks"])


def test_every_benchmark_says_what_it_would_have_measured(command, asked) -> None:
    code, out, _ = command("bench", "--quick")
    assert code == 0 and "A quick run" in out
    for title in ("iterations, thin walls", "advection", "jets of second order", "update over that of a bare PyTorch"):
        assert title in out


def test_a_quick_run_is_not_published_and_an_unknown_name_is_refused(command, asked) -> None:
    code, _, error = command("bench", "insr", "--quick", "--publish")
    assert code == 2 and "a quick one is not published" in error
    for check in ((), ("--check",)):
        code, _, error = command("bench", "ins", *check)
        names = "poisson, dcdm, insr, lpinn, cgs, hcmoe, gfi, generative, text2pde, training"
        assert code == 2 and f"the benchmark is 'ins', expected one of {names}; did you mean 'insr'?" in error
    assert not asked


def test_limits_that_hold_are_shown_without_measuring(command, asked, published: Path) -> None:
    code, out, _ = command("bench", "training", "--check", "-o", published)
    assert code == 0 and not asked
    assert "| ≤ 1.25 | 1.12 | yes |" in out
    assert "1 of 1 limits hold, 0 do not, 0 have not been measured." in out


def test_a_limit_that_does_not_hold_is_named_and_is_an_exit_code(command, asked, published: Path) -> None:
    code, out, _ = command("bench", "--check", "-o", published)
    assert code == 1
    (line,) = [line for line in out.splitlines() if line.startswith("Not met, poisson")]
    assert "speed-up of 2 threads over 1" in line and line.endswith("measured 1.24x (1.14x to 1.60x), must be ≥ 1.6x.")
    code, out, _ = command("bench", "poisson", "--check", "-o", published, "--json")
    answer = json.loads(out)
    missed = [check["check"] for check in answer["checks"] if check["met"] is False]
    assert code == 1 and answer["not_met"] == len(missed) == 1 and "2 threads" in missed[0]
    assert answer["met"] == len(answer["checks"]) - 1
    assert answer["checks"][0].keys() == {"benchmark", "check", "must", "goal", "measured", "met"}


def test_a_limit_that_was_not_measured_does_not_hold(command, asked, published: Path) -> None:
    raw = json.loads((published / "poisson.json").read_text())
    raw["jobs"] = {key: job for key, job in raw["jobs"].items() if job["group"] == "accuracy"}
    (published / "poisson.json").write_text(json.dumps(raw))
    code, out, _ = command("bench", "poisson", "--check", "-o", published)
    assert code == 1 and "1 of 12 limits hold, 0 do not, 11 have not been measured." in out


@pytest.mark.parametrize("name", ["poisson", "dcdm", "insr", "lpinn", "training"])
@pytest.mark.parametrize(
    "change",
    [
        {"jobs": []},
        {"jobs": {"a": 1}},
        {"jobs": {"a": {}}},
        {"plan": None},
        {"plan": {}},
        {"environment": 3},
    ],
    ids=str,
)
def test_damaged_results_are_refused_in_a_sentence(command, asked, published: Path, name: str, change: dict) -> None:
    path = published / f"{name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    code, _, error = command("bench", name, "--check", "-o", published)
    if change != {"plan": {}} or error:  # some limits ask nothing of the plan
        assert code == 2 and f"{path} holds no results of 'sciml bench {name}'" in error


def test_results_that_are_nested_without_end_are_refused_in_a_sentence(command, asked, published: Path) -> None:
    (published / "insr.json").write_text("[" * 200_000)
    code, _, error = command("bench", "insr", "--check", "-o", published)
    assert code == 2 and "holds no results of 'sciml bench insr'" in error


@pytest.mark.parametrize("data", [b"\xff\xfe", b'{"name": "insr", "jobs', b"[1]", b'{"jobs": {"a": 1e999}}'])
def test_results_that_are_no_json_are_refused_by_a_check_and_by_a_measurement(command, published, data) -> None:
    for name, words in {"insr.json": ["--check"], "insr_quick.json": ["--quick"]}.items():
        (published / name).write_bytes(data)
        code, _, error = command("bench", "insr", *words, "-o", published)
        assert code == 2 and "holds no results of 'sciml bench insr'" in error
        assert (published / name).read_bytes() == data


def test_a_check_without_results_or_with_words_for_a_measurement_is_refused(command, asked) -> None:
    code, _, error = command("bench", "lpinn", "--check")
    assert code == 2 and "there are no results of 'sciml bench lpinn' in datasets/results/lpinn.json" in error
    code, _, error = command("bench", "--check")
    assert code == 2 and "there are no results in datasets/results; measure them" in error
    code, _, error = command("bench", "lpinn", "--check", "--fresh")
    assert code == 2 and "--check measures nothing" in error


def test_without_names_the_limits_of_everything_measured_are_checked(command, asked, published: Path) -> None:
    for name in BENCHMARKS:
        if name != "training":
            (published / f"{name}.json").unlink(missing_ok=True)
    code, out, _ = command("bench", "--check", "-o", published, "--json")
    assert code == 0 and [Path(file).name for file in json.loads(out)["results"]] == ["training.json"]


def test_groups_that_no_benchmark_has_are_refused(command, asked) -> None:
    code, _, error = command("bench", "--only", "ablatoin")
    assert code == 2 and "the group is 'ablatoin', expected one of" in error and "did you mean 'ablation'?" in error
    code, _, error = command("bench", "--peers", "petsc")
    assert code == 2 and "the optional peer is 'petsc', expected one of hypre, deepxde" in error
    code, _, error = command("bench", "--only", "ablation", "--only", "sabotage")
    assert code == 2 and "no benchmark has all of ablation, sabotage" in error
    assert not asked


def test_every_benchmark_is_listed_with_its_title(command) -> None:
    code, out, _ = command("list", "benchmarks")
    assert code == 0
    for benchmark in load_benchmarks():
        assert benchmark.name in out and benchmark.title.split(":")[0] in out
