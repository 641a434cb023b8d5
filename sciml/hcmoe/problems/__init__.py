"""Problems of :mod:`sciml.hcmoe`. Your own is a :class:`SpaceTimeProblem`: an equation, a start, two ends."""

from sciml.hcmoe.problems.base import EndCondition, Points, SpaceTimeProblem
from sciml.hcmoe.problems.cases import Burgers, Heat

__all__ = ["Burgers", "EndCondition", "Heat", "Points", "SpaceTimeProblem"]
