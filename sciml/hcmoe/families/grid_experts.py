r"""Experts that combine the outputs of a network on a grid of time and space, and go on after its training.

Outputs at times after those that training sees are not trained, and no combination of them is near a solution. Were
they in the same least squares, each expert, whose weights are the same at all times, would pay for them at the trained
times. :class:`ContinuedExperts` therefore keeps the field of the trained times :math:`t \le t_m`, and goes on from it
by a few times after the other, each expert with new weights:

.. math:: u(t_{m + i}) = u(t_m) + \sum_{k, n} w_{kn} \phi_k \big(b_n(t_{l - j + i}) - b_n(t_{l - j})\big),
    \qquad i = 1, \dots, j,

with windows :math:`\phi_k`, the last trained time :math:`t_l`, and weights of least residual. What an evolution has
done over the last trained times, in other proportions, is a good basis of what it does next.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from sciml.hcmoe.bases import GridBasis
from sciml.hcmoe.families.base import Instances
from sciml.hcmoe.families.sorption_instances import coefficients_of_instances
from sciml.hcmoe.layer import ConstraintOutput, ExpertConstraint
from sciml.hcmoe.problems.profiles import Coefficients


class GridExperts(nn.Module):
    """A constraint layer on outputs that are values on a grid.

    Parameters
    ----------
    layer : of the experts; outputs may have times after its last one
    order : of the differences
    """

    def __init__(self, layer: ExpertConstraint, order: int) -> None:
        super().__init__()
        self.layer, self.order = layer, order

    @property
    def fields(self) -> tuple[int, int]:
        """The numbers of experts and of fields beside the outputs, whose weights are 1."""
        return self.layer.boxes.count, int(self.layer.settings.lifted)

    def forward(
        self, outputs: Tensor, instances: Instances, generator: torch.Generator, guess: Tensor
    ) -> ConstraintOutput:
        """Return the combination that satisfies the equation best."""
        return self.layer(self._basis(outputs), self._coefficients(instances), generator, guess)

    def squares(
        self, outputs: Tensor, instances: Instances, generator: torch.Generator, guess: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return the sums of squares after the iteration, means over the instances, and the weights."""
        found, weights = self.layer.squares(self._basis(outputs), self._coefficients(instances), generator, guess)
        conditions = found["conditions"] + found["faces"]
        return {"residual": found["residual"].mean(), "conditions": conditions.mean()}, weights

    def _basis(self, outputs: Tensor) -> GridBasis:
        lattice = self.layer.lattice
        return GridBasis(outputs[:, : len(lattice.times)], lattice.times, lattice.x, self.order)

    def _coefficients(self, instances: Instances) -> Coefficients:
        return coefficients_of_instances(instances, self.layer.lattice.x)


class ContinuedExperts(GridExperts):
    """Experts on the times that training sees, and experts that go on from there, a few times after the other.

    The sums of squares are those of the trained times.

    Parameters
    ----------
    layer : of the trained times
    later : layers whose start is that of the grid, each until a later time than the one before
    order : of the differences
    """

    def __init__(self, layer: ExpertConstraint, later: Sequence[ExpertConstraint], order: int) -> None:
        super().__init__(layer, order)
        self.later = nn.ModuleList(later)

    def forward(
        self, outputs: Tensor, instances: Instances, generator: torch.Generator, guess: Tensor
    ) -> ConstraintOutput:
        """Return the field at all times; weights and report are those of the trained times."""
        found = super().forward(outputs, instances, generator, guess)
        u, outputs, coefficients = found.u, outputs.double(), self._coefficients(instances)
        for layer in self.later:
            steps = len(layer.lattice.times) - u.shape[1]
            basis = self._changes(outputs, steps, layer, u)
            weights = u.new_zeros(1, layer.boxes.count, outputs.shape[-1] + 1)
            weights[..., -1] = 1
            u = torch.cat([u, layer(basis, coefficients, guess=weights).u[:, -steps:]], 1)
        return ConstraintOutput(u, found.weights, found.report)

    def _changes(self, outputs: Tensor, steps: int, layer: ExpertConstraint, u: Tensor) -> GridBasis:
        """Return what outputs have changed by over the last trained times, as fields after the known times of u."""
        trained, lattice = len(self.layer.lattice.times), layer.lattice
        first = outputs[:, trained - 1 - steps : trained - steps]
        changes = outputs[:, trained - steps : trained] - first
        before = changes.new_zeros(len(changes), u.shape[1], *changes.shape[2:])
        return _Continued(torch.cat([before, changes], 1), lattice.times, lattice.x, self.order, u)


class _Continued(GridBasis):
    """Fields that go on from a solution that is known until some time, in place of the start alone.

    Parameters
    ----------
    values, times, x, order : as those of a basis on a grid
    known : the solution at the first times, ``(instances, known times, places)``
    """

    def __init__(self, values: Tensor, times: Tensor, x: Tensor, order: int, known: Tensor) -> None:
        super().__init__(values, times, x, order)
        self.known = known

    def started(self, start: Tensor) -> GridBasis:
        """Return the fields after the known times, and the solution, the start among it, as the last."""
        return self.after(self.known)


def slabs(first: int, times: int, most: int) -> list[int]:
    """Return the numbers of times at the ends of slabs of about equal length from so many times to all.

    Parameters
    ----------
    first : the number of times before all slabs
    times : the number of all
    most : times of a slab

    Examples
    --------
    >>> slabs(23, 26, 4), slabs(16, 26, 4)
    ([26], [20, 23, 26])
    """
    count = -(-(times - first) // most)
    return [int(part[-1]) + 1 for part in np.array_split(np.arange(first, times), count)]
