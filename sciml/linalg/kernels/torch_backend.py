"""The torch back end: the levels of the hierarchy as plain tensor expressions, on any device, and differentiable.

It evaluates the same tables as the numba back end (:mod:`sciml.linalg.kernels.stencil`) and is the oracle of its tests.
Nothing is written in place except the right-hand side that :meth:`Level.load` sets, so that autograd passes through
set-up and cycle alike, and so that a whole cycle can be recorded as a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import pad

from sciml.errors import DivergenceError
from sciml.linalg.kernels.islands import Islands, find_islands
from sciml.linalg.kernels.layout import coupling_strength, three_axes
from sciml.linalg.kernels.stencil import (
    FAINT,
    FORWARD,
    LEFT,
    NEGLIGIBLE,
    ONE,
    SEVEN_POINT,
    Offset,
    axes_to_coarsen,
    coarse_offsets,
    couplings_to_plane,
    galerkin_terms,
)

if TYPE_CHECKING:
    from sciml.linalg.voxel_poisson import VoxelPoisson

HERE: Offset = (0, 0, 0)
# (stencil, offsets, axis, level) -> weights left and right of the odd cells, without halo
Rule = Callable[[torch.Tensor, tuple[Offset, ...], int, int], tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Interpolation:
    """Weights of one coarsening along one axis; both tensors have the shape of the coarse cells, with halo."""

    axis: int
    left: torch.Tensor
    right: torch.Tensor

    def restrict(self, fine: torch.Tensor) -> torch.Tensor:
        """P^T fine, both with halo."""
        odd, before = unit(self.axis, 1), unit(self.axis, -1)
        count = self.left.shape[self.axis] - 2
        fine = room(fine, self.axis)
        own, after, back = (at_even(fine, shift, self.axis, count) for shift in (HERE, odd, before))
        return with_halo(own + shifted(self.left) * after + shifted(self.right, before) * back)

    def prolong(self, coarse: torch.Tensor, cells: int) -> torch.Tensor:
        """P coarse, both with halo; ``cells`` is the number of fine cells along the axis."""
        own, after = shifted(coarse), shifted(coarse, unit(self.axis, 1))
        odd = shifted(self.left) * own + shifted(self.right) * after
        axis = self.axis - 3
        both = torch.stack([own, odd], dim=axis).flatten(axis - 1, axis)
        return with_halo(both.narrow(axis, 0, cells))


class Level:
    """One grid: its operator, its work arrays and the transfers to the next coarser grid.

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
        """Give the level its way to the next coarser one."""
        self.interpolations = interpolations
        if islands is not None:
            tensors = [torch.from_numpy(each).to(self.inverse.device) for each in astuple(islands)]
            self.islands = tuple(each.to(self.inverse) if each.is_floating_point() else each for each in tensors)

    def residual(self) -> torch.Tensor:
        """Return b - A x, 0 off the unknowns, with halo."""
        product = with_halo(apply_stencil(self.stencil, self.offsets, self.x))
        return (self.b - product).masked_fill(self.known, 0.0)

    def start(self, step: float) -> None:
        """First smoothing step: x = step D^-1 b."""
        self.x = step * self.inverse * self.b

    def smooth(self, factors: tuple[float, float, float]) -> None:
        """One Chebyshev step x, old = a x + s D^-1 (b - A x) - g old, x."""
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
        """Set x = A^-1 b: the direct solver of the coarsest level."""
        inverse, active = prepared
        values = inverse @ self.b.reshape(-1).index_select(0, active)
        self.x = torch.zeros_like(self.b).reshape(-1).index_copy(0, active, values).reshape(self.b.shape)

    def load(self, b: np.ndarray) -> None:
        """Set the right-hand side from an array without halo."""
        self.b.copy_(with_halo(torch.as_tensor(three_axes(b))))

    def unload(self, shape: tuple[int, ...]) -> np.ndarray:
        """The result as a float64 array without halo, of the shape of the problem."""
        return shifted(self.x).detach().to("cpu", torch.float64).reshape(shape).numpy()

    def unknowns(self) -> int:
        """Number of cells that carry an unknown."""
        return int(torch.count_nonzero(self.inverse))

    def arrays(self) -> list[torch.Tensor]:
        """Every tensor the level keeps."""
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
    """All levels down to at most ``coarsest`` cells, and the stencil of the last one."""
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
        stencil, offsets = _complete(stencil, offsets), FORWARD
        levels.append(Level(stencil, offsets, inverse_diagonal(stencil, offsets)))
    return levels, _complete(stencil, offsets)


