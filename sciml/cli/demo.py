"""``sciml demo``: the guided tour, a pressure projection around a surface with several solvers side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sciml.cli.frame import FAILED, verb_app

if TYPE_CHECKING:
    import numpy as np

    from sciml.linalg import SolveResult, VoxelPoisson
    from sciml.mesh import Grid, Mesh
    from sciml.reference.wind_tunnel import WindTunnel

RTOL = 1e-6
FILL = 0.55  # size of the surface relative to the tunnel
SMALLEST = 8
DEFAULT_FOLDER = Path("runs/demo")
COLUMNS = ("method", "threads", "iterations", "set-up [s]", "solve [s]", "total [s]", "times ours", "true residual")

app = verb_app("The guided tour: the flow around a surface, with our solver, PyAMG and plain CG side by side.")


@app.command()
def demo(
    surface: Annotated[
        Path | None, typer.Argument(help="Closed surface: .stl .ply .obj ...; a trefoil knot unless given.")
    ] = None,
    size: Annotated[int, typer.Option("--size", help="Cells along each axis of the tunnel.")] = 128,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help=f"Folder for the results; {DEFAULT_FOLDER} unless given.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Use a folder that is not empty.")] = False,
) -> None:
    """Solve the flow around a surface and write table, picture and fields."""
    from sciml.errors import InputError
    from sciml.run_folder import RunFolder
    from sciml.status import Status

    if size < SMALLEST:
        raise InputError(f"--size must be at least {SMALLEST} cells, got {size}.")
    path = surface or default_surface()
    grid, mesh, tunnel = tunnel_around(path, size)
    # The default folder is the demo's own, so that `make demo` can be repeated.
    folder = RunFolder(output or DEFAULT_FOLDER, overwrite=overwrite or output is None)
    print(
        f"A wind tunnel of {size} x {size} x {size} cells around {path.name}, {tunnel.solid.mean():.1%} of them solid."
    )

    from sciml.linalg import VoxelPoisson
    from sciml.linalg.warm_up import warm_up

    problem = VoxelPoisson.from_cells(tunnel.cells, spacing=tunnel.spacing, outside=tunnel.outside)
    b = -tunnel.divergence(tunnel.start())
    print("Loading the kernels; the first run on a machine compiles them, about half a minute ...", flush=True)
    print(f"  ready in {sum(map(warm_up, ('multigrid', 'amg', 'cg'))):.1f} s, not counted below.")
    runs = compare(problem, b)
    velocity = tunnel.project(tunnel.start(), runs["multigrid"].x)
    metrics = measure(runs, tunnel, velocity)
    config = {"surface": str(path), "size": size, "rtol": RTOL}
    print("Writing the picture and the fields ...", flush=True)
    write(folder.path, runs, problem, b, tunnel.at_centres(velocity), grid, mesh, f"Wind around {path.stem}")
    report(folder, runs, metrics)
    folder.finish(Status.worst(run.status for run in runs.values()), metrics, config=config)
    if not all(run.converged for run in runs.values()):
        raise typer.Exit(FAILED)


def default_surface() -> Path:
    """The trefoil knot that comes with sciml."""
    from sciml.errors import InputError
    from sciml.mesh.shipped import shipped_surfaces

    surfaces = shipped_surfaces()
    if "trefoil" not in surfaces:
        raise InputError("The surfaces of sciml are not installed; name a surface file: sciml demo SURFACE.")
    return surfaces["trefoil"]


def tunnel_around(path: Path, size: int) -> tuple[Grid, Mesh, WindTunnel]:
    """The tunnel [0, 1]^3 with a surface in the middle, and that surface moved and scaled into it."""
    from sciml.errors import InputError
    from sciml.mesh import Grid, read_mesh
    from sciml.mesh.voxelise import fit_into_box, voxelise
    from sciml.reference.wind_tunnel import WindTunnel

    grid = Grid((size,) * 3, centring="cell")
    mesh = fit_into_box(read_mesh(path, keep_3d=True)[0], grid.lower, grid.upper, fill=FILL)
    try:
        solid = voxelise(mesh, grid, keep_thin=True)
    except InputError:
        solid = voxelise(mesh, grid, keep_thin=True, close_holes=True)  # raises again if holes are not the fault
        print(f"{path.name} has holes; each is closed with a cone of triangles.")
    return grid, mesh, WindTunnel(solid, grid.spacing[0])


def compare(problem: VoxelPoisson, b: np.ndarray) -> dict[str, SolveResult]:
    """Solve with each method to the same tolerance, first on one thread, as PyAMG does; name -> result, ours first."""
    import numba

    from sciml.cli.progress import ResidualLine
    from sciml.linalg import solve

    runs: dict[str, SolveResult] = {}
    matrix = problem.to_csr()  # making it is not counted against PyAMG
    jobs: list[tuple[str, int, Any, Any, str]] = [
        ("multigrid", 1, problem, b, "multigrid"),
        ("PyAMG SA + CG", 1, matrix, b[problem.fluid], "amg"),
        ("plain CG", 1, problem, b, "cg"),  # with our kernels, several times as fast as with the matrix
    ]
    every = numba.get_num_threads()
    if every > 1:
        jobs.append((f"multigrid, {every} threads", every, problem, b, "multigrid"))
    for name, count, system, right, method in jobs:
        print(f"Solving with {name} ...", flush=True)
        with threads(count), ResidualLine(name) as line:
            line.stage("set-up")
            run = runs[name] = solve(system, right, method=method, rtol=RTOL, callback=line)
        print(f"  {run.iterations} iterations, {run.setup_seconds + run.solve_seconds:.2f} s", flush=True)
    return runs


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let the kernels use so many threads."""
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        yield
    finally:
        numba.set_num_threads(before)


