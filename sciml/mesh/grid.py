"""`Grid`: a uniform lattice in a box, the special case of a mesh that most benchmarks live on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from sciml.errors import InputError

if TYPE_CHECKING:
    from sciml.mesh.mesh import Mesh

_SQUARE = ((0, 0), (1, 0), (1, 1), (0, 1))
# by dimension: cell type and the lattice offsets of its corners
_CELLS = {
    1: ("line", ((0,), (1,))),
    2: ("quad", _SQUARE),
    3: ("hexahedron", tuple((*corner, z) for z in (0, 1) for corner in _SQUARE)),
}


@dataclass(frozen=True)
class Grid:
    """Uniform lattice of ``shape`` values in the box ``[lower, upper]``.

    Parameters
    ----------
    shape : number of values along each of 1 to 3 axes
    lower, upper : corners of the box, one coordinate per axis; by default the box ``[0, 1]^dim``
    periodic : per axis, or one for all; a periodic vertex-centred axis has no value at its upper end
    centring : "vertex" puts values on both ends of each axis, "cell" in the middle of each of ``shape`` cells

    Examples
    --------
    >>> Grid((5, 3)).spacing
    (0.25, 0.5)
    >>> Grid((4,), centring="cell").axes()[0]
    array([0.125, 0.375, 0.625, 0.875])
    """

    shape: tuple[int, ...]
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    periodic: tuple[bool, ...] | bool = False
    centring: Literal["vertex", "cell"] = "vertex"

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if not 1 <= len(shape) <= 3 or any(n != m for n, m in zip(shape, self.shape, strict=True)):
            raise InputError(f"A grid has 1 to 3 axes with a whole number of values each; got shape={self.shape!r}.")
        dim = len(shape)
        lower = tuple(float(x) for x in self.lower) or (0.0,) * dim
        upper = tuple(float(x) for x in self.upper) or (1.0,) * dim
        periodic = (self.periodic,) * dim if isinstance(self.periodic, bool) else tuple(bool(p) for p in self.periodic)
        if not len(lower) == len(upper) == len(periodic) == dim:
            raise InputError(
                f"lower, upper and periodic need one entry for each of the {dim} axes of the grid; "
                f"got {len(lower)}, {len(upper)} and {len(periodic)}."
            )
        if not all(np.isfinite(a) and np.isfinite(b) and a < b for a, b in zip(lower, upper, strict=True)):
            raise InputError(f"lower must be smaller than upper on each axis; got lower={lower}, upper={upper}.")
        if self.centring not in ("vertex", "cell"):
            raise InputError(f"centring is 'vertex' or 'cell'; got {self.centring!r}.")
        for n, wraps in zip(shape, periodic, strict=True):
            least = 2 if self.centring == "vertex" and not wraps else 1
            if n < least:
                raise InputError(
                    f"Each axis of a {self.centring}-centred grid needs at least {least} values; got shape={shape}."
                )
        for name, value in (("shape", shape), ("lower", lower), ("upper", upper), ("periodic", periodic)):
            object.__setattr__(self, name, value)

    @property
    def dim(self) -> int:
        """Number of axes, 1 to 3."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values on the whole grid."""
        return int(np.prod(self.shape))

    @property
    def cells(self) -> tuple[int, ...]:
        """Number of cells along each axis, those that close a periodic axis included."""
        return tuple(
            n - 1 if self.centring == "vertex" and not wraps else n
            for n, wraps in zip(self.shape, self._wraps, strict=True)
        )

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance between neighbouring values along each axis."""
        return tuple((b - a) / n for a, b, n in zip(self.lower, self.upper, self.cells, strict=True))

    @property
    def _wraps(self) -> tuple[bool, ...]:
        return (self.periodic,) * self.dim if isinstance(self.periodic, bool) else self.periodic

    def axes(self) -> tuple[np.ndarray, ...]:
        """Return the coordinates of the values along each axis, each (shape[axis],) float64."""
        shift = 0.5 if self.centring == "cell" else 0.0
        return tuple(
            a + (b - a) * ((np.arange(n) + shift) / m)
            for a, b, n, m in zip(self.lower, self.upper, self.shape, self.cells, strict=True)
        )

    def edges(self) -> tuple[np.ndarray, ...]:
        """Return the coordinates of the cell boundaries along each axis, each (cells[axis] + 1,) float64."""
        return tuple(
            a + (b - a) * (np.arange(m + 1) / m) for a, b, m in zip(self.lower, self.upper, self.cells, strict=True)
        )

    def coordinates(self, dtype: np.typing.DTypeLike = np.float64) -> np.ndarray:
        """Return the position of every value, ``(*shape, dim)``."""
        return np.stack(np.meshgrid(*(axis.astype(dtype) for axis in self.axes()), indexing="ij"), axis=-1)

    def volumes(self) -> np.ndarray:
        """Return the quadrature weight of every value, ``(*shape)``: they sum to the volume of the box.

        Cell-centred and periodic axes: the midpoint rule; other vertex-centred axes: the trapezoidal rule.
        """
        weights = np.ones(self.shape)
        for axis, (n, h, wraps) in enumerate(zip(self.shape, self.spacing, self._wraps, strict=True)):
            w = np.full(n, h)
            if self.centring == "vertex" and not wraps:
                w[[0, -1]] /= 2
            weights *= w.reshape((-1,) + (1,) * (self.dim - 1 - axis))
        return weights

    def to_mesh(self) -> Mesh:
        """Return the cells of the grid as lines, quadrilaterals or hexahedra.

        Cell-centred: cell number k holds value number k (C order). Vertex-centred: point number k holds value number
        k, and the cells that would close a periodic axis are left out.
        """
        from sciml.mesh.mesh import Mesh

        axes = self.edges() if self.centring == "cell" else self.axes()
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, self.dim)
        number = np.arange(len(points), dtype=np.int64).reshape([len(axis) for axis in axes])
        name, corners = _CELLS[self.dim]
        cells = np.stack(
            [
                number[tuple(slice(o, n - 1 + o) for o, n in zip(corner, number.shape, strict=True))].ravel()
                for corner in corners
            ],
            axis=1,
        )
        return Mesh(points, {name: cells})

    @classmethod
    def from_spacing(
        cls,
        shape: Sequence[int],
        spacing: float | Sequence[float] = 1.0,
        *,
        origin: Sequence[float] | None = None,
        centring: Literal["vertex", "cell"] = "cell",
    ) -> Grid:
        """Return the grid of ``shape`` cells (or vertices) of the given spacing whose box starts at ``origin``."""
        dim = len(tuple(shape))
        h = np.broadcast_to(np.asarray(spacing, dtype=float), (dim,))
        lower = np.zeros(dim) if origin is None else np.asarray(origin, dtype=float)
        counts = np.asarray(shape) - (1 if centring == "vertex" else 0)
        return cls(tuple(shape), tuple(lower), tuple(lower + counts * h), centring=centring)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.shape))
        box = " x ".join(f"[{a:g}, {b:g}]" for a, b in zip(self.lower, self.upper, strict=True))
        wraps = (
            f", periodic in {'xyz'[: self.dim]}"
            if all(self._wraps)
            else (f", periodic={self._wraps}" if any(self._wraps) else "")
        )
        return f"Grid({size} {self.centring}-centred values in {box}{wraps})"
