"""Run hypre's CG preconditioned by PFMG and by BoomerAMG, each in a process of its own.

PFMG is compiled on demand from ``tools/hypre_pfmg.c`` with ``mpicc`` (Debian: libhypre-dev) into the user's cache;
BoomerAMG runs through any Python that has petsc4py (Debian: python3-petsc4py with the system's Python). Neither is a
dependency of sciml. hypre is built without threads in Debian, so `threads` means that many MPI ranks.

References: Falgout and Yang, hypre: a library of high performance preconditioners, ICCS 2002; Ashby and Falgout, A
parallel multigrid preconditioned conjugate gradient algorithm for groundwater flow simulations, Nucl. Sci. Eng. 124
(1996) (PFMG); Henson and Yang, BoomerAMG, Appl. Numer. Math. 41 (2002).
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp

from sciml.atomic import AtomicFile
from sciml.errors import InputError, MissingExtraError, NotStructuredError, SciMLError

TOOLS = Path(__file__).resolve().parents[3] / "tools"
HYPRE_INCLUDES = ("/usr/include/hypre", "/usr/local/include", "/opt/homebrew/include")
PYTHONS = ("python3", "/usr/bin/python3")
PETSC_FOLDERS = "/usr/lib/petscdir/petsc*/*"
MAGIC = b"SCPFMG01"
MAXITER = 1000
SOLVERS = ("pfmg", "boomeramg")


class GridProblem(Protocol):
    """The part of a :class:`sciml.linalg.VoxelPoisson` that this module needs."""

    fluid: np.ndarray

    def to_csr(self) -> sp.csr_array:
        """Matrix over the fluid cells in C order."""


def run_hypre(
    problem: GridProblem,
    b: np.ndarray,
    rtol: float = 1e-6,
    threads: int = 1,
    solvers: tuple[str, ...] = SOLVERS,
) -> list[dict[str, Any]]:
    """Solve A x = b with hypre's preconditioned CG until |b - A x| <= rtol |b|, from x = 0.

    Parameters
    ----------
    problem
        A voxel Poisson problem: ``fluid`` (bool, 2-D or 3-D) and ``to_csr()``.
    b
        Right-hand side of shape ``problem.fluid.shape``.
    rtol
        Relative tolerance on the 2-norm of the residual.
    threads
        Number of MPI ranks.
    solvers
        ``"pfmg"`` (three settings, with both kinds of coarse operators) and ``"boomeramg"`` (with and
        without an aggressive level).

    Returns
    -------
    list of dict
        For each solver the variant with the least set-up plus solve wall time among those that reached the tolerance:
        ``name, variant, threads, setup_seconds, solve_seconds, setup_cpu_seconds, solve_cpu_seconds, iterations,
        true_residual`` (recomputed here, relative), ``converged``, and ``variants``, the same for each one tried.

    Raises
    ------
    MissingExtraError
        hypre, petsc4py, or what is needed to build or start them is not installed.
    """
    unknown = set(solvers) - set(SOLVERS)
    if unknown:
        raise InputError(f"hypre has no solver {sorted(unknown)} here, expected some of {', '.join(SOLVERS)}.")
    launcher = _ranks(threads)
    fluid = np.asarray(problem.fluid, bool)
    matrix, right = with_identity_rows(problem.to_csr(), np.asarray(b, np.float64)[fluid])
    rows = []
    for solver in solvers:
        with tempfile.TemporaryDirectory(prefix="sciml-hypre-") as folder:
            system = Path(folder) / ("system.npz" if solver == "boomeramg" else "system.bin")
            if solver == "pfmg":
                command, environment = [str(build_pfmg())], {}
                write_pfmg_system(system, matrix, right, fluid)
            else:
                command, environment = find_petsc_python()
                command = [*command, str(_tool("hypre_boomeramg.py"))]
                np.savez(system, indptr=matrix.indptr, indices=matrix.indices, data=matrix.data, b=right)
            solution = Path(folder) / "x"
            arguments = [str(system), repr(float(rtol)), str(MAXITER), str(solution)]
            variants = json.loads(_run([*launcher, *command, *arguments], environment))
            for number, variant in enumerate(variants):
                x = np.fromfile(f"{solution}.{number}")
                x = x.reshape(fluid.shape)[fluid] if solver == "pfmg" else x
                residual = float(np.linalg.norm(right - matrix @ x) / max(np.linalg.norm(right), np.finfo(float).tiny))
                variant |= {"true_residual": residual, "converged": residual <= 1.1 * rtol}
        name = "hypre PFMG-PCG" if solver == "pfmg" else "hypre BoomerAMG-PCG"
        best = min(variants, key=lambda v: (not v["converged"], v["setup_seconds"] + v["solve_seconds"]))
        rows.append({"name": name, "threads": threads, **best, "variants": variants})
    return rows


def with_identity_rows(matrix: sp.csr_array, b: np.ndarray) -> tuple[sp.csr_array, np.ndarray]:
    """The system with x = 0 in place of each row of zeros (a fluid cell walled in on all sides), indices of 32 bits."""
    matrix = sp.csr_array(matrix, dtype=np.float64, copy=True)
    empty = matrix.diagonal() == 0
    if empty.any():
        matrix = sp.csr_array(matrix + sp.diags_array(empty.astype(np.float64)))
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return matrix, np.where(empty, 0.0, b)


def write_pfmg_system(path: Path, matrix: sp.csr_array, b: np.ndarray, fluid: np.ndarray) -> None:
    """Write the system on the whole grid in the layout that ``tools/hypre_pfmg.c`` documents.

    Cells that are not fluid get rows without couplings, with the mean diagonal so that all rows have one scale.

    Raises
    ------
    NotStructuredError
        The matrix couples cells that are not neighbours on the grid.
    """
    shape = fluid.shape if fluid.ndim == 3 else (fluid.shape[0], 1, fluid.shape[1])
    cell = np.flatnonzero(fluid)
    entries = matrix.tocoo()
    lower = entries.row > entries.col
    here, there = cell[entries.row[lower]], cell[entries.col[lower]]
    values = -entries.data[lower]
    weights, found = np.zeros((3, fluid.size)), 0
    for axis, stride in enumerate((shape[1] * shape[2], shape[2], 1)):
        along = (here - there == stride) & (here // stride % shape[axis] > 0)
        weights[axis, here[along]] = values[along]
        found += np.count_nonzero(along)
    if found != values.size:
        raise NotStructuredError(
            f"{values.size - found} entries of the matrix couple cells that are not neighbours on the grid "
            f"{fluid.shape}; hypre's PFMG needs a 5-point or 7-point stencil."
        )
    diagonal, right = np.full(fluid.size, matrix.diagonal().mean()), np.zeros(fluid.size)
    diagonal[cell], right[cell] = matrix.diagonal(), b
    with path.open("wb") as stream:
        stream.write(MAGIC)
        stream.write(np.array(shape, np.int32).tobytes())
        for array in (diagonal, *weights, right):
            array.tofile(stream)


# ------------------------------------------------------------------------------------------- finding and building


def build_pfmg() -> Path:
    """The compiled comparator, from the cache when its source has not changed."""
    source = _tool("hypre_pfmg.c")
    compiler = shutil.which("mpicc")
    if compiler is None:
        raise MissingExtraError(
            "hypre's PFMG needs a C compiler with MPI (mpicc), which is not on the path; "
            "install MPI and hypre (Debian: libhypre-dev)."
        )
    digest = hashlib.sha256(source.read_bytes() + compiler.encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sciml"
    program = cache / f"hypre_pfmg-{digest}"
    if program.exists():
        return program
    cache.mkdir(parents=True, exist_ok=True)
    folders = [f"-I{folder}" for folder in HYPRE_INCLUDES if Path(folder, "HYPRE_struct_ls.h").exists()]
    with AtomicFile(program) as file:
        command = [compiler, "-O3", *folders, str(source), "-lHYPRE", "-lm", "-o", str(file.part)]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        if built.returncode:
            raise MissingExtraError(
                f"hypre's PFMG comparator does not compile ({_last_line(built.stderr)}); "
                "install hypre with its headers (Debian: libhypre-dev)."
            )
    return program


def find_petsc_python() -> tuple[list[str], dict[str, str]]:
    """Command of a Python that can import petsc4py with numpy, and the environment variables it needs."""
    pythons = dict.fromkeys([sys.executable, *(shutil.which(python) or "" for python in PYTHONS)])
    folders = [{}, *({"PETSC_DIR": folder} for folder in sorted(glob.glob(PETSC_FOLDERS)))]
    for python in pythons:
        for environment in folders if python and Path(python).exists() else ():
            test = [python, "-c", "import numpy; from petsc4py import PETSc"]
            # Pythons before 3.11 import from the working directory whatever the variable says.
            safe = {**os.environ, **environment, "PYTHONSAFEPATH": "1"}
            found = subprocess.run(test, cwd=Path(python).parent, env=safe, capture_output=True, check=False)
            if found.returncode == 0:
                return [python], environment
    raise MissingExtraError(
        "hypre's BoomerAMG needs petsc4py, which neither this Python nor the system's has; "
        "install it (Debian: python3-petsc4py)."
    )


def _tool(name: str) -> Path:
    path = TOOLS / name
    if not path.exists():
        raise MissingExtraError(
            f"hypre's comparator {name} is not installed with the package; run from a clone of the repository."
        )
    return path


def _ranks(count: int) -> list[str]:
    if count == 1:
        return []
    launcher = shutil.which("mpirun") or shutil.which("mpiexec")
    if launcher is None:
        raise MissingExtraError(f"hypre on {count} threads needs mpirun, which is not on the path; install MPI.")
    return [launcher, "-n", str(count)]


def _run(command: list[str], environment: dict[str, str]) -> str:
    """Standard output of a comparator, with one thread per rank."""
    fixed = {"OMP_NUM_THREADS": "1", "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run(command, env={**os.environ, **fixed, **environment}, capture_output=True, check=False)
    if done.returncode:
        reason = _last_line(done.stderr.decode(errors="replace"))
        raise SciMLError(f"hypre's comparator {Path(command[-5]).name} failed: {reason}.")
    return done.stdout.decode()


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no message").rstrip(".")
