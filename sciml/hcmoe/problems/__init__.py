"""Problems of :mod:`sciml.hcmoe`. Your own is a :class:`SpaceTimeProblem`: an equation, a start, two ends."""

from sciml.hcmoe.problems.base import EndCondition, Points, Reference, SpaceTimeProblem
from sciml.hcmoe.problems.cases import Burgers, Heat
from sciml.hcmoe.problems.darcy import DarcyProblem, GridDarcy, RandomDarcy
from sciml.hcmoe.problems.profiles import Profile
from sciml.hcmoe.problems.sorption import DiffusionSorption, VariedSorption
from sciml.hcmoe.problems.waves import BurgersWaves

__all__ = [
    "Burgers",
    "BurgersWaves",
    "DarcyProblem",
    "DiffusionSorption",
    "EndCondition",
    "GridDarcy",
    "Heat",
    "Points",
    "Profile",
    "RandomDarcy",
    "Reference",
    "SpaceTimeProblem",
    "VariedSorption",
]
