"""``sciml precondition``: solve a large Poisson system from a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sciml.cli.frame import FAILED, verb_app
from sciml.cli.streams import say
from sciml.commands import command_line
from sciml.linalg.registry import find, registered

if TYPE_CHECKING:
    import scipy.sparse as sp

    from sciml.linalg import LinearMethod, SolveResult, VoxelPoisson
    from sciml.linalg.sparse_files import SystemFile
    from sciml.mesh import Grid

GRID_ENDINGS = (".vtu", ".xdmf")

app = verb_app("Solve a large Poisson system from a file. Exit code 0: converged, 1: not, 2: wrong input.")


@app.command()
def precondition(
    system: Annotated[
        Path,
        typer.Argument(
            help="cells .npz (cells, b, optionally coefficient, spacing, outside), scipy-sparse .npz, Matrix Market "
            ".mtx[.gz], DCDM matrix .bin or MLPCG flags .bin."
        ),
    ],
    rhs: Annotated[
        Path | None, typer.Option("--rhs", help="Right-hand side if SYSTEM holds none: .npy, .npz, .mtx or .bin.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="auto: fft on a box without obstacles, multigrid on other grids, amg elsewhere. "
            f"One of {', '.join(registered())}.",
        ),
    ] = "auto",
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights", help="For a learned method: exported weights (.safetensors), or the name of published ones."
        ),
    ] = None,
    rtol: Annotated[float, typer.Option("--rtol", help="Relative tolerance of the true residual.")] = 1e-6,
    maxiter: Annotated[int | None, typer.Option("--maxiter", help="Most iterations; 10000 by default.")] = None,
    shape: Annotated[
        str | None, typer.Option("--shape", help="Cells per axis, such as 64x64x32, where the file does not say.")
    ] = None,
    project: Annotated[
        bool, typer.Option("--project", help="Remove the part of b that makes a closed component unsolvable.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Picture of the solution and the residuals: .png, .pdf or .svg.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Solution: .npz with x, or .vtu or .xdmf if it is a grid.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Solve A x = b and print the outcome."""
    from sciml.cli.output import print_json
    from sciml.cli.progress import ResidualLine
    from sciml.linalg import VoxelPoisson, solve
    from sciml.linalg.sparse_files import read_system
    from sciml.linalg.warm_up import warm_up

    check_outputs({"-o": output, "--plot": plot}, {system, rhs})
    refuse_iterations(method, maxiter)
    trained = None if weights is None else find_weights(weights, method)
    with ResidualLine(system.name, rtol=rtol) as line:
        line.stage("reading")
        file = read_system(system, rhs, shape=parse_shape(shape))
        check_finite(file, rhs or system)
        problem = problem_of(file, method, parse_shape(shape))
        on_grid = isinstance(problem, VoxelPoisson)
        if not on_grid:
            refuse_grid_file(output)
        line.stage("loading kernels (compiled on the first run)")
        chosen = method_object(problem, method, trained)
        warm_up(chosen.name, variable=on_grid and not problem.constant)
        line.stage("set-up")
        result = solve(problem, file.b, method=chosen, rtol=rtol, maxiter=maxiter, project=project, callback=line)
        line.stage("writing")
        if output is not None:
            write_output(output, result, problem, file)
        if plot is not None:
            draw(plot, result, problem, file, rtol)
    print_json(result.summary()) if json else print_report(result, output, plot)
    raise typer.Exit(0 if result.converged else FAILED)


def find_weights(weights: str, method: str) -> Path:
    """Return the file of the weights of a learned method, given by its path or by the name of published ones."""
    from sciml.cli.runs import find_run
    from sciml.errors import InputError

    learned = [name for name, each in registered().items() if "weights" in each.option_names()]
    if method not in learned:
        raise InputError(f"--weights is for --method {' or '.join(learned)}, got --method {method}.")
    path = find_run(weights)
    if path.is_dir():
        again = command_line("export", path, "-o", "NAME.safetensors")
        raise InputError(f"--weights {weights} is the folder of a run, expected weights; `{again}` makes some.")
    return path


def refuse_iterations(method: str, maxiter: int | None) -> None:
    """Refuse a largest number of iterations for a method that makes none."""
    from sciml.errors import InputError

    if maxiter is not None and find(method).direct:
        raise InputError(f"--maxiter has no effect on --method {method}, which is direct; leave it out.")


def method_object(problem: VoxelPoisson | sp.csr_array, method: str, weights: Path | None) -> LinearMethod:
    """Return the method of a name, chosen for the problem where that is ``auto``, with its weights if any were given.

    A matrix that was tried as a grid before is not tried again.
    """
    from sciml.linalg.systems import as_matrix
    from sciml.linalg.voxel_poisson import VoxelPoisson

    system = problem if isinstance(problem, VoxelPoisson) else as_matrix(problem)
    options = {} if weights is None else {"weights": weights}
    return find(method)(**options).chosen_for(system)


