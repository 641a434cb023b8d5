r"""Experts on the rectangles of a plane: a steady flow that satisfies its equation in least squares, without training.

On each rectangle, p is a product of polynomials in x and y that share values and slopes at faces, so that p and its
gradient are continuous, and with them the flux ``-k grad p``; the pressure on the boundary holds exactly. The residual

    \Delta p + \nabla \log k \cdot \nabla p + f / k,

weighted by the quadrature, is made small; nothing else enters the sum of squares. A QR factorisation of the rows of
each rectangle eliminates its bubbles; a column of rectangles is an element of a chain
(:mod:`sciml.numerics.element_chain`), whose interior are the horizontal faces and whose faces are whole vertical lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.hcmoe.elements import ElementBasis, Elements
from sciml.hcmoe.end_conditions import fitted, oversampled
from sciml.hcmoe.problems.darcy import DarcyProblem
from sciml.numerics.element_chain import ChainLinearisation, ChainUnknowns
from sciml.numerics.polynomials import ENDS, gauss_legendre
from sciml.tables import counted, summary

LINE = ENDS // 2  # functions of an axis that belong to a line between elements: value and slope


@dataclass(frozen=True, eq=False)
class Flow:
    """A pressure that experts have found.

    Attributes
    ----------
    coefficients : on each rectangle, ``(K, L, size, size)``
    residual : root mean square of the residual over that of f / k
    """

    coefficients: Tensor
    residual: float


class PlaneExperts:
    """Solve a steady flow by one polynomial expert on each rectangle of a grid, in one linear least-squares problem.

    Parameters
    ----------
    problem : to be solved
    elements : of the x axis
    across : of the y axis, of the same degree; as those of the x axis by default

    Raises
    ------
    InputError
        If the problem is not well stated, or the elements do not suit it.

    Examples
    --------
    >>> from sciml.hcmoe import Elements, PlaneExperts, RandomDarcy
    >>> experts = PlaneExperts(RandomDarcy(seed=1, deviation=0.0), Elements(4, degree=10))
    >>> flow = experts.solve()
    >>> f"{float(experts.pressure(flow, torch.tensor([[0.5, 0.5]], dtype=torch.float64))):.4f}"
    '0.0737'
    """

    def __init__(self, problem: DarcyProblem, elements: Elements | None = None, across: Elements | None = None) -> None:
        problem.check()
        self.problem, self.elements = problem, elements or Elements(8, 10)
        self.across = across or self.elements
        if self.across.degree != self.elements.degree:
            raise InputError(
                f"the elements have the degrees {self.elements.degree} and {self.across.degree} along the two axes, "
                "expected equal ones."
            )
        ends = zip((self.elements, self.across), problem.domain.lower, problem.domain.upper, strict=True)
        self.axes = tuple(ElementBasis(each.faces(low, high), each.degree) for each, low, high in ends)
        self._map = _AxisMap(self.across.count, self.elements.degree + 1)

    @property
    def unknowns(self) -> int:
        """The number of unknowns in all."""
        return (_AxisMap(self.elements.count, self._map.size).count - 2) * (self._map.count - 2)

    def solve(self) -> Flow:
        """Return the pressure with the least residual."""
        lift = self._lift
        columns = [self._column(number, lift[number]) for number in range(self.elements.count)]
        strips = torch.stack([self._strip(column) for column in columns])[None]
        residual, jacobian = strips[..., -1], strips[..., :-1]
        chain = ChainLinearisation(self._chain, residual, lambda part: jacobian[:, part])
        faces, inside = self._chain.expand(chain.step(torch.zeros_like(chain.cost)))
        change = self._local(faces[0], inside[0])
        for number, triangle in enumerate(columns):
            change[number] = self._with_bubbles(change[number], triangle)
        coefficients = lift + change
        return Flow(coefficients, self._relative_residual(coefficients))

    def pressure(self, flow: Flow, points: Tensor) -> Tensor:
        """Return p at points of the rectangle ``(n, 2)``, ``(n,)``, differentiable by the points."""
        places, tables = zip(*(axis.at(points[:, k].contiguous()) for k, axis in enumerate(self.axes)), strict=True)
        return torch.einsum("ni,nij,nj->n", tables[0], flow.coefficients.to(points)[places], tables[1])

    def flux(self, flow: Flow, points: Tensor) -> Tensor:
        """Return the flux ``-k grad p`` at points ``(n, 2)``, ``(n, 2)``, differentiable by them."""
        differentiated = points.requires_grad and torch.is_grad_enabled()
        with torch.enable_grad():
            at = points if differentiated else points.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.pressure(flow, at).sum(), at, create_graph=differentiated)
        return -self.problem.permeability(points)[:, None] * gradient

    def residual(self, flow: Flow, points: Tensor) -> Tensor:
        """Return ``-div(k grad p) - f`` at points ``(n, 2)``, ``(n,)``."""
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.pressure(flow, points).sum(), points, create_graph=True)
            seconds = [torch.autograd.grad(gradient[:, k].sum(), points, retain_graph=True)[0][:, k] for k in (0, 1)]
        logarithm, slope = self.problem.medium(points)
        laplacian = seconds[0] + seconds[1] + (slope * gradient.detach()).sum(1)
        return -logarithm.exp() * laplacian - self.problem.sources(points.detach())

    def __repr__(self) -> str:
        """Return the problem, the basis and the number of unknowns as a table."""
        rows = {"problem": type(self.problem).__name__, "experts": self.elements.count * self.across.count}
        more = {"degree": self.elements.degree, "unknowns": counted(self.unknowns, "number")}
        return summary(type(self).__name__, {**rows, **more})

    def _column(self, number: int, lift: Tensor) -> Tensor:
        """Return the triangles of ``[J r]`` of a column of rectangles, bubbles first, ``(L, columns, columns)``."""
        tables, right = self._rows(number)
        x, y = tables  # (3, 1, m, size) and (3, L, m, size)
        slope_x, slope_y = right[0][..., None, None], right[1][..., None, None]

        def product(along: int, across: int) -> Tensor:
            return x[along][:, :, None, :, None] * y[across][:, None, :, None, :]

        operator = product(2, 0) + product(0, 2) + slope_x * product(1, 0) + slope_y * product(0, 1)
        weights = right[3][..., None, None]
        jacobian = (weights * operator).flatten(3).flatten(1, 2)
        residual = (jacobian @ lift.flatten(1)[..., None])[..., 0] + (right[3] * right[2]).flatten(1)
        rows = torch.cat([jacobian[..., self._map.order], residual[..., None]], -1)
        return torch.linalg.qr(rows, mode="r").R

    def _rows(self, number: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Return the tables of both axes; the gradient of log k, f / k, and the roots of the weights at Gauss points.

        The latter are ``(L, m, m)``.
        """
        nodes, weights = gauss_legendre(oversampled(self.elements.degree + 1))
        x, y = (axis.points(nodes) for axis in self.axes)
        x = x[number : number + 1]
        places = torch.stack(torch.broadcast_tensors(x[..., :, None], y[..., None, :]), -1)
        shape, points = places.shape[:-1], places.flatten(0, 2)
        logarithm, slope = self.problem.medium(points)
        source = self.problem.sources(points) / logarithm.exp()
        area = self.axes[0].half[number] * self.axes[1].half / (4 * self.axes[0].half.sum() * self.axes[1].half.sum())
        roots = (area[:, None, None] * weights[:, None] * weights).sqrt()
        tables = self.axes[0].tables(nodes, 2)[:, number : number + 1], self.axes[1].tables(nodes, 2)
        slopes = slope.unflatten(0, shape)
        return tables, (slopes[..., 0], slopes[..., 1], source.unflatten(0, shape), roots)

    def _strip(self, triangles: Tensor) -> Tensor:
        """Return the rows of a column of rectangles without bubbles, for all unknowns of the strip and the residual."""
        bubbles = self._map.bubbles**2
        below = triangles[:, bubbles:, bubbles:]
        strip = below.new_zeros(*below.shape[:2], self._map.strip + 1)
        index = torch.cat([self._map.places, torch.full((len(below), 1), self._map.strip)], 1)
        strip.scatter_(2, index[:, None].expand(-1, below.shape[1], -1), below)
        return strip.flatten(0, 1)[:, torch.cat([self._map.free, torch.tensor([self._map.strip])])]

    def _with_bubbles(self, change: Tensor, triangles: Tensor) -> Tensor:
        """Return the coefficients of a column with its bubbles, for those of its faces, ``(L, size, size)``."""
        bubbles = self._map.bubbles**2
        upper, coupling, right = triangles[:, :bubbles].split([bubbles, triangles.shape[2] - bubbles - 1, 1], -1)
        flat = change.flatten(1)
        ends = flat[:, self._map.order[bubbles:], None]
        flat[:, self._map.order[:bubbles]] = torch.linalg.solve_triangular(
            upper, -(right + coupling @ ends), upper=True
        )[..., 0]
        return flat.unflatten(1, change.shape[1:])

    def _local(self, faces: Tensor, inside: Tensor) -> Tensor:
        """Return the coefficients of all rectangles without bubbles, ``(K, L, size, size)``."""
        strips = torch.cat([inside, faces[:-1], faces[1:]], 1)
        full = strips.new_zeros(len(strips), self._map.strip)
        full[:, self._map.free] = strips
        found = strips.new_zeros(len(strips), self.across.count, self._map.size**2)
        found[:, :, self._map.order[self._map.bubbles**2 :]] = full[:, self._map.places]
        return found.unflatten(2, (self._map.size, self._map.size))

    def _relative_residual(self, coefficients: Tensor) -> float:
        total, scale = 0.0, 0.0
        for number in range(self.elements.count):
            (x, y), (slope_x, slope_y, source, roots) = self._rows(number)
            c = coefficients[number]
            terms = {(i, j): (x[i] @ c) @ y[j].mT for i, j in ((2, 0), (0, 2), (1, 0), (0, 1))}
            residual = terms[2, 0] + terms[0, 2] + slope_x * terms[1, 0] + slope_y * terms[0, 1] + source
            total += float((roots * residual).square().sum())
            scale += float((roots * source).square().sum())
        return (total / scale) ** 0.5 if scale else total**0.5

    @cached_property
    def _lift(self) -> Tensor:
        """The coefficients of a pressure that is given on the boundary and little else, ``(K, L, size, size)``."""
        x, y = self.axes
        size = self._map.size
        lift = torch.zeros(len(x), len(y), size, size, dtype=torch.float64)
        for side, column in ((0, -ENDS), (-1, -2)):
            lift[side, :, column] = self._trace(0, side)
            lift[:, side, :, column] = self._trace(1, side)
        return lift

    def _trace(self, axis: int, side: int) -> Tensor:
        """Return the coefficients of the pressure on a side, along the other axis, ``(K, size)``."""
        fixed, along = self.axes[axis].face_points[side], self.axes[1 - axis]

        def given(points: Tensor) -> Tensor:
            columns = [points, points]
            columns[axis] = fixed.expand(len(points))
            return self.problem.boundary(torch.stack(columns, 1)) + 0.0 * points

        inside, ends = fitted(lambda points: given(points)[None], along)
        return torch.cat([inside, ends[:, :-1], ends[:, 1:]], 2)[0]

    @cached_property
    def _chain(self) -> ChainUnknowns:
        """The chain of strips: its interiors and faces, of which the first and the last are free in their slopes."""
        line = self._map.count - 2  # unknowns of the y axis
        slopes = torch.eye(LINE * line, dtype=torch.float64)[None, :, line:]
        interior = self._map.bubbles * (LINE * (self.across.count + 1) - 2)
        return ChainUnknowns(self.elements.count, interior, slopes, slopes)


