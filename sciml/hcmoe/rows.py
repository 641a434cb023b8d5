"""The linear rows beside the equation: start, conditions at the ends, and faces between experts, weighted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.hcmoe.bases import Basis, sides_of
from sciml.hcmoe.boxes import Boxes, faces_of, widths
from sciml.hcmoe.problems.base import Points, SpaceTimeProblem
from sciml.hcmoe.problems.profiles import Coefficients, spread

Weighting = Literal["quadrature", "paper"]
PENALTY = 10.0  # of rows beside the equation, in the scale of the solution
DEPENDENT = 1e-10  # singular value of face rows, relative to the largest, below which they say nothing new


@dataclass(frozen=True, eq=False)
class Lattice:
    """The grid of a constraint, its experts, and the weights of its rows.

    With the weighting ``"quadrature"`` sums of squares are means over time and space: of the residual times the
    duration, of the start, and of the conditions, the latter two times :data:`PENALTY` squared; all are in the unit of
    the solution. With ``"paper"`` the rows are as in the published code: unweighted, the start relative to its value.

    Parameters
    ----------
    problem : equation, start, ends
    times, x : coordinates of the grid, rising, float64
    boxes : of experts
    weighting : ``"quadrature"`` or ``"paper"``
    """

    problem: SpaceTimeProblem
    times: Tensor
    x: Tensor
    boxes: Boxes
    weighting: Weighting = "quadrature"

    @property
    def length(self) -> float:
        """The length of the interval."""
        return self.problem.domain.upper[0] - self.problem.domain.lower[0]

    @cached_property
    def shares(self) -> tuple[Tensor, Tensor]:
        """The shares of the duration and of the interval that belong to each time and each place; their sums are 1."""
        domain, duration = self.problem.domain, self.problem.duration
        return (
            widths(self.times, 0.0, duration) / duration,
            widths(self.x, domain.lower[0], domain.upper[0]) / self.length,
        )

    @cached_property
    def weights(self) -> Tensor:
        """The weights of the squared residuals, ``(K, points of a box)``."""
        if self.weighting == "paper":
            return torch.ones(self.boxes.count, self.boxes.points, dtype=torch.float64, device=self.x.device)
        by_time, by_place = self.shares
        weights = self.problem.duration**2 * by_time[:, None] * by_place
        return self.boxes.partition(weights[None, None, ..., None])[:, 0, :, 0]

    @cached_property
    def points(self) -> tuple[Tensor, Tensor]:
        """Times and places of the points, ``(K, points of a box)`` each."""
        grid = torch.stack(torch.meshgrid(self.times, self.x, indexing="ij"))
        times, places = self.boxes.partition(grid[None, ..., None])[..., 0].unbind(1)
        return times, places

    @cached_property
    def faces(self) -> tuple[Tensor, Tensor]:
        """The faces of the boxes in time and in space, the ends among them."""
        boxes, domain = self.boxes, self.problem.domain
        return (
            faces_of(self.times, boxes.by_time, 0.0, self.problem.duration),
            faces_of(self.x, boxes.by_place, domain.lower[0], domain.upper[0]),
        )

    def start_rows(self, basis: Basis, coefficients: Coefficients) -> tuple[Tensor, Tensor]:
        """Return the rows of the start at all places, ``(instances, places, N)`` and ``(instances, places)``."""
        zero = self.times.new_zeros(1)
        matrix = _at(basis, (0, 0), zero, self.x)[:, 0]
        at = Points(self.x, zero, spread(coefficients, 1))
        initial = self.problem.initial_values(at)
        initial = initial.expand(torch.broadcast_shapes(initial.shape, (1, len(self.x))))
        if self.weighting == "paper":
            if not bool((initial > 0).all()):
                raise InputError(
                    "the start has values that are not positive, by which rows of the weighting 'paper' are divided; "
                    "expected a positive start, or weighting='quadrature'."
                )
            scale = 1 / initial
        else:
            scale = PENALTY * self.shares[1].sqrt().expand_as(initial)
        return scale[..., None] * matrix, scale * initial

    def end_rows(self, basis: Basis, coefficients: Coefficients) -> list[tuple[Tensor, Tensor]]:
        """Return the rows of both ends at all times, ``(instances, times, N)`` and ``(instances, times)``.

        They are 0 at time 0, where the start holds, which may contradict the conditions: a front begins like that.
        """
        domain, rows = self.problem.domain, []
        places = self.x.new_tensor([domain.lower[0], domain.upper[0]])
        at = Points(places, self.times, spread(coefficients, 1))
        for place, condition in zip(places, self.problem.ends(at), strict=True):
            value, slope, target = (torch.as_tensor(part, dtype=torch.float64).to(self.times) for part in condition)
            value, slope, target = (part.expand(*part.shape[:-1], len(self.times)) for part in (value, slope, target))
            fields = basis.derivatives([(0, 0), (0, 1)], self.times, place[None]).to(self.times)[..., 0, :]
            matrix = value[..., None] * fields[:, 0] + slope[..., None] * fields[:, 1]
            scale = torch.ones_like(value)
            if self.weighting == "quadrature":
                scale = PENALTY * self.shares[0].sqrt() / torch.hypot(value, slope / self.length)
            scale = scale * (self.times > 0)
            rows.append((scale[..., None] * matrix, scale * target))
        return rows

    def face_rows(self, basis: Basis) -> Tensor:
        """Return the rows of jumps between experts, ``(instances or 1, rows, K * N)``, whose right-hand sides are 0.

        Values and slopes across faces in space, at all times; values across faces in time, at all places.
        """
        boxes, rows = self.boxes, []
        scales = [torch.ones_like(each) for each in self.shares]
        if self.weighting == "quadrature":
            scales = [PENALTY * each.sqrt() for each in self.shares]
        faces, sides = self.faces, sides_of(basis)
        for j in range(1, boxes.by_place):
            pair = []
            for side in sides if sides[0] is not sides[1] else sides[:1]:
                fields = side.derivatives([(0, 0), (0, 1)], self.times, faces[1][j : j + 1]).to(self.times)[..., 0, :]
                fields = fields * fields.new_tensor([1.0, self.length / boxes.by_place])[:, None, None]
                pair.append(boxes.along_time((scales[0][:, None] * fields).transpose(1, 2))[:, :, 0].flatten(2, 3))
            rows += [self._between((i, j - 1), (i, j), [each[:, i] for each in pair]) for i in range(boxes.by_time)]
        for i in range(1, boxes.by_time):
            pair = []
            for side in sides if sides[0] is not sides[1] else sides[:1]:
                fields = scales[1][:, None] * _at(side, (0, 0), faces[0][i : i + 1], self.x)[:, 0]
                pair.append(boxes.along_place(fields)[:, 0])
            rows += [self._between((i - 1, j), (i, j), [each[:, j] for each in pair]) for j in range(boxes.by_place)]
        return torch.cat(rows, 1)

    def _between(self, one: tuple[int, int], other: tuple[int, int], fields: list[Tensor]) -> Tensor:
        """Return ``u_other - u_one`` as rows of the unknowns of all experts, ``(instances, rows, K * N)``."""
        columns = [torch.zeros_like(fields[0])] * self.boxes.count
        columns[self.boxes.index(*one)], columns[self.boxes.index(*other)] = -fields[0], fields[-1]
        return torch.cat(columns, 2)


def _at(basis: Basis, order: tuple[int, int], times: Tensor, x: Tensor) -> Tensor:
    """Return one derivative in double precision, ``(instances or 1, times, places, N)``."""
    return basis.derivatives([order], times, x)[:, 0].to(times)


def independent_rows(faces: Tensor) -> Tensor:
    """Return orthonormal rows with the same null space, of a basis that is the same for all instances."""
    if faces.requires_grad or not torch.equal(faces, faces[:1].expand_as(faces)):
        raise InputError(
            "coupling='exact' is for a basis that is fixed and the same for all instances, such as polynomials; "
            "take coupling='faces' for one that is learned."
        )
    _, values, rows = torch.linalg.svd(faces[0], full_matrices=False)
    return rows[values > DEPENDENT * values[0]][None]


def expanded(matrix: Tensor, level: float, items: int) -> tuple[Tensor, Tensor]:
    """Return the rows of all items and right-hand sides of one value."""
    matrix = matrix.expand(items, -1, -1)
    return matrix, matrix.new_full(matrix.shape[:2], level)
