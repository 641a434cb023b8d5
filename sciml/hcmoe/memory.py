"""The memory of solves whose experts are coupled: estimated from their sizes, and refused before anything is set up."""

from __future__ import annotations

import torch

from sciml.errors import InputError
from sciml.npy_files import GIBIBYTE, memory_limit
from sciml.tables import counted

BYTES = 8  # of a number in double precision
MATRICES = 2  # as large as a term: the Jacobian, and the copy of it that is factorised
SQUARES = 3  # of the unknowns: the triangle, the null space of constraints, the Hessian


def require_memory(items: int, unknowns: int, points: int, terms: int, rows: int, device: torch.device) -> None:
    """Refuse solves that would take more than half of the memory of the machine, or all of that of a GPU.

    Parameters
    ----------
    items : solves, each of one instance, in one batch
    unknowns : of each, those of all its experts
    points : at which a function of the basis has values
    terms : of the equation, as of u and its derivatives
    rows : that couple the unknowns of experts
    device : on which they are solved

    Raises
    ------
    InputError
        If there is not as much.
    """
    needed = BYTES * items * unknowns * ((terms + MATRICES) * points + MATRICES * rows + SQUARES * unknowns)
    limit = memory_limit()
    if device.type == "cuda":
        limit = torch.cuda.get_device_properties(device).total_memory
    if needed > limit:
        raise InputError(
            f"{counted(items, 'solve')} for {unknowns} weights of all experts together, at {counted(points, 'point')} "
            f"each, would take about {needed / GIBIBYTE:.3g} GiB, expected at most {limit / GIBIBYTE:.3g} GiB, half of "
            "this machine's memory or that of the GPU; take fewer experts, functions, points or instances at once."
        )
