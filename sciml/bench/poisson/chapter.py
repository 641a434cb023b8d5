"""A surface in a wind tunnel: a pressure projection on a grid of voxels, by multigrid, by PyAMG and by CG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml.bench.chapters import Chapter, Picture, Progress, Settings, Story, Table, demo_command
from sciml.checks import whole_number
from sciml.commands import command_line
from sciml.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from sciml.linalg import LinearMethod, SolveResult, VoxelPoisson
    from sciml.mesh import Grid, Mesh
    from sciml.reference.wind_tunnel import WindTunnel

RTOL = 1e-6
FILL = 0.55  # size of the surface relative to the tunnel
SMALLEST, QUICK = 8, 32
WARNING = "Warning"
OURS, PEER = "multigrid", "PyAMG SA + CG"
COLUMNS = ("method", "threads", "iterations", "set-up [s]", "solve [s]", "total [s]", "times ours", "true residual")


class WindTunnelChapter(Chapter):
    """Potential flow around a surface: one large Poisson system, solved by several methods to one tolerance."""

    title = "A surface in a wind tunnel"
    about = (
        "The pressure that makes a uniform wind flow around an obstacle: one Poisson equation, an unknown per cell of "
        "air. Our geometric multigrid, smoothed aggregation by PyAMG and plain conjugate gradients solve the same "
        "system to the same relative residual."
    )
    minutes = 1.0
    position = 1

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        whole_number("--size", settings.size, at_least=SMALLEST)
        self.path = settings.surface or default_surface()
        self.size = min(settings.size, QUICK) if settings.quick else settings.size
        self.notes: list[str] = []
        _ = self.tunnel  # a surface that cannot be used is refused before anything is written

    @cached_property
    def tunnel(self) -> tuple[Grid, Mesh, WindTunnel]:
        """The grid, the surface moved into it, and the tunnel."""
        return tunnel_around(self.path, self.size, self.notes)

    def run(self, folder: Path, progress: Progress) -> Story:
        """Solve with each method, and write the system, the fields and the pictures."""
        from sciml.linalg import VoxelPoisson
        from sciml.linalg.warm_up import warm_up

        for note in self.notes:
            progress.say(note)
        grid, mesh, tunnel = self.tunnel
        problem = VoxelPoisson.from_cells(tunnel.cells, spacing=tunnel.spacing, outside=tunnel.outside)
        b = -tunnel.divergence(tunnel.start())
        progress.say("Loading the kernels; the first run on a machine compiles them, about half a minute ...")
        progress.say(f"  ready in {sum(map(warm_up, ('multigrid', 'amg', 'cg'))):.1f} s, not counted below.")
        runs = compare(problem, b, progress)
        velocity = tunnel.project(tunnel.start(), runs[OURS].x)
        progress.say("Writing the fields and the pictures ...")
        pictures = write(folder, runs, (problem, b), tunnel.at_centres(velocity), (grid, mesh), self.path.stem)
        return self._story(folder, runs, measure(runs, tunnel, velocity), pictures)

    def _story(
        self, folder: Path, runs: dict[str, SolveResult], metrics: dict[str, float], pictures: Sequence[Picture]
    ) -> Story:
        seconds = {name: run.setup_seconds + run.solve_seconds for name, run in runs.items()}
        others = [compared(name, seconds[name] / seconds[OURS]) for name in (PEER, "plain CG")]
        unknowns = int((self.tunnel[2].cells == 0).sum())
        failed = [f"{name} ended with the status {run.status}" for name, run in runs.items() if not run.converged]
        surface = () if self.settings.surface is None else (self.settings.surface,)
        command = demo_command(folder, *surface, "--size", str(self.size))
        return Story(
            summary=(
                f"Multigrid solves for {unknowns:,} unknowns in {seconds[OURS]:.2g} s on one thread; "
                f"{' and '.join(others)}."
            ),
            text=(
                *(note for note in self.notes if note.startswith(WARNING)),
                (
                    f"The projection leaves {metrics['divergence']:.1e} of the divergence of the wind. The greatest "
                    f"speed is {metrics['largest_speed']:.2f} times that of the wind, and the pressure of PyAMG "
                    f"differs from ours by {metrics['difference_to_pyamg']:.1e}."
                ),
                (
                    "PyAMG accepts any sparse matrix and knows nothing of the grid; our multigrid exploits that the "
                    "unknowns are cells of a box, and so needs fewer operations. Plain CG runs with our kernels too, "
                    "several times as fast as with the assembled matrix."
                ),
            ),
            tables=[Table(COLUMNS, table(runs), f"To a relative residual of {RTOL:g}; set-up included in the total.")],
            pictures=pictures,
            commands={
                command: "repeats this chapter",
                command_line("precondition", folder / "system.npz", "-o", "x.npz", "--plot", "x.png"): (
                    "solves the same system again"
                ),
                "sciml demo YOUR_SURFACE.stl": "puts a surface of yours into the wind",
            },
            files={
                folder / "flow.xdmf": "pressure, velocity and cells, for ParaView",
                folder / "system.npz": "the linear system",
                folder / "comparison.png": "all panels on one sheet",
            },
            metrics=metrics,
            failure="; ".join(failed) or None,
        )


CHAPTER = WindTunnelChapter


def default_surface() -> Path:
    """Return the file of the trefoil knot that comes with sciml."""
    from sciml.mesh.shipped import shipped_surfaces

    surfaces = shipped_surfaces()
    if "trefoil" not in surfaces:
        raise InputError("The surfaces of sciml are not installed; name a surface file: sciml demo SURFACE.")
    return surfaces["trefoil"]


def compared(name: str, ratio: float) -> str:
    """Return a sentence part that says by how much a solver is slower or faster than ours.

    Parameters
    ----------
    name : of the solver
    ratio : of its time to ours
    """
    return f"{name} is {ratio:.2g} times slower" if ratio >= 1 else f"{name} is {1 / ratio:.2g} times faster"


def tunnel_around(path: Path, size: int, notes: list[str]) -> tuple[Grid, Mesh, WindTunnel]:
    """Return the tunnel [0, 1]^3 with a surface in the middle, and that surface moved and scaled into it.

    Parameters
    ----------
    path : file of the surface
    size : cells along each axis
    notes : gains a sentence about the tunnel, and a warning of each thing for which the surface may not be the body
        that is meant: it is open, or flat
    """
    import numpy as np

    from sciml.mesh import Grid, read_mesh
    from sciml.mesh.voxelise import fit_into_box, voxelise
    from sciml.reference.wind_tunnel import WindTunnel

    grid = Grid((size,) * 3, centring="cell")
    mesh = fit_into_box(read_mesh(path, keep_3d=True)[0], grid.lower, grid.upper, fill=FILL)
    try:
        solid = voxelise(mesh, grid, keep_thin=True)
    except InputError:
        solid = voxelise(mesh, grid, keep_thin=True, close_holes=True)  # raises again if holes are not the fault
        notes.append(
            f"{WARNING}: {path.name} is open. Each of its holes is closed with a cone of triangles from the middle of "
            "its rim, which may not be the body that you mean; close the surface first."
        )
    if (thickness := float(np.ptp(mesh.points, axis=0).min())) < grid.spacing[0]:
        notes.append(
            f"{WARNING}: {path.name} is flat. Its thickness is {thickness / grid.spacing[0]:.2g} of a cell, so that it "
            "is a wall of whole cells; give it a volume, or use more cells (--size)."
        )
    notes.append(
        f"A wind tunnel of {size} x {size} x {size} cells around {path.name}, {solid.mean():.1%} of them solid."
    )
    return grid, mesh, WindTunnel(solid, grid.spacing[0])


def compare(problem: VoxelPoisson, b: np.ndarray, progress: Progress) -> dict[str, SolveResult]:
    """Solve with each method to the same tolerance, first on one thread, as PyAMG does; name -> result, ours first."""
    from sciml.linalg import AlgebraicMultigrid, solve
    from sciml.linalg.kernels.guarded_numba import numba

    runs: dict[str, SolveResult] = {}
    matrix = problem.to_csr()  # making it is not counted against PyAMG
    jobs: list[tuple[str, int, Any, Any, str | LinearMethod]] = [
        (OURS, 1, problem, b, "multigrid"),
        (PEER, 1, matrix, b[problem.fluid], AlgebraicMultigrid(coarsening="aggregation")),
        ("plain CG", 1, problem, b, "cg"),  # with our kernels, several times as fast as with the matrix
    ]
    every = numba.get_num_threads()
    if every > 1:
        jobs.append((f"{OURS}, {every} threads", every, problem, b, "multigrid"))
    for name, count, system, right, method in jobs:
        progress.say(f"Solving with {name} ...")

        def show(iteration: int, residual: float, name: str = name) -> None:
            progress.show(f"{name}  iteration {iteration}  relative residual {residual:.2e}")

        with threads(count):
            progress.show(f"{name}  set-up")
            run = runs[name] = solve(system, right, method=method, rtol=RTOL, callback=show)
        progress.say(f"  {run.iterations} iterations, {run.setup_seconds + run.solve_seconds:.2f} s")
    return runs


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let our kernels and the libraries that PyAMG calls use so many threads."""
    from threadpoolctl import threadpool_limits

    from sciml.linalg.kernels.guarded_numba import numba

    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        numba.set_num_threads(before)


