"""Solvers take fair turns, and what is measured is what happened."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import spsolve

from sciml.bench.measure import extra_memory, interleave, run_peer, timed
from sciml.bench.poisson.peers import PEERS, Peer, System
from sciml.linalg import VoxelPoisson
from sciml.reference.poisson_cases import poisson_case

MEBIBYTE = 2**20


def small_system(name: str = "mixed", size: int = 14) -> System:
    case = poisson_case(name, size, 100)
    problem = VoxelPoisson.from_cells(case.cells, coefficient=case.coefficient, outside=case.outside)
    return System(problem, problem.to_csr(), case.right_hand_side())


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 7), min_size=1))
def test_at_any_moment_every_solver_has_had_its_share_of_the_turns(repetitions: dict[str, int]) -> None:
    order = interleave(repetitions)
    assert {name: order.count(name) for name in repetitions} == repetitions
    for moment in range(len(order)):
        shares = {name: order[:moment].count(name) / count for name, count in repetitions.items()}
        for name, count in repetitions.items():
            for other, others in repetitions.items():
                assert abs(shares[name] - shares[other]) <= 0.5 / count + 0.5 / others + 1e-12


def test_solvers_with_equal_turns_alternate() -> None:
    assert interleave({"a": 2, "b": 2}) == ["a", "b", "a", "b"]


def test_sleep_takes_wall_time_but_no_processor_time() -> None:
    value, wall, cpu = timed(lambda: time.sleep(0.2) or 7)
    assert value == 7
    assert wall >= 0.2
    assert cpu < 0.1


def test_the_peak_counts_what_was_freed_again_but_nothing_from_before() -> None:
    def takes(mebibytes: int):
        return lambda: np.ones(mebibytes * MEBIBYTE, np.uint8).sum()

    takes(200)()
    assert extra_memory(takes(100))["extra_bytes"] / MEBIBYTE == pytest.approx(100, abs=15)


def test_the_residual_is_computed_from_the_answer_and_not_believed() -> None:
    system = small_system()
    exact = Peer("direct", lambda given: lambda b, rtol: (spsolve(given.matrix.tocsc(), b), 1))
    liar = Peer("liar", lambda given: lambda b, rtol: (np.zeros_like(b), 1), flat=False)
    assert run_peer(exact, system, 1e-6)["true_residual"] < 1e-13
    assert run_peer(liar, system, 1e-6)["true_residual"] == 1.0


def test_the_second_solve_keeps_the_set_up() -> None:
    prepared = []
    peer = Peer("counted", lambda given: prepared.append(given) or (lambda b, rtol: (b, 3)))
    system = small_system()
    run = run_peer(peer, system, 1e-6, again=system.b)
    assert len(prepared) == 1
    assert run["again_iterations"] == 3 and run["again_seconds"] >= 0


@pytest.mark.parametrize("name", [name for name in PEERS if name != "transform"])
@pytest.mark.parametrize("case", ["mixed", "jumps"])
def test_every_solver_finds_the_solution_of_a_direct_one(name: str, case: str) -> None:
    if not PEERS[name].installed:
        pytest.skip(f"{PEERS[name].package} is not installed")
    system = small_system(case)
    peer = PEERS[name]
    solve = peer.prepare(system)
    fluid = system.problem.fluid
    x, iterations = solve(system.b[fluid] if peer.flat else system.b, 1e-10)
    expected = spsolve(system.matrix.tocsc(), system.b[fluid])
    assert iterations > 0
    np.testing.assert_allclose(x if peer.flat else x[fluid], expected, atol=1e-7 * np.abs(expected).max())


def test_the_transform_solves_the_box_that_multigrid_solves() -> None:
    system = small_system("box")
    answers = [PEERS[name].prepare(system)(system.b, 1e-10)[0] for name in ("transform", "multigrid")]
    np.testing.assert_allclose(*answers, atol=1e-8 * np.abs(answers[0]).max())
