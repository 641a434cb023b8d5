"""Vector operations of the conjugate gradient loop on torch, float64, on any device.

A solve stays on its device: b and x0 go there once, x comes back once, and each iteration brings back four numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sciml.linalg.kernels.layout import three_axes
from sciml.linalg.kernels.stencil import SEVEN_POINT
from sciml.linalg.kernels.torch_backend import run_cycle
from sciml.linalg.kernels.torch_setup import finest_stencil
from sciml.linalg.kernels.torch_stencil import apply_stencil, shifted, with_halo
from sciml.linalg.multigrid import MultigridPreconditioner

if TYPE_CHECKING:
    from sciml.linalg.voxel_poisson import VoxelPoisson


class GridOperator:
    """The operators A and D^-1 of a problem as float64 tensors with halo on a device, shared by all its solves."""

    def __init__(self, problem: VoxelPoisson, device: torch.device | str | None = None) -> None:
        self.stencil = finest_stencil(problem, np.dtype(np.float64), device)
        self.unknown = self.stencil[-1] > 0
        self.inverse = torch.where(self.unknown, 1.0 / self.stencil[-1], 0.0)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return A x, both with halo."""
        return with_halo(apply_stencil(self.stencil, SEVEN_POINT, x))

    def load(self, values: np.ndarray) -> torch.Tensor:
        """Return an array of the shape of the problem as a tensor with halo, 0 off the unknowns."""
        tensor = torch.from_numpy(np.ascontiguousarray(three_axes(values), dtype=np.float64)).to(self.stencil.device)
        return torch.where(self.unknown, with_halo(tensor), 0.0)


class TorchVectors:
    """Vector operations for a voxel Poisson problem; see :class:`sciml.linalg.krylov.Vectors`.

    Parameters
    ----------
    operator : of the problem
    b, x0 : float64, shape of the problem; x0 = None starts at 0
    preconditioner : a multigrid preconditioner on the torch back end (nothing leaves the device then), a function from
        r to M r on arrays of the shape of the problem, or None for plain conjugate gradients
    """

    def __init__(
        self,
        operator: GridOperator,
        b: np.ndarray,
        x0: np.ndarray | None,
        preconditioner: MultigridPreconditioner | Callable[[np.ndarray], np.ndarray] | None,
    ) -> None:
        self.operator, self.preconditioner = operator, preconditioner
        self.problem_shape = b.shape
        self.b = operator.load(b)
        self.x = torch.zeros_like(self.b) if x0 is None else operator.load(x0)
        self.r = self.z = self.b
        self.p = self.q = torch.zeros_like(self.b)

    def residual(self) -> float:
        """Set r = b - A x."""
        self.r = self.b - self.operator(self.x)
        return math.sqrt(float(_dot(self.r, self.r)))

    def precondition(self, norm: float) -> None:
        """Set z = M r / |r|."""
        if self.preconditioner is None:
            self.z = self.r
        elif isinstance(self.preconditioner, MultigridPreconditioner) and self.preconditioner.backend == "torch":
            finest: Any = self.preconditioner.levels[0]
            finest.b.copy_(self.r / norm)
            self.z = run_cycle(self.preconditioner.cycle, finest).to(self.r)
        else:
            self.z = self.operator.load(np.asarray(self.preconditioner(self._without_halo(self.r))))

    def jacobi(self) -> None:
        """Set z = D^-1 r."""
        self.z = self.operator.inverse * self.r

    def products(self) -> tuple[float, float]:
        """Return z . r and z . q."""
        zr, zq = torch.stack([_dot(self.z, self.r), _dot(self.z, self.q)]).tolist()
        return zr, zq

    def direction(self, beta: float) -> float:
        """Set p = z + beta p and q = A p."""
        self.p = self.z + beta * self.p if beta else self.z
        self.q = self.operator(self.p)
        return float(_dot(self.p, self.q))

    def step(self, alpha: float) -> float:
        """Set x += alpha p and r -= alpha q."""
        self.x = torch.add(self.x, self.p, alpha=alpha)
        self.r = torch.sub(self.r, self.q, alpha=alpha)
        return math.sqrt(float(_dot(self.r, self.r)))

    def solution(self) -> np.ndarray:
        """Return x in the shape of the problem."""
        return self._without_halo(self.x)

    def _without_halo(self, values: torch.Tensor) -> np.ndarray:
        return shifted(values).cpu().reshape(self.problem_shape).numpy()


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.dot(a.reshape(-1), b.reshape(-1))
