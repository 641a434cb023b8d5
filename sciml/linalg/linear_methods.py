"""Methods for linear systems as small objects: what ``solve(..., method=...)`` takes, by name or with options.

>>> from sciml.linalg import Multigrid, solve
>>> result = solve(problem, b, method=Multigrid(visits=1, rtol=1e-8))                      # doctest: +SKIP

Which one to choose is the first sentence of each class. :data:`METHODS` at the end lists them; other packages add
theirs in a module of the same name, see :mod:`sciml.linalg.registry`. Importing this module loads no numerics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from sciml.checks import instance
from sciml.errors import NotStructuredError
from sciml.linalg.matrix_methods import AlgebraicMultigrid, ConjugateGradients, Direct
from sciml.linalg.method import LinearMethod, check_device, check_function

if TYPE_CHECKING:
    import numpy as np

    from sciml.linalg.method import Prepared
    from sciml.linalg.multigrid import MultigridPreconditioner
    from sciml.linalg.preconditioned import Preconditioner
    from sciml.linalg.systems import Matrix, System


@dataclass(frozen=True, kw_only=True, eq=False)
class Automatic(LinearMethod):
    """Choose the fastest method that fits the system: the default. See :func:`choose` for how.

    Parameters
    ----------
    preconditioner : a :class:`MultigridPreconditioner` set up before, or any function from r to M r, used instead of a
        preconditioner of the method's own
    device : where multigrid or conjugate gradients run, if one of them is chosen; the other methods run on the CPU
    """

    name: ClassVar[str] = "auto"
    summary: ClassVar[str] = "the fastest of those below that fits the system"

    preconditioner: Preconditioner | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_function(self.preconditioner)
        check_device(self.device)

    def system_of(self, matrix: Matrix) -> System:
        """Return a matrix as the voxel problem that it comes from, if it is recognised as one."""
        from sciml.linalg.systems import as_grid_or_matrix

        return as_grid_or_matrix(matrix)

    def chosen_for(self, system: System) -> LinearMethod:
        """Return the method that suits the system, with the tolerances of this one and the options that it has, too."""
        chosen = choose(system, self.preconditioner)
        given = {name: getattr(self, name) for name in ("preconditioner", "device") if name in chosen.option_names()}
        return chosen(rtol=self.rtol, atol=self.atol, maxiter=self.maxiter, **given)

    def prepare(self, system: System) -> Prepared:
        """Set up the method that suits the system."""
        return self.chosen_for(system).prepare(system)


def choose(system: System, preconditioner: Preconditioner | None = None) -> type[LinearMethod]:
    """Return the method that ``"auto"`` stands for.

    1. A preconditioner was given: multigrid if it is ours, conjugate gradients with any other.
    2. A box without obstacles, constant coefficient: fast transforms, which are direct.
    3. Any other voxel problem, and any 5- or 7-point matrix: geometric multigrid.
    4. Any other matrix: algebraic multigrid.
    """
    from sciml.linalg.multigrid import MultigridPreconditioner
    from sciml.linalg.systems import is_plain_box
    from sciml.linalg.voxel_poisson import VoxelPoisson

    if preconditioner is not None:
        return Multigrid if isinstance(preconditioner, MultigridPreconditioner) else ConjugateGradients
    if is_plain_box(system):
        return FastTransform
    return Multigrid if isinstance(system, VoxelPoisson) else AlgebraicMultigrid


@dataclass(frozen=True, kw_only=True, eq=False)
class FastTransform(LinearMethod):
    """Fast sine and cosine transforms: for a box without obstacles and with a constant coefficient.

    Direct, in O(n log n). Equivalent to ``scipy.fft.idstn(scipy.fft.dstn(b) / eigenvalues)``, with the transform of
    each axis taken from its two boundary conditions; see :class:`sciml.linalg.fast_transform.BoxTransform`.
    """

    name: ClassVar[str] = "fft"
    summary: ClassVar[str] = "fast sine and cosine transforms: a box without obstacles, constant coefficient"
    needs: ClassVar[Literal["matrix", "grid", "box"]] = "box"
    direct: ClassVar[bool] = True

    def prepare(self, system: System) -> Prepared:
        """Compute the eigenvalues of the box."""
        from sciml.linalg.fast_transform import BoxTransform
        from sciml.linalg.systems import is_plain_box

        if not is_plain_box(system):
            raise NotStructuredError(
                "method='fft' needs a box without obstacles and a constant coefficient; use method='multigrid'."
            )
        return BoxTransform(system)


@dataclass(frozen=True, kw_only=True, eq=False)
class Multigrid(LinearMethod):
    """Geometric multigrid with conjugate gradients: for voxel grids with obstacles or a variable coefficient.

    The number of iterations does not grow with the size of the grid. Equivalent to
    ``scipy.sparse.linalg.cg(A, b, M=MultigridPreconditioner(problem).as_linear_operator())``, matrix-free. To solve
    many times on one geometry, make a :class:`MultigridPreconditioner` once and pass it.

    Parameters
    ----------
    degree, visits, dtype, backend, device : as of :class:`~sciml.linalg.multigrid.MultigridPreconditioner`
    preconditioner : a :class:`MultigridPreconditioner` set up before; the five options above are then without effect.
        Functions are for :class:`ConjugateGradients`
    """

    name: ClassVar[str] = "multigrid"
    summary: ClassVar[str] = (
        "flow-aware geometric multigrid with conjugate gradients: any voxel grid or 5- or 7-point matrix"
    )
    needs: ClassVar[Literal["matrix", "grid", "box"]] = "grid"
    compiles: ClassVar[bool] = True

    degree: tuple[int, int] = (3, 2)
    visits: int = 2
    dtype: str | type | np.dtype = "float32"
    backend: str = "auto"
    device: str | None = None
    preconditioner: MultigridPreconditioner | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        from sciml.linalg.multigrid.preconditioner import (
            MultigridPreconditioner,
            check_cycle,
            check_dtype,
            choose_backend,
        )

        check_cycle(self.degree, self.visits)
        check_dtype(self.dtype)
        check_device(self.device)
        choose_backend(self.backend, self.device)
        if self.preconditioner is not None:
            instance(
                "preconditioner",
                self.preconditioner,
                MultigridPreconditioner,
                "a MultigridPreconditioner",
                remedy="give a function to method='cg'",
            )

    def prepare(self, system: System) -> Prepared:
        """Set up the hierarchy, unless it was given."""
        from sciml.linalg.preconditioned import checked_preconditioner, iteration_on

        if self.preconditioner is None:
            multigrid = self.hierarchy(system)
        else:
            multigrid = checked_preconditioner(self.preconditioner, system)
        return iteration_on(system, multigrid, self.maxiter, self.device)

    def hierarchy(self, system: System) -> MultigridPreconditioner:
        """Return the preconditioner for a voxel problem."""
        from sciml.linalg.multigrid import MultigridPreconditioner

        return MultigridPreconditioner(
            system,
            degree=self.degree,
            visits=self.visits,
            dtype=self.dtype,
            backend=self.backend,
            device=self.device,
        )


METHODS: tuple[type[LinearMethod], ...] = (
    Automatic,
    FastTransform,
    Multigrid,
    AlgebraicMultigrid,
    Direct,
    ConjugateGradients,
)
