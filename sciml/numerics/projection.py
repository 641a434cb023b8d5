r"""The nearest point of linear equality constraints, for the output of any network, in any weighted norm.

.. math::
    \min_u (u - v)^T W (u - v) \text{ with } C u = d: \qquad
    u = v - W^{-1} C^T y, \quad G y = C v - d, \quad G = C W^{-1} C^T

The projection is orthogonal in that norm and idempotent, and what it leaves of C u - d is rounding. It is
differentiable any number of times in v and d, by a solve with G for each derivative.

>>> mean = LinearConstraints({"mean": [[0.5, 0.5]]})
>>> mean.project(torch.tensor([[1.0, 2.0]]), {"mean": torch.zeros(1)})
tensor([[-0.5000,  0.5000]], dtype=torch.float64)

Constraints that are not linear have :func:`sciml.numerics.nearest_point.nearest_point`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from scipy.linalg.lapack import dpstrf
from torch import Tensor
from torch.autograd import Function

from sciml.checks import finite, instance, known_names, real_array, real_tensor, shape
from sciml.errors import DivergenceError, InputError
from sciml.numerics.random import generator

MOST_ROWS = 8192  # of a dense G of 0.5 GiB
DEPENDENT = 1e-7  # the sine of the angle between a row and the span of others below which they determine it, or more
CONSISTENT = 1e-10  # what a dependent row may miss of its value, relative to its terms
SOLVED = 1e-8  # the relative residual above which a given solve is refused
ROUNDING = 1e-12  # of C u, relative to C applied to random fields

Rows = Any  # a matrix of NumPy, SciPy or torch, or nested sequences


class ImplicitConstraints(NamedTuple):
    r"""Linear constraints C u = d without a matrix, such as those of a divergence with a fast Poisson solver.

    Attributes
    ----------
    apply : maps fields to C u, by torch operations
    adjoint : maps multipliers y, in the shape of C u, to :math:`W^{-1} C^T y`, by torch operations
    solve : maps r, in the shape of C u, to a y with :math:`C W^{-1} C^T y = r`; any program, never differentiated

    Examples
    --------
    The mean of each field is zero:

    >>> zero_mean = ImplicitConstraints(
    ...     lambda u: u.mean(-1, keepdim=True), lambda y: y.expand(-1, 4) / 4, lambda r: 4 * r
    ... )
    >>> zero_mean.project(torch.arange(4.0)[None], torch.zeros(1, 1))
    tensor([[-1.5000, -0.5000,  0.5000,  1.5000]], dtype=torch.float64)
    """

    apply: Callable[[Tensor], Tensor]
    adjoint: Callable[[Tensor], Tensor]
    solve: Callable[[Tensor], Tensor]

    def project(self, fields: Tensor, values: Tensor) -> Tensor:
        """Return the nearest fields with C u = d, in double precision.

        Parameters
        ----------
        fields : v, ``(batch, ...)``
        values : d, in a shape that expands to that of C v

        Raises
        ------
        InputError
            The fields are not finite, or the values have another shape.
        DivergenceError
            The given solve does not solve, or no fields have these values.
        """
        start = finite("the fields", real_tensor("the fields", fields)).double()
        image, values = self.apply(start), real_tensor("the values of the constraints", values)
        try:
            first = image - values.expand(image.shape)
        except RuntimeError:
            raise InputError(
                f"the shape of the values of the constraints is {tuple(values.shape)}, expected one that expands to "
                f"{tuple(image.shape)}."
            ) from None
        moved = start - self.adjoint(_GramSolve.apply(self.solve, first))
        left = self.apply(moved) - values
        self._check(start, first, left)
        return moved - self.adjoint(_GramSolve.apply(self.solve, left))  # again, which removes the rounding

    def _check(self, start: Tensor, before: Tensor, after: Tensor) -> None:
        """Refuse a solve that leaves more than rounding of what C v misses."""
        with torch.no_grad():
            drawn = torch.randn(start.shape, generator=generator(0), dtype=start.dtype).to(start.device)
            size = _norms(start) / _norms(drawn) * _norms(self.apply(drawn))  # of C applied to fields of this size
            allowed = torch.maximum(SOLVED * _norms(before), ROUNDING * size)
            wrong = ~(_norms(after) <= allowed)
        if bool(wrong.any()):
            share = float((_norms(after) / _norms(before))[wrong].max())
            raise DivergenceError(
                f"the given solve leaves the share {share:.2g} of what the constraints miss in {int(wrong.sum())} of "
                f"{len(wrong)} items, expected at most {SOLVED:g}; correct the solve with C W^-1 C^T, or the values, "
                "if no fields have them."
            )


class LinearConstraints:
    r"""Linear constraints C u = d whose rows are sparse, in groups with names: the start, the boundary, the mass.

    Rows that follow from others, such as the mass at the start where the start itself is given, are found and left out
    of the solve; :meth:`project` checks that their values follow, too.

    Parameters
    ----------
    rows : C by group, each ``(rows, n)``: matrices of NumPy, SciPy or torch, at most 8192 rows in all
    weights : diagonal of W, ``(n,)`` positive numbers, such as those of a quadrature; None for ones
    device : where the fields lie

    Attributes
    ----------
    dependent : numbers of the rows of each group that follow from others

    Raises
    ------
    InputError
        The groups have rows of unlike length, or too many of them, or a number is not finite.

    References
    ----------
    Golub and Van Loan, "Matrix computations", 2013, sections 4.2.8 (pivoted Cholesky factors) and 6.2 (constraints).
    """

    def __init__(self, rows: Mapping[str, Rows], weights: Any = None, *, device: torch.device | str = "cpu") -> None:
        instance("the constraints", rows, Mapping, "matrices by the name of their group")
        blocks = {name: _matrix(name, block) for name, block in rows.items()}
        widths = sorted({block.shape[1] for block in blocks.values()})
        if len(widths) != 1 or not widths[0]:
            raise InputError(
                f"the rows of the constraints have the lengths {widths}, expected one length of at least 1 for all."
            )
        self.counts, self.unknowns = {name: block.shape[0] for name, block in blocks.items()}, widths[0]
        if not 1 <= sum(self.counts.values()) <= MOST_ROWS:
            raise InputError(
                f"there are {sum(self.counts.values())} constraints, expected 1 to {MOST_ROWS}, whose matrix is dense; "
                "give a solver of your own to ImplicitConstraints."
            )
        spread = np.ones(self.unknowns) if weights is None else _weights(weights, self.unknowns)
        matrix = sparse.csr_array(sparse.vstack(list(blocks.values()), format="csr"))
        norms = np.sqrt((matrix.multiply(matrix) / spread).sum(1))
        unit = sparse.diags_array(1 / np.where(norms > 0, norms, 1)) @ matrix
        terms = int(np.diff(matrix.indptr).max())
        kept, factor = _independent((unit @ sparse.diags_array(1 / spread) @ unit.T).toarray(), terms)
        self.dependent = self._dependent(kept)
        self._kept = torch.from_numpy(kept).to(device)
        self._factor = torch.from_numpy(factor).to(device)
        self._scale = torch.from_numpy(1 / norms[kept]).to(device)
        self._rows, self._sizes = _tensor(matrix, device), _tensor(abs(matrix), device)
        self._unit = _tensor(unit[kept], device)
        self._back = _tensor(sparse.diags_array(1 / spread) @ unit[kept].T, device)

    def __repr__(self) -> str:
        groups = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        dependent = sum(map(len, self.dependent.values()))
        return f"LinearConstraints({groups}; {dependent} dependent; {self.unknowns} unknowns)"

    def apply(self, fields: Tensor) -> dict[str, Tensor]:
        """Return C u by group, each ``(..., rows)``, for fields ``(..., n)``."""
        shape("the fields", real_tensor("the fields", fields), (..., self.unknowns))
        image = _product(self._rows, _rows_of(fields.double()))
        parts = image.reshape(*fields.shape[:-1], -1).split(list(self.counts.values()), -1)
        return dict(zip(self.counts, parts, strict=True))

    def project(self, fields: Tensor, values: Mapping[str, Tensor]) -> Tensor:
        """Return the nearest fields with C u = d, in double precision.

        Parameters
        ----------
        fields : v, ``(..., n)``
        values : d by group, each ``(rows,)`` or ``(..., rows)``

        Raises
        ------
        InputError
            A group has no values, fields or values are not finite, or no fields have these values.
        """
        shape("the fields", real_tensor("the fields", fields), (..., self.unknowns))
        wanted = self._values(fields, values)
        found = ImplicitConstraints(
            lambda u: _product(self._unit, u),
            lambda y: _product(self._back, y),
            lambda r: torch.cholesky_solve(r.T, self._factor).T,
        ).project(_rows_of(fields), wanted[:, self._kept] * self._scale)
        self._check(_rows_of(fields.detach()).double(), found.detach(), wanted.detach(), fields.shape[:-1])
        return found.reshape(fields.shape)

    def _values(self, fields: Tensor, values: Mapping[str, Tensor]) -> Tensor:
        """Return d as one tensor ``(batch, rows)``."""
        instance("the values of the constraints", values, Mapping, "tensors by the name of their group")
        known_names("values of constraints", values, self.counts)
        missing = [name for name in self.counts if name not in values]
        if missing:
            raise InputError(f"the values of the constraints {missing} are missing, expected those of every group.")
        parts = []
        for name, count in self.counts.items():
            what = f"the values of {name}"
            value = shape(what, _real(what, values[name]), (..., count))
            if value.dim() > 1:
                shape(what, value, (*fields.shape[:-1], count))
            parts.append(value.to(fields.device, torch.float64).expand(*fields.shape[:-1], count))
        return _rows_of(torch.cat(parts, -1))

    def _check(self, start: Tensor, found: Tensor, wanted: Tensor, batch: torch.Size) -> None:
        """Refuse values of dependent rows that do not follow from the others."""
        have = _product(self._rows, found)
        allowed = CONSISTENT * (_product(self._sizes, found.abs()) + wanted.abs())
        largest = torch.maximum(found.abs(), start.abs()).amax(1, keepdim=True)
        allowed += ROUNDING * _product(self._sizes, largest.expand_as(found))  # where a value is 0
        wrong = (have - wanted).abs() > allowed
        if not bool(wrong.any()):
            return
        item, row = (int(index) for index in wrong.nonzero()[0])
        name, number = self._named(row)
        places = [int(index) for index in np.unravel_index(item, batch)] if batch else []
        place = f" in item {', '.join(map(str, places))}" if places else ""
        raise InputError(
            f"the constraints contradict one another: row {number} of {name} follows from the others, which make it "
            f"{float(have[item, row]):.6g}{place}, got {float(wanted[item, row]):.6g}; change its value, or leave the "
            "row out."
        )

    def _named(self, row: int) -> tuple[str, int]:
        """Return the group of a row and its number there."""
        ends = list(accumulate(self.counts.values()))
        group = bisect_right(ends, row)
        name = list(self.counts)[group]
        return name, row - ends[group] + self.counts[name]

    def _dependent(self, kept: np.ndarray) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {name: [] for name in self.counts}
        for row in sorted(set(range(sum(self.counts.values()))) - set(kept.tolist())):
            name, number = self._named(row)
            found[name].append(number)
        return found


class _GramSolve(Function):
    """The multipliers G^-1 r. G is symmetric: a derivative is the same solve, and the program is not differentiated."""

    @staticmethod
    def forward(solve: Callable[[Tensor], Tensor], right: Tensor) -> Tensor:
        return solve(right.detach())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.solve = inputs[0]

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[None, Tensor]:
        return None, _GramSolve.apply(ctx.solve, cotangent)

    @staticmethod
    def jvp(ctx: Any, _: None, tangent: Tensor) -> Tensor:
        return _GramSolve.apply(ctx.solve, tangent)


def _independent(gram: np.ndarray, terms: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of a largest set of independent rows, from G of unit rows, and the lower factor of their G.

    A pivot is the square of a sine, and as good as zero within the rounding of its sums: ``terms`` products in an
    entry of G, and one for each row before.
    """
    rounding = (len(gram) + terms) * np.finfo(float).eps
    factor, pivots, rank, _ = dpstrf(gram, tol=max(DEPENDENT**2, rounding), lower=1)
    return np.ascontiguousarray(pivots[:rank] - 1, dtype=np.int64), np.tril(factor[:rank, :rank])


