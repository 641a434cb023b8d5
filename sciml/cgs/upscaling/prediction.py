"""Coarse problems in files: reads a coefficient, writes the coarse matrix with its right-hand side, or its solution."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sciml.atomic import AtomicFile
from sciml.cgs.upscaling.model import TransmissibilityNet
from sciml.checks import real_array
from sciml.errors import DivergenceError, InputError
from sciml.linalg import solve
from sciml.linalg.sparse_files import SystemFile, matrix_arrays, read_coefficient
from sciml.linalg.validation import FLUID, check_outside, check_right_hand_side
from sciml.reference.upscaling import Blocks, Held, Transmissibilities
from sciml.reference.upscaling_sources import corrected_pressures

RTOL = 1e-10  # of the coarse solution


def upscale_file(network: TransmissibilityNet, source: Path, output: Path, *, solved: bool) -> dict[str, float]:
    """Write the coarse problem of a file, or its solution; return numbers about it by name.

    Parameters
    ----------
    network : of the transmissibilities
    source : an ``.npz`` with ``coefficient``, and optionally ``b``, ``spacing`` and ``outside``, see
        :mod:`sciml.linalg.sparse_files`
    output : ``NAME.npz``. A matrix as ``scipy.sparse.save_npz`` writes it, over the blocks in C order, with its
        right-hand side, which ``NAME_rhs.npy`` has too, and the spacing of the blocks; or where ``solved``,
        ``pressure`` (mean of each block, with the radial flow around sources) and ``flux_x``, ``flux_y``[, ``flux_z``],
        what flows through the faces
    solved : whether to write the solution instead of the problem
    """
    if output.suffix != ".npz":
        raise InputError(f"cannot write {output}: expected a name that ends in .npz.")
    file = read_coefficient(source)
    if (file.cells != FLUID).any():
        raise InputError(f"{source}: cells has obstacles, expected fluid cells (code 0) alone.")
    with _named(source):
        return _upscale(network, file, source, output, solved=solved)


def _upscale(
    network: TransmissibilityNet, file: SystemFile, source: Path, output: Path, *, solved: bool
) -> dict[str, float]:
    """Do what :func:`upscale_file` does with what was read from the source."""
    spacing = file.spacing or (1.0,) * file.cells.ndim
    blocks = Blocks(file.coefficient, network.factor, spacing)
    sides = check_outside(file.outside, blocks.dimension)
    held = {side: 0.0 for side, kind in sides.items() if kind == "dirichlet"}
    coarse = _with_ghosts(network.transmissibilities(blocks.coefficient, spacing), blocks, held)
    b = check_right_hand_side(file.b, file.cells == FLUID)
    with np.errstate(over="ignore"):
        rates = real_array("the sums of b over the blocks", blocks.sums(b))
    numbers = {"unknowns": float(rates.size), "fine_unknowns": float(file.cells.size)}
    if not solved:
        coarse_spacing = network.factor * np.asarray(spacing)
        _write_system(output, matrix_arrays(coarse.matrix(held), rates.ravel(), spacing=coarse_spacing), source)
        return numbers
    result = solve(coarse.problem(held), rates, rtol=RTOL)
    pressure = corrected_pressures(blocks.coefficient, coarse, result.x, rates, spacing)
    fluxes = coarse.fluxes(result.x, held)
    arrays = {"pressure": pressure} | {f"flux_{axis}": flux for axis, flux in zip("xyz", fluxes, strict=False)}
    with AtomicFile(output) as part, part.part.open("wb") as stream:
        np.savez(stream, **arrays)
    return numbers | {"true_residual": float(result.true_residual)}


@contextmanager
def _named(source: Path) -> Iterator[None]:
    """Put the name of the file in front of the sentence about a coefficient that cannot be upscaled."""
    try:
        yield
    except (InputError, DivergenceError) as error:
        if str(source) in str(error):
            raise
        raise type(error)(f"{source}: {error}") from error


def _with_ghosts(coarse: Transmissibilities, blocks: Blocks, held: Held) -> Transmissibilities:
    """Return the transmissibilities to ghost cells, at whose centres pressures are held, instead of those to the sides.

    The second half of a cell lies in series: this is what ``"dirichlet"`` means to
    :class:`~sciml.linalg.VoxelPoisson`.
    """
    faces = [values.copy() for values in coarse.faces]
    d = blocks.dimension
    for side in held:
        axis, index = "xyz".index(side[0]), 0 if side[1] == "-" else -1
        end = np.moveaxis(faces[axis], axis, 0)
        cells = 2.0 * blocks.weights[axis] * np.moveaxis(blocks.split(blocks.coefficient), (axis, axis + d), (0, 1))
        beyond = cells[index, index].sum(axis=tuple(range(1 - d, 0)))
        end[index] = 1.0 / (1.0 / end[index] + 1.0 / beyond)
    return Transmissibilities(tuple(faces))


def _write_system(output: Path, arrays: dict[str, np.ndarray], source: Path) -> None:
    """Write a matrix and its right-hand side; neither file is replaced before both are complete."""
    beside = output.with_name(f"{output.stem}_rhs.npy")
    if os.path.realpath(beside) == os.path.realpath(source):
        raise InputError(
            f"the right-hand side of {output} would be written to {beside} and replace the input; choose another name."
        )
    with AtomicFile(output) as file:
        with file.part.open("wb") as stream:
            np.savez(stream, **arrays)
        with AtomicFile(beside) as second, second.part.open("wb") as stream:
            np.save(stream, arrays["b"])
