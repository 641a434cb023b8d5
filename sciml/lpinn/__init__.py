"""Lagrangian PINNs (Mojgani, Balajewicz, Hassanzadeh, CMAME 2023): networks in a frame that moves with the flow."""

from sciml.lpinn.cases import (
    Burgers,
    Convection,
    ConvexLaw,
    DeformationalSwirl,
    PassiveTransport,
    SolidBodyRotation,
    StandardBurgers,
    VariableConvection,
)
from sciml.lpinn.characteristics import Characteristics
from sciml.lpinn.diagnostics import Modes, gauss_newton_spectrum, loss_landscape, modes, transported_modes
from sciml.lpinn.fitting import Gradient, LeastSquares
from sciml.lpinn.frames import Ale, Eulerian, Frame, Lagrangian, Rezoned
from sciml.lpinn.intervals import BoundaryLayer, Channel
from sciml.lpinn.least_action import EntropyField, field_of
from sciml.lpinn.mass import density
from sciml.lpinn.networks import TwoBranches
from sciml.lpinn.output import Output
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.published import PublishedNetwork, SoftCharacteristics, label_diffusion_floor
from sciml.lpinn.published_task import InterpolatedField, PublishedLagrangian
from sciml.lpinn.readout import Field, relative_error
from sciml.lpinn.solver import Points, RoundReport, SpaceTimeSolver, State
from sciml.lpinn.task import SpaceTimeFitting
from sciml.lpinn.through_flow import ThroughFlow

__all__ = [
    "Ale",
    "BoundaryLayer",
    "Burgers",
    "Channel",
    "Characteristics",
    "Convection",
    "ConvexLaw",
    "DeformationalSwirl",
    "EntropyField",
    "Eulerian",
    "Field",
    "Frame",
    "Gradient",
    "InterpolatedField",
    "Lagrangian",
    "LeastSquares",
    "Modes",
    "Output",
    "PassiveTransport",
    "Points",
    "PublishedLagrangian",
    "PublishedNetwork",
    "Rezoned",
    "RoundReport",
    "SoftCharacteristics",
    "SolidBodyRotation",
    "SpaceTimeFitting",
    "SpaceTimeSolver",
    "StandardBurgers",
    "State",
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
