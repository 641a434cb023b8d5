"""Methods for linear systems as small objects: what ``solve(..., method=...)`` takes, by name or with options.

>>> from sciml.linalg import Multigrid, solve
>>> result = solve(problem, b, method=Multigrid(visits=1, rtol=1e-8))                      # doctest: +SKIP

Which one to choose is the first sentence of each class. :data:`METHODS` at the end lists them; other packages add
theirs in a module of the same name, see :mod:`sciml.linalg.registry`. Importing this module loads no numerics.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from sciml.checks import choice, did_you_mean, instance, number, sentence, whole_number
from sciml.errors import InputError, NotStructuredError

if TYPE_CHECKING:
    import numpy as np

    from sciml.linalg.krylov import Callback, KrylovResult
    from sciml.linalg.multigrid import MultigridPreconditioner
    from sciml.linalg.preconditioned import Preconditioner
    from sciml.linalg.systems import Matrix, System

    # A method set up for one system: (b, x0, tolerance on |r|, |b|, callback) -> (x, how it was found)
    Prepared = Callable[[np.ndarray, np.ndarray | None, float, float, Callback | None], tuple[np.ndarray, KrylovResult]]


EXPECTED_DEVICE = "the name of a device, such as 'cpu' or 'cuda'"


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearMethod(ABC):
    """A method that solves A x = b, A symmetric positive (semi-)definite, to |b - A x| <= max(rtol |b|, atol).

    Parameters
    ----------
    rtol, atol : relative and absolute tolerance on the norm of the true residual
    maxiter : the largest number of iterations; without effect on a direct method

    Attributes
    ----------
    name : under which the method is registered and reported
    summary : one line on what it is and what it is for
    needs : ``"matrix"``: any sparse matrix will do; ``"grid"``: a voxel problem or a 5- or 7-point matrix;
        ``"box"``: a grid without obstacles and with a constant coefficient
    kernels : the method whose compiled kernels this one uses, where it is another
    direct : whether there is no iteration
    compiles : whether numba compiles kernels for it, once on a machine
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    needs: ClassVar[Literal["matrix", "grid", "box"]] = "matrix"
    kernels: ClassVar[str | None] = None
    direct: ClassVar[bool] = False
    compiles: ClassVar[bool] = False

    rtol: float = 1e-6
    atol: float = 0.0
    maxiter: int = 10_000

    def __post_init__(self) -> None:
        number("rtol", self.rtol, at_least=0)
        number("atol", self.atol, at_least=0)
        if not self.rtol + self.atol > 0:
            raise InputError("rtol and atol are both 0, expected a positive number for at least one of them.")
        whole_number("maxiter", self.maxiter, at_least=1)

    def with_options(self, **options: Any) -> Self:
        """Return a copy of the method with other values of some options, which are checked as those of a new object.

        Raises
        ------
        InputError
            The method has no option of that name, or the value does not suit it.
        """
        known = self.option_names()
        for name in options:
            if name not in known:
                raise InputError(
                    f"method={self.name!r} has no option {name!r}, expected one of {', '.join(known)}"
                    f"{did_you_mean(name, known) or '.'}"
                )
        return replace(self, **options)

    @classmethod
    def option_names(cls) -> tuple[str, ...]:
        """Return the names of the options of the method."""
        return tuple(each.name for each in fields(cls))

    @property
    def label(self) -> str:
        """Name under which results report the method."""
        return self.name

    def system_of(self, matrix: Matrix) -> System:
        """Return a sparse matrix as the system that the method works on: without a grid unless it needs one."""
        from sciml.linalg.systems import as_grid, as_matrix

        return as_matrix(matrix) if self.needs == "matrix" else as_grid(matrix)

    def chosen_for(self, system: System) -> LinearMethod:
        """Return the method itself; one that stands for others returns the one that suits the system."""
        return self

    @abstractmethod
    def prepare(self, system: System) -> Prepared:
        """Set the method up for a system, once for any number of right-hand sides.

        Raises
        ------
        NotStructuredError
            The system is not of the kind that the method needs.
        """


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
        _check_function(self.preconditioner)
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
    return Multigrid if isinstance(system, VoxelPoisson) else SmoothedAggregation


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


@dataclass(frozen=True, kw_only=True, eq=False)
class SmoothedAggregation(LinearMethod):
    """PyAMG's smoothed aggregation with conjugate gradients: for sparse matrices that do not come from a grid.

    Equivalent to ``pyamg.smoothed_aggregation_solver(A, max_coarse=500).solve(b, accel="cg")``, with a check of the
    true residual.

    Parameters
    ----------
    max_coarse : the largest number of unknowns on the coarsest level
    cycle : ``"V"``, ``"W"`` or ``"F"``
    """

    name: ClassVar[str] = "amg"
    summary: ClassVar[str] = (
        "PyAMG's smoothed aggregation with conjugate gradients: any sparse symmetric positive definite matrix"
    )

    max_coarse: int = 500
    cycle: str = "V"

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("max_coarse", self.max_coarse, at_least=1)
        choice("cycle", self.cycle, ("V", "W", "F"))

    def prepare(self, system: System) -> Prepared:
        """Set up PyAMG's hierarchy on the matrix, also of a grid."""
        import pyamg

        from sciml.linalg.preconditioned import MatrixIteration

        hierarchy = pyamg.smoothed_aggregation_solver(system.to_csr(), max_coarse=self.max_coarse)
        return MatrixIteration(system, hierarchy.aspreconditioner(cycle=self.cycle).matvec, self.maxiter)


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
        _check_function(self.preconditioner)
        check_device(self.device)

    def prepare(self, system: System) -> Prepared:
        """Set up the operator and its vectors."""
        from sciml.linalg.preconditioned import checked_preconditioner, iteration_on

        given = None if self.preconditioner is None else checked_preconditioner(self.preconditioner, system)
        return iteration_on(system, given, self.maxiter, self.device)


def check_device(device: str | None) -> None:
    """Refuse what does not name a device; torch is asked about those other than the CPU."""
    if device is None or instance("device", device, str, EXPECTED_DEVICE) == "cpu":
        return
    import torch

    try:
        torch.device(device)
    except RuntimeError:
        raise InputError(sentence("device", device, EXPECTED_DEVICE)) from None


def _check_function(preconditioner: Preconditioner | None) -> None:
    """Refuse a preconditioner that cannot be called."""
    if preconditioner is not None and not callable(preconditioner):
        raise InputError(sentence("preconditioner", preconditioner, "a function from r to M r"))


METHODS: tuple[type[LinearMethod], ...] = (
    Automatic,
    FastTransform,
    Multigrid,
    SmoothedAggregation,
    ConjugateGradients,
)
