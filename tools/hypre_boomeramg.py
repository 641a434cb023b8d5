"""CG with hypre's BoomerAMG, through petsc4py, on a system that sciml/bench/poisson/hypre.py wrote.

Usage: python hypre_boomeramg.py SYSTEM.npz RTOL MAXITER SOLUTION

SYSTEM.npz holds the CSR arrays ``indptr``, ``indices``, ``data`` of a symmetric positive definite matrix and ``b``.
Standard output: a JSON list with one object per variant; times are in seconds, wall (the slowest rank) and CPU (all
ranks). The solution of variant k is written to SOLUTION.k as float64. Under mpirun each rank takes a block of rows.

The options are those that hypre's own guide gives for 3-D diffusion: HMIS coarsening, ext+i interpolation cut to 4
entries per row, strength threshold 0.5; with one aggressive level and without. Set-up includes PETSc's conversion of
the matrix to hypre's format. This file needs petsc4py and numpy only, so that any Python that has them can run it.
"""

import json
import sys
import time

import numpy as np
import petsc4py

petsc4py.init([sys.argv[0]])
from petsc4py import PETSc  # noqa: E402 (PETSc starts on import, after init)

COMMON = {
    "pc_type": "hypre",
    "pc_hypre_type": "boomeramg",
    "pc_hypre_boomeramg_strong_threshold": 0.5,
    "pc_hypre_boomeramg_coarsen_type": "HMIS",
    "pc_hypre_boomeramg_interp_type": "ext+i",
    "pc_hypre_boomeramg_P_max": 4,
}
VARIANTS = {
    "HMIS, ext+i": {"pc_hypre_boomeramg_agg_nl": 0},
    "HMIS, ext+i, one aggressive level": {"pc_hypre_boomeramg_agg_nl": 1},
}


def distributed_system(path: str) -> tuple[PETSc.Mat, PETSc.Vec, tuple[int, int]]:
    """Matrix, right-hand side and this rank's range of rows."""
    comm = PETSc.COMM_WORLD
    with np.load(path, allow_pickle=False) as system:
        indptr, indices, data, b = (system[name] for name in ("indptr", "indices", "data", "b"))
    rows = b.size
    first, end = (rows * rank // comm.size for rank in (comm.rank, comm.rank + 1))
    part = slice(indptr[first], indptr[end])
    csr = (indptr[first : end + 1] - indptr[first], indices[part], data[part])
    matrix = PETSc.Mat().createAIJ(size=((end - first, rows), (end - first, rows)), csr=csr, comm=comm)
    matrix.assemble()
    right = matrix.createVecLeft()
    right.setArray(b[first:end])
    return matrix, right, (first, end)


def timed(action: object, *arguments: object) -> tuple[float, float]:
    """Wall seconds of the slowest rank and CPU seconds of all ranks."""
    PETSc.COMM_WORLD.barrier()
    wall, cpu = time.perf_counter(), time.process_time()
    action(*arguments)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    over_ranks = PETSc.Vec().createMPI((1, PETSc.DECIDE))
    over_ranks.setArray([wall])
    slowest = over_ranks.max()[1]
    over_ranks.setArray([cpu])
    return slowest, over_ranks.sum()


def main() -> None:
    """Solve the system with every variant of the preconditioner."""
    if len(sys.argv) != 5:
        sys.exit("usage: hypre_boomeramg.py SYSTEM.npz RTOL MAXITER SOLUTION")
    path, rtol, maxiter, solution = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    matrix, b, (first, _) = distributed_system(path)
    results = []
    for number, (name, options) in enumerate(VARIANTS.items()):
        database = PETSc.Options()
        for key, value in {**COMMON, **options}.items():
            database[key] = value
        ksp = PETSc.KSP().create()
        ksp.setOperators(matrix)
        ksp.setType("cg")
        ksp.setNormType(PETSc.KSP.NormType.UNPRECONDITIONED)
        ksp.setTolerances(rtol=rtol, atol=0.0, max_it=maxiter)
        ksp.setFromOptions()
        x = b.duplicate()
        setup = timed(ksp.setUp)
        solve = timed(ksp.solve, b, x)
        if PETSc.COMM_WORLD.rank == 0:
            np.empty(0).tofile(f"{solution}.{number}")
        PETSc.COMM_WORLD.barrier()
        with open(f"{solution}.{number}", "r+b") as stream:
            stream.seek(8 * first)
            stream.write(np.asarray(x.getArray(), np.float64).tobytes())
        results.append(
            {
                "variant": name,
                "setup_seconds": setup[0],
                "setup_cpu_seconds": setup[1],
                "solve_seconds": solve[0],
                "solve_cpu_seconds": solve[1],
                "iterations": ksp.getIterationNumber(),
            }
        )
        ksp.destroy()
    PETSc.COMM_WORLD.barrier()
    if PETSc.COMM_WORLD.rank == 0:
        print(json.dumps(results))


main()
