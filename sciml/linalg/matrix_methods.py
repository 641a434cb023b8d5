"""Methods that take any sparse symmetric positive definite matrix: factors, algebraic multigrid, plain iteration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sciml.checks import choice, whole_number
from sciml.linalg.method import LinearMethod, check_device, check_function

if TYPE_CHECKING:
    from sciml.linalg.method import Prepared
    from sciml.linalg.preconditioned import Preconditioner
    from sciml.linalg.systems import System


@dataclass(frozen=True, kw_only=True, eq=False)
class Direct(LinearMethod):
    """Sparse factors, kept for all right-hand sides: for many of them, and for systems that iterations find hard.

    The factors fill up: in two dimensions they are cheap up to some 10^5 unknowns, in three up to some 10^4. Equivalent
    to ``scipy.sparse.linalg.splu(A).solve(b)`` with the matrix scaled by its diagonal, and with corrections for the
    true residual until it is below the tolerance.
    """

    name: ClassVar[str] = "direct"
    summary: ClassVar[str] = "sparse factors, kept for all right-hand sides: some 10^5 unknowns in 2-D, 10^4 in 3-D"
    direct: ClassVar[bool] = True

    def prepare(self, system: System) -> Prepared:
        """Factorise the matrix, also of a grid; in each closed component without its first unknown."""
        from sciml.linalg.sparse_factors import FactoredSystem

        return FactoredSystem(system)


@dataclass(frozen=True, kw_only=True, eq=False)
class AlgebraicMultigrid(LinearMethod):
    """PyAMG's multigrid with conjugate gradients: for sparse matrices that do not come from a grid.

    Ruge and Stüben's classical coarsening where the off-diagonal entries are negative, as those of graph Laplacians and
    of diffusion are, and smoothed aggregation elsewhere. Equivalent to
    ``pyamg.ruge_stuben_solver(A, max_coarse=500).solve(b, accel="cg")`` and
    ``pyamg.smoothed_aggregation_solver(A, max_coarse=500).solve(b, accel="cg")``, with a check of the true residual.

    Parameters
    ----------
    coarsening : ``"classical"``, ``"aggregation"``, or ``"auto"`` for the one that suits the matrix, see
        :func:`sciml.linalg.algebraic_multigrid.is_m_matrix`
    max_coarse : the largest number of unknowns on the coarsest level
    cycle : ``"V"``, ``"W"`` or ``"F"``
    """

    name: ClassVar[str] = "amg"
    summary: ClassVar[str] = (
        "PyAMG's multigrid, classical or by aggregation, with conjugate gradients: any sparse symmetric positive "
        "definite matrix"
    )

    coarsening: str = "auto"
    max_coarse: int = 500
    cycle: str = "V"

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("coarsening", self.coarsening, ("auto", "classical", "aggregation"))
        whole_number("max_coarse", self.max_coarse, at_least=1)
        choice("cycle", self.cycle, ("V", "W", "F"))

    def prepare(self, system: System) -> Prepared:
        """Set up PyAMG's hierarchy on the matrix, also of a grid."""
        from sciml.linalg.algebraic_multigrid import cycle_on
        from sciml.linalg.preconditioned import MatrixIteration

        cycle = cycle_on(system.to_csr(), self.coarsening, self.max_coarse, self.cycle)
        return MatrixIteration(system, cycle, self.maxiter)


@dataclass(frozen=True, kw_only=True, eq=False)
class ConjugateGradients(LinearMethod):
    """Conjugate gradients: to compare with, for systems of a few thousand unknowns, or with a preconditioner of yours.

    Equivalent to ``scipy.sparse.linalg.cg(A, b, M=preconditioner)``. It differs in that the true residual is checked
    and that a useless preconditioner is noticed and dropped.

    Parameters
    ----------
    preconditioner : any function from r to M r in the shape of the system
    device : ``"cuda"`` keeps the vectors of a voxel problem there
    """

    name: ClassVar[str] = "cg"
    compiles: ClassVar[bool] = True
    summary: ClassVar[str] = "plain conjugate gradients, to compare with"

    preconditioner: Preconditioner | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_function(self.preconditioner)
        check_device(self.device)

    def prepare(self, system: System) -> Prepared:
        """Set up the operator and its vectors."""
        from sciml.linalg.preconditioned import checked_preconditioner, iteration_on

        given = None if self.preconditioner is None else checked_preconditioner(self.preconditioner, system)
        return iteration_on(system, given, self.maxiter, self.device)
