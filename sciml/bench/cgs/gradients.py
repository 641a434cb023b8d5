"""The measurements of ``sciml bench cgs`` on implicit gradients: exactness, memory, and errors below their bounds.

The networks are random Delaunay networks as in the paper. Heads are linear; each is a system of its own, differentiated
in the weights of its edges and in its right-hand side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sciml.bench.measure import kept_bytes
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.numerics.implicit import GMRES, ConjugateGradients, ImplicitReport, fixed_point, linear_system
from sciml.numerics.implicit.krylov import conjugate_gradients
from sciml.numerics.random import generator
from sciml.reference.pore_networks import PoreNetwork, random_network

GAMMA = 0.5
BASE_POINTS = (13, 87)  # of networks of 50 to 200 pores
TOLERANCES = tuple(10.0**-power for power in range(3, 10))
EXACT = 1e-14
UNROLLED = 1e-6


def memory(job: Job) -> dict[str, Any]:
    """Measure what autograd keeps for ``job["heads"]`` contractions on ``job["networks"]`` networks in one batch.

    Returns
    -------
    dict
        ``gradient_error``: of the implicit gradient against dense autograd, relative, on the first network;
        ``memory_ratio``: bytes kept by Picard's iteration, unrolled to 1e-6, over those of the implicit solve;
        ``memory_growth``: bytes of the implicit solve at the tolerance 1e-12 over those at 1e-3;
        ``bytes`` of the implicit solve.
    """

    def measure() -> dict[str, float]:
        networks = _networks(job["seed"], job["networks"])
        head = contraction(networks, job["heads"], job["seed"])
        loose, tight = (kept_bytes(lambda rtol=rtol: head.solved(rtol)) for rtol in (1e-3, 1e-12))
        unrolled = kept_bytes(lambda: _picard(_messages(networks), *head.arguments, UNROLLED))
        one = contraction(networks[:1], job["heads"], job["seed"])
        return {
            "gradient_error": one.gradient_error(EXACT)[0] / one.gradient_size(),
            "memory_ratio": unrolled / loose,
            "memory_growth": tight / loose,
            "bytes": loose,
        }

    return outcome(measure)


def tolerance(job: Job) -> dict[str, Any]:
    """Measure gradient errors and their bounds for tolerances from 1e-3 to 1e-9 of both solves, on one network.

    ``job["head"]`` is ``"contraction"``, solved by Picard's iteration, with Banach's bound of the inverse, or
    ``"anchored"``, a Laplacian with pinned nodes, solved by conjugate gradients, with its smallest eigenvalue.

    Returns
    -------
    dict
        ``error_1e-03`` to ``error_1e-09``, relative; ``exponent``, their slope against the tolerances, in logarithms;
        ``error_over_bound``, the largest, and its counterpart ``bound_over_error``; ``error_over_estimate``, the
        largest, where the norm of the inverse is found by solves.
    """

    def measure() -> dict[str, float]:
        make = {"contraction": contraction, "anchored": anchored}[job["head"]]
        head = make(_networks(job["seed"], 1), job["heads"], job["seed"])
        errors, bounds, estimates = [], [], []
        for rtol in TOLERANCES:
            error, report = head.gradient_error(rtol)
            errors.append(error)
            bounds.append(float(report.gradient_bound(head.inverse_norm()).norm()))
            estimates.append(float(report.gradient_bound().norm()))
        share, size = np.array(errors) / np.array(bounds), head.gradient_size()
        return {
            **{f"error_{rtol:.0e}": error / size for rtol, error in zip(TOLERANCES, errors, strict=True)},
            "exponent": float(np.polyfit(np.log(TOLERANCES), np.log(errors), 1)[0]),
            "error_over_bound": float(share.max()),
            "bound_over_error": float(1 / share.min()),
            "error_over_estimate": float((np.array(errors) / np.array(estimates)).max()),
        }

    return outcome(measure)


@dataclass(frozen=True, eq=False)
class Head:
    """A linear system for each head, in the form A(w) x = b.

    Attributes
    ----------
    arguments : w (heads, edges) and b (heads, nodes)
    operator : maps x and w to A(w) x
    solved : returns solution and report, both solves to a tolerance
    inverse_norm : returns a bound of the Euclidean norm of the inverse of each head
    cotangent : of x
    """

    arguments: tuple[Tensor, Tensor]
    operator: Callable[[Tensor, Tensor], Tensor]
    solved: Callable[[float], tuple[Tensor, ImplicitReport]]
    inverse_norm: Callable[[], Tensor]
    cotangent: Tensor

    def matrices(self) -> Tensor:
        """Return A(w), (heads, nodes, nodes), by torch operations on w."""
        w, b = self.arguments
        columns = torch.eye(b.shape[1], dtype=b.dtype)
        return torch.stack([self.operator(column.expand(b.shape), w) for column in columns], 2)

    def exact_gradients(self) -> tuple[Tensor, ...]:
        """Return the gradients by autograd through dense elimination."""
        x = torch.linalg.solve(self.matrices(), self.arguments[1])
        return torch.autograd.grad(x, self.arguments, self.cotangent)

    def gradient_size(self) -> float:
        """Return the Euclidean norm of all gradients together."""
        return math.sqrt(sum(float(each.square().sum()) for each in self.exact_gradients()))

    def gradient_error(self, rtol: float) -> tuple[float, ImplicitReport]:
        """Return the Euclidean norm of the error of all gradients together, and the report."""
        x, report = self.solved(rtol)
        found = torch.autograd.grad(x, self.arguments, self.cotangent)
        pairs = zip(found, self.exact_gradients(), strict=True)
        return math.sqrt(sum(float((one - other).square().sum()) for one, other in pairs)), report


def contraction(networks: list[PoreNetwork], heads: int, seed: int) -> Head:
    """Return heads x = gamma A x + b as published: weights in [0, 1] over the number of edges that arrive."""
    throats, pinned = _together(networks)
    mapping, target = _messages(networks), throats.flatten()
    w, b, cotangent = _drawn(heads, target.numel(), pinned.numel(), seed)
    w = (GAMMA * w / torch.bincount(target)[target]).detach().requires_grad_()

    def solved(rtol: float) -> tuple[Tensor, ImplicitReport]:
        adjoint = GMRES(rtol=rtol)
        return fixed_point(mapping, lambda w, b: _picard(mapping, w, b, rtol), w, b, adjoint=adjoint, batch=1)

    def inverse_norm() -> Tensor:  # 1 / (1 - gamma) in the largest norm
        return torch.full((heads,), math.sqrt(pinned.numel()) / (1 - GAMMA))

    return Head((w, b), lambda x, w: x - mapping(x, w, torch.zeros_like(x)), solved, inverse_norm, cotangent)


def anchored(networks: list[PoreNetwork], heads: int, seed: int) -> Head:
    """Return heads L(w) x = b, with x = b on the pores of inlet and outlet, which feed nothing."""
    (first, second), pinned = _together(networks)
    w, b, cotangent = _drawn(heads, first.numel(), pinned.numel(), seed)

    def operator(x: Tensor, w: Tensor) -> Tensor:
        inside = torch.where(pinned, 0.0, x)
        flux = w * (inside[:, first] - inside[:, second])
        return torch.where(pinned, x, torch.zeros_like(x).index_add(1, first, flux).index_add(1, second, -flux))

    def solved(rtol: float) -> tuple[Tensor, ImplicitReport]:
        def solver(b: Tensor, w: Tensor) -> Tensor:
            return conjugate_gradients(lambda x: operator(x, w), b, rtol, b.numel())[0]

        adjoint = ConjugateGradients(rtol=rtol)
        return linear_system(operator, solver, b, w, adjoint=adjoint, batch=1)

    def inverse_norm() -> Tensor:
        return 1 / torch.linalg.eigvalsh(head.matrices().detach())[:, 0]

    head = Head((w, b), operator, solved, inverse_norm, cotangent)
    return head


def _messages(networks: list[PoreNetwork]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Return the map x, w, b -> sum of w_ij x_j over the throats of i, in both directions, + b_i."""
    throats, _ = _together(networks)
    target, source = throats.flatten(), throats.flip(0).flatten()
    return lambda x, w, b: b.index_add(1, target, w * x[:, source])


