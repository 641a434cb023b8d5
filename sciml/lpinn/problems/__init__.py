"""Transport problems: an equation, a domain, an initial condition, boundary values and, where known, the solution.

A problem knows nothing about frames or networks. Your own is a subclass of :class:`TransportProblem` with a ``domain``,
a ``velocity`` and an ``initial`` condition.
"""

from sciml.lpinn.problems.base import TransportProblem
from sciml.lpinn.problems.cases import (
    Convection,
    ConvexLaw,
    DeformationalSwirl,
    PassiveTransport,
    SolidBodyRotation,
    StandardBurgers,
    VariableConvection,
    ViscousBurgers,
)
from sciml.lpinn.problems.intervals import BoundaryLayer, Channel
from sciml.lpinn.problems.through_flow import ThroughFlow

__all__ = [
    "BoundaryLayer",
    "Channel",
    "Convection",
    "ConvexLaw",
    "DeformationalSwirl",
    "PassiveTransport",
    "SolidBodyRotation",
    "StandardBurgers",
    "ThroughFlow",
    "TransportProblem",
    "VariableConvection",
    "ViscousBurgers",
]
