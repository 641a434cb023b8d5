"""Problems in time. A new time-dependent PDE gets a module here, or a class beside its relatives.

- :mod:`~sciml.insr.problems.base`: :class:`EvolutionProblem`, ``du/dt = rate(x, u, grad u, diag Hessian u)`` for one
  field, which most PDEs need no more than a class of a few lines for; :class:`Problem` for several fields
- :mod:`~sciml.insr.problems.scalar`: advection in any dimension, heat, Burgers' equation
- :mod:`~sciml.insr.problems.transport`: :class:`Transport`, what a problem says whose fields a flow carries
- :mod:`~sciml.insr.problems.stream_function`, :mod:`~sciml.insr.problems.velocity_pressure`: incompressible flow
- :mod:`~sciml.insr.problems.elasticity`: bodies at rest and in motion, with the
  :mod:`~sciml.insr.problems.energies` of their materials and the obstacles of :mod:`~sciml.insr.problems.contact`
"""

from sciml.insr.problems.base import EvolutionProblem, Fields, Problem
from sciml.insr.problems.contact import Plane, Sphere
from sciml.insr.problems.elasticity import ElasticBody, Motion, Tension
from sciml.insr.problems.energies import ArapVolume, StableNeoHookean
from sciml.insr.problems.scalar import Advection, Heat, PeriodicBurgers
from sciml.insr.problems.stream_function import MultiModeEuler, Smoke, StreamFunctionFlow, TaylorGreen, TwoVortices
from sciml.insr.problems.transport import Transport
from sciml.insr.problems.velocity_pressure import IncompressibleFlow, TaylorGreenPrimitive, TwoVorticesPrimitive

__all__ = [
    "Advection",
    "ArapVolume",
    "ElasticBody",
    "EvolutionProblem",
    "Fields",
    "Heat",
    "IncompressibleFlow",
    "Motion",
    "MultiModeEuler",
    "PeriodicBurgers",
    "Plane",
    "Problem",
    "Smoke",
    "Sphere",
    "StableNeoHookean",
    "StreamFunctionFlow",
    "TaylorGreen",
    "TaylorGreenPrimitive",
    "Tension",
    "Transport",
    "TwoVortices",
    "TwoVorticesPrimitive",
]
