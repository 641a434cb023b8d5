"""Tensors around a solve in double precision: what may go in, what rounding to their type may lose, kept factors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.numerics.implicit import Given
from sciml.numerics.implicit.adjoints import LinearSolution
from sciml.numerics.implicit.handed_over import described, is_plain
from sciml.numerics.implicit.linearisation import Linearisation

REAL = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_real(name: str, value: object) -> Tensor:
    """Return a dense tensor of real floating-point numbers, refuse anything else."""
    if not is_plain(value) or value.dtype not in REAL:  # type: ignore[attr-defined]
        raise InputError(f"{name} must be a dense floating-point torch.Tensor, got {described(value)}.")
    return value  # type: ignore[return-value]


def check_holds(name: str, values: Tensor, dtype: torch.dtype, largest: Callable[[Tensor], Tensor]) -> None:
    """Refuse a type in which values overflow, or are so small that digits are lost.

    Parameters
    ----------
    name : what they are
    values : in double precision
    dtype : to which they are to be rounded
    largest : returns the largest size in each part, relative to which an error counts there

    Raises
    ------
    InputError
        Rounding makes an error of more than one unit of the type, relative to the size.
    """
    if dtype == torch.float64:
        return
    error, size = largest(values.to(dtype).double() - values), largest(values)
    lost = ~(error <= torch.finfo(dtype).eps * size)
    if bool(lost.any()):
        raise InputError(
            f"{name} has parts of size {float(size[lost].max()):.2g}, which {dtype} does not hold to its precision, "
            "expected values within its range; pass arguments in torch.float64, or scale them."
        )


class KeptSolves:
    """Solves with symmetric matrices that forward passes have set up, to be used again for derivatives.

    One function may have several forward passes: ``torch.func.vmap`` has one for each entry. A derivative takes the
    solve whose matrix is that of its own arguments.

    Parameters
    ----------
    key : maps the arguments of a condition to the tensors that determine the matrix
    """

    def __init__(self, key: Callable[[Sequence[Tensor]], Sequence[Tensor]]) -> None:
        self._key = key
        self._kept: list[tuple[Sequence[Tensor], Given]] = []

    def keep(self, key: Sequence[Tensor], solve: Callable[[Tensor], Tensor]) -> None:
        """Keep a solve, which raises if it fails, with the tensors that determine its matrix."""
        self._kept.append((key, Given(solve, rtol=None)))

    def solve(self, jacobian: Linearisation, right: Tensor, *, transposed: bool) -> LinearSolution:
        """Return the solution by the solve that was kept for the matrix."""
        with torch.no_grad():
            wanted = self._key(jacobian.arguments)
        for key, given in self._kept:
            if all(map(torch.equal, key, wanted)):
                return given.solve(jacobian, right, transposed=transposed)
        raise InputError(
            "an argument was changed after the solve, expected it to be left as it is until the last derivative; clone "
            "it before the change."
        )
