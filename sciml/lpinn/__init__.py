"""Lagrangian PINNs (Mojgani, Balajewicz, Hassanzadeh, CMAME 404, 2023): networks in a frame that moves with the flow.

A standard PINN represents u(x, t) by a network of space and time, which fails for long-distance advection: the function
is hard to represent and hard to train. In a frame whose labels move with the flow, one network gives the position
X(label, t) of a label and another one the state w(label, t) = u(X, t) on it, and both change slowly. Here they are
fitted by Levenberg-Marquardt, one time slab after the other; the method as published is :mod:`sciml.lpinn.published`.

>>> from sciml.lpinn import Ale, Characteristics, CollocationPoints, Convection, SpaceTimeField, SpaceTimeSolver
>>> from sciml.lpinn import relative_error
>>> from sciml.nets import FourierNetwork
>>> from sciml.numerics.flat import FlatModule
>>> problem = Convection(speed=50.0, viscosity=0.1)
>>> network = FourierNetwork(2, width=8, modes=1, box=[[0, 0], [6.283185307179586, 1]], periodic=[True, False]).double()
>>> solver = SpaceTimeSolver(Characteristics(problem, Ale(), FlatModule(network)), 1, points=CollocationPoints(200))
>>> for state, report in solver.run(): pass  # print(report) shows residual and linear solves
>>> u = SpaceTimeField(solver.characteristics, state.weights)
>>> relative_error(u, [0.5, 1.0], problem.probes()) < 1e-2
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from sciml.lpinn.characteristics import Characteristics
    from sciml.lpinn.diagnostics import Modes, gauss_newton_spectrum, loss_landscape, modes, transported_modes
    from sciml.lpinn.fitting import Fitting, GradientRounds, LeastSquaresRounds
    from sciml.lpinn.frames import Ale, Eulerian, Frame, LabelMotion, Lagrangian, Rezoned
    from sciml.lpinn.networks import TwoBranches
    from sciml.lpinn.output import SpaceTimeOutput
    from sciml.lpinn.problems import (
        BoundaryLayer,
        Channel,
        Convection,
        ConvexLaw,
        DeformationalSwirl,
        PassiveTransport,
        SolidBodyRotation,
        StandardBurgers,
        ThroughFlow,
        TransportProblem,
        VariableConvection,
        ViscousBurgers,
    )
    from sciml.lpinn.published import (
        InterpolatedField,
        PublishedLagrangian,
        PublishedNetwork,
        SoftCharacteristics,
        label_diffusion_floor,
    )
    from sciml.lpinn.readout import EntropyField, SpaceTimeField, density, field_of, relative_error
    from sciml.lpinn.solver import CollocationPoints, RoundReport, SpaceTimeSolver, SpaceTimeState
    from sciml.lpinn.task import SpaceTimeFitting
    from sciml.numerics.least_squares import LevenbergMarquardt

_HOMES = {
    "Ale": "sciml.lpinn.frames",
    "BoundaryLayer": "sciml.lpinn.problems",
    "Channel": "sciml.lpinn.problems",
    "Characteristics": "sciml.lpinn.characteristics",
    "CollocationPoints": "sciml.lpinn.solver",
    "Convection": "sciml.lpinn.problems",
    "ConvexLaw": "sciml.lpinn.problems",
    "DeformationalSwirl": "sciml.lpinn.problems",
    "EntropyField": "sciml.lpinn.readout",
    "Eulerian": "sciml.lpinn.frames",
    "Fitting": "sciml.lpinn.fitting",
    "Frame": "sciml.lpinn.frames",
    "GradientRounds": "sciml.lpinn.fitting",
    "InterpolatedField": "sciml.lpinn.published",
    "LabelMotion": "sciml.lpinn.frames",
    "Lagrangian": "sciml.lpinn.frames",
    "LeastSquaresRounds": "sciml.lpinn.fitting",
    "LevenbergMarquardt": "sciml.numerics.least_squares",
    "Modes": "sciml.lpinn.diagnostics",
    "PassiveTransport": "sciml.lpinn.problems",
    "PublishedLagrangian": "sciml.lpinn.published",
    "PublishedNetwork": "sciml.lpinn.published",
    "Rezoned": "sciml.lpinn.frames",
    "RoundReport": "sciml.lpinn.solver",
    "SoftCharacteristics": "sciml.lpinn.published",
    "SolidBodyRotation": "sciml.lpinn.problems",
    "SpaceTimeField": "sciml.lpinn.readout",
    "SpaceTimeFitting": "sciml.lpinn.task",
    "SpaceTimeOutput": "sciml.lpinn.output",
    "SpaceTimeSolver": "sciml.lpinn.solver",
    "SpaceTimeState": "sciml.lpinn.solver",
    "StandardBurgers": "sciml.lpinn.problems",
    "ThroughFlow": "sciml.lpinn.problems",
    "TransportProblem": "sciml.lpinn.problems",
    "TwoBranches": "sciml.lpinn.networks",
    "VariableConvection": "sciml.lpinn.problems",
    "ViscousBurgers": "sciml.lpinn.problems",
    "density": "sciml.lpinn.readout",
    "field_of": "sciml.lpinn.readout",
    "gauss_newton_spectrum": "sciml.lpinn.diagnostics",
    "label_diffusion_floor": "sciml.lpinn.published",
    "loss_landscape": "sciml.lpinn.diagnostics",
    "modes": "sciml.lpinn.diagnostics",
    "relative_error": "sciml.lpinn.readout",
    "transported_modes": "sciml.lpinn.diagnostics",
}

__all__ = [
    "Ale",
    "BoundaryLayer",
    "Channel",
    "Characteristics",
    "CollocationPoints",
    "Convection",
    "ConvexLaw",
    "DeformationalSwirl",
    "EntropyField",
    "Eulerian",
    "Fitting",
    "Frame",
    "GradientRounds",
    "InterpolatedField",
    "LabelMotion",
    "Lagrangian",
    "LeastSquaresRounds",
    "LevenbergMarquardt",
    "Modes",
    "PassiveTransport",
    "PublishedLagrangian",
    "PublishedNetwork",
    "Rezoned",
    "RoundReport",
    "SoftCharacteristics",
    "SolidBodyRotation",
    "SpaceTimeField",
    "SpaceTimeFitting",
    "SpaceTimeOutput",
    "SpaceTimeSolver",
    "SpaceTimeState",
    "StandardBurgers",
    "ThroughFlow",
    "TransportProblem",
    "TwoBranches",
    "VariableConvection",
    "ViscousBurgers",
    "density",
    "field_of",
    "gauss_newton_spectrum",
    "label_diffusion_floor",
    "loss_landscape",
    "modes",
    "relative_error",
    "transported_modes",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
