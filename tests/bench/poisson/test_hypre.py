"""The comparison with hypre hands it the very system that we solve, and checks the answer it gives."""

import itertools
import struct

import numpy as np
import pytest
import scipy.sparse as sp

from sciml.bench.poisson import hypre
from sciml.errors import InputError, MissingExtraError, NotStructuredError, SciMLError


class SmallProblem:
    """A 5- or 7-point Poisson matrix assembled cell by cell, with random weights, solids, and a Dirichlet side x-."""

    def __init__(self, shape, seed=0, contrast=10.0):
        rng = np.random.default_rng(seed)
        self.fluid = rng.random(shape) > 0.2
        self.number = np.cumsum(self.fluid).reshape(shape) - 1
        entries = []
        for cell in itertools.product(*map(range, shape)):
            for axis in range(len(shape)):
                other = tuple(i - (a == axis) for a, i in enumerate(cell))
                weight = contrast ** rng.random()
                if not self.fluid[cell]:
                    continue
                here = self.number[cell]
                if cell[axis] == 0:
                    entries += [(here, here, weight)] if axis == 0 else []
                elif self.fluid[other]:
                    there = self.number[other]
                    entries += [(here, here, weight), (there, there, weight)]
                    entries += [(here, there, -weight), (there, here, -weight)]
        row, column, value = zip(*entries, strict=True)
        unknowns = int(self.fluid.sum())
        self.matrix = sp.csr_array(sp.coo_array((value, (row, column)), shape=(unknowns, unknowns)))

    def to_csr(self):
        return self.matrix

    def right_hand_side(self, seed=1):
        """A right-hand side in the range of the matrix, also where a fluid component is closed."""
        b = np.zeros(self.fluid.shape)
        b[self.fluid] = self.matrix @ np.random.default_rng(seed).standard_normal(self.matrix.shape[0])
        return b


@pytest.fixture(scope="module")
def pfmg(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        try:
            hypre.build_pfmg()
        except MissingExtraError as error:
            pytest.skip(str(error))
        yield


@pytest.fixture(scope="module")
def boomeramg():
    try:
        hypre.find_petsc_python()
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("shape", [(4, 5), (4, 3, 5), (1, 4, 3), (4, 1, 3)])
def test_the_file_for_pfmg_holds_the_matrix_of_the_problem_and_rows_apart_for_other_cells(shape, tmp_path):
    problem = SmallProblem(shape)
    b = problem.right_hand_side()
    hypre.write_pfmg_system(tmp_path / "s", problem.to_csr(), b[problem.fluid], problem.fluid)
    content = (tmp_path / "s").read_bytes()
    magic, *grid = struct.unpack("8s3i", content[:20])
    diagonal, *weights, right = np.frombuffer(content[20:]).reshape(5, *grid)
    assert magic == b"SCPFMG01"
    np.testing.assert_array_equal(right.reshape(shape), b)
    n = right.size
    index = np.arange(n).reshape(grid)
    dense = np.diag(diagonal.ravel())
    for axis, weight in enumerate(weights):
        assert not np.take(weight, 0, axis).any()
        for here, there, w in zip(index.ravel(), np.roll(index, 1, axis).ravel(), weight.ravel(), strict=True):
            dense[here, there] -= w
            dense[there, here] -= w
    inside = np.flatnonzero(problem.fluid)
    np.testing.assert_allclose(dense[np.ix_(inside, inside)], problem.to_csr().toarray(), rtol=0, atol=0)
    outside = np.flatnonzero(~problem.fluid)
    apart = dense[outside]
    apart[np.arange(outside.size), outside] = 0.0
    assert not apart.any() and (diagonal > 0).all()


def test_only_rows_of_zeros_become_identity_rows_and_lose_their_right_hand_side():
    given = sp.csr_array(np.array([[2.0, -1, 0, 0], [-1, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 3]]))
    matrix, right = hypre.with_identity_rows(given, np.array([1.0, 2, 3, 4]))
    np.testing.assert_array_equal(matrix.toarray(), given.toarray() + np.diag([0.0, 0, 1, 0]))
    np.testing.assert_array_equal(right, [1, 2, 0, 4])


def test_a_matrix_that_is_not_a_stencil_is_refused(tmp_path):
    problem = SmallProblem((4, 5))
    wide = problem.to_csr() @ problem.to_csr()
    with pytest.raises(NotStructuredError, match="not neighbours on the grid"):
        hypre.write_pfmg_system(tmp_path / "s", wide, np.ones(wide.shape[0]), problem.fluid)
    assert not (tmp_path / "s").exists()


def test_what_is_missing_is_named_with_the_package_that_has_it(monkeypatch, tmp_path):
    problem = SmallProblem((3, 3))
    with pytest.raises(InputError, match="no solver \\['smg'\\]"):
        hypre.run_hypre(problem, problem.right_hand_side(), solvers=("smg",))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match=r"mpicc.*libhypre-dev"):
        hypre.run_hypre(problem, problem.right_hand_side(), solvers=("pfmg",))
    with pytest.raises(MissingExtraError, match="needs mpirun"):
        hypre.run_hypre(problem, problem.right_hand_side(), threads=2, solvers=())
    monkeypatch.setattr(hypre, "TOOLS", tmp_path)
    with pytest.raises(MissingExtraError, match="clone of the repository"):
        hypre.build_pfmg()


