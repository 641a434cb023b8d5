r"""The least-squares problem of a time slab: coupled experts whose starts, boundary values and faces hold exactly.

On element k, u(x, t) is the state at the start of the slab plus a sum of smooth elements in x times polynomials in time
that vanish at the start. The residual of the equation at Gauss points, weighted by the quadrature, is made small;
nothing else enters the sum of squares, so that there are no weights to choose.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sciml.hcmoe.elements import ElementBasis, slab_basis
from sciml.hcmoe.end_conditions import conditions_of, oversampled
from sciml.hcmoe.problems.base import Points, SpaceTimeProblem
from sciml.numerics.element_chain import ChainLinearisation, ChainUnknowns
from sciml.numerics.polynomials import ENDS, gauss_legendre


class Slab:
    """A :class:`~sciml.numerics.batched_least_squares.BatchedProblem`: all instances of a problem in one time slab.

    Parameters
    ----------
    problem : to be solved
    basis : in space
    degree : in time
    begin, end : of the slab, in ``tau = t^(1 / time_power)``
    start : coefficients of u at the beginning, ``(instances, K, size)``
    """

    def __init__(
        self, problem: SpaceTimeProblem, basis: ElementBasis, degree: int, begin: float, end: float, start: Tensor
    ) -> None:
        self.problem, self.basis, self.degree, self.start = problem, basis, degree, start
        self.begin, self.end = begin, end
        nodes, weights = gauss_legendre(oversampled(basis.size))
        in_time, shares = gauss_legendre(oversampled(degree))
        self.tau = begin + 0.5 * (end - begin) * (1 + in_time)
        self.x = basis.points(nodes)
        power = problem.time_power
        self._rate = power * self.tau ** (power - 1)  # dt / d tau
        self._space = basis.tables(nodes, max(order for _, order in problem.orders))
        self._time = slab_basis(self.tau, begin, end, degree, 1)
        self._time[1] /= self._rate[:, None]
        # the mean square over the slab of the change of u that the residual would make within it
        length = float(basis.face_points[-1] - basis.face_points[0])
        mean = (basis.half / length)[:, None, None] * weights[:, None] * (0.5 * shares)
        self._weights = mean.sqrt() * (end - begin) * self._rate
        self._lift, ends = self._lifts()
        interior = (basis.size - ENDS) * degree
        self.unknowns = ChainUnknowns(len(basis), interior, *ends)

    def linearise(self, w: Tensor, items: Tensor) -> ChainLinearisation:
        """Return the residuals and their derivatives at some vectors of unknowns."""
        terms = self._terms(self.coefficients(w, items), items)
        residual, slopes = self.problem.derivatives(terms, self._points(items))
        weighted = (self._weights * residual).flatten(2)
        return ChainLinearisation(self.unknowns.chosen(items), weighted, lambda part: self._jacobian(slopes, part))

    def residuals(self, coefficients: Tensor) -> Tensor:
        """Return the root mean square of the weighted residual on each element, ``(instances, K)``.

        The mean over the elements by their sizes is the one that the least squares make small.
        """
        with torch.no_grad():
            terms = self._terms(coefficients, torch.arange(len(coefficients)))
            residual = self._weights * self.problem.residual(tuple(terms), self._points(slice(None)))
            return (residual.square().sum((2, 3)) * self.basis.half.sum() / self.basis.half).sqrt()

    def attached(self, w: Tensor) -> Tensor:
        """Return the unknowns after one more Gauss-Newton step, as a function of the start and the coefficients.

        The derivatives are those of the minimum but for products of the residual with second derivatives, which are as
        small as the residual.
        """
        items = torch.arange(len(w))
        with torch.no_grad():
            linearisation = self.linearise(w, items)
        terms = self._terms(self.coefficients(w, items), items)
        residual = self.problem.residual(tuple(terms), self._points(items))
        return w + _GaussNewtonStep.apply((self._weights * residual).flatten(2), linearisation)

    def coefficients(self, w: Tensor, items: Tensor | slice = slice(None)) -> Tensor:
        """Return the coefficients of the change since the start, ``(items, K, size, degree)``."""
        faces, inside = self.unknowns.chosen(items).expand(w)
        inside = inside.unflatten(2, (-1, self.degree))
        faces = faces.unflatten(2, (-1, self.degree))
        return self._lift[items] + torch.cat([inside, faces[:, :-1], faces[:, 1:]], 2)

    def end_state(self, coefficients: Tensor) -> Tensor:
        """Return the coefficients of u at the end of the slab, ``(instances, K, size)``."""
        last = slab_basis(self.tau.new_tensor([self.end]), self.begin, self.end, self.degree)[0, 0]
        return self.start + coefficients @ last

    def _points(self, items: Tensor) -> Points:
        return Points(self.x[..., None], self.tau**self.problem.time_power, self.problem.chosen(items, 3))

    def _terms(self, coefficients: Tensor, items: Tensor) -> Tensor:
        """Return the derivatives of u at the Gauss points, ``(terms, items, K, points in x, points in tau)``."""
        terms = []
        for by_time, by_space in self.problem.orders:
            change = (self._space[by_space] @ coefficients) @ self._time[by_time].mT
            if not by_time:
                change = change + self._space[by_space] @ self.start[items][..., None]
            terms.append(change)
        return torch.stack(terms)

    def _jacobian(self, slopes: Tensor, part: slice) -> Tensor:
        """Return the derivatives of the weighted residuals of some elements by the coefficients of these."""
        in_space: dict[int, Tensor] = {}
        weighted = self._weights[part] * slopes[:, :, part]
        for slope, (by_time, by_space) in zip(weighted, self.problem.orders, strict=True):
            product = slope[..., None] * self._space[by_space][part, :, None]
            in_space[by_time] = in_space[by_time] + product if by_time in in_space else product
        first, *others = ((each[..., None], self._time[order][:, None]) for order, each in in_space.items())
        jacobian = first[0] * first[1]  # the largest array of a slab, so that the rest is added in place
        for factors in others:
            jacobian.addcmul_(*factors)
        return jacobian.flatten(4).flatten(2, 3)

    def _lifts(self) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return coefficients that meet the conditions at the ends, and the unknowns that leave them alone."""
        # as many Chebyshev points as there are polynomials, the end of the slab among them
        angles = torch.arange(self.degree, dtype=torch.float64) * torch.pi / self.degree
        nodes = self.begin + 0.5 * (self.end - self.begin) * (1 + torch.cos(angles))
        inverse = torch.linalg.inv(slab_basis(nodes, self.begin, self.end, self.degree)[0])
        times = torch.cat([self.tau.new_tensor([self.begin]), nodes]) ** self.problem.time_power
        lift, free = self.start.new_zeros(*self.start.shape, self.degree), []
        for side, condition in enumerate(conditions_of(self.problem, self.basis, times)):
            change = (condition.target[:, 1:] - condition.target[:, :1]) @ inverse.mT  # coefficients in time
            columns = slice(-ENDS, -2) if side == 0 else slice(-2, None)
            lift[:, -side, columns] = condition.normal[:, :, None] * change[:, None]
            free.append(torch.einsum("id,jk->idjk", condition.tangent, torch.eye(self.degree, dtype=lift.dtype)))
        return lift, (free[0].flatten(1, 2), free[1].flatten(1, 2))


class _GaussNewtonStep(torch.autograd.Function):
    """The undamped step of a linearisation as a function of the residual, with the Jacobian held."""

    @staticmethod
    def forward(residual: Tensor, linearisation: ChainLinearisation) -> Tensor:
        """Return the step, ``(items, unknowns)``."""
        return linearisation.step(torch.zeros_like(linearisation.cost))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ChainLinearisation], output: Tensor) -> None:
        """Keep the factors."""
        ctx.linearisation = inputs[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None]:
        """Return the transpose of the step, applied."""
        return ctx.linearisation.adjoint(cotangent), None
