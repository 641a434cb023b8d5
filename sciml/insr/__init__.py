"""Implicit neural spatial representations: a network is the field, and a time step is a fit of its parameters.

Method of Chen, Wu, Grinspun, Zheng and Chen, *Implicit neural spatial representations for time-dependent PDEs*, ICML
2023. A field u(x, t_n) is a network with parameters w_n. A step of a classical time integrator is a least-squares
problem for w_{n+1}, so that there is neither a mesh nor data, and the memory of a field is that of its network.

As published, each fit takes thousands of iterations of Adam. Ours takes a few solves by Levenberg-Marquardt from the
parameters of the last step, and integrators of high order take long steps; the published method remains as a choice.
On grids, classical methods are faster where the dimension is low: ``sciml bench insr`` has the table.

>>> import torch
>>> from sciml.insr import Advection, FitPoints, Pade22, TimeStepper
>>> from sciml.nets.coordinate import FourierNetwork
>>> problem = Advection()                                           # the pulse of the paper, periodic on [-2, 2]
>>> _ = torch.manual_seed(0)
>>> network = FourierNetwork(1, width=16, box=[[-2], [2]]).double()
>>> stepper = TimeStepper(problem, {"u": network}, Pade22(), time_step=0.05, points=FitPoints(500, "shifted"))
>>> for state, report in stepper.run(steps=2): pass                 # 240 steps in the paper
>>> x = torch.linspace(-2, 2, 401, dtype=torch.float64)[:, None]
>>> error = stepper.fields(state.weights)("u", x) - problem.exact(x, state.time)
>>> bool(error.abs().max() < 1e-4)
True

A new time-dependent PDE is a class in :mod:`sciml.insr.problems`, a new time-stepping scheme one in
:mod:`sciml.insr.integrators`; ``sciml solve configs/insr/advection_1d_cpu.yaml`` writes fields and pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from sciml.insr.fitting import AdamFit, FitPoints, LeastSquaresFit
    from sciml.insr.integrators import (
        ChorinSplitting,
        Equilibrium,
        IncrementalPotential,
        Integrator,
        Pade22,
        RungeKutta,
        SemiLagrangian,
    )
    from sciml.insr.problems import (
        Advection,
        ArapVolume,
        ElasticBody,
        EvolutionProblem,
        Heat,
        IncompressibleFlow,
        Motion,
        MultiModeEuler,
        PeriodicBurgers,
        Plane,
        Problem,
        Smoke,
        Sphere,
        StableNeoHookean,
        StreamFunctionFlow,
        TaylorGreen,
        TaylorGreenPrimitive,
        Tension,
        Transport,
        TwoVortices,
        TwoVorticesPrimitive,
    )
    from sciml.insr.solver import StepReport, TimeStepper, TimeStepState
    from sciml.insr.task import TimeStepping
    from sciml.numerics.least_squares import LevenbergMarquardt

_HOMES = {
    "AdamFit": "sciml.insr.fitting",
    "Advection": "sciml.insr.problems",
    "ArapVolume": "sciml.insr.problems",
    "ChorinSplitting": "sciml.insr.integrators",
    "ElasticBody": "sciml.insr.problems",
    "Equilibrium": "sciml.insr.integrators",
    "EvolutionProblem": "sciml.insr.problems",
    "FitPoints": "sciml.insr.fitting",
    "Heat": "sciml.insr.problems",
    "IncompressibleFlow": "sciml.insr.problems",
    "IncrementalPotential": "sciml.insr.integrators",
    "Integrator": "sciml.insr.integrators",
    "LeastSquaresFit": "sciml.insr.fitting",
    "LevenbergMarquardt": "sciml.numerics.least_squares",
    "Motion": "sciml.insr.problems",
    "MultiModeEuler": "sciml.insr.problems",
    "Pade22": "sciml.insr.integrators",
    "PeriodicBurgers": "sciml.insr.problems",
    "Plane": "sciml.insr.problems",
    "Problem": "sciml.insr.problems",
    "RungeKutta": "sciml.insr.integrators",
    "SemiLagrangian": "sciml.insr.integrators",
    "Smoke": "sciml.insr.problems",
    "Sphere": "sciml.insr.problems",
    "StableNeoHookean": "sciml.insr.problems",
    "StepReport": "sciml.insr.solver",
    "StreamFunctionFlow": "sciml.insr.problems",
    "TaylorGreen": "sciml.insr.problems",
    "TaylorGreenPrimitive": "sciml.insr.problems",
    "Tension": "sciml.insr.problems",
    "TimeStepState": "sciml.insr.solver",
    "TimeStepper": "sciml.insr.solver",
    "TimeStepping": "sciml.insr.task",
    "Transport": "sciml.insr.problems",
    "TwoVortices": "sciml.insr.problems",
    "TwoVorticesPrimitive": "sciml.insr.problems",
}
__all__ = [
    "AdamFit",
    "Advection",
    "ArapVolume",
    "ChorinSplitting",
    "ElasticBody",
    "Equilibrium",
    "EvolutionProblem",
    "FitPoints",
    "Heat",
    "IncompressibleFlow",
    "IncrementalPotential",
    "Integrator",
    "LeastSquaresFit",
    "LevenbergMarquardt",
    "Motion",
    "MultiModeEuler",
    "Pade22",
    "PeriodicBurgers",
    "Plane",
    "Problem",
    "RungeKutta",
    "SemiLagrangian",
    "Smoke",
    "Sphere",
    "StableNeoHookean",
    "StepReport",
    "StreamFunctionFlow",
    "TaylorGreen",
    "TaylorGreenPrimitive",
    "Tension",
    "TimeStepState",
    "TimeStepper",
    "TimeStepping",
    "Transport",
    "TwoVortices",
    "TwoVorticesPrimitive",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
