"""`Field`: the values of one quantity on a mesh or a grid, with norms that compare across unlike meshes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sciml.checks import number_array, real_array
from sciml.errors import InputError
from sciml.mesh.grid import Grid
from sciml.mesh.mesh import Mesh
from sciml.mesh.shapes import SHAPES

Location = Literal["points", "cells"]


@dataclass(frozen=True, eq=False)
class Field:
    """Values of one named quantity on a `Mesh` or `Grid`, possibly in time.

    Parameters
    ----------
    name : printable name
    values : on a mesh ``([times,] places [, components])``, on a grid ``([times,] *shape [, components])``: channels
        last; numpy array or anything that converts, a torch tensor is detached and brought to the CPU
    on : the mesh or grid
    location : "points" (the default) or "cells" of a mesh; a grid decides by its centring
    times : (times,) increasing, of the first axis of ``values``; None for a static field
    unit : for labels, e.g. "m/s"
    """

    name: str
    values: np.ndarray
    on: Mesh | Grid
    location: Location | None = None
    times: np.ndarray | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise InputError(f"The name of a field must be a printable text; got {self.name!r}.")
        values = number_array(f"the field {self.name!r}", self.values)
        location = self.location or "points"
        if isinstance(self.on, Grid):
            location = "cells" if self.on.centring == "cell" else "points"
            if self.location not in (None, location):
                raise InputError(
                    f"Values on a {self.on.centring}-centred grid are at its {location}; "
                    f"got location={self.location!r}."
                )
        if location not in ("points", "cells"):
            raise InputError(f"location is 'points' or 'cells'; got {location!r}.")
        times = None if self.times is None else _checked_times(self.times)
        place = (
            self.on.shape
            if isinstance(self.on, Grid)
            else ((self.on.n_points if location == "points" else self.on.n_cells),)
        )
        expected = place if times is None else (len(times), *place)
        if values.shape[: len(expected)] != expected or values.ndim > len(expected) + 2:
            raise InputError(
                f"Field {self.name!r} at the {location} needs shape {_spell(expected)} with at most two "
                f"more axes for components; got {_spell(values.shape)}."
            )
        for name, value in (("values", values), ("location", location), ("times", times)):
            object.__setattr__(self, name, value)

    @property
    def components(self) -> tuple[int, ...]:
        """Shape of one value: () for a scalar, (3,) for a vector."""
        places = self.on.dim if isinstance(self.on, Grid) else 1
        return tuple(self.values.shape[places + (self.times is not None) :])

    def norm(self) -> float | np.ndarray:
        r"""Return the L2 norm over the domain, ``sqrt(int |u|^2 dx)``; (times,) for a series.

        On the points of a mesh the exact integral of the piecewise linear interpolant (cells that are not simplices
        are split), ``int_S u^2 = |S| / ((d+1)(d+2)) (sum_i u_i^2 + (sum_i u_i)^2)`` on each simplex; on cells the
        volume-weighted sum; on a grid the midpoint or trapezoidal rule. Cells of lower dimension count nothing.
        """
        places = (
            self.on.size
            if isinstance(self.on, Grid)
            else len(self.values[0] if self.times is not None else self.values)
        )
        steps = self.values.reshape(1 if self.times is None else len(self.times), places, -1)
        squares = np.array([self._integral_of_square(step) for step in steps])
        return float(np.sqrt(squares[0])) if self.times is None else np.sqrt(squares)

    def relative_error(self, reference: Field) -> float:
        """Return ``||u - reference|| / ||reference||``; for a series both norms run over all its times as well.

        Parameters
        ----------
        reference : a field of the same shape at the same places
        """
        if reference.values.shape != self.values.shape or reference.location != self.location:
            raise InputError(
                f"Fields compare at the same places: got {_spell(self.values.shape)} at {self.location} "
                f"and {_spell(reference.values.shape)} at {reference.location}. Interpolate one first."
            )
        kind = np.result_type(self.values, reference.values, np.float64)
        difference = self.values.astype(kind) - reference.values
        size = np.linalg.norm(reference.norm())
        if size == 0:
            raise InputError(
                f"The reference {reference.name!r} is zero, so a relative error has no meaning; take the "
                "norm of the difference."
            )
        error = Field(self.name, difference, self.on, self.location, self.times)
        return float(np.linalg.norm(error.norm()) / size)

    def _integral_of_square(self, values: np.ndarray) -> float:
        """Integrate |u|^2 of one step, values (places, components)."""
        kind = np.result_type(values, np.float64)
        if isinstance(self.on, Grid) or self.location == "cells":
            square = (np.abs(values.astype(kind)) ** 2).sum(axis=1)
            if isinstance(self.on, Grid):
                return float(square @ self.on.volumes().ravel())
            volumes = self.on.volumes()
            return float(
                sum(
                    square[where] @ volumes[where]
                    for name, _, where in self.on.blocks()
                    if SHAPES[name].dim == self.on.topological_dim
                )
            )
        total = 0.0
        for name, nodes, _ in self.on.blocks():
            d = SHAPES[name].dim
            if d != self.on.topological_dim:
                continue
            split = np.array(SHAPES[name].simplices)
            for part in range(0, len(nodes), 1 << 15):  # bounds the memory for the gathered values
                block = nodes[part : part + (1 << 15)]
                u = values[block[:, split]].astype(kind)  # (cells, simplices, d + 1, components)
                square = (np.abs(u) ** 2).sum(axis=(2, 3)) + (np.abs(u.sum(axis=2)) ** 2).sum(axis=2)
                total += float((square * self.on.simplex_volumes(name, block)).sum()) / ((d + 1) * (d + 2))
        return total

    def __repr__(self) -> str:
        time = f", {len(self.times)} times" if self.times is not None else ""
        unit = f" [{self.unit}]" if self.unit else ""
        size = f", {'x'.join(map(str, self.components))} components" if self.components else ""
        return f"Field({self.name!r}{unit}, {self.values.dtype} at {self.location}{size}{time}, on {self.on!r})"


def storable(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Return values in dtypes that every file format knows, by field name.

    bool becomes uint8, float16 float32, long double float64, complex the two fields ``name.real`` and ``name.imag``;
    byte order becomes the machine's.
    """
    values = number_array(f"the field {name!r}", values)
    if values.dtype.kind == "c":
        return {f"{name}.{part}": storable(name, getattr(values, part))[name] for part in ("real", "imag")}
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    elif values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        values = values.astype(np.float32 if values.dtype.itemsize == 2 else np.float64)
    return {name: np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))}


def _checked_times(times: Any) -> np.ndarray:
    out = real_array("the times", times, finite=False)
    if out.ndim != 1 or not np.isfinite(out).all() or (np.diff(out) <= 0).any():
        raise InputError(f"times must be a list of finite, increasing numbers; got {np.asarray(times)!r}.")
    return out


def _spell(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"
