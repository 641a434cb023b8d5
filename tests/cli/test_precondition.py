"""``sciml precondition`` through the real entry point: what it solves, says, writes and refuses."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from sciml.cli.precondition import sentence
from sciml.linalg import SolveResult, VoxelPoisson
from sciml.linalg.linear_methods import METHODS
from sciml.linalg.sparse_files import write_binary_matrix, write_binary_vector, write_cells
from sciml.mesh import read_mesh, read_series
from sciml.status import Status

KEYS = [
    "status",
    "method",
    "dropped_after",
    "iterations",
    "true_residual",
    "setup_seconds",
    "solve_seconds",
    "unknowns",
]


@pytest.fixture
def sciml(repository: Path, tmp_path: Path):
    """Run ``python -m sciml precondition`` in an empty folder."""

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, "-m", "sciml", "precondition", *map(str, words)],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=3600, check=False,
        )  # fmt: skip

    return call


@pytest.fixture(scope="module")
def obstacle() -> VoxelPoisson:
    cells = np.zeros((13, 12, 11), np.uint8)
    cells[4:8, 4:8, 3:8], cells[12] = 2, 1
    coefficient = np.exp(np.random.default_rng(1).standard_normal(cells.shape))
    problem = VoxelPoisson.from_cells(cells, coefficient=coefficient, spacing=0.5, outside={"y-": "dirichlet"})
    problem.coefficient = coefficient
    return problem


@pytest.fixture(scope="module")
def b(obstacle) -> np.ndarray:
    return np.where(obstacle.fluid, np.random.default_rng(2).standard_normal(obstacle.shape), 0.0)


@pytest.fixture(scope="module")
def exact(obstacle, b) -> np.ndarray:
    x = np.zeros(obstacle.shape)
    x[obstacle.fluid] = sp.linalg.spsolve(obstacle.to_csr().tocsc(), b[obstacle.fluid])
    return x


def write_obstacle(path: Path, obstacle: VoxelPoisson, b: np.ndarray) -> None:
    outside = {"y-": "dirichlet"}
    write_cells(path, obstacle.cells, b, coefficient=obstacle.coefficient, spacing=0.5, outside=outside)


def close(x: np.ndarray, exact: np.ndarray) -> bool:
    return x.shape == exact.shape and np.linalg.norm(x - exact) < 1e-7 * np.linalg.norm(exact)


def test_cells_are_solved_and_json_is_one_object_with_the_promised_keys(sciml, tmp_path, obstacle, b, exact):
    write_obstacle(tmp_path / "s.npz", obstacle, b)
    done = sciml("s.npz", "--rtol", "1e-9", "-o", "x.npz", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert list(answer) == KEYS
    assert (answer["status"], answer["method"]) == ("converged", "multigrid")
    assert answer["unknowns"] == obstacle.unknowns
    assert answer["true_residual"] <= 1e-9
    assert 0 < answer["iterations"] < 12
    with np.load(tmp_path / "x.npz", allow_pickle=False) as file:
        assert list(file) == ["x"]
        assert close(file["x"], exact)


def test_mesh_files_hold_the_solution_beside_the_system_and_a_picture_is_drawn(sciml, tmp_path, obstacle, b, exact):
    write_obstacle(tmp_path / "s.npz", obstacle, b)
    done = sciml("s.npz", "--rtol", "1e-9", "-o", "x.xdmf", "--plot", "x.png")
    assert (done.returncode, done.stderr) == (0, "")
    summary, *written = done.stdout.splitlines()
    assert summary.startswith("multigrid: converged in ")
    assert written == ["x.xdmf written", "x.png written"]
    series = read_series(tmp_path / "x.xdmf")
    assert series.on.spacing == (0.5, 0.5, 0.5)
    assert close(series["x"].values, exact)
    assert np.array_equal(series["cells"].values, obstacle.cells)
    assert np.array_equal(series["b"].values, b)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert sciml("s.npz", "-o", "x.vtu").returncode == 0
    mesh, fields = read_mesh(tmp_path / "x.vtu")
    assert mesh.n_cells == b.size
    assert {field.name for field in fields} == {"x", "cells", "b"}


def zero_rows_kept(problem: VoxelPoisson) -> sp.csr_array:
    small, index = problem.to_csr().tocoo(), np.flatnonzero(problem.fluid)
    return sp.csr_array((small.data, (index[small.row], index[small.col])), shape=(problem.fluid.size,) * 2)


@pytest.mark.parametrize("kind", ["npz", "mtx", "mtx.gz", "bin"])
def test_a_matrix_with_a_right_hand_side_in_a_file_of_its_own(sciml, tmp_path, obstacle, b, exact, kind):
    full = zero_rows_kept(obstacle)
    right = np.where(obstacle.fluid, b, 7.0).ravel()  # values on rows of zeros stand for nothing
    if kind == "npz":
        sp.save_npz(tmp_path / "a.npz", full)
        np.save(tmp_path / "b.npy", right)
        words = ["a.npz", "--rhs", "b.npy"]
    elif kind == "bin":
        write_binary_matrix(tmp_path / "a.bin", full)
        write_binary_vector(tmp_path / "b.bin", right)
        words = ["a.bin", "--rhs", "b.bin"]
    else:
        import gzip

        scipy.io.mmwrite(tmp_path / "a.mtx", full, symmetry="symmetric")
        if kind == "mtx.gz":
            (tmp_path / "a.mtx.gz").write_bytes(gzip.compress((tmp_path / "a.mtx").read_bytes()))
        scipy.io.mmwrite(tmp_path / "b.mtx", right[:, None])
        words = [f"a.{kind}", "--rhs", "b.mtx"]
    done = sciml(*words, "--rtol", "1e-9", "-o", "x.npz", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert (answer["method"], answer["unknowns"]) == ("multigrid", obstacle.unknowns)
    assert close(np.load(tmp_path / "x.npz")["x"], exact.ravel())


def test_a_matrix_that_is_no_grid_goes_to_algebraic_multigrid_and_takes_no_mesh_file(sciml, tmp_path, obstacle, b):
    sp.save_npz(tmp_path / "a.npz", obstacle.to_csr())
    np.save(tmp_path / "b.npy", b[obstacle.fluid])
    done = sciml("a.npz", "--rhs", "b.npy", "--json", "--plot", "r.png")
    assert (done.returncode, json.loads(done.stdout)["method"]) == (0, "amg")
    assert (tmp_path / "r.png").is_file()
    refused = sciml("a.npz", "--rhs", "b.npy", "-o", "x.vtu")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "needs a grid" in refused.stderr


def test_a_plane_box_goes_to_the_transforms_and_every_method_finds_the_same(sciml, tmp_path):
    cells = np.zeros((12, 10), np.uint8)
    write_cells(tmp_path / "box.npz", cells, np.random.default_rng(3).standard_normal(cells.shape), outside="dirichlet")
    found = {}
    for method in (each.name for each in METHODS):
        done = sciml("box.npz", "--method", method, "--rtol", "1e-9", "-o", f"{method}.npz", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["method"] == ("fft" if method == "auto" else method)
        found[method] = np.load(tmp_path / f"{method}.npz")["x"]
    assert all(close(x, found["fft"]) for x in found.values())


def test_too_few_iterations_end_with_code_one_and_still_write(sciml, tmp_path, obstacle, b):
    write_obstacle(tmp_path / "s.npz", obstacle, b)
    done = sciml("s.npz", "--method", "cg", "--maxiter", "3", "-o", "x.npz", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    answer = json.loads(done.stdout)
    assert (answer["status"], answer["iterations"]) == ("maxiter", 3)
    x = np.load(tmp_path / "x.npz")["x"]
    residual = np.linalg.norm(b - obstacle.matvec(x)) / np.linalg.norm(b)
    assert residual == pytest.approx(answer["true_residual"], rel=1e-9)


def test_a_solve_that_does_not_converge_says_what_to_do(in_process, tmp_path, obstacle, b):
    write_obstacle(tmp_path / "s.npz", obstacle, b)
    code, out, err = in_process("s.npz", "--method", "cg", "--maxiter", "3")
    summary, advice = out.splitlines()
    assert (code, err) == (1, "") and summary.startswith("cg: maxiter in 3 iterations")
    assert advice == f"{Status.MAXITER.meaning} {Status.MAXITER.remedy}"


def test_a_closed_room_is_solved_for_the_projected_right_hand_side(sciml, tmp_path):
    cells = np.zeros((10, 10), np.uint8)
    cells[4:6, 4:6] = 2
    write_cells(tmp_path / "closed.npz", cells, np.ones(cells.shape) + np.eye(10))
    assert sciml("closed.npz", "-o", "x.npz").returncode == 2
    assert not (tmp_path / "x.npz").exists()
    assert sciml("closed.npz", "--project", "--rtol", "1e-9", "-o", "x.npz").returncode == 0
    x, problem = np.load(tmp_path / "x.npz")["x"], VoxelPoisson.from_cells(cells)
    right = np.where(cells == 0, np.eye(10), 0.0)
    right[cells == 0] -= right[cells == 0].mean()
    assert np.linalg.norm(right - problem.matvec(x)) < 1e-8 * np.linalg.norm(right)
    assert abs(x[cells == 0].mean()) < 1e-12


def test_the_shape_that_flags_do_not_tell_is_given(sciml, tmp_path):
    flags = np.full((6, 5, 4), 2, "<i4")
    flags[0] = 3
    (tmp_path / "flags.bin").write_bytes(flags.size.to_bytes(8, "little") + flags.tobytes())
    right = np.random.default_rng(4).standard_normal(flags.shape)
    np.save(tmp_path / "b.npy", right)
    done = sciml("flags.bin", "--rhs", "b.npy", "--shape", "6x5x4", "--rtol", "1e-10", "-o", "x.npz")
    assert (done.returncode, done.stderr) == (0, "")
    problem = VoxelPoisson.from_cells(np.where(flags == 3, 1, 0))
    residual = np.where(problem.fluid, right, 0.0) - problem.matvec(np.load(tmp_path / "x.npz")["x"])
    assert np.linalg.norm(residual) < 1e-9 * np.linalg.norm(right)


def good_arrays() -> dict[str, np.ndarray]:
    cells = np.zeros((8, 8, 8), np.uint8)
    cells[0] = 1
    return {"cells": cells, "b": np.ones(cells.shape)}


def spoil(name: str, index: object, value: object) -> dict[str, np.ndarray]:
    arrays = {"coefficient": np.ones((8, 8, 8)), **good_arrays()}
    arrays[name][index] = value
    return arrays


def matrix_arrays(matrix: sp.sparray) -> dict[str, np.ndarray]:
    csr = sp.csr_array(matrix)
    return {
        "format": np.array("csr"), "shape": np.array(csr.shape), "data": csr.data, "indices": csr.indices,
        "indptr": csr.indptr, "b": np.ones(csr.shape[0]),
    }  # fmt: skip


LINE = sp.diags_array([-np.ones(7), 2 * np.ones(8), -np.ones(7)], offsets=[-1, 0, 1])
WRONG_CONTENT = {
    "cell codes": (lambda: spoil("cells", (1, 2, 3), 7), "code 7"),
    "no fluid cell": (lambda: {"cells": np.full((4, 4), 2, np.uint8), "b": np.zeros((4, 4))}, "no fluid cell"),
    "cells of floats": (lambda: {"cells": np.zeros((4, 4)), "b": np.zeros((4, 4))}, "integer codes"),
    "a negative coefficient": (lambda: spoil("coefficient", (3, 4, 5), -1.0), r"(3, 4, 5)"),
    "a coefficient that is nan": (lambda: spoil("coefficient", (3, 4, 5), np.nan), "nan"),
    "shapes that disagree": (lambda: {**good_arrays(), "b": np.ones((8, 8, 7))}, "must agree"),
    "nan in b": (lambda: spoil("b", (3, 4, 5), np.nan), r"of b in s.npz are not finite (nan at index (3, 4, 5))"),
    "infinity in b": (lambda: spoil("b", (3, 4, 5), np.inf), r"of b in s.npz are not finite (inf at index (3, 4, 5))"),
    "a closed room": (lambda: {"cells": np.zeros((4, 4), np.uint8), "b": np.ones((4, 4))}, "closed component"),
    "no right-hand side": (lambda: {"cells": good_arrays()["cells"]}, "no right-hand side"),
    "spacing of zero": (lambda: {**good_arrays(), "spacing": np.zeros(3)}, "spacing"),
    "an unknown side": (lambda: {**good_arrays(), "outside": np.array("periodic")}, "periodic"),
    "a matrix that is not square": (lambda: matrix_arrays(sp.csr_array(np.ones((3, 4)))), "square"),
    "a matrix that is not symmetric": (
        lambda: matrix_arrays(LINE + sp.csr_array(([1.0], ([0], [5])), shape=(8, 8))), "not symmetric"),
    "a matrix with the other sign": (lambda: matrix_arrays(-LINE), "not positive"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_CONTENT)
def test_wrong_content_is_one_sentence_and_code_two_and_nothing_is_written(in_process, tmp_path, case):
    make, reason = WRONG_CONTENT[case]
    np.savez(tmp_path / "s.npz", **make())
    code, out, err = in_process("s.npz", "-o", "x.npz", "--plot", "x.png", "--json")
    assert (code, out) == (2, "")
    assert err.startswith("sciml: ")
    assert err.count("\n") == 1
    assert reason in err
    assert [path.name for path in tmp_path.iterdir()] == ["s.npz"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["absent.npz"], "absent.npz"),
        (["truncated.npz"], "truncated.npz cannot be read"),
        (["letter.mtx"], "letter.mtx cannot be read"),
        (["s.npz", "--rhs", "absent.npy"], "absent.npy"),
        (["s.npz", "--rtol", "0"], "rtol"),
        (["s.npz", "--rtol", "-1"], "rtol"),
        (["s.npz", "--rtol", "nan"], "rtol"),
        (["s.npz", "--maxiter", "0"], "maxiter"),
        (["s.npz", "--method", "magic"], "magic"),
        (["s.npz", "--method", "fft"], "fft"),
        (["line.npz", "--method", "multigrid"], "stencil"),
        (["line.npz", "--shape", "4x3"], "12 cells"),
        (["s.npz", "--shape", "8by8"], "--shape"),
        (["s.npz", "-o", "x.csv"], "its ending is '.csv'"),
        (["s.npz", "-o", "no/such/x.npz"], "No such file"),
        (["s.npz", "-o", "s.npz"], "would replace an input"),
        (["s.npz", "--plot", "x.bmp"], "its ending is '.bmp'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_sentence_and_code_two_and_nothing_is_written(in_process, tmp_path, words, reason):
    np.savez(tmp_path / "s.npz", **{**good_arrays(), **spoil("cells", (4, 4, 4), 2)})
    (tmp_path / "truncated.npz").write_bytes((tmp_path / "s.npz").read_bytes()[:700])
    (tmp_path / "letter.mtx").write_text("Dear Sir or Madam,\n")
    np.savez(tmp_path / "line.npz", **matrix_arrays(LINE))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    code, out, err = in_process(*words, *([] if "-o" in words else ["-o", "x.npz"]))
    assert (code, out) == (2, "")
    assert err.startswith("sciml: ")
    assert err.count("\n") == 1
    assert reason in err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.fixture
def in_process(tmp_path, monkeypatch, capsys):
    """Run ``sciml precondition`` through its entry point in this process, to save the start of one for each case."""
    from sciml.cli import main

    monkeypatch.setattr("signal.signal", lambda *_: None)  # the entry point's handler is not for the tests' process

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as left:
            main(["precondition", *words])
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return call


def test_a_terminal_shows_the_residual_while_it_runs(repository, tmp_path, obstacle, b):
    write_obstacle(tmp_path / "s.npz", obstacle, b)
    terminal, its_end = os.openpty()
    environment = {**os.environ, "PYTHONPATH": str(repository), "TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-m", "sciml", "precondition", "s.npz", "--method", "cg", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=its_end, env=environment, cwd=tmp_path) as process:
        os.close(its_end)
        shown = b""
        with contextlib.suppress(OSError):  # Linux ends a closed terminal with an input/output error
            while piece := os.read(terminal, 4096):
                shown += piece
        assert json.loads(process.stdout.read())["status"] == "converged"
    os.close(terminal)
    assert b"s.npz  iteration 1  relative residual" in shown


def test_a_method_that_was_given_up_is_named_with_the_one_that_went_on():
    found = SolveResult(np.zeros(3), Status.FALLBACK, "dcdm", 130, [1.0, 1e-7], 1e-7, 3, 0.1, 0.2, dropped=20)
    assert sentence(found).startswith(
        "dcdm given up after 20 iterations, then plain cg: converged in 130 iterations, relative"
    )
    assert re.search(r"method +dcdm, then plain cg\n", repr(found)) and re.search(r"given up after +20\n", repr(found))
    assert found.summary()["dropped_after"] == 20
    served = SolveResult(np.zeros(3), Status.CONVERGED, "dcdm", 1, [1.0, 1e-7], 1e-7, 3, 0.1, 0.2)
    assert sentence(served).startswith("dcdm: converged in 1 iteration, ") and served.summary()["dropped_after"] is None


@pytest.mark.parametrize("words", [["--maxiter", "5", "--method", "fft"]])
def test_options_without_an_effect_are_refused(sciml, words, tmp_path):
    write_cells(tmp_path / "box.npz", np.zeros((4, 4), np.uint8), np.ones((4, 4)), outside="dirichlet")
    done = sciml("box.npz", *words)
    assert (
        done.returncode == 2 and "--maxiter has no effect on --method fft, which is direct; leave it out" in done.stderr
    )


def test_a_shape_that_contradicts_the_file_is_refused(sciml, tmp_path):
    write_cells(tmp_path / "box.npz", np.zeros((4, 4, 4), np.uint8), np.ones((4, 4, 4)), outside="dirichlet")
    done = sciml("box.npz", "--shape", "8x8")
    assert done.returncode == 2 and "the cells have the shape (4, 4, 4), got (8, 8); leave the shape out" in done.stderr