class _AxisMap:
    """Where the coefficients of a rectangle are among the unknowns of its strip.

    Along y, an element has ``bubbles`` functions of its own and two of each line; the unknowns of the axis are the
    bubbles of all elements, then the lines. A strip has its own bubbles along x times lines along y, then value and
    slope of its left line times the whole axis, and those of its right line. Boundary values are no unknowns.

    Parameters
    ----------
    elements : L, along y
    size : functions of an element along an axis

    Attributes
    ----------
    count : functions of a whole axis
    strip : functions of a strip without its bubbles, boundary values among them
    order : of the coefficients of a rectangle, those of bubbles first, ``(size^2,)``
    places : of the others in the strip, ``(L, size^2 - bubbles^2)``
    free : functions of the strip that are unknowns, in order
    """

    def __init__(self, elements: int, size: int) -> None:
        self.size, self.bubbles = size, size - ENDS
        b, lines = self.bubbles, LINE * (elements + 1)
        self.count = elements * b + lines
        self.strip = b * lines + ENDS * self.count
        local = torch.arange(size**2).reshape(size, size)
        own = torch.arange(elements)[:, None]
        on_axis = torch.cat([own * b + torch.arange(b), elements * b + LINE * own + torch.arange(ENDS)], 1)  # (L, size)
        inside = torch.arange(b)[:, None] * lines + (on_axis[:, None, b:] - elements * b)
        sides = b * lines + torch.arange(ENDS)[:, None] * self.count + on_axis[:, None]
        self.order = torch.cat([local[:b, :b].flatten(), local[:b, b:].flatten(), local[b:].flatten()])
        self.places = torch.cat([inside.flatten(1), sides.flatten(1)], 1)
        fixed = torch.zeros(self.count, dtype=torch.bool)
        fixed[[elements * b, self.count - LINE]] = True  # values on the boundary
        self.free = (~torch.cat([fixed[elements * b :].repeat(b), fixed.repeat(ENDS)])).nonzero()[:, 0]
