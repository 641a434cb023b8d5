r"""Least squares on a chain of elements: each residual involves the interior of one element and its two faces only.

The unknowns of an element are interior ones, which no other element sees, and those of its two faces, which it shares
with its neighbours. A QR factorisation of the rows of each element, all of them in one batch, eliminates the interiors;
its last rows couple neighbouring faces, a block-bidiagonal problem that is solved by QR from face to face. The cost is
linear in the number of elements, and no condition number is squared.

References
----------
George, Liu, "Householder reflections versus Givens rotations in sparse orthogonal decomposition", Linear Algebra Appl.
88/89, 1987; Cox, "The least squares solution of overdetermined linear equations having band or augmented band
structure", IMA J. Numer. Anal. 1, 1981.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from sciml.checks import real_tensor, whole_number
from sciml.errors import InputError

AT_ONCE = 1 << 21  # bytes of the rows of elements that are factorised at a time: larger arrays cost page faults


@dataclass(frozen=True, eq=False)
class ChainUnknowns:
    """The vector of unknowns of each chain, and what it means on elements and faces.

    At the two ends a face may have fewer unknowns than in between, because of boundary conditions: there its ``n``
    values are ``first @ z`` and ``last @ z``. The vector holds those of the faces from the first to the last, then the
    interiors.

    Parameters
    ----------
    elements : their number K, at least 1
    interior : unknowns of each interior, at least 0
    first, last : ``(items, n, at most n)``, with columns that are independent
    """

    elements: int
    interior: int
    first: Tensor
    last: Tensor

    def __post_init__(self) -> None:
        whole_number("the number of elements of a chain", self.elements, at_least=1)
        whole_number("the number of interior unknowns of an element", self.interior, at_least=0)
        for name in ("first", "last"):
            shape = tuple(real_tensor(f"the {name} face of a chain", getattr(self, name)).shape)
            if len(shape) != 3 or shape[:2] != tuple(self.first.shape[:2]) or shape[2] > shape[1]:
                raise InputError(
                    f"the {name} face of a chain has a matrix of shape {shape}, expected (items, values, unknowns) "
                    "with the same items and values at both ends, and no more unknowns than values."
                )

    @property
    def face(self) -> int:
        """The number of values of a face."""
        return self.first.shape[1]

    @property
    def counts(self) -> tuple[int, ...]:
        """The number of unknowns of each face, from the first to the last."""
        return (self.first.shape[2], *[self.face] * (self.elements - 1), self.last.shape[2])

    @property
    def count(self) -> int:
        """The number of unknowns of a chain."""
        return sum(self.counts) + self.elements * self.interior

    def chosen(self, items: Tensor) -> ChainUnknowns:
        """Return the unknowns of some of the chains."""
        return ChainUnknowns(self.elements, self.interior, self.first[items], self.last[items])

    def expand(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values at the faces, ``(items, K + 1, n)``, and in the interiors, ``(items, K, interior)``."""
        faces, inside = w.split([sum(self.counts), self.elements * self.interior], dim=1)
        return self.face_values(faces), inside.reshape(len(w), self.elements, self.interior)

    def face_values(self, faces: Tensor) -> Tensor:
        """Return the values at the faces, ``(items, K + 1, n)``, for their unknowns, ``(items, sum of counts)``."""
        first, between, last = faces.split([self.counts[0], sum(self.counts[1:-1]), self.counts[-1]], dim=1)
        ends = [(matrix @ part[..., None])[:, None, :, 0] for matrix, part in ((self.first, first), (self.last, last))]
        return torch.cat([ends[0], between.reshape(len(faces), -1, self.face), ends[1]], 1)

    def restrict(self, faces: Tensor, inside: Tensor) -> Tensor:
        """Return the transpose of :meth:`expand` applied to values at faces and in interiors, ``(items, count)``."""
        first = (self.first.mT @ faces[:, 0, :, None])[..., 0]
        last = (self.last.mT @ faces[:, -1, :, None])[..., 0]
        return torch.cat([first, faces[:, 1:-1].flatten(1), last, inside.flatten(1)], 1)


