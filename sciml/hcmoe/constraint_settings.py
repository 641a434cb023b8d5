"""The settings of a constraint layer: how experts are coupled, how rows are weighted, how the solve ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sciml.checks import choice, number, whole_number
from sciml.hcmoe.rows import Weighting
from sciml.numerics.batched_least_squares import BatchedSettings

Coupling = Literal["faces", "exact", "windows", "independent"]


@dataclass(frozen=True)
class ConstraintSettings:
    """The settings of a constraint: its rows, and the solve.

    Parameters
    ----------
    coupling : ``"faces"``: an expert has the rows of start and ends that it touches, and jumps of value and slope
        across faces are rows, too; ``"exact"``: these jumps are 0, for a fixed basis with few different traces on a
        face, such as polynomials; ``"windows"``: the solution is the sum of all experts' combinations times smooth
        windows that sum to 1, and needs no rows at faces; ``"independent"``, as published: each expert has the rows of
        the whole start and of both ends, and nothing ties it to its neighbours
    start : ``"rows"``; or exactly, as the last field of the weights, with the weight 1: ``"lift"``, the fields of the
        basis are multiplied by ``t / duration``; ``"grid"``, they are 0 at the first time of their grid, for a
        :class:`~sciml.hcmoe.bases.GridBasis` that begins at time 0
    weighting : of the rows, see :class:`~sciml.hcmoe.rows.Lattice`
    points : of each expert that enter, drawn anew for each call; all by default
    ridge : of rows ``ridge * w``, which choose among combinations that are equally good; 1e-4 as published
    hessian : of the gradient, see :func:`sciml.numerics.pointwise_least_squares.solve`
    over_ranks : whether the processes of ``torch.distributed``, which all have the same batch, share out the solves,
        one for each independent expert or coupled instance; the average of their gradients is that of one process
    iteration : dampings and ends of the Levenberg-Marquardt iteration
    """

    coupling: Coupling = "faces"
    start: Literal["rows", "lift", "grid"] = "rows"
    weighting: Weighting = "quadrature"
    points: int | None = None
    ridge: float = 1e-6
    hessian: Literal["exact", "gauss_newton"] = "exact"
    over_ranks: bool = False
    iteration: BatchedSettings = field(default_factory=BatchedSettings)

    def __post_init__(self) -> None:
        choice("the coupling of experts", self.coupling, ("faces", "exact", "windows", "independent"))
        choice("the start of the constraint", self.start, ("rows", "lift", "grid"))
        choice("the weighting of the rows", self.weighting, ("quadrature", "paper"))
        choice("the hessian of the constraint", self.hessian, ("exact", "gauss_newton"))
        number("the ridge of the constraint", self.ridge, at_least=0)
        if self.points is not None:
            whole_number("the points of an expert", self.points, at_least=1)

    @property
    def lifted(self) -> bool:
        """True where the start is a field of its own, whose weight is 1."""
        return self.start != "rows"