def finest_stencil(problem: VoxelPoisson, dtype: np.dtype, device: torch.device | str | None = None) -> torch.Tensor:
    """Couplings of :data:`SEVEN_POINT` and diagonal of a problem, (4, *shape with halo)."""
    diagonal = three_axes(problem.diagonal)
    stencil = np.zeros((4, *(n + 2 for n in diagonal.shape)), dtype)
    inside = stencil[:, 1:-1, 1:-1, 1:-1]
    inside[3] = diagonal
    for along in range(problem.fluid.ndim):
        # Entry i + 1 of the faces couples cells i and i + 1; the stencil keeps it at cell i. In 2-D, y is axis 2.
        axis = along if problem.fluid.ndim == 3 else 2 * along
        faces = three_axes(problem.face_weights_along(along))
        inside[2 - axis] = faces[tuple(slice(int(a == axis), None) for a in range(3))]
    return torch.from_numpy(stencil).to(device or "cpu")


def regular_inverse(stencil: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Inverse of a 27-point operator over its active cells, and their flat indices, differentiable.

    A shift by 1e-7 of the diagonal, or more where that is not enough, keeps it regular on closed components.
    """
    shape, diagonal = stencil.shape[1:], stencil[-1].reshape(-1)
    active = torch.nonzero(diagonal > 0).ravel()
    units = torch.zeros(len(active), diagonal.numel(), dtype=stencil.dtype, device=stencil.device)
    units[torch.arange(len(active)), active] = diagonal[active].rsqrt().detach()
    images = with_halo(apply_stencil(stencil, FORWARD, units.reshape(-1, *shape))).reshape(units.shape)
    scale = units.sum(dim=0)[active]
    matrix = images[:, active] * scale
    identity = torch.eye(len(active), dtype=stencil.dtype, device=stencil.device)
    for shift in (1e-7, 1e-5, 1e-3):
        factor, failed = torch.linalg.cholesky_ex(matrix + shift * identity)
        if not failed:
            return torch.cholesky_inverse(factor) * torch.outer(scale, scale), active
    raise DivergenceError("the coarsest operator is not positive definite; the interpolation weights are useless.")


def apply_stencil(stencil: torch.Tensor, offsets: tuple[Offset, ...], x: torch.Tensor) -> torch.Tensor:
    """A x without halo, for x with halo and any leading batch axes."""
    result = shifted(stencil[-1]) * shifted(x)
    for slot, offset in enumerate(offsets):
        back = (-offset[0], -offset[1], -offset[2])
        result = torch.addcmul(result, shifted(stencil[slot]), shifted(x, offset), value=-1)
        result = torch.addcmul(result, shifted(stencil[slot], back), shifted(x, back), value=-1)
    return result


def coarsen(
    stencil: torch.Tensor, offsets: tuple[Offset, ...], axis: int, rule: Rule | None = None, level: int = 0
) -> tuple[torch.Tensor, Interpolation]:
    """Galerkin stencil P^T A P and interpolation P of a coarsening along one axis; differentiable in the stencil.

    Parameters
    ----------
    stencil : couplings of ``offsets`` and diagonal, (slots + 1, *shape with halo)
    offsets : forward offsets that the stencil holds
    axis : 0, 1 or 2
    rule : makes the weights; the operator-dependent ones are the default
    level : number of the finer grid, for the rule

    Returns
    -------
    stencil : for ``coarse_offsets(offsets, axis)``, (coarse slots + 1, *coarse shape with halo)
    interpolation
    """
    count = (stencil.shape[1 + axis] - 1) // 2
    fine = room(stencil, axis)
    weights = rule(stencil, offsets, axis, level) if rule else interpolation_weights(fine, offsets, axis, count)
    left, right = (with_halo(w) for w in weights)
    totals: dict[int, torch.Tensor] = {}
    for t in galerkin_terms(offsets, axis):
        product = t.sign * at_even(fine[t.source], t.shift, axis, count)
        for kind, shift in ((t.p, t.p_shift), (t.q, t.q_shift)):
            if kind != ONE:
                product = product * shifted(left if kind == LEFT else right, shift)
        totals[t.slot] = totals[t.slot] + product if t.slot in totals else product
    last = max(totals)
    totals[last] = _drop_isolated(totals[last], fine[-1], left, right, axis)
    # Without the couplings of dropped cells this is the operator of the others alone, and as positive as the whole.
    kept = with_halo(totals[last]) > 0
    for slot, offset in enumerate(coarse_offsets(offsets, axis)):
        totals[slot] = totals[slot] * (shifted(kept) & shifted(kept, offset))
    return with_halo(torch.stack([totals[slot] for slot in range(last + 1)])), Interpolation(axis, left, right)


def inverse_diagonal(stencil: torch.Tensor, offsets: tuple[Offset, ...]) -> torch.Tensor:
    """1 / max(d, (d + sum |w|) / 2), 0 where d = 0: the scaling for which all eigenvalues of D^-1 A are at most 2."""
    diagonal = shifted(stencil[-1])
    couplings = [shifted(stencil[s], o) for step in (-1, 0, 1) for s, o in couplings_to_plane(offsets, 0, step)]
    total = _total([diagonal, *(coupling.abs() for coupling in couplings)])
    return with_halo(reciprocal(torch.maximum(diagonal, total / 2), diagonal > 0))


def shifted(values: torch.Tensor, offset: Offset = HERE) -> torch.Tensor:
    """The cells of a tensor with halo, or what lies at an offset from each."""
    i, j, k = (slice(1 + o, n - 1 + o) for o, n in zip(offset, values.shape[-3:], strict=True))
    return values[..., i, j, k]


def with_halo(values: torch.Tensor) -> torch.Tensor:
    """A tensor of cells in a halo of one cell of zeros."""
    return pad(values, (1,) * 6)


def interpolation_weights(
    fine: torch.Tensor, offsets: tuple[Offset, ...], axis: int, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights l, r of the odd cells along an axis, without halo; ``fine`` is the stencil with :func:`room`.

    One-sided cells lose weight to the Dirichlet boundary beside them; cells coupled to neither plane copy the even one.
    A faint coupling to a coarse cell that stands for no unknown is dropped.
    """
    odd = unit(axis, 1)
    before, beside, after = (
        _total([at_even(fine[s], add(odd, o), axis, count) for s, o in couplings_to_plane(offsets, axis, step)])
        for step in (-1, 0, 1)
    )
    even, own = at_even(fine[-1], HERE, axis, count), at_even(fine[-1], odd, axis, count)
    floor = NEGLIGIBLE * own
    near, far = before.clamp(min=0), after.clamp(min=0)
    stands = shifted(with_halo(even + own), odd) > 0
    far = torch.where(stands | (far > FAINT * (near + far)), far, 0.0)
    lost = own - before - after - beside
    lost = torch.where(((near > floor) & (far > floor)) | (lost < 10 * floor), 0.0, lost)
    total = near + far + lost
    share = reciprocal(total, total > 0)
    copies = (near + far <= floor) | (even <= 0)
    left = torch.where(copies, 1.0, near * share)
    right = torch.where(copies, 0.0, far * share)
    return torch.where(own > 0, left, 0.0), torch.where(own > 0, right, 0.0)


def _drop_isolated(
    result: torch.Tensor, fine: torch.Tensor, left: torch.Tensor, right: torch.Tensor, axis: int
) -> torch.Tensor:
    """Clear coarse diagonals that are rounding errors: of cells that stand for a closed component, or for no cell."""
    before = unit(axis, -1)
    own, after, back = (at_even(fine, o, axis, result.shape[axis]) for o in (HERE, unit(axis, 1), before))
    size = own + shifted(left) ** 2 * after + shifted(right, before) ** 2 * back
    floor = 10 * NEGLIGIBLE
    return torch.where((result < floor * size) | (size < floor * (own + after + back)), 0.0, result)


def _complete(stencil: torch.Tensor, offsets: tuple[Offset, ...]) -> torch.Tensor:
    """The stencil with all 13 forward couplings, those that are absent being 0."""
    absent = torch.zeros_like(stencil[-1])
    couplings = [stencil[offsets.index(o)] if o in offsets else absent for o in FORWARD]
    return torch.stack([*couplings, stencil[-1]])


def reciprocal(values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """1 / values where a mask holds, 0 elsewhere, with finite derivatives."""
    return torch.where(where, 1.0 / torch.where(where, values, 1.0), 0.0)


def _total(values: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(values).sum(dim=0)


def room(values: torch.Tensor, axis: int) -> torch.Tensor:
    """One more cell of zeros at both ends of an axis, for terms that reach beyond the halo with weight 0."""
    widths = [0] * 6
    widths[4 - 2 * axis : 6 - 2 * axis] = 1, 1
    return pad(values, widths)


def at_even(values: torch.Tensor, shift: Offset, axis: int, count: int) -> torch.Tensor:
    """What lies at a shift from each even cell along an axis; the values are those of :func:`_room`."""
    index = [slice(1 + o, n - 1 + o) for o, n in zip(shift, values.shape[-3:], strict=True)]
    index[axis] = slice(2 + shift[axis], 1 + shift[axis] + 2 * count, 2)
    i, j, k = index
    return values[..., i, j, k]


def unit(axis: int, length: int) -> Offset:
    """The offset of this length along an axis."""
    return tuple(length if a == axis else 0 for a in range(3))  # type: ignore[return-value]


def add(a: Offset, b: Offset) -> Offset:
    """The sum of two offsets."""
    return tuple(x + y for x, y in zip(a, b, strict=True))  # type: ignore[return-value]