def measure(runs: dict[str, SolveResult], tunnel: WindTunnel, velocity: list[np.ndarray]) -> dict[str, float]:
    """The numbers of the demo by name: what is left of the divergence first, then iterations and seconds."""
    import numpy as np

    after, before = (np.linalg.norm(tunnel.divergence(u)) for u in (velocity, tunnel.start()))
    peer = runs["PyAMG SA + CG"].x
    ours = runs["multigrid"].x[~tunnel.solid]
    metrics = {
        "divergence": float(after / before),
        "difference_to_pyamg": float(np.linalg.norm(ours - peer) / np.linalg.norm(peer)),
        "largest_speed": float(np.linalg.norm(tunnel.at_centres(velocity), axis=-1).max()),
    }
    for name, run in runs.items():
        key = name.replace(" + ", "_").replace(", ", "_").replace(" ", "_").lower()
        metrics |= {
            f"{key}_iterations": run.iterations,
            f"{key}_seconds": run.setup_seconds + run.solve_seconds,
            f"{key}_true_residual": run.true_residual,
        }
    return metrics


def table(runs: dict[str, SolveResult]) -> list[tuple[Any, ...]]:
    """The rows that belong to `COLUMNS`."""
    seconds = {name: run.setup_seconds + run.solve_seconds for name, run in runs.items()}
    return [
        (name, int(name.split()[1]) if name.endswith("threads") else 1, run.iterations, run.setup_seconds,
         run.solve_seconds, seconds[name], seconds[name] / seconds["multigrid"], f"{run.true_residual:.1e}")
        for name, run in runs.items()
    ]  # fmt: skip


def write(
    folder: Path, runs: dict[str, SolveResult], problem: VoxelPoisson, b: np.ndarray, velocity: np.ndarray,
    grid: Grid, mesh: Mesh, title: str,
) -> None:  # fmt: skip
    """Write the system, the fields for ParaView and the picture."""
    import numpy as np

    from sciml.linalg.sparse_files import write_cells
    from sciml.mesh import Field, write_fields
    from sciml.plots import comparison_picture

    pressure = runs["multigrid"].x.astype(np.float32)
    fields = {"pressure": pressure, "velocity": velocity.astype(np.float32), "cells": problem.cells}
    write_fields(folder / "flow.xdmf", grid, fields)
    write_cells(folder / "system.npz", problem.cells, b, spacing=grid.spacing, outside=problem.outside)
    comparison_picture(
        Field("pressure", pressure, grid), problem.cells, runs, folder / "comparison.png", surface=mesh, rtol=RTOL,
        title=title,
    )  # fmt: skip


def report(folder: Any, runs: dict[str, SolveResult], metrics: dict[str, float]) -> None:
    """Print the table and what to look at next."""
    from sciml.cli.output import markdown_table, print_table

    rows = table(runs)
    folder.write_text("table.md", markdown_table(COLUMNS, rows))
    print_table(COLUMNS, rows)
    print(f"""\
The projected wind is free of divergence: |div u| is {metrics["divergence"]:.1e} of what it was.
Its greatest speed is {metrics["largest_speed"]:.2f} times that of the wind; \
PyAMG's pressure differs from ours by {metrics["difference_to_pyamg"]:.1e}.

Open next:
  {folder / "comparison.png"}   the picture
  {folder / "flow.xdmf"}        in ParaView: pressure, velocity, cells
  {folder / "table.md"}, {folder / "result.json"}, {folder / "environment.json"}
Try next:
  sciml precondition {folder / "system.npz"} -o x.npz --plot x.png
  sciml demo YOUR_SURFACE.stl""")