class ChainLinearisation:
    """A :class:`~sciml.numerics.batched_least_squares.BatchedLinearisation` of residuals on chains of elements.

    Parameters
    ----------
    unknowns : of the chains
    residual : ``(items, K, rows)``
    jacobian : returns the derivatives of some of the elements by their interior, their left and their right face,
        ``(items, elements, rows, interior + 2 n)``; called for a few at a time, and only if steps are asked for

    Raises
    ------
    InputError
        From the first step on, if an element has fewer rows than columns.
    """

    def __init__(self, unknowns: ChainUnknowns, residual: Tensor, jacobian: Callable[[slice], Tensor]) -> None:
        self.unknowns, self.residual, self._jacobian = unknowns, residual, jacobian

    @cached_property
    def cost(self) -> Tensor:
        """Half the sum of squares, ``(items,)``."""
        return 0.5 * self.residual.square().sum((1, 2))

    @cached_property
    def gradient(self) -> Tensor:
        """The gradient of the cost, ``J^T r``, ``(items, unknowns)``."""
        triangle, right = self._factors[..., :-1], self._factors[..., -1:]
        interior, face = self.unknowns.interior, self.unknowns.face
        inside, left, after = (triangle.mT @ right)[..., 0].split([interior, face, face], -1)
        return self.unknowns.restrict(_shared(left, after), inside)

    @cached_property
    def scale(self) -> Tensor:
        """The mean of the diagonal of ``J^T J``, ``(items,)``."""
        interior, face = self.unknowns.interior, self.unknowns.face
        triangle = self._factors[..., :-1]
        total = triangle.square().sum((1, 2, 3))
        for end, columns, matrix in ((0, interior, self.unknowns.first), (-1, interior + face, self.unknowns.last)):
            block = triangle[:, end, :, columns : columns + face]
            total = total - block.square().sum((1, 2)) + (block @ matrix).square().sum((1, 2))
        return total / self.unknowns.count

    def step(self, damping: Tensor) -> Tensor:
        """Return the minima of ``|r + J d|^2 + damping |d|^2``, ``(items, unknowns)``.

        Parameters
        ----------
        damping : absolute, ``(items,)``; where it is lost in the rounding of ``J^T J``, it costs nothing
        """
        interior, face = self.unknowns.interior, self.unknowns.face
        factors = self._damped(damping)
        below = factors[:, :, interior : interior + 2 * face]
        faces = _backwards(self._face_triangles(below[..., interior:], damping))
        values = self.unknowns.face_values(faces)
        ends = torch.cat([values[:, :-1], values[:, 1:]], 2)[..., None]
        upper, coupling, right = factors[:, :, :interior].split([interior, 2 * face, 1], -1)
        inside = torch.linalg.solve_triangular(upper, -(right + coupling @ ends), upper=True)[..., 0]
        return torch.cat([faces, inside.flatten(1)], 1)

    def adjoint(self, cotangent: Tensor) -> Tensor:
        r"""Return the transpose of the undamped step as a linear map of the residual, ``-J (J^T J)^{-1} c``.

        Parameters
        ----------
        cotangent : c, ``(items, unknowns)``

        Returns
        -------
        Tensor
            ``(items, K, rows)``.
        """
        interior, face = self.unknowns.interior, self.unknowns.face
        upper, coupling = self._factors[:, :, :interior, :-1].split([interior, 2 * face], -1)
        below = self._factors[:, :, interior : interior + 2 * face, interior:]
        faces, inside = cotangent.split([sum(self.unknowns.counts), self._factors.shape[1] * interior], 1)
        inside = inside.reshape(*self._factors.shape[:2], interior, 1)
        half = torch.linalg.solve_triangular(upper.mT, inside, upper=False)
        left, right = (coupling.mT @ half)[..., 0].split(face, -1)
        taken = self.unknowns.restrict(_shared(left, right), torch.zeros_like(inside))[:, : faces.shape[1]]
        solved = _normal_solve(self._face_triangles(below, torch.zeros_like(self.cost)), faces - taken)
        values = self.unknowns.face_values(solved)
        ends = torch.cat([values[:, :-1], values[:, 1:]], 2)[..., None]
        inside = torch.linalg.solve_triangular(upper, half - coupling @ ends, upper=True)
        solution = torch.cat([inside, ends], 2)
        return -torch.cat([self._jacobian(part) @ solution[:, part] for part in self._parts], 1)[..., 0]

    def _damped(self, damping: Tensor) -> Tensor:
        """Return the triangles of the elements with damping rows for their interiors."""
        factors, interior = self._factors, self.unknowns.interior
        lost = damping <= torch.finfo(factors.dtype).eps ** 2 * self.scale
        if bool(lost.all()):
            return factors
        ridge = torch.eye(interior, factors.shape[-1], dtype=factors.dtype, device=factors.device)
        rows = (damping.sqrt()[:, None, None, None] * ridge).expand(*factors.shape[:2], -1, -1)
        return torch.linalg.qr(torch.cat([factors, rows], 2), mode="r").R

    def _face_triangles(self, rows: Tensor, damping: Tensor) -> list[Tensor]:
        """Eliminate the faces one after the other; return the rows of each for itself, the next one and the residual.

        Parameters
        ----------
        rows : of each element for its left face, its right face and the residual, ``(items, K, 2 n, 2 n + 1)``
        damping : absolute, ``(items,)``
        """
        counts, (items, elements) = self.unknowns.counts, rows.shape[:2]
        face = self.unknowns.face
        ridge = damping.sqrt()[:, None, None]
        carried, solved = rows.new_zeros(items, 0, counts[0] + 1), []
        for element in range(elements):
            here, there = counts[element], counts[element + 1]
            left, right, rest = rows[:, element].split([face, face, 1], -1)
            left = left @ self.unknowns.first if element == 0 else left
            right = right @ self.unknowns.last if element == elements - 1 else right
            above = torch.cat([carried[..., :-1], rows.new_zeros(items, carried.shape[1], there), carried[..., -1:]], 2)
            damped = ridge * torch.eye(here, here + there + 1, dtype=rows.dtype, device=rows.device)
            stack = torch.cat([above, torch.cat([left, right, rest], 2), damped], 1)
            triangle = torch.linalg.qr(stack, mode="r").R
            solved.append(triangle[:, :here])
            carried = triangle[:, here : here + there + 1, here:]
        damped = ridge * torch.eye(counts[-1], counts[-1] + 1, dtype=rows.dtype, device=rows.device)
        last = torch.linalg.qr(torch.cat([carried, damped], 1), mode="r").R[:, : counts[-1]]
        return [*solved, last]

    @cached_property
    def _factors(self) -> Tensor:
        """The triangle of ``[J r]`` of each element, ``(items, K, columns + 1, columns + 1)``."""
        rows, columns = self.residual.shape[2], self.unknowns.interior + 2 * self.unknowns.face
        if rows <= columns:
            raise InputError(
                f"an element has {rows} residuals for {columns} unknowns, its own and those of its faces, expected "
                "more residuals than unknowns; take more points in each element."
            )
        parts = (torch.cat([self._jacobian(part), self.residual[:, part, :, None]], -1) for part in self._parts)
        return torch.cat([torch.linalg.qr(part, mode="r").R for part in parts], 1)

    @property
    def _parts(self) -> list[slice]:
        """The elements, so few at a time that their rows stay in the cache of a processor."""
        items, elements, rows = self.residual.shape
        row = self.residual.element_size() * (self.unknowns.interior + 2 * self.unknowns.face)
        count = max(1, AT_ONCE // max(1, items * rows * row))
        return [slice(first, first + count) for first in range(0, elements, count)]


def _backwards(triangles: list[Tensor]) -> Tensor:
    """Substitute from the last face to the first; return their unknowns, ``(items, sum of counts)``."""
    found = [triangles[0].new_zeros(len(triangles[0]), 0, 1)]
    for triangle in reversed(triangles):
        here, there = triangle.shape[1], found[0].shape[1]
        upper, coupling, right = triangle.split([here, there, 1], -1)
        found.insert(0, torch.linalg.solve_triangular(upper, -(right + coupling @ found[0]), upper=True))
    return torch.cat(found, 1)[..., 0]


def _normal_solve(triangles: list[Tensor], right: Tensor) -> Tensor:
    """Solve ``R^T R z = right`` with the triangular R of all faces together."""
    parts, rest = right.split([triangle.shape[1] for triangle in triangles], 1), 0.0
    replaced = []
    for triangle, part in zip(triangles, parts, strict=True):
        here = triangle.shape[1]
        half = torch.linalg.solve_triangular(triangle[:, :, :here].mT, part[..., None] - rest, upper=False)
        rest = triangle[:, :, here:-1].mT @ half
        replaced.append(torch.cat([triangle[:, :, :-1], -half], 2))
    return _backwards(replaced)


def _shared(left: Tensor, right: Tensor) -> Tensor:
    """Return sums over the elements at each face of values at their left and right faces, ``(items, K + 1, n)``."""
    sums = left.new_zeros(left.shape[0], left.shape[1] + 1, left.shape[2])
    sums[:, :-1] += left
    sums[:, 1:] += right
    return sums
