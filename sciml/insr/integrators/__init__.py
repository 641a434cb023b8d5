"""Integrators: time-stepping schemes as sequences of fits.

- :mod:`~sciml.insr.integrators.base`: :class:`Integrator`, the base class of a new scheme
- :mod:`~sciml.insr.integrators.one_step`: Runge-Kutta methods and the Padé(2,2) approximation
- :mod:`~sciml.insr.integrators.semi_lagrangian`: steps along the paths of the flow, from
  :mod:`~sciml.insr.integrators.paths`
- :mod:`~sciml.insr.integrators.splitting`: the operator splitting of Chorin, as published
- :mod:`~sciml.insr.integrators.elastic`: equilibrium and motion of elastic bodies
"""

from sciml.insr.integrators.base import Fits, Integrator, NeuralFields, Step
from sciml.insr.integrators.elastic import Equilibrium, IncrementalPotential
from sciml.insr.integrators.one_step import Pade22, RungeKutta
from sciml.insr.integrators.semi_lagrangian import SemiLagrangian
from sciml.insr.integrators.splitting import ChorinSplitting

__all__ = [
    "ChorinSplitting",
    "Equilibrium",
    "Fits",
    "IncrementalPotential",
    "Integrator",
    "NeuralFields",
    "Pade22",
    "RungeKutta",
    "SemiLagrangian",
    "Step",
]
