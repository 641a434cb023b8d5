"""The torch back end: the levels of the hierarchy as plain tensor expressions, on any device, and differentiable.

It evaluates the same tables as the numba back end (:mod:`sciml.linalg.kernels.stencil`) and is the oracle of its tests.
Nothing is written in place except the right-hand side that :meth:`Level.load` sets, so that autograd passes through
set-up and cycle alike, and so that a whole cycle can be recorded as a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np
import torch

from sciml.linalg.kernels.islands import Islands, find_islands
from sciml.linalg.kernels.layout import coupling_strength, three_axes
from sciml.linalg.kernels.stencil import FORWARD, SEVEN_POINT, Offset, axes_to_coarsen, coarse_offsets
from sciml.linalg.kernels.torch_setup import Rule, coarsen, complete, finest_stencil, inverse_diagonal
from sciml.linalg.kernels.torch_stencil import apply_stencil, reciprocal, shifted, with_halo
from sciml.linalg.kernels.torch_transfers import Interpolation

if TYPE_CHECKING:
    from sciml.linalg.voxel_poisson import VoxelPoisson


class Level:
    """One level of the hierarchy: its operator, its work arrays and the transfers to the next coarser grid.

    Parameters
    ----------
    stencil : couplings of ``offsets`` and the diagonal, (slots + 1, *shape with halo)
    offsets : forward offsets that the stencil holds
    inverse : D^-1 with halo, 0 off the unknowns
    """

    def __init__(self, stencil: torch.Tensor, offsets: tuple[Offset, ...], inverse: torch.Tensor) -> None:
        self.shape: Offset = tuple(n - 2 for n in inverse.shape)  # type: ignore[assignment]
        self.stencil, self.offsets, self.inverse = stencil, offsets, inverse
        self.known = inverse == 0
        self.x, self.old, self.b = (torch.zeros_like(inverse) for _ in range(3))
        self.interpolations: list[Interpolation] = []
        self.islands: tuple[torch.Tensor, ...] | None = None
        self.recorded: RecordedCycle | None = None

    def attach(self, interpolations: list[Interpolation], islands: Islands | None) -> None:
        """Attach the interpolation to the next coarser level and the islands of this one."""
        self.interpolations = interpolations
        if islands is not None:
            tensors = [torch.from_numpy(each).to(self.inverse.device) for each in astuple(islands)]
            self.islands = tuple(each.to(self.inverse) if each.is_floating_point() else each for each in tensors)

    def residual(self) -> torch.Tensor:
        """Return b - A x, 0 off the unknowns, with halo."""
        product = with_halo(apply_stencil(self.stencil, self.offsets, self.x))
        return (self.b - product).masked_fill(self.known, 0.0)

    def start(self, step: float) -> None:
        """Set x = step D^-1 b, the first smoothing step from 0."""
        self.x = step * self.inverse * self.b

    def smooth(self, factors: tuple[float, float, float]) -> None:
        """Carry out one Chebyshev step: x, old = a x + s D^-1 (b - A x) - g old, x."""
        a, s, g = factors
        new = a * self.x + s * self.inverse * self.residual()
        self.x, self.old = new - g * self.old if g else new, self.x

    def restrict_residual(self, coarse: Level) -> None:
        """Set coarse.b = P^T (b - A x)."""
        values = self.residual()
        for each in self.interpolations:
            values = each.restrict(values)
        coarse.b = values

    def add_correction(self, coarse: Level) -> None:
        """Set x += P coarse.x on the unknowns: interpolation also fills cells that are not."""
        values = coarse.x
        for each in self.interpolations[::-1]:
            values = each.prolong(values, self.shape[each.axis])
        self.x = self.x + values.masked_fill(self.known, 0.0)

    def correct_islands(self) -> None:
        """Correct the common value of every island in x."""
        if self.islands is None:
            return
        cells, labels, energies, row_cells, row_labels, row_values = self.islands
        flat = self.x.reshape(-1)
        sums = torch.zeros_like(energies).index_add(0, labels, self.b.reshape(-1)[cells])
        sums = sums.index_add(0, row_labels, row_values * flat[row_cells], alpha=-1)
        self.x = flat.index_add(0, cells, (sums / energies)[labels]).reshape(self.x.shape)

    def prepare_direct(self, inverse: np.ndarray, active: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Bring the dense inverse of this level's operator and its cells into the level's precision and device."""
        return torch.as_tensor(inverse).to(self.inverse), torch.as_tensor(active, device=self.inverse.device)

    def solve_directly(self, prepared: tuple[torch.Tensor, torch.Tensor]) -> None:
        """Set x = A^-1 b by the dense inverse of the coarsest level."""
        inverse, active = prepared
        values = inverse @ self.b.reshape(-1).index_select(0, active)
        self.x = torch.zeros_like(self.b).reshape(-1).index_copy(0, active, values).reshape(self.b.shape)

    def load(self, b: np.ndarray) -> None:
        """Set the right-hand side from an array without halo."""
        self.b.copy_(with_halo(torch.as_tensor(three_axes(b))))

    def unload(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the result as a float64 array without halo, of the shape of the problem."""
        return shifted(self.x).detach().to("cpu", torch.float64).reshape(shape).numpy()

    def unknowns(self) -> int:
        """Return the number of cells that carry an unknown."""
        return int(torch.count_nonzero(self.inverse))

    def entries(self) -> int:
        """Return the number of nonzero entries of the matrix of this level."""
        return self.unknowns() + 2 * int(torch.count_nonzero(self.stencil[:-1]))

    def arrays(self) -> list[torch.Tensor]:
        """Return every tensor that the level keeps."""
        own = [self.inverse, self.known, self.x, self.old, self.b, self.stencil]
        return own + [weight for each in self.interpolations for weight in (each.left, each.right)]


class RecordedCycle:
    """A multigrid cycle as a CUDA graph: its hundreds of small kernels are launched as one.

    Parameters
    ----------
    cycle : runs the cycle on ``finest.b`` and leaves the result in ``finest.x``
    finest : the finest level; ``finest.b`` has to stay the same tensor from now on
    """

    def __init__(self, cycle: Callable[[], None], finest: Level) -> None:
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(finest.b.device):
            # One run beside the main stream first, so that what libraries set up on their first call is not recorded.
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                cycle()
            torch.cuda.current_stream().wait_stream(aside)
            with torch.cuda.graph(self.graph):
                cycle()
        self.result = finest.x

    def __call__(self) -> torch.Tensor:
        """Run the cycle; the result is the caller's own."""
        self.graph.replay()
        return self.result.clone()


def run_cycle(cycle: Callable[[], None], finest: Level) -> torch.Tensor:
    """Run a cycle on ``finest.b`` and return its result, with halo; on a GPU it is recorded once and then replayed."""
    if finest.b.device.type != "cuda":
        cycle()
        return finest.x
    if finest.recorded is None:
        finest.recorded = RecordedCycle(cycle, finest)
    return finest.recorded()


def build(
    problem: VoxelPoisson,
    dtype: np.dtype,
    coarsest: int,
    device: torch.device | str | None = None,
    rule: Rule | None = None,
) -> tuple[list[Level], torch.Tensor]:
    """Return all levels down to at most ``coarsest`` cells, and the stencil of the last one."""
    stencil, offsets = finest_stencil(problem, dtype, device), SEVEN_POINT
    diagonal = stencil[-1]
    levels = [Level(stencil, offsets, reciprocal(diagonal, diagonal > 0))]
    strength = coupling_strength(problem)
    while np.prod(levels[-1].shape) > coarsest:
        axes = axes_to_coarsen(levels[-1].shape, strength)
        islands = None if problem.constant else find_islands(stencil.detach().cpu().numpy(), offsets, axes)
        interpolations = []
        for axis in axes:
            stencil, interpolation = coarsen(stencil, offsets, axis, rule, len(levels) - 1)
            offsets = coarse_offsets(offsets, axis)
            strength = tuple(s / 4 if a == axis else s for a, s in enumerate(strength))  # type: ignore[assignment]
            interpolations.append(interpolation)
        if not interpolations:
            break
        levels[-1].attach(interpolations, islands)
        stencil, offsets = complete(stencil, offsets), FORWARD
        levels.append(Level(stencil, offsets, inverse_diagonal(stencil, offsets)))
    return levels, complete(stencil, offsets)
