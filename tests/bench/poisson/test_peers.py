"""Every solver of the benchmarks solves the system, and is judged by the residual of its answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

from sciml.bench.linear_systems import System
from sciml.bench.poisson.peers import PEERS, Peer, run_peer
from sciml.linalg import VoxelPoisson
from sciml.reference.poisson_cases import poisson_case


def small_system(name: str = "mixed", size: int = 14) -> System:
    case = poisson_case(name, size, 100)
    problem = VoxelPoisson.from_cells(case.cells, coefficient=case.coefficient, outside=case.outside)
    return System(problem, problem.to_csr(), case.right_hand_side())


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
    assert run["again_iterations"] == 3


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
