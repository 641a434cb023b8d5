"""`VaryingGrid`: grids of which a data set has one for each sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from sciml.data.formats.varying_place import Offsets, Part
from sciml.errors import InputError
from sciml.mesh import Grid, Mesh
from sciml.mesh.field import Location


@dataclass(frozen=True)
class VaryingGrid:
    """The kind of the grids of a data set, each with a shape and a box of its own.

    Parameters
    ----------
    dim : number of axes
    periodic : per axis
    centring : "vertex" or "cell"
    shapes : of a data set that was read: (samples, dim) int64
    """

    dim: int
    periodic: tuple[bool, ...] = ()
    centring: Literal["vertex", "cell"] = "vertex"
    shapes: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64), compare=False, repr=False)

    kind = "grid"

    def __post_init__(self) -> None:
        periodic = tuple(self.periodic) or (False,) * self.dim
        if self.dim not in (1, 2, 3) or len(periodic) != self.dim or self.centring not in ("vertex", "cell"):
            raise InputError(f"grids have 1 to 3 axes and values at vertices or cells; got {self!r}.")
        object.__setattr__(self, "periodic", periodic)

    def __str__(self) -> str:
        wraps = ", ".join(axis for axis, periodic in zip("xyz", self.periodic, strict=False) if periodic)
        return f"a {self.centring}-centred grid for each in {self.dim}-D{', periodic in ' + wraps if wraps else ''}"

    @classmethod
    def of(cls, grid: Grid) -> VaryingGrid:
        """Return the kind of a grid.

        Parameters
        ----------
        grid : one that the others are like
        """
        return cls(grid.dim, tuple(grid.periodic), grid.centring)  # type: ignore[arg-type]

    def parts(self) -> dict[str, Part]:
        """Arrays of a grid by name: its shape and the corners of its box."""
        corner = Part("float64", (self.dim,), single=True)
        return {"shape": Part("int64", (self.dim,), single=True), "lower": corner, "upper": corner}

    def split(self, on: Grid | Mesh) -> dict[str, np.ndarray]:
        """Return the arrays of one grid, after a check that it is of this kind.

        Parameters
        ----------
        on : the grid of a sample
        """
        if not isinstance(on, Grid) or VaryingGrid.of(on) != self:
            raise InputError(f"the grid of every sample must be like {self!r}, got {on}.")
        return {name: np.array([getattr(on, name)], part.dtype) for name, part in self.parts().items()}

    def build(self, arrays: Mapping[str, np.ndarray]) -> Grid:
        """Return the grid of these arrays.

        Parameters
        ----------
        arrays : by name, as :meth:`split` returns them
        """
        shape, lower, upper = (tuple(arrays[name][0].tolist()) for name in ("shape", "lower", "upper"))
        return Grid(shape, lower, upper, self.periodic, self.centring)

    def numbers(self, part: str) -> Literal["", "point", "cell"]:
        """Return an empty text: no part of a grid holds numbers of points or cells.

        Parameters
        ----------
        part : has no effect
        """
        return ""

    def located(self, rows: Offsets) -> VaryingGrid:
        """Return this kind with the shapes of a file.

        Parameters
        ----------
        rows : all rows by part
        """
        if (rows["shape"] < 1).any():
            raise InputError("the shape of a grid holds a number below 1.")
        return replace(self, shapes=rows["shape"])

    def lengths(self, location: Location, sample: int | None) -> tuple[int | None, ...]:
        """Return the shape of the grid of a sample, None for each axis where none is given.

        Parameters
        ----------
        location : has no effect
        sample : its number
        """
        return (None,) * self.dim if sample is None else tuple(self.shapes[sample].tolist())

    def starts(self, location: Location) -> np.ndarray:
        """Return the number of values before each sample, (samples + 1,).

        Parameters
        ----------
        location : has no effect
        """
        return _cumulative([math.prod(shape) for shape in self.shapes.tolist()])

    def rows(self, sample: int) -> dict[str, slice]:
        """Return where the arrays of a sample lie among the rows of all.

        Parameters
        ----------
        sample : its number
        """
        return dict.fromkeys(self.parts(), slice(sample, sample + 1))

    def sizes(self) -> dict[str, np.ndarray]:
        """Return the number of values of each sample."""
        return {"values": np.diff(self.starts("points"))}

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {"kind": self.kind, "dim": self.dim, "periodic": list(self.periodic), "centring": self.centring}


def _cumulative(counts: Sequence[int]) -> np.ndarray:
    if sum(counts) >= 1 << 62:
        raise InputError(f"there are {sum(counts)} values, which no file can hold.")
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
