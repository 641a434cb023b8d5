"""Conjugate gradients and restarted GMRES for a batch of systems, each of which stops at its own tolerance.

Both take the product with a block-diagonal matrix, on vectors ``(items, n)``, and return the solution, the iterations
and the true residual norms of the items. Whether these suffice is for the caller to judge.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]


def conjugate_gradients(product: Product, right: Tensor, rtol: float, maxiter: int) -> tuple[Tensor, Tensor, Tensor]:
    """Solve A x = b for symmetric definite A; an item that has converged, or cannot go on, keeps its values.

    The recursive residual is replaced by the true one when all items have converged, and the iteration restarted from
    there if rounding has parted the two.
    """
    bounds = rtol * _norm(right)
    x, residual = torch.zeros_like(right), right.clone()
    iterations = torch.zeros(len(right), dtype=torch.long, device=right.device)
    spent = 0
    while spent < maxiter and bool((_norm(residual) > bounds).any()):
        began, direction, square = spent, residual.clone(), _dot(residual, residual)
        while spent < maxiter:
            active = square.sqrt() > bounds
            if not bool(active.any()):
                break
            image = product(direction)
            curvature = _dot(direction, image)
            moves = active & (curvature != 0)
            if not bool(moves.any()):
                return x, iterations, _norm(right - product(x))
            alpha = torch.where(moves, square / curvature, 0.0)[:, None]
            x, residual = x + alpha * direction, residual - alpha * image
            former, square = square, _dot(residual, residual)
            direction = residual + torch.where(active, square / former, 0.0)[:, None] * direction
            iterations += active
            spent += 1
        residual = right - product(x)
        if spent - began <= 1:  # rounding forbids more
            break
    return x, iterations, _norm(residual)


def gmres(product: Product, right: Tensor, rtol: float, restart: int, maxiter: int) -> tuple[Tensor, Tensor, Tensor]:
    """Solve A x = b for any regular A, in cycles of ``restart`` iterations (Saad and Schultz 1986).

    A cycle that brings down no item's residual is the last, since the next one would be the same.
    """
    bounds = rtol * _norm(right)
    shrinks = 1 - torch.finfo(right.dtype).eps ** 0.5
    x, residual = torch.zeros_like(right), right
    iterations = torch.zeros(len(right), dtype=torch.long, device=right.device)
    spent = 0
    while spent < maxiter:
        active = _norm(residual) > bounds
        if not bool(active.any()):
            break
        step, taken, steps = _cycle(product, residual, bounds, min(restart, maxiter - spent))
        x = x + torch.where(active[:, None], step, 0.0)
        before, residual = _norm(residual), right - product(x)
        iterations += torch.where(active, taken, 0)
        spent += steps
        if not bool((active & (_norm(residual) < shrinks * before)).any()):
            break
    return x, iterations, _norm(residual)


def _cycle(product: Product, right: Tensor, bounds: Tensor, size: int) -> tuple[Tensor, Tensor, int]:
    """Return one cycle's solutions of A x = r, the iterations of each item, and those of the longest.

    The least-squares problem of the Hessenberg matrix is kept triangular by rotations. Where the Krylov space of an
    item is exhausted, further vectors are 0, and so are their coefficients.
    """
    items, tiny = len(right), torch.finfo(right.dtype).tiny
    norm = _norm(right)
    basis = [right / norm.clamp_min(tiny)[:, None]]
    triangle = right.new_zeros(items, size, size)
    cosines, sines = right.new_zeros(items, size), right.new_zeros(items, size)
    target = right.new_zeros(items, size + 1)
    target[:, 0] = norm
    taken = torch.zeros(items, dtype=torch.long, device=right.device)
    for k in range(size):
        active = target[:, k].abs() > bounds
        if not bool(active.any()):
            size = k
            break
        taken += active
        vector = product(basis[k])
        scale = _norm(vector)
        column = right.new_zeros(items, k + 1)
        for _ in range(2):  # twice is enough (Kahan and Parlett)
            for j, each in enumerate(basis):
                part = _dot(each, vector)
                column[:, j] += part
                vector = vector - part[:, None] * each
        length = _norm(vector)
        length = torch.where(length > 100 * torch.finfo(right.dtype).eps * scale, length, 0.0)
        basis.append(torch.where(length[:, None] > 0, vector / length.clamp_min(tiny)[:, None], 0.0))
        for j in range(k):
            upper, lower = column[:, j].clone(), column[:, j + 1].clone()
            column[:, j] = cosines[:, j] * upper + sines[:, j] * lower
            column[:, j + 1] = cosines[:, j] * lower - sines[:, j] * upper
        pivot = torch.hypot(column[:, k], length)
        safe = torch.where(pivot > 0, pivot, 1.0)
        cosines[:, k], sines[:, k] = column[:, k] / safe, torch.where(pivot > 0, length / safe, -1.0)
        column[:, k] = safe
        triangle[:, : k + 1, k] = column
        target[:, k + 1], target[:, k] = -sines[:, k] * target[:, k], cosines[:, k] * target[:, k]
    triangle, target = triangle[:, :size, :size], target[:, :size]
    weights = torch.linalg.solve_triangular(triangle, target[..., None], upper=True)[..., 0]
    solution = sum((weights[:, j, None] * basis[j] for j in range(size)), torch.zeros_like(right))
    return solution, taken, size


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum(-1)


def _norm(vectors: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vectors, dim=-1)
