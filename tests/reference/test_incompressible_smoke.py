"""Smoke in a closed box: its random starts, its budget, its convergence, and solutions restarted from a frame."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.reference.incompressible_smoke import FIELDS, RisingSmoke, random_smoke


def stream(index: int = 0) -> np.random.Generator:
    return np.random.default_rng([17, index])


@pytest.fixture(scope="module")
def trajectory() -> dict[str, np.ndarray]:
    """Eight frames of 32^2 cells at buoyancy 0.4 in single precision."""
    problem = RisingSmoke(32)
    flow = problem.advanced(problem.still(random_smoke(32, stream())), 0.4, 4)
    return {name: values.astype(np.float32) for name, values in problem.frames(flow, 0.4, 8).items()}


@pytest.mark.parametrize("case", ["conservative", "paper"])
def test_the_start_is_one_function_at_every_resolution_of_unit_mean_square(case) -> None:
    coarse, fine = random_smoke(32, stream(), case), random_smoke(64, stream(), case)
    means = np.square(fine).reshape(32, 2, 32, 2).mean((1, 3))
    assert np.abs(means - coarse**2).max() < 0.02
    assert coarse.min() >= 0 and np.square(coarse).mean() == pytest.approx(1, abs=1e-12)
    assert np.square(random_smoke(32, stream(1), case) - coarse).mean() > 0.01


def test_the_papers_start_is_the_magnitude_of_next_to_four_fourier_modes() -> None:
    """Its square then has wave numbers up to two; those of the other case have more."""
    shares = {}
    for case in ("paper", "conservative"):
        power = sum(np.abs(np.fft.fft2(random_smoke(32, stream(k), case) ** 2)) ** 2 for k in range(8))
        waves = np.abs(np.fft.fftfreq(32, 1 / 32))
        diamond = waves[:, None] + waves
        shares[case] = power[diamond > 2].sum() / power[diamond > 0].sum()
    assert shares["paper"] < 2e-3 < 1e-2 < shares["conservative"]


def test_frames_keep_the_smoke_and_only_the_papers_case_loses_it() -> None:
    for case, least, most in (("conservative", 0.0, 1e-12), ("paper", 0.005, 0.3)):
        problem = RisingSmoke(32, case=case)
        flow = problem.advanced(problem.still(random_smoke(32, stream(2), case)), 0.5, 8)
        sums = problem.frames(flow, 0.5, 16)["smoke"].sum((1, 2))
        assert least <= abs(sums[-1] / sums[0] - 1) <= most, case


def test_finer_grids_with_shorter_steps_agree_better() -> None:
    found = []
    for cells in (32, 64, 128):
        problem = RisingSmoke(cells, time_step=48 / cells)
        frames = problem.frames(problem.still(random_smoke(cells, stream(3))), 0.35, cells // 4 + 1)
        last = np.stack([frames[name][-1] for name in FIELDS])
        found.append(last.reshape(3, 32, cells // 32, 32, cells // 32).mean((2, 4)))
    coarse, fine = (np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in pairwise(found))
    assert fine < 0.7 * coarse and fine < 0.1, (coarse, fine)


def test_the_smoke_rises_and_its_weight_drives_the_flow(trajectory) -> None:
    """From frame to frame the velocity through the smoke lifts its centre, as the equation of the smoke says."""
    height = RisingSmoke(32).method(0.0)._places("density")[:, 1].reshape(32, 32)
    centres = (trajectory["smoke"] * height).sum((1, 2))
    lift = (trajectory["velocity_y"] * trajectory["smoke"]).sum((1, 2))
    gain = np.diff(centres) / 1.5
    assert (gain > 0).all() and np.abs(gain - (lift[1:] + lift[:-1]) / 2).max() < 0.1 * gain.max()


@pytest.mark.parametrize("first", [0, 3, 6])
def test_frames_of_the_solver_restart_to_the_same_trajectory(trajectory, first) -> None:
    errors = RisingSmoke(32).resolve_errors(trajectory, 0.4, first)
    assert errors["smoke"].shape == errors["velocity"].shape == (7 - first,)
    assert errors["smoke"].max() < 1e-5 and errors["velocity"].max() < 1e-4


def test_the_errors_see_what_breaks_the_equations(trajectory) -> None:
    problem = RisingSmoke(32)
    assert problem.resolve_errors(trajectory, 0.2)["velocity"].max() > 0.05  # another buoyancy
    frozen = {name: np.repeat(values[:1], 8, axis=0) for name, values in trajectory.items()}
    assert problem.resolve_errors(frozen, 0.4)["smoke"].max() > 0.1
    louder = {name: values * (1.1 if name == "smoke" else 1) for name, values in trajectory.items()}
    louder = {name: np.concatenate([trajectory[name][:1], louder[name][1:]]) for name in FIELDS}
    assert problem.resolve_errors(louder, 0.4)["smoke"] == pytest.approx(0.1, abs=1e-4)  # relative to the solution


def test_a_restart_is_free_of_divergence_and_close_to_the_frame(trajectory) -> None:
    problem = RisingSmoke(32)
    noise = {name: values[2] + 0.1 * stream(4).standard_normal((32, 32)) for name, values in trajectory.items()}
    flow, clean = problem.restart(noise), problem.restart({name: values[2] for name, values in trajectory.items()})
    assert np.abs(problem.method(0.0).divergence(flow)).max() < 1e-12
    again = problem.frames(clean, 0.4, 1)
    assert np.abs(again["velocity_y"][0] - trajectory["velocity_y"][2]).max() < 1e-5
    assert not flow.along[[0, -1]].any() and not flow.across[:, [0, -1]].any()


def test_what_cannot_be_solved_again_is_refused(trajectory) -> None:
    problem = RisingSmoke(32)
    broken = {**trajectory, "smoke": np.where(np.arange(32) == 3, np.nan, trajectory["smoke"])}
    late = {**trajectory, "smoke": np.where(np.arange(8)[:, None, None] == 5, np.inf, trajectory["smoke"])}
    short = {**trajectory, "smoke": trajectory["smoke"][:-1]}
    empty = {name: np.zeros_like(values) for name, values in trajectory.items()}
    for call, says in (
        (lambda: problem.resolve_errors(trajectory, 0.4, 7), "frame to start from is 7"),
        (lambda: RisingSmoke(16).resolve_errors(trajectory, 0.4), "16"),
        (lambda: problem.resolve_errors(broken, 0.4), "smoke"),
        (lambda: problem.resolve_errors(late, 0.4), "smoke"),
        (lambda: problem.resolve_errors(short, 0.4), "8 of velocity_x, 8 of velocity_y, 7 of smoke"),
        (lambda: problem.resolve_errors({name: values[:1] for name, values in short.items()}, 0.4), "at least 2"),
        (lambda: problem.resolve_errors(trajectory, float("nan")), "buoyancy"),
        (lambda: problem.resolve_errors(empty, 0.4), "zero everywhere"),
        (lambda: RisingSmoke(32, case="papers"), "did you mean 'paper'"),
        (lambda: RisingSmoke(2), "at least 4"),
        (lambda: RisingSmoke(32, time_step=0.0), "time step"),
        (lambda: RisingSmoke(32, substeps=0), "substeps"),
    ):
        with pytest.raises(InputError, match=says):
            call()