def _picard(mapping: Callable[..., Tensor], w: Tensor, b: Tensor, rtol: float) -> Tensor:
    """Return a fixed point by Picard's iteration, with a graph if w or b has one."""
    x, size = b, float(b.detach().norm())
    while True:
        new = mapping(x, w, b)
        if float((new - x).detach().norm()) <= rtol * size:
            return new
        x = new


def _networks(seed: int, count: int) -> list[PoreNetwork]:
    draws = np.random.default_rng(seed)
    return [random_network("delaunay", int(draws.integers(*BASE_POINTS)), draws) for _ in range(count)]


def _together(networks: list[PoreNetwork]) -> tuple[Tensor, Tensor]:
    """Return the throats (2, throats) of all networks as one, and which pores are pinned."""
    starts = np.cumsum([0, *(each.n_pores for each in networks[:-1])])
    throats = np.concatenate([each.throats + start for each, start in zip(networks, starts, strict=True)])
    pinned = np.concatenate([each.inlet | each.outlet for each in networks])
    return torch.from_numpy(throats.T.copy()), torch.from_numpy(pinned)


def _drawn(heads: int, edges: int, nodes: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return weights in (0, 1), right-hand sides and a cotangent."""
    draws = generator(seed)
    w = torch.sigmoid(torch.randn(heads, edges, generator=draws, dtype=torch.float64))
    b, cotangent = torch.randn(2, heads, nodes, generator=draws, dtype=torch.float64)
    return w.requires_grad_(), b.requires_grad_(), cotangent
