"""`Status`: how a solve, a fit or a run ended, with one vocabulary for the whole package.

>>> from sciml.status import Status
>>> status = Status("stagnated")
>>> status == "stagnated", status.success
(True, False)
>>> print(status.meaning)
Rounding errors keep the true residual from decreasing any further.
>>> print(status.remedy)
Choose a larger tolerance: the present one is below what double precision resolves for this system.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Status(StrEnum):
    """The way in which a computation ended: a string, as it is written to ``result.json``, that explains itself.

    The members are listed from the best outcome to the worst, which is the order used by :meth:`worst`.

    Attributes
    ----------
    meaning : what happened, one sentence
    remedy : what to do about it, one sentence
    """

    meaning: str
    remedy: str

    FINISHED = ("finished", "The run carried out all its steps.", "No action is needed.")
    CONVERGED = ("converged", "The tolerance was met.", "No action is needed.")
    FALLBACK = (
        "fallback",
        "The tolerance was met, but the preconditioner or the network proved useless and was dropped on the way.",
        "The result can be used; choose another method, or a preconditioner made for this system, to be faster.",
    )
    STALLED = (
        "stalled",
        "No step decreases the sum of squares any further, or several steps in a row gained little.",
        "Look at the residual that was reached: if it is too large, add degrees of freedom or start elsewhere.",
    )
    STAGNATED = (
        "stagnated",
        "Rounding errors keep the true residual from decreasing any further.",
        "Choose a larger tolerance: the present one is below what double precision resolves for this system.",
    )
    LIMIT = (
        "limit",
        "A nonlinear fit used up its number of solves or updates before it met its tolerance.",
        "Allow the fit more of them, or choose a larger tolerance; enlarge the network if the residual stays large.",
    )
    MAXITER = (
        "maxiter",
        "The linear solver reached maxiter iterations before the residual norm met the tolerance.",
        "Raise maxiter, choose a larger tolerance, or choose a method that suits the system better.",
    )
    TIME = (
        "time",
        "The time limit was reached before the tolerance.",
        "Allow more time, or choose a faster method.",
    )
    DIVERGED = (
        "diverged",
        "A loss, a residual or a weight became infinite or not a number.",
        "Choose a smaller learning rate or time step, and check that the data are finite and well scaled.",
    )
    FAILED = (
        "failed",
        "A part of the run ended with an error; the other parts were carried out.",
        "Read the reason in the report, and run that part again.",
    )

    def __new__(cls, value: str, meaning: str, remedy: str) -> Status:
        """Make a member from its value and its two sentences."""
        member = str.__new__(cls, value)
        member._value_, member.meaning, member.remedy = value, meaning, remedy
        return member

    @property
    def success(self) -> bool:
        """True if the computation did what was asked of it."""
        return self in (Status.FINISHED, Status.CONVERGED, Status.FALLBACK)

    @classmethod
    def worst(cls, statuses: Iterable[Status | str]) -> Status:
        """Return the worst of several outcomes, at least one."""
        order = list(cls)
        return max((cls(status) for status in statuses), key=order.index)

    def __repr__(self) -> str:
        return str.__repr__(self)  # as it is written and compared: 'converged'
