"""Problems whose fields are carried by a flow, ``f(x, t + dt) = f(X, t)`` with ``X`` the foot of the path through x."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor

from sciml.domains import Domain
from sciml.domains.walls import Walls
from sciml.insr.problems.base import Fields


class Transport(ABC):
    """A problem whose fields are carried by a flow; an ancestor beside :class:`~sciml.insr.problems.Problem`.

    Attributes
    ----------
    active : fields that the velocity depends on, carried first
    passive : fields that it does not depend on
    walls : what happens to a path that leaves a box where it is not periodic: ``"clamp"`` it to the wall, for outflow
        and inflow, or ``"reflect"`` it, for walls that nothing crosses
    """

    domain: Domain
    active: Sequence[str] = ()
    passive: Sequence[str] = ()
    walls: Walls = "clamp"

    @abstractmethod
    def velocity_at(self, fields: Fields, points: Tensor, time: float) -> Tensor:
        """Velocity at points inside, ``(n, dim)``."""

    def diffusivity(self, name: str) -> float:
        """Diffusivity of a field, at least 0."""
        return 0.0

    def is_odd(self, name: str) -> bool:
        """Whether a field continues beyond a wall with the other sign, as it does if it is 0 there."""
        return False
