"""``sciml solve`` by coupled experts: what a run leaves, how it is resumed, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from sciml.cli import main
from sciml.errors import ConfigError, InputError
from sciml.hcmoe import SpectralExperts
from sciml.training import load_field
from sciml.training.config import Config, config_from_values
from sciml.training.run import finished, train
from sciml.training.states import read_state

SLABS = 3


def heat(**arguments: object) -> Config:
    task = {
        "problem": {"class_path": "sciml.hcmoe.Heat", "init_args": {"diffusivity": 0.1}},
        "elements": {"count": 2, "degree": 9},
        "slabs": SLABS,
        "time_degree": 6,
        "output": {"grid": [11], "times": 3, "animation": False},
    } | arguments
    return config_from_values(
        {"title": "heat", "seed": 0, "task": {"class_path": "sciml.hcmoe.SpectralExperts", "init_args": task}}, "a test"
    )


@pytest.fixture(scope="module", autouse=True)
def undrawn(quick: pytest.MonkeyPatch) -> None:
    quick.setattr(SpectralExperts, "draw", lambda task, folder: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(heat(), folder)
    return folder


def test_the_result_holds_errors_unknowns_and_how_the_slabs_ended(whole):
    found = finished(whole)["metrics"]
    assert 0 < found["relative_l2"] < 1e-5
    assert found["unknowns"] == SLABS * 6 * (2 * (9 + 1 - 4) + 2 * 3 - 2)
    assert found["slabs"] == SLABS
    assert found["slabs_at_limit"] == found["slabs_stalled"] == 0


def test_the_field_is_known_at_all_times_with_its_derivatives(whole):
    u = load_field(whole)
    x = np.linspace(0, 1, 21)[:, None]
    for time in (0.0, 0.2, 1 / 3, 0.9, 1.0):
        exact = sum(np.exp(-0.1 * (k * np.pi) ** 2 * time) * np.sin(k * np.pi * x) for k in (1, 3))
        assert u(x, time) == pytest.approx(exact, abs=1e-4)
    residual = u.time_derivative("u", x, 0.5) - 0.1 * u.derivative("u", x, 0.5, x=2)
    assert np.abs(residual).max() < 1e-3 * np.abs(u.time_derivative("u", x, 0.5)).max()


def test_each_slab_starts_where_the_last_one_ended(whole):
    for number in range(1, SLABS):
        before, after = read_state(whole, number), read_state(whole, number + 1)
        # T_k(1) - T_k(-1) is 2 for odd k and 0 for even k; k is counted from 1
        end = before["start"] + 2 * before["change"][..., ::2].sum(-1)
        assert torch.allclose(after["start"], end, atol=1e-13)


def test_a_run_that_was_stopped_after_a_slab_ends_with_the_same_bits(whole, tmp_path, monkeypatch):
    class Stopped(BaseException):
        pass

    calls = []
    advance = SpectralExperts.advance

    def stop(task: SpectralExperts, batch: int) -> dict:
        calls.append(batch)
        if len(calls) == SLABS:
            raise Stopped
        return advance(task, batch)

    with monkeypatch.context() as patch:
        patch.setattr(SpectralExperts, "advance", stop)
        with pytest.raises(Stopped):
            train(heat(), tmp_path / "run")
    shutil.copytree(tmp_path / "run", tmp_path / "copy", ignore=shutil.ignore_patterns(".lock"))
    train(heat(), tmp_path / "copy", resume=True)
    assert finished(tmp_path / "copy")["metrics"] == finished(whole)["metrics"]
    for number in range(1, SLABS + 1):
        one, other = read_state(whole, number), read_state(tmp_path / "copy", number)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_several_instances_and_slabs_that_are_none_are_refused():
    with pytest.raises(InputError, match="2 instances, expected one"):
        heat(problem={"class_path": "sciml.hcmoe.Heat", "init_args": {"diffusivity": [0.1, 0.2]}}).build_task()
    with pytest.raises(ConfigError, match="slabs is 0"):
        heat(slabs=0)


def test_the_command_line_solves_a_config(tmp_path, capsys):
    changes = ["task.init_args.slabs=1", "task.init_args.elements.count=4", "task.init_args.elements.degree=6"]
    changes += ["task.init_args.elements.smallest=0.2", "task.init_args.time_degree=3"]
    changes += ["task.init_args.problem.init_args.viscosity=0.3"]
    changes += ["task.init_args.output={grid: [9], times: 2, animation: false}"]
    with pytest.raises(SystemExit) as left:
        main(["solve", "hcmoe/burgers_cpu", "-o", str(tmp_path / "run"), *changes])
    assert left.value.code == 0
    assert "relative_l2" in capsys.readouterr().out


def test_errors_are_measured_against_the_reference_where_no_solution_is_exact(tmp_path, monkeypatch):
    monkeypatch.setattr("sciml.hcmoe.problems.sorption.REFERENCE_CELLS", 64)
    config = heat(
        problem={"class_path": "sciml.hcmoe.DiffusionSorption", "init_args": {"start": 0.1}},
        elements={"count": 16, "degree": 6, "towards": [0.0, 1.0], "smallest": 1e-4},
        slabs=8,
        time_degree=4,
        first_slab=2e-7,
    )
    train(config, tmp_path / "run")
    assert 1e-7 < finished(tmp_path / "run")["metrics"]["relative_l2"] < 1e-2
