"""Lagrangian PINNs (Mojgani, Balajewicz, Hassanzadeh, CMAME 2023): networks in a frame that moves with the flow."""

from sciml.lpinn.characteristics import Characteristics
from sciml.lpinn.diagnostics import Modes, gauss_newton_spectrum, loss_landscape, modes, transported_modes
from sciml.lpinn.fitting import GradientRounds, LeastSquaresRounds
from sciml.lpinn.frames import Ale, Eulerian, Frame, Lagrangian, Rezoned
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

__all__ = [
    "Ale",
    "BoundaryLayer",
    "ViscousBurgers",
    "Channel",
    "Characteristics",
    "Convection",
    "ConvexLaw",
    "DeformationalSwirl",
    "EntropyField",
    "Eulerian",
    "SpaceTimeField",
    "Frame",
    "GradientRounds",
    "InterpolatedField",
    "Lagrangian",
    "LeastSquaresRounds",
    "Modes",
    "SpaceTimeOutput",
    "PassiveTransport",
    "CollocationPoints",
    "PublishedLagrangian",
    "PublishedNetwork",
    "Rezoned",
    "RoundReport",
    "SoftCharacteristics",
    "SolidBodyRotation",
    "SpaceTimeFitting",
    "SpaceTimeSolver",
    "StandardBurgers",
    "SpaceTimeState",
    "ThroughFlow",
    "TransportProblem",
    "TwoBranches",
    "VariableConvection",
    "density",
    "field_of",
    "gauss_newton_spectrum",
    "label_diffusion_floor",
    "loss_landscape",
    "modes",
    "relative_error",
    "transported_modes",
]
