"""Kernels that were compiled in this process have the bits of those that were loaded from the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from numba import njit

from sciml.linalg import SolveResult, VoxelPoisson, solve
from sciml.linalg.kernels.compile_time import compile_time
from sciml.linalg.kernels.numba_vectors import _step, _two_products
from sciml.linalg.kernels.sums import LANES, dot
from sciml.status import Status

SOLVE = """
import sys
import numpy as np
from sciml.linalg import VoxelPoisson, solve

cells = np.zeros((12, 12, 12), np.uint8)
cells[4:6, 4:6, 4:6] = 2
draws = np.random.default_rng(0)
coefficient = 1 + draws.random(cells.shape) if sys.argv[2] == "variable" else None
problem = VoxelPoisson.from_cells(cells, coefficient=coefficient, outside="dirichlet")
b = np.where(problem.fluid, draws.standard_normal(cells.shape), 0.0)
result = solve(problem, b, method=sys.argv[1], rtol=1e-10)
sys.stdout.write(result.x.tobytes().hex() + " ".join(map(float.hex, result.history)))
"""

KERNELS = """
import sys
import numpy as np
from sciml.linalg.kernels import numba_vectors

draws = np.random.default_rng(0)
p, q, x, r = draws.standard_normal((4, 20, 20, 20))
chunks = np.array([[0, 3000], [3000, 5555], [5555, 8000]])
norm = numba_vectors._step(0.3, p, q, chunks, x, r)
products = numba_vectors._two_products(x, r, q, chunks)
sys.stdout.write(x.tobytes().hex() + " ".join(map(float.hex, (norm, *products))))
"""


def said(cache: Path, repository: Path, program: str, *words: str) -> str:
    """Return the bits that a program prints in a process of its own, with its own folder of compiled kernels."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(repository), "NUMBA_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", program, *words], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def check(tmp_path: Path, repository: Path, program: str, *words: str) -> None:
    cold, warm = (said(tmp_path, repository, program, *words) for _ in range(2))
    assert any(tmp_path.rglob("*.nbc")) and len(cold) > 12**3 * 16
    assert cold == warm


def test_the_first_process_has_the_bits_of_the_second(tmp_path, repository):
    check(tmp_path, repository, KERNELS)


@pytest.mark.slow
@pytest.mark.parametrize("coefficient", ["constant", "variable"])
@pytest.mark.parametrize("method", ["cg", "multigrid", "learned"])
def test_the_first_process_of_every_method_has_the_bits_of_the_second(method, coefficient, tmp_path, repository):
    check(tmp_path, repository, SOLVE, method, coefficient)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0, 1, LANES - 1, LANES, LANES + 1, 1000, 4096])
def test_the_sum_of_products_is_that_of_exact_arithmetic(kind, size):
    draws = np.random.default_rng(size)
    a, b = draws.integers(-8, 8, (2, size)).astype(kind)
    assert dot(a, b) == float(a.astype(int) @ b.astype(int))
    assert dot(a[::-1].copy(), a[::-1].copy()) == float((a.astype(int) ** 2).sum())


def test_the_time_of_compiling_is_measured_once_and_is_part_of_neither_set_up_nor_solve():
    double = njit(lambda x: 2 * x)
    with compile_time() as compiled:
        before, first = compiled(), double(1.5)
        once = compiled()
        again = double(1.5)
    assert (before, first, again) == (0.0, 3.0, 3.0) and once > 0.0 and compiled() == once
    problem = VoxelPoisson.from_cells(np.zeros((6, 6), np.uint8), outside="dirichlet")
    solve(problem, np.ones((6, 6)), method="cg")
    assert solve(problem, np.ones((6, 6)), method="cg").compile_seconds == 0.0


def test_a_result_says_that_kernels_were_compiled():
    found = SolveResult(np.zeros(3), Status.CONVERGED, "cg", 2, [1.0, 1e-7], 1e-7, 3, 0.1, 0.2, compile_seconds=12.3)
    assert "compiling, once [s]     12.3" in repr(found)
    assert "compiling" not in repr(SolveResult(np.zeros(3), Status.CONVERGED, "cg", 2, [1.0], 1e-7, 3, 0.1, 0.2))


def test_sums_have_the_same_bits_with_any_number_of_threads_and_at_every_call():
    draws = np.random.default_rng(0)
    p, q, x, r = draws.standard_normal((4, 40, 40, 40))
    starts = np.arange(0, p.size, 999)
    chunks = np.stack([starts, np.minimum(starts + 999, p.size)], axis=1)
    before = numba.get_num_threads()
    try:
        found = set()
        for threads in (1, before) * 20:
            numba.set_num_threads(threads)
            found.add((_step(0.0, p, q, chunks, x, r), *_two_products(x, r, q, chunks)))
    finally:
        numba.set_num_threads(before)
    assert len(found) == 1
