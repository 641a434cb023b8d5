r"""The base class of frames of reference.

A map X(\xi, t) gives the position of label \xi, and w(\xi, t) = u(X(\xi, t), t). With F = dX/d\xi, J = det F, and
g = F^{-T} grad_\xi w the gradient of u in space,

    w_t + (velocity - X_t) . g = viscosity * Laplace u + source,        X_t = the velocity of the frame.

The first equation holds for every map without folds, so that errors of the map are not errors of u. The velocity of the
frame is that of the problem (Lagrangian, the paper), a mean of it, or 0 (Eulerian, the standard PINN); the labels with
which a time slab begins are free, too (Rezoned).

References
----------
Mojgani, Balajewicz, Hassanzadeh, "Kolmogorov n-width and Lagrangian physics-informed neural networks", CMAME 404, 2023.
Donea et al., "Arbitrary Lagrangian-Eulerian methods", Encyclopedia of Computational Mechanics, 2004.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Protocol

from torch import Tensor

from sciml.errors import InputError
from sciml.lpinn.frames.circle_map import CircleMap
from sciml.lpinn.frames.motion import LabelMotion
from sciml.lpinn.problems import TransportProblem
from sciml.numerics.derivatives import Jet
from sciml.tables import summary


class TimeSlabs(Protocol):
    """The characteristics as a frame that rezones sees them: the problem, and the state at the beginning of a slab.

    Attributes
    ----------
    labelled_problem : on the labels
    length : the duration of a slab
    size : of the state, by which its slopes are scaled
    drift : the velocity that all labels share, ``(dim,)``
    """

    labelled_problem: TransportProblem
    length: float
    size: float
    drift: Tensor

    def label_map(self, weights: Sequence[Tensor], slab: int) -> CircleMap:
        """Return the map from the labels of a slab to positions, less the drift."""

    def initial_on(
        self, label_map: CircleMap, weights: Sequence[Tensor], slab: int, labels: Tensor, order: int
    ) -> tuple[Jet, Jet]:
        """Return position and state at the beginning of a slab, on labels that are distributed by a map."""


class Frame(ABC):
    """A frame of reference: how labels move, and what is left of the equation of a problem on them.

    A new frame is a subclass in a file of its own with a :meth:`velocity`; it overrides what differs from labels that
    drift with the mean velocity. It may be a plain class or a dataclass; its public attributes are its settings.

    Attributes
    ----------
    moves : whether the position of a label is unknown beyond a drift, so that the network has outputs for it
    follows_flow : whether labels move with exactly the velocity of the problem: the transport term vanishes
    fixed : whether labels stay where they are, so that boundary values can be met by the form of the state
    rezones : whether labels are distributed anew in every time slab, by :meth:`slab_map`
    """

    moves: ClassVar[bool] = False
    follows_flow: ClassVar[bool] = False
    fixed: ClassVar[bool] = False
    rezones: ClassVar[bool] = False

    # Motion of the labels

    def drift(self, problem: TransportProblem) -> Tensor:
        """Return the constant velocity that all labels share, ``(dim,)``: by default the mean one of the problem."""
        return problem.drift()

    @abstractmethod
    def velocity(self, drift: Tensor, speed: Tensor, stretch: Tensor) -> Tensor:
        """Return the velocity of the labels, ``(n, dim)``.

        Parameters
        ----------
        drift : ``(dim,)``
        speed : velocity of the problem at the labels, ``(n, dim)``
        stretch : J, ``(n, 1)``
        """

    def slab_map(self, characteristics: TimeSlabs, weights: Sequence[Tensor], slab: int) -> CircleMap:
        """Return the map on which the labels of a time slab are distributed; for frames with ``rezones`` only.

        Parameters
        ----------
        characteristics : problem, frame and network
        weights : of the slabs before
        slab : its number
        """
        raise InputError(
            f"the frame {type(self).__name__} keeps its labels from slab to slab, expected one that rezones."
        )

    # Terms of the equation of the state

    def transport_term(self, motion: LabelMotion, speed: Tensor, gradient: Tensor) -> Tensor | None:
        """Return (velocity - X_t) . grad u, ``(n, 1)``; None where the term vanishes.

        Parameters
        ----------
        motion : of the labels
        speed : velocity of the problem at the labels, ``(n, dim)``
        gradient : of u in space, ``(n, dim)``
        """
        return ((speed - motion.position.first[-1]) * gradient).sum(1, keepdim=True)

    def diffusion_term(self, motion: LabelMotion, gradient: Tensor) -> Tensor:
        """Return the Laplacian of u in space, ``(n, 1)``."""
        return motion.laplacian(gradient)

    # Problems

    def labelled(self, problem: TransportProblem) -> TransportProblem:
        """Return the problem as it is solved on the labels: by default the problem itself.

        Raises
        ------
        InputError
            If there are no labels for what enters through the boundary.
        """
        if problem.has_boundary_values:
            raise InputError(
                f"{type(problem).__name__} has values on its boundary, which labels of the frame "
                f"{type(self).__name__} would leave; use the frame Lagrangian without viscosity, or Eulerian."
            )
        return problem

    def check(self, problem: TransportProblem) -> None:  # noqa: B027 - most frames refuse nothing
        """Refuse a problem that this frame cannot be used on; by default none.

        Raises
        ------
        InputError
            Naming a frame that can.
        """

    def cautions(self, problem: TransportProblem) -> list[str]:
        """Return sentences about what is known to go wrong with a problem in this frame; by default none."""
        return []

    def __repr__(self) -> str:
        """Return how the labels move and the settings as a table."""
        return summary(f"Frame {type(self).__name__}", self.rows())

    __str__ = __repr__  # a dataclass may bring a repr of one line

    def rows(self) -> dict[str, object]:
        """Return names and values of what is printed about the frame."""
        moving = "the velocity of the problem" if self.follows_flow else "zero" if self.fixed else "the mean velocity"
        unknown = "position and state" if self.moves else "state"
        settings = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return {"velocity of the labels": moving, "unknowns": unknown, **settings}
