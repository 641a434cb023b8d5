"""Problems whose fields are carried by a flow, ``f(x, t + dt) = f(X, t)`` with ``X`` the foot of the path through x."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor

from sciml.domains import Domain
from sciml.domains.walls import Walls
from sciml.insr.problems.base import Fields


class Transport(ABC):
    """A problem whose fields are carried by a flow; a base class beside :class:`~sciml.insr.problems.Problem`.

    Attributes
    ----------
    active : fields that the velocity depends on, carried first
    passive : fields that it does not depend on
    walls : continuation of paths that leave the box along an axis that is not periodic: ``"clamp"`` moves them to the
        face, for inflow and outflow, ``"reflect"`` reflects them, for impermeable walls
    """

    domain: Domain
    active: Sequence[str] = ()
    passive: Sequence[str] = ()
    walls: Walls = "clamp"

    @abstractmethod
    def velocity_at(self, fields: Fields, points: Tensor, time: float) -> Tensor:
        """Return the velocity at points inside of the domain, ``(n, dim)``."""

    def diffusivity(self, name: str) -> float:
        """Return the diffusivity of a field, at least 0."""
        return 0.0

    def is_odd(self, name: str) -> bool:
        """Return whether a field has odd reflection at walls, as it has if it is zero there."""
        return False
