"""Damping and ends of a Levenberg-Marquardt iteration, for one problem or a batch of problems."""

from __future__ import annotations

from dataclasses import dataclass

from sciml.checks import number, whole_number
from sciml.errors import InputError

SMALL_GAIN = 0.05  # relative decrease of the cost that counts as none


@dataclass(frozen=True)
class StepControl:
    """The rule of the damping, and the ends of an iteration.

    A step is accepted if the sum of squares falls. An accepted step divides the damping by ``decrease``, a rejected one
    multiplies it by ``increase``. The iteration ends at the tolerance, at the number of solves, when no damping
    descends, or after ``patience`` steps in a row that gain less than 5 %: one small gain is often followed by a large
    one.

    Parameters
    ----------
    tolerance : square root of the sum of squares at which it has converged
    max_solves : linearisations, at least 1
    damping : of the first step, as a multiple of the mean diagonal of ``J^T J``, as all of them are
    smallest_damping, largest_damping : bounds; a floor of 1e-12 to 1e-9 keeps directions that the residuals do not
        see from growing step by step
    decrease, increase : factors after an accepted and a rejected step, both greater than 1
    trials : dampings tried for one linearisation
    patience : small gains in a row that end it

    References
    ----------
    Madsen, Nielsen, Tingleff, "Methods for non-linear least squares problems", 2nd ed., 2004, section 3.2.
    """

    tolerance: float = 1e-8
    max_solves: int = 20
    damping: float = 1e-6
    smallest_damping: float = 1e-12
    largest_damping: float = 1e8
    decrease: float = 10.0
    increase: float = 10.0
    trials: int = 12
    patience: int = 2

    def __post_init__(self) -> None:
        for name in ("max_solves", "trials", "patience"):
            whole_number(f"{name} of least squares", getattr(self, name), at_least=1)
        for name, low in (("damping", 0), ("decrease", 1), ("increase", 1)):
            number(f"{name} of least squares", getattr(self, name), above=low)
        number("tolerance of least squares", self.tolerance, at_least=0)
        if not 0 < self.smallest_damping <= self.largest_damping:
            raise InputError(
                f"the bounds of the damping are {self.smallest_damping!r} and {self.largest_damping!r}, expected two "
                "positive numbers in order."
            )
