"""`LinearMethod`: what a method for linear systems is, and the checks of options that several methods have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from sciml.checks import did_you_mean, instance, number, sentence, whole_number
from sciml.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from sciml.linalg.krylov import Callback, KrylovResult
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


def check_device(device: str | None) -> None:
    """Refuse what does not name a device; torch is asked about those other than the CPU."""
    if device is None or instance("device", device, str, EXPECTED_DEVICE) == "cpu":
        return
    import torch

    try:
        torch.device(device)
    except RuntimeError:
        raise InputError(sentence("device", device, EXPECTED_DEVICE)) from None


def check_function(preconditioner: Preconditioner | None) -> None:
    """Refuse a preconditioner that cannot be called."""
    if preconditioner is not None and not callable(preconditioner):
        raise InputError(sentence("preconditioner", preconditioner, "a function from r to M r"))
