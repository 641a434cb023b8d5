"""Implicit neural spatial representations (Chen et al., ICML 2023): a network is the field, time steps are fits.

A field ``u(x, t_n)`` is a network with weights ``w_n``; a step of a classical time integrator is a least-squares
problem for ``w_{n+1}``. There is no mesh and no data. Here each fit is a few Levenberg-Marquardt solves in place of
thousands of iterations of Adam, which remains as the published method.

>>> from sciml.insr import Advection, Pade22, Points, TimeStepper
>>> from sciml.nets.coordinate import FourierNetwork
>>> network = FourierNetwork(1, box=[[-2], [2]]).double()
>>> stepper = TimeStepper(Advection(), {"u": network}, Pade22(), time_step=0.05, points=Points(500, "shifted"))
>>> for state, report in stepper.run(240): print(report)                                        # doctest: +SKIP
"""

from sciml.insr.contact import Plane, Sphere
from sciml.insr.elastic_steps import Equilibrium, IncrementalPotential
from sciml.insr.elasticity import ElasticBody, Motion, Tension
from sciml.insr.energies import ArapVolume, StableNeoHookean
from sciml.insr.fitting import Adam, LeastSquares, Points
from sciml.insr.fluids import MultiModeEuler, Smoke, StreamFunctionFlow, TaylorGreen, TwoVortices
from sciml.insr.integrators import Pade22, RungeKutta
from sciml.insr.problems import EvolutionProblem, Problem
from sciml.insr.scalar_problems import Advection, Burgers, Heat
from sciml.insr.semi_lagrangian import SemiLagrangian
from sciml.insr.solver import State, StepReport, TimeStepper
from sciml.insr.splitting import ChorinSplitting, IncompressibleFlow, TaylorGreenPrimitive, TwoVorticesPrimitive
from sciml.insr.task import TimeStepping
from sciml.insr.transport import Transport

__all__ = [
    "Adam",
    "Advection",
    "ArapVolume",
    "Burgers",
    "ChorinSplitting",
    "ElasticBody",
    "Equilibrium",
    "EvolutionProblem",
    "Heat",
    "IncompressibleFlow",
    "IncrementalPotential",
    "LeastSquares",
    "Motion",
    "MultiModeEuler",
    "Pade22",
    "Plane",
    "Points",
    "Problem",
    "RungeKutta",
    "SemiLagrangian",
    "Smoke",
    "Sphere",
    "StableNeoHookean",
    "State",
    "StepReport",
    "StreamFunctionFlow",
    "TaylorGreen",
    "TaylorGreenPrimitive",
    "Tension",
    "TimeStepper",
    "TimeStepping",
    "Transport",
    "TwoVortices",
    "TwoVorticesPrimitive",
]
