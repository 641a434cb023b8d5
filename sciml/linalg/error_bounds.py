r"""Bounds on the errors of solutions of A x = f for M-matrices, rounding included, from one vector u > 0 with A u > 0.

A^-1 is nonnegative. So, with |r| + rho >= |f - A x| at every node, rho for the rounding errors of r,

.. math:: |x - A^{-1} f|_i \le (A^{-1} (|r| + \rho))_i \le u_i \max_k \frac{|r|_k + \rho_k}{(A u)_k}.

The vector u depends on the matrix alone: it serves all right-hand sides, and the adjoint. It need be no accurate
solution of anything; one product shows that A u > 0, and thereby also that A is a nonsingular M-matrix.

References
----------
Berman and Plemmons, *Nonnegative Matrices in the Mathematical Sciences*, SIAM, 1994, chapter 6; Ogita, Oishi and
Ushiro, "Fast verification of solutions for sparse monotone matrix equations", Computing Suppl. 15 (2001).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from sciml.errors import DivergenceError
from sciml.linalg.graph_equations import GraphEquations, Sum

STARTS = 6  # of the solve for u, from the true residual
SHARE = 0.25  # of the right-hand side that A u is to reach; any share would do
CONTRACTION = 0.5  # of the residual by a start, or there is nothing to be gained
SLACK = 1.0 + 1e-14  # for the rounding errors of the bound itself


class Majorant(NamedTuple):
    """A vector u > 0 of which A u >= lower > 0 is known.

    Attributes
    ----------
    largest : of the entries of u, by graph and system
    lower : shape (n, K), infinite at the pinned nodes
    """

    largest: Tensor
    lower: Tensor

    def of(self, equations: GraphEquations, right: Tensor) -> Tensor:
        """Return a bound on the entries of A^-1 b for b >= 0, by graph and head."""
        return SLACK * self.largest * equations.largest(right / self.lower)


def majorant(equations: GraphEquations, solve: Callable[[Tensor, Tensor], Tensor]) -> Majorant:
    """Return u and a proven bound A u >= lower > 0, from A u = sqrt(diag A) to a share.

    Of the powers of the diagonal, the root needs the fewest iterations in the end: with the diagonal itself, u is large
    where strong edges form traps, and with ones, the bound is coarse next to weak edges.

    Parameters
    ----------
    equations : of the matrix A
    solve : maps r, (n, K), and the size of residual that may be left, positive and (n, K), to nearly A^-1 r

    Raises
    ------
    DivergenceError
        A u > 0 cannot be shown.
    """
    wanted = equations.diagonal.sqrt().expand(-1, equations.systems)
    right, before = torch.where(equations.pinned, 0.0, wanted), torch.inf
    u, lower = Sum(torch.zeros_like(right), torch.zeros_like(right)), -wanted
    for _ in range(STARTS):
        left = equations.residual(u, right)
        size = float((left.abs() / wanted).max())
        if not size < CONTRACTION * before:
            break
        before = size
        u = u.plus(solve(left, 0.5 * SHARE * wanted))
        lower = equations.product(u) - equations.residual_rounding(u, torch.zeros_like(u.high))
        lower = torch.where(equations.pinned, torch.inf, lower)
        if bool((lower >= SHARE * wanted).all()):
            break
    proven = (lower > 0) & torch.isfinite(u.high)
    if not bool(proven.all()):
        node = int((~proven).any(1).nonzero()[0])
        raise DivergenceError(
            "no bound on the errors could be proven: within its limit of iterations and double precision, this method "
            f"found no u > 0 with A u > 0 (not at node {node}, for one); narrow the range of the conductances, or use "
            "method='direct'."
        )
    return Majorant(equations.largest(u.high + u.low), lower)


def sharpened(equations: GraphEquations, known: Majorant, right: Tensor, near: Tensor) -> Tensor:
    """Return a bound on the entries of A^-1 b for b >= 0, from ``near``, an approximation of A^-1 b.

    From A^-1 b = v + A^-1 (b - A v), the second term by the majorant.
    """
    plain = known.of(equations, right)
    left = equations.residual(near, right).clamp(min=0.0) + equations.residual_rounding(near, right)
    better = SLACK * (equations.largest(near) + known.of(equations, left))
    return torch.fmin(plain, better)
