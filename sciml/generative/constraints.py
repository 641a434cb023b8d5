"""Hard constraints on samples: the estimate of the data is projected at every step, and so is what comes out."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from sciml.generative.flows import Flow
from sciml.generative.guidance import ChangedData


class Constraints(Protocol):
    """Linear constraints, such as those of :mod:`sciml.numerics.projection`."""

    def project(self, fields: Tensor, values: Any) -> Tensor:
        """Return the nearest fields that have the values, in double precision."""
        ...


class Constrained(ChangedData):
    """A flow whose estimates of the data satisfy constraints: the nearest ones to those of another flow.

    For data that are standard normal, samples then have the law of the data given the constraints. For all others, it
    is the right set and an approximation of the law.

    A last step ends on the constraints to the rounding of the samples, if it is one of DDIM, or of Euler's method on
    the linear path; :meth:`finish` brings there, in double precision, what any sampler returns.

    Parameters
    ----------
    flow : any other
    constraints : such as :class:`sciml.numerics.projection.ImplicitConstraints` of a divergence
    values : that they have

    References
    ----------
    Utkarsh et al., "Physics-constrained flow matching", 2025.
    """

    def __init__(self, flow: Flow, constraints: Constraints, values: Any) -> None:
        super().__init__(flow)
        self.constraints, self.values = constraints, values

    def changed(self, data: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return the nearest data that satisfy the constraints."""
        return self.finish(data).to(data.dtype)

    def finish(self, samples: Tensor) -> Tensor:
        """Return the nearest samples that satisfy the constraints, in double precision."""
        return self.constraints.project(samples, self.values)