def measure(runs: dict[str, SolveResult], tunnel: WindTunnel, velocity: list[np.ndarray]) -> dict[str, float]:
    """Return what is left of the divergence, then iterations and seconds of each method, by name."""
    import numpy as np

    after, before = (np.linalg.norm(tunnel.divergence(u)) for u in (velocity, tunnel.start()))
    peer = runs[PEER].x
    ours = runs[OURS].x[~tunnel.solid]
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
    """Return the rows that belong to `COLUMNS`."""
    seconds = {name: run.setup_seconds + run.solve_seconds for name, run in runs.items()}
    return [
        (name, int(name.split()[1]) if name.endswith("threads") else 1, run.iterations, run.setup_seconds,
         run.solve_seconds, seconds[name], seconds[name] / seconds[OURS], f"{run.true_residual:.1e}")
        for name, run in runs.items()
    ]  # fmt: skip


def write(
    folder: Path,
    runs: dict[str, SolveResult],
    system: tuple[VoxelPoisson, np.ndarray],
    velocity: np.ndarray,
    place: tuple[Grid, Mesh],
    name: str,
) -> list[Picture]:
    """Write the system, the fields for ParaView and the pictures; return the pictures of the report."""
    import numpy as np

    from sciml import plots
    from sciml.linalg.sparse_files import write_cells
    from sciml.mesh import Field, write_fields

    (problem, b), (grid, mesh) = system, place
    field = Field("pressure", runs[OURS].x.astype(np.float32), grid)
    flow = Field("velocity", velocity.astype(np.float32), grid)
    write_fields(
        folder / "flow.xdmf", grid, {"pressure": field.values, "velocity": flow.values, "cells": problem.cells}
    )
    write_cells(folder / "system.npz", problem.cells, b, spacing=grid.spacing, outside=problem.outside)
    plots.comparison_picture(
        field, problem.cells, runs, folder / "comparison.png", surface=mesh, rtol=RTOL, title=f"Wind around {name}"
    )
    plots.wind_around(flow, mesh, folder / "streamlines.png", title=f"Wind around {name}")
    plots.field_slice(field, problem.cells, folder / "pressure.png")
    plots.residual_history({name: run.history for name, run in runs.items()}, folder / "convergence.png", rtol=RTOL)
    plots.solver_seconds(runs, folder / "seconds.png")
    fastest = min(runs, key=lambda name: runs[name].setup_seconds + runs[name].solve_seconds)
    return [
        Picture(folder / "streamlines.png", f"Streamlines of the wind that bend around {name}, coloured by speed.",
                "Streamlines from the left, coloured by the speed: slow where the air piles up, fast where it squeezes "
                "past."),
        Picture(folder / "pressure.png", f"Pressure in a plane through {name}: high upstream, low downstream.",
                "Pressure of the impulsive start in a plane through the obstacle, with its contours."),
        Picture(folder / "convergence.png", "Relative residuals over the iterations of each method.",
                "Relative residual over iterations. An iteration of CG is cheap, so that time decides."),
        Picture(folder / "seconds.png", f"Bars of set-up and solve times; the shortest is that of {fastest}.",
                "Wall time to the tolerance, with the set-up of each hierarchy."),
    ]  # fmt: skip