def print_report(result: SolveResult, *written: Path | None) -> None:
    """Print the outcome of a solve, what to do if it failed, and the files that were written."""
    say(sentence(result))
    if not result.converged:
        say(f"{result.status.meaning} {result.status.remedy}")
    for path in written:
        if path is not None:
            say(f"{path} written")


def sentence(result: SolveResult) -> str:
    """Return the outcome of a solve on one line."""
    from sciml.status import Status
    from sciml.tables import counted

    outcome = Status.CONVERGED if result.converged else result.status  # "fallback" is told by the words before
    given_up = (
        "" if result.dropped is None else f" given up after {counted(result.dropped, 'iteration')}, then plain cg"
    )
    return (
        f"{result.method}{given_up}: {outcome} in {counted(result.iterations, 'iteration')}, "
        f"relative residual {result.true_residual:.2e}, "
        f"{result.unknowns} unknowns, {result.setup_seconds:.3g} s set-up + {result.solve_seconds:.3g} s solve"
    )


def parse_shape(text: str | None) -> tuple[int, ...] | None:
    """Return the cells per axis from a text such as ``64x64x32``."""
    from sciml.errors import InputError

    if text is None:
        return None
    words = text.lower().split("x")
    if len(words) not in (2, 3) or not all(word.isascii() and word.isdigit() and int(word) > 0 for word in words):
        raise InputError(f"--shape is the cells per axis, such as 64x64x32 or 256x256; got {text!r}.")
    return tuple(map(int, words))


def check_outputs(outputs: dict[str, Path | None], inputs: set[Path | None]) -> None:
    """Refuse outputs that cannot be written or would replace an input, before anything is computed."""
    from sciml.errors import InputError
    from sciml.run_folder import check_writable

    endings = {"-o": (".npz", *GRID_ENDINGS), "--plot": (".png", ".pdf", ".svg")}
    sources = {os.path.realpath(path) for path in inputs if path is not None}
    for option, path in outputs.items():
        if path is None:
            continue
        if os.path.realpath(path) in sources:
            raise InputError(f"{option} {path} would replace an input; choose another name.")
        check_writable(path, endings[option])


def check_finite(file: SystemFile, path: Path) -> None:
    """Refuse a right-hand side that is not finite: its places are those in the file."""
    from sciml.checks import real_array
    from sciml.linalg.validation import remedy_of

    real_array(f"b in {path}", file.b, remedy=remedy_of(on_cells=file.cells is not None))


def refuse_grid_file(output: Path | None) -> None:
    """Refuse to write a solution without a grid into a mesh file."""
    from sciml.errors import InputError

    if output is None or output.suffix.lower() not in GRID_ENDINGS:
        return
    raise InputError(
        f"{output} needs a grid but the matrix was not taken as one; write an .npz, or give --shape if it is a grid."
    )


def problem_of(file: SystemFile, method: str, shape: tuple[int, ...] | None) -> VoxelPoisson | sp.csr_array:
    """Return the problem on its grid, or the matrix where it has none and the method needs none."""
    from sciml.errors import NotStructuredError
    from sciml.linalg import VoxelPoisson

    needs = find(method).needs
    if file.cells is not None:
        return VoxelPoisson.from_cells(
            file.cells, coefficient=file.coefficient, spacing=file.spacing, outside=file.outside
        )
    try:
        return VoxelPoisson.from_matrix(file.matrix, shape)
    except NotStructuredError:
        if shape is not None or needs != "matrix":
            raise
        return file.matrix


def write_output(path: Path, result: SolveResult, problem: VoxelPoisson | sp.csr_array, file: SystemFile) -> None:
    """Write the solution; into mesh files with the cells and the right-hand side beside it."""
    if path.suffix.lower() not in GRID_ENDINGS:
        from sciml.linalg.sparse_files import write_solution

        write_solution(path, result.x)
        return
    from sciml.mesh import write_fields

    fields = {"x": result.x, "cells": problem.cells, "b": file.b}
    write_fields(path, grid_of(problem, file), {name: a.reshape(problem.shape) for name, a in fields.items()})


def draw(path: Path, result: SolveResult, problem: VoxelPoisson | sp.csr_array, file: SystemFile, rtol: float) -> None:
    """Draw the residuals, and a slice of the solution if it is on a grid."""
    from sciml import plots
    from sciml.linalg import VoxelPoisson
    from sciml.mesh import Field

    histories = {result.method: result.history}
    if not isinstance(problem, VoxelPoisson):
        plots.residual_history(histories, path, rtol=rtol)
        return
    field = Field("x", result.x.reshape(problem.shape), grid_of(problem, file))
    plots.solution_picture(field, problem.cells, histories, path, rtol=rtol, title=sentence(result))


def grid_of(problem: VoxelPoisson, file: SystemFile) -> Grid:
    """Return the grid of a problem, with unit spacing where the file has none."""
    from sciml.linalg.validation import check_spacing
    from sciml.mesh import Grid

    return Grid.from_spacing(problem.shape, check_spacing(file.spacing or 1.0, len(problem.shape)))
