"""`sciml bench` finds the benchmark that was meant by its name, its groups or its peers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sciml.bench.dcdm import plan as dcdm
from sciml.bench.insr import plan as insr
from sciml.bench.lpinn import plan as lpinn
from sciml.bench.poisson import plan as poisson
from sciml.bench.training import plan as training
from sciml.cli.bench import BENCHES

MODULES = {"poisson": poisson, "dcdm": dcdm, "insr": insr, "lpinn": lpinn, "training": training}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, dict]]:
    """Which benchmarks were run, and how; none measures anything."""
    calls = []

    def stand_in(name: str):
        def run(folder, plan, **options):
            calls.append((name, options | {"folder": folder, "quick": plan.quick}))
            packages = dict.fromkeys(("numpy", "scipy", "torch", "numba", "pyamg"), "1")
            environment = {"processor": "abacus", "cores": 2, "python": "3.11", "packages": packages}
            header = {"networks": {}, "rtol": 1e-6, "paper": {}}
            return {"name": name, "environment": environment, "plan": vars(plan), "jobs": {}, **header}

        return run

    for name, module in MODULES.items():
        monkeypatch.setattr(module, "run", stand_in(name))
    return calls


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ((), list(BENCHES)),
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
    code, _, error = command("bench", "ins")
    assert code == 2 and "there is no benchmark 'ins', expected one of poisson, dcdm, insr, lpinn, training" in error
    assert not asked
