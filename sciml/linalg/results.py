"""`SolveResult`: the solution of a linear system and how it was found, printed as a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sciml.linalg.krylov import KrylovResult
from sciml.status import Status


@dataclass(repr=False)
class SolveResult:
    """The solution of a linear system and how it was found.

    Attributes
    ----------
    x : solution, in the shape of b; 0 off the fluid
    status : :class:`~sciml.status.Status`, which says what it means and what to do: ``"converged"``, ``"fallback"``
        (converged, but the preconditioner or network had to be dropped), ``"stagnated"`` or ``"maxiter"``
    method : name of the method used
    iterations : of the Krylov method; 0 for a direct one. With several right-hand sides, the largest number of them.
    history : |r| / |b| from the initial guess to the end; with several right-hand sides, that of the slowest
    true_residual : |b - A x| / |b| recomputed from x; the largest with several right-hand sides
    unknowns : size of the system
    setup_seconds, solve_seconds : wall time before the iteration, checks of the input included, and in it
    compile_seconds : wall time of compiling kernels, which is part of neither: once on a machine, 0 in later processes
    fallbacks : directions of the preconditioner or network that were useless and replaced
    dropped : iterations after which the preconditioner or network was given up, and conjugate gradients alone went on;
        None where it served to the end
    """

    x: np.ndarray
    status: Status
    method: str
    iterations: int
    history: list[float]
    true_residual: float
    unknowns: int
    setup_seconds: float
    solve_seconds: float
    fallbacks: int = field(default=0)
    dropped: int | None = field(default=None)
    compile_seconds: float = field(default=0.0)

    @property
    def converged(self) -> bool:
        """True if the tolerance was met."""
        return self.status.success

    @property
    def carried_out(self) -> str:
        """The methods that produced x: ``"dcdm, then plain cg"`` where the preconditioner or network was given up."""
        return self.method if self.dropped is None else f"{self.method}, then plain cg"

    def summary(self) -> dict[str, Any]:
        """Return everything but the arrays, for JSON."""
        return {
            "status": self.status,
            "method": self.method,
            "dropped_after": self.dropped,
            "iterations": self.iterations,
            "true_residual": self.true_residual,
            "setup_seconds": self.setup_seconds,
            "solve_seconds": self.solve_seconds,
            "unknowns": self.unknowns,
        }

    @property
    def reduction(self) -> float | None:
        """Mean factor by which an iteration reduced the residual norm; None for a direct method."""
        if not self.iterations or not self.history[0] or not self.history[-1]:
            return None
        return (self.history[-1] / self.history[0]) ** (1.0 / self.iterations)

    def __repr__(self) -> str:
        rows = [
            ("status", str(self.status)),
            ("method", self.carried_out),
            ("unknowns", f"{self.unknowns:,}"),
            ("iterations", f"{self.iterations:,}"),
            ("true residual", f"{self.true_residual:.2e}"),
            ("set-up time [s]", f"{self.setup_seconds:.3g}"),
            ("solve time [s]", f"{self.solve_seconds:.3g}"),
        ]
        if self.compile_seconds:
            rows.append(("compiling, once [s]", f"{self.compile_seconds:.3g}"))
        if self.reduction is not None:
            rows.insert(5, ("mean reduction", f"{self.reduction:.3f}"))
        if self.dropped is not None:
            rows.insert(4, ("given up after", f"{self.dropped:,}"))
        lines = ["SolveResult", *(f"  {name:<16s}{value:>{28 - max(16, len(name))}s}" for name, value in rows)]
        if self.status is not Status.CONVERGED:
            lines += [f"  {self.status.meaning}", f"  {self.status.remedy}"]
        return "\n".join(lines)


def slower(first: KrylovResult | None, second: KrylovResult) -> KrylovResult:
    """Return the result with more iterations of two, with the worse status and residual of both."""
    if first is None:
        return second
    result = second if second.iterations > first.iterations else first
    result.status = Status.worst((first.status, second.status))
    result.true_residual = max(first.true_residual, second.true_residual)
    result.fallbacks = max(first.fallbacks, second.fallbacks)
    result.dropped = min((d for d in (first.dropped, second.dropped) if d is not None), default=None)
    return result
