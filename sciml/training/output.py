"""The output settings of tasks that solve a problem: the points and times at which the solution is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sciml.checks import whole_number
from sciml.domains import Box, Domain
from sciml.domains.output_points import place_in
from sciml.errors import InputError
from sciml.mesh import Grid, Mesh

MOST_TIMES = 10**6


@dataclass(frozen=True)
class Output:
    """The points and times at which the fields of a solution are written.

    Parameters
    ----------
    grid : values along each axis of a box; by default the method chooses
    mesh : a mesh file whose points are taken instead
    times : number of times to write, evenly spread over the run, both ends included
    every : time steps between two written times, for methods with time steps; give this or ``times``
    animation : whether to draw an animation
    """

    grid: list[int] | None = None
    mesh: str | None = None
    times: int | None = None
    every: int | None = None
    animation: bool = True

    def __post_init__(self) -> None:
        if self.grid is not None and self.mesh is not None:
            raise InputError("the output is on a grid or on a mesh, got both; leave one of the two out.")
        if self.times is not None and self.every is not None:
            raise InputError("the output has both times and every; leave one of the two out.")
        for name, least, most in (("times", 2, MOST_TIMES), ("every", 1, None)):
            if getattr(self, name) is not None:
                whole_number(f"{name} of the output", getattr(self, name), at_least=least, at_most=most)

    def place(self, domain: Domain, values_per_axis: Mapping[int, int]) -> Grid | Mesh | None:
        """Return the grid or mesh to write on; None for a box of more than three dimensions.

        Parameters
        ----------
        domain : of the problem
        values_per_axis : of the default grid, by number of dimensions

        Raises
        ------
        InputError
            If the grid or mesh has another dimension than the domain, or the mesh reaches beyond it.
        MeshFileError
            If the mesh file cannot be read.
        """
        if self.mesh is None and isinstance(domain, Box) and domain.dim > 3:
            return None
        default = [values_per_axis[domain.dim]] * domain.dim if domain.dim <= 3 else []
        return place_in(domain, self.grid, self.mesh, default)

    def moments(self, duration: float, steps: Sequence[float] | None = None, default: int = 101) -> list[float]:
        """Return the times to write, in increasing order.

        Parameters
        ----------
        duration : of the run; 0 for a steady problem, which is written once
        steps : times of the steps of the method, from 0 to the duration; None if it knows the solution at all times
        default : number of times of a method without steps

        Raises
        ------
        InputError
            If the output is every few steps, but the method has no steps.
        """
        if not duration:
            return [0.0]
        if steps is None:
            if self.every is not None:
                raise InputError(
                    f"every of the output is {self.every}, but the method has no time steps; give times instead."
                )
            count = self.times or default
            return [duration * number / (count - 1) for number in range(count)]
        last = len(steps) - 1
        if self.times is None:
            chosen = sorted({*range(0, last + 1, self.every or 1), last})
        else:
            chosen = np.unique(np.linspace(0, last, self.times).round().astype(int)).tolist()
        return [steps[number] for number in chosen]