def _matrix(name: str, rows: Rows) -> sparse.csr_array:
    """Return the rows of a group as a sparse matrix of double precision."""
    if isinstance(rows, Tensor) and rows.layout != torch.strided:
        entries = rows.detach().to_sparse_coo().coalesce()
        rows = sparse.coo_array((entries.values().numpy(), entries.indices().numpy()), shape=tuple(rows.shape))
    if sparse.issparse(rows) and rows.ndim == 2 and rows.dtype.kind in "biuf":
        finite(f"the entries of the constraints {name}", rows.tocsr().data)
        return sparse.csr_array(rows, dtype=np.float64)
    dense = rows.toarray() if sparse.issparse(rows) else rows  # refused in a sentence
    return sparse.csr_array(real_array(f"the constraints {name}", dense, shape=("rows", "unknowns")))


def _real(name: str, values: Any) -> Tensor:
    """Return finite real numbers as a tensor."""
    if not isinstance(values, Tensor):
        return torch.from_numpy(real_array(name, values).copy())
    if values.is_complex():
        raise InputError(f"{name} are complex, expected real ones; give the real part if that is meant.")
    return finite(name, values)


def _weights(weights: Any, unknowns: int) -> np.ndarray:
    given = real_array("the weights", weights, shape=(unknowns,))
    if not (given > 0).all():
        raise InputError(f"the least of the weights is {given.min():g}, expected positive ones.")
    return given


def _tensor(matrix: sparse.sparray, device: torch.device | str) -> Tensor:
    entries = matrix.tocoo()
    places = torch.from_numpy(np.stack([entries.row, entries.col]).astype(np.int64))
    values = torch.from_numpy(entries.data)
    return torch.sparse_coo_tensor(places, values, matrix.shape, check_invariants=True).coalesce().to(device)


def _rows_of(vectors: Tensor) -> Tensor:
    """Return vectors ``(..., n)`` as ``(batch, n)``."""
    return vectors.reshape(math.prod(vectors.shape[:-1]), vectors.shape[-1])


def _product(matrix: Tensor, vectors: Tensor) -> Tensor:
    """Return the product of a sparse matrix with vectors ``(batch, n)``, of any number of rows."""
    return torch.sparse.mm(matrix, vectors.T).T


def _norms(vectors: Tensor) -> Tensor:
    return vectors.detach().flatten(1).norm(dim=1)