def test_a_machine_without_petsc4py_is_told_which_package_has_it(monkeypatch, tmp_path):
    monkeypatch.setattr(hypre.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(hypre, "PYTHONS", ())
    with pytest.raises(MissingExtraError, match="python3-petsc4py"):
        hypre.find_petsc_python()


def test_a_compiler_without_hypre_is_reported_in_one_sentence(monkeypatch, tmp_path):
    compiler = tmp_path / "mpicc"
    compiler.write_text("#!/bin/sh\necho 'x.c:15:10: fatal error: HYPRE.h: No such file' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(MissingExtraError, match=r"does not compile \(.*HYPRE\.h: No such file\)"):
        hypre.build_pfmg()
    assert list((tmp_path / "cache" / "sciml").iterdir()) == []


def test_a_comparator_that_fails_is_an_error_with_its_last_words(monkeypatch, tmp_path):
    program = tmp_path / "hypre_pfmg"
    program.write_text("#!/bin/sh\necho 'out of memory' >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(hypre, "build_pfmg", lambda: program)
    problem = SmallProblem((3, 3))
    with pytest.raises(SciMLError, match="comparator hypre_pfmg failed: out of memory"):
        hypre.run_hypre(problem, problem.right_hand_side(), solvers=("pfmg",))


def check_row(row, rtol):
    best = next(v for v in row["variants"] if v["variant"] == row["variant"])
    assert row["converged"] and row["true_residual"] <= 1.1 * rtol
    assert best["setup_seconds"] + best["solve_seconds"] == min(
        v["setup_seconds"] + v["solve_seconds"] for v in row["variants"] if v["converged"]
    )
    assert 0 < row["iterations"] < 40
    assert 0 < row["setup_cpu_seconds"] < 1.5 * row["setup_seconds"] * row["threads"] + 0.05


@pytest.mark.parametrize("shape", [(24, 17), (12, 9, 10)])
@pytest.mark.usefixtures("pfmg")
def test_pfmg_solves_our_system_to_the_tolerance(shape):
    problem = SmallProblem(shape)
    (row,) = hypre.run_hypre(problem, problem.right_hand_side(), rtol=1e-8, solvers=("pfmg",))
    assert row["name"] == "hypre PFMG-PCG" and len(row["variants"]) == 3
    check_row(row, 1e-8)


@pytest.mark.parametrize("shape", [(24, 17), (12, 9, 10)])
@pytest.mark.usefixtures("boomeramg")
def test_boomeramg_solves_our_system_to_the_tolerance(shape):
    problem = SmallProblem(shape)
    (row,) = hypre.run_hypre(problem, problem.right_hand_side(), rtol=1e-8, solvers=("boomeramg",))
    assert row["name"] == "hypre BoomerAMG-PCG" and len(row["variants"]) == 2
    check_row(row, 1e-8)


@pytest.mark.mpi
@pytest.mark.usefixtures("pfmg", "boomeramg")
def test_two_ranks_solve_the_same_system_as_one():
    problem = SmallProblem((12, 9, 10))
    rows = hypre.run_hypre(problem, problem.right_hand_side(), rtol=1e-8, threads=2)
    assert [row["threads"] for row in rows] == [2, 2]
    for row in rows:
        check_row(row, 1e-8)
