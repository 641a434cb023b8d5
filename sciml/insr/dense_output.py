r"""Fields between the states of a run: the polynomial in time through the states nearest to a time.

.. math:: u(x, t) = \sum_j L_j(t) u_j(x),    L_j(t) = \prod_{k \ne j} (t - t_k) / (t_j - t_k).

With as many states as the order p of the integrator plus one, the polynomial is of degree p. Its error is O(dt^(p+1)),
less than that of the states, and that of its time derivative is O(dt^p), as theirs. It has the values of the states at
their times, and kinks of the size of its error there. Linear conditions that the states satisfy hold in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from torch import Tensor

from sciml.insr.integrators.base import NeuralFields
from sciml.numerics.derivatives import Jet


def nearest_steps(position: float, last: int, degree: int) -> range:
    """Return the numbers of the steps that are nearest to a time.

    Parameters
    ----------
    position : the time in steps
    last : number of the last step that there is
    degree : of the polynomial; less where there are too few steps
    """
    count = min(degree, last) + 1
    first = floor(position - (count - 1) / 2 + 0.5)
    first = min(max(first, 0), last + 1 - count)
    return range(first, first + count)


def shares(position: Tensor, steps: range) -> list[Tensor]:
    """Return the values of the Lagrange polynomials of some steps at a time, which is in steps."""
    found = []
    for step in steps:
        share = position * 0 + 1
        for other in steps:
            if other != step:
                share = share * (position - other) / (step - other)
        found.append(share)
    return found


@dataclass(frozen=True)
class InterpolatedFields:
    """The fields of a problem between states, to be evaluated as those of one time.

    Attributes
    ----------
    states : fields at some times
    shares : of each state, a number, or ``(n, 1)`` for ``n`` points
    """

    states: Sequence[NeuralFields]
    shares: Sequence[Tensor]

    def __call__(
        self, name: str, points: Tensor, order: int | None = None, directions: Tensor | None = None
    ) -> Tensor | Jet:
        """Evaluate a field at points, or its jet if an order is given."""
        parts = [state(name, points, order, directions) for state in self.states]
        if order is None:
            return sum(share.to(part) * part for share, part in zip(self.shares, parts, strict=True))
        rows = sum(share.to(part.rows) * part.rows for share, part in zip(self.shares, parts, strict=True))
        return Jet(rows, order)
