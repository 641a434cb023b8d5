"""Problems of :mod:`sciml.hcmoe`. Your own is a :class:`SpaceTimeProblem`: an equation, a start, two ends."""

from sciml.hcmoe.problems.base import EndCondition, Points, Reference, SpaceTimeProblem
from sciml.hcmoe.problems.cases import Burgers, Heat
from sciml.hcmoe.problems.profiles import Profile
from sciml.hcmoe.problems.sorption import DiffusionSorption, VariedSorption
from sciml.hcmoe.problems.waves import BurgersWaves

__all__ = [
    "Burgers",
    "BurgersWaves",
    "DiffusionSorption",
    "EndCondition",
    "Heat",
    "Points",
    "Profile",
    "Reference",
    "SpaceTimeProblem",
    "VariedSorption",
]
