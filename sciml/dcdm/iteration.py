"""The deep conjugate direction iteration: directions of a network, made A-orthogonal, with exact line search.

The published iteration evaluates the network once, at full resolution. Its field of view is some twenty cells, so the
number of iterations grows with the size of the problem. Ours evaluates the same network on coarser images of the
residual first, from the coarsest on, with an exact line search after each; an iteration costs a third more (a seventh
more in 3-D).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from sciml.checks import number, whole_number
from sciml.dcdm.stencil import StencilOperator
from sciml.errors import DivergenceError
from sciml.linalg import VoxelPoisson, solve
from sciml.linalg.krylov import Callback, KrylovResult
from sciml.linalg.systems import remove_means
from sciml.status import Status

Directions = Callable[[Tensor], Tensor]

# After so many iterations the network is compared with the residual itself as a direction ...
TRIAL_ITERATIONS = 10
# ... if the residual is above this share of the one at the last look,
TRIAL_REDUCTION = 0.5
# and is dropped for conjugate gradients unless an iteration took this many times more energy off the error.
TRIAL_GAIN = 4.0
MAX_FALLBACKS = 3
# A candidate that keeps less than this of its length is a sum of the other directions, up to rounding.
DEPENDENT = 1e-10


class _Iteration:
    """The vectors x and r and the last directions of one solve, as float64 images on the device of the operator."""

    def __init__(self, operator: StencilOperator, b: Tensor, x: Tensor, history: int) -> None:
        self.operator, self.b, self.x = operator, b, x
        self.past: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=history)
        self.r, self.norm = b, 0.0
        self.residual()

    def residual(self) -> None:
        """Set r = b - A x and its norm."""
        self.r = self.b - self.operator(self.x)
        self.norm = float(torch.linalg.vector_norm(self.r))

    def step(self, candidates: list[Tensor]) -> float:
        """Minimise the A-norm of the error over the candidates, made A-orthogonal to the last directions.

        Returns twice the energy taken off the error; 0 when no candidate is of any use.
        """
        basis = list(self.past)
        direction, image, gain = torch.zeros_like(self.r), torch.zeros_like(self.r), 0.0
        for candidate in candidates:
            q = candidate
            # all coefficients come from the same q, as in the published iteration
            coefficients = [_dot(q, Ap) / energy for _, Ap, energy in basis]
            for coefficient, (p, _, _) in zip(coefficients, basis, strict=True):
                q = torch.sub(q, p, alpha=coefficient)
            Aq = self.operator(q)
            energy, slope = _dot(q, Aq), _dot(q, self.r)
            if not (0.0 < energy < math.inf and math.isfinite(slope) and slope):
                continue
            if float(torch.linalg.vector_norm(q) / torch.linalg.vector_norm(candidate)) < DEPENDENT:
                continue
            basis.append((q, Aq, energy))
            direction = torch.add(direction, q, alpha=slope / energy)
            image = torch.add(image, Aq, alpha=slope / energy)
            gain += slope * slope / energy
        if gain > 0.0:
            self.past.append((direction, image, _dot(direction, image)))
            self.x = self.x + direction
            self.residual()
        return gain

    def gain_of_residual(self) -> float:
        """Twice the energy that a step along r itself takes off the error."""
        energy = _dot(self.r, self.operator(self.r))
        return self.norm**4 / energy if energy > 0.0 else 0.0


def conjugate_directions(  # noqa: PLR0913 - options are keywords
    problem: VoxelPoisson,
    b: np.ndarray,
    directions: Directions | Sequence[Directions],
    *,
    rtol: float = 1e-4,
    maxiter: int = 1000,
    history: int = 2,
    faithful: bool = False,
    callback: Callback | None = None,
    device: torch.device | str = "cpu",
) -> tuple[np.ndarray, KrylovResult]:
    """Solve A x = b along the directions f(r / |r|) to a true residual |b - A x| <= rtol |b|.

    Per iteration::

        q = f(r / |r|);  q -= sum over the last directions p of p (q . A p) / (p . A p)
        x += q (q . r) / (q . A q);  r = b - A x

    The A-norm of the error decreases monotonically whatever f is. With f = A^-1 one iteration is enough; with the
    identity and ``history=2`` these are conjugate gradients. With several f an iteration
    makes such a step along each in turn. Three things differ from the published iteration unless ``faithful``: the last
    step of an iteration is the best over the span of f(r), r itself and the last directions; r takes the place of a
    direction that is not finite or has no curvature; and when the directions prove useless the solve ends in conjugate
    gradients, with ``status="fallback"``.

    Parameters
    ----------
    problem : the system
    b : right-hand side, shape of the problem, 0 off the fluid, compatible on closed components
    directions : f, from a float64 unit residual of the shape of the problem to a direction of that shape; or several
    rtol : relative tolerance on the residual norm
    maxiter : the largest number of iterations, those of conjugate gradients included
    history : number of iterations whose directions the next are made A-orthogonal to
    faithful : the published iteration and nothing else; of several f, the last
    callback : called as callback(iteration, |r| / |b|)
    device : where the vectors live

    Returns
    -------
    x, result
        Solution in the shape of the problem, of zero mean on closed components, and how it was found.

    References
    ----------
    Kaneda et al., A deep conjugate direction method for iteratively solving linear systems, ICML 2023, algorithm 1.
    """
    whole_number("history", history, at_least=1)
    whole_number("maxiter", maxiter, at_least=1)
    number("rtol", rtol, above=0, below=1)
    largest = float(np.abs(b).max())
    if largest == 0.0:
        return np.zeros(problem.shape), KrylovResult(Status.CONVERGED, 0, [0.0], true_residual=0.0)
    scale = largest * float(np.linalg.norm(b / largest))  # no square of b overflows or underflows
    operator = StencilOperator(problem, torch.float64, device)
    right = operator.mask(torch.as_tensor(b, dtype=torch.float64, device=device) / scale)
    functions = [directions] if callable(directions) else list(directions)
    functions = functions[-1:] if faithful else functions
    state = _Iteration(operator, right, torch.zeros_like(right), history * len(functions))
    result = KrylovResult(Status.MAXITER, 0, [state.norm])
    trusted = _iterate(state, functions, result, rtol, maxiter, faithful, callback)
    result.true_residual = state.norm
    x = state.x.cpu().numpy() * scale
    if not trusted and result.iterations < maxiter:
        x = _conjugate_gradients(problem, b, x, result, rtol, maxiter, callback)
    remove_means(x[None], *problem.closed_components)
    return x, result


def _iterate(
    state: _Iteration,
    functions: Sequence[Directions],
    result: KrylovResult,
    rtol: float,
    maxiter: int,
    faithful: bool,
    callback: Callback | None,
) -> bool:
    """Iterate until convergence or the largest number of iterations, or (False) until the directions prove useless."""
    looked, gained = state.norm, 0.0
    while state.norm > rtol:
        if result.iterations == maxiter:
            return True
        gain = _steps(state, functions, result, rtol, faithful)
        if gain == 0.0 or (not faithful and result.fallbacks >= MAX_FALLBACKS):
            result.status = Status.STAGNATED
            return faithful
        gained += gain
        result.iterations += 1
        result.history.append(state.norm)
        if callback is not None:
            callback(result.iterations, state.norm)
        if not faithful and result.iterations % TRIAL_ITERATIONS == 0 and state.norm > rtol:
            stalled = state.norm > TRIAL_REDUCTION * looked
            if stalled and gained < TRIAL_ITERATIONS * TRIAL_GAIN * state.gain_of_residual():
                return False
            looked, gained = state.norm, 0.0
    result.status = Status.CONVERGED
    return True


def _steps(
    state: _Iteration, functions: Sequence[Directions], result: KrylovResult, rtol: float, faithful: bool
) -> float:
    """Step along the direction of each function, and of r itself; return the total decrease of the energy."""
    gain = 0.0
    for index, function in enumerate(functions, 1):
        q = state.operator.mask(function(state.r / state.norm))
        usable = bool(torch.isfinite(q).all()) and bool(q.any())
        result.fallbacks += not usable
        candidates = [q] if usable else []
        if index == len(functions) and not (usable and faithful):
            candidates.append(state.r)
        gain += state.step(candidates)
        if not math.isfinite(state.norm):
            raise DivergenceError(
                f"the residual became {state.norm} in iteration {result.iterations + 1}; scale the system."
            )
        if state.norm <= rtol:
            break
    return gain


def _conjugate_gradients(
    problem: VoxelPoisson,
    b: np.ndarray,
    x: np.ndarray,
    result: KrylovResult,
    rtol: float,
    maxiter: int,
    callback: Callback | None,
) -> np.ndarray:
    """Finish a solve whose network is useless by conjugate gradients that start from x."""
    before = result.dropped = result.iterations

    def report(iteration: int, norm: float) -> None:
        if callback is not None:
            callback(before + iteration, norm)

    rest = solve(problem, b, method="cg", rtol=rtol, maxiter=maxiter - before, x0=x, project=True, callback=report)
    result.iterations += rest.iterations
    result.history += rest.history[1:]
    result.true_residual = rest.true_residual
    result.status = Status.FALLBACK if rest.converged else rest.status
    return rest.x


def _dot(first: Tensor, second: Tensor) -> float:
    return float(torch.dot(first.reshape(-1), second.reshape(-1)))
