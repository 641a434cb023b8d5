"""Set-up of the hierarchy as differentiable tensor expressions: interpolation weights and Galerkin operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from sciml.errors import DivergenceError
from sciml.linalg.kernels.layout import three_axes
from sciml.linalg.kernels.stencil import (
    FAINT,
    FORWARD,
    LEFT,
    NEGLIGIBLE,
    ONE,
    Offset,
    coarse_offsets,
    couplings_to_plane,
    galerkin_terms,
)
from sciml.linalg.kernels.torch_stencil import (
    HERE,
    add,
    apply_stencil,
    at_even,
    padded,
    reciprocal,
    shifted,
    unit,
    with_halo,
)
from sciml.linalg.kernels.torch_transfers import Interpolation

if TYPE_CHECKING:
    from sciml.linalg.voxel_poisson import VoxelPoisson

# (stencil, offsets, axis, level) -> weights left and right of the odd cells, without halo
Rule = Callable[[torch.Tensor, tuple[Offset, ...], int, int], tuple[torch.Tensor, torch.Tensor]]


def finest_stencil(problem: VoxelPoisson, dtype: np.dtype, device: torch.device | str | None = None) -> torch.Tensor:
    """Return the couplings of :data:`SEVEN_POINT` and the diagonal of a problem, (4, *shape with halo)."""
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


def coarsen(
    stencil: torch.Tensor, offsets: tuple[Offset, ...], axis: int, rule: Rule | None = None, level: int = 0
) -> tuple[torch.Tensor, Interpolation]:
    """Return the Galerkin stencil P^T A P and the interpolation P of a coarsening along one axis, differentiably.

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
    fine = padded(stencil, axis)
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


def interpolation_weights(
    fine: torch.Tensor, offsets: tuple[Offset, ...], axis: int, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weights l, r of the odd cells along an axis, without halo; ``fine`` is the stencil, padded.

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


def inverse_diagonal(stencil: torch.Tensor, offsets: tuple[Offset, ...]) -> torch.Tensor:
    """Return 1 / max(d, (d + sum |w|) / 2), 0 where d = 0, for which all eigenvalues of D^-1 A are at most 2."""
    diagonal = shifted(stencil[-1])
    couplings = [shifted(stencil[s], o) for step in (-1, 0, 1) for s, o in couplings_to_plane(offsets, 0, step)]
    total = _total([diagonal, *(coupling.abs() for coupling in couplings)])
    return with_halo(reciprocal(torch.maximum(diagonal, total / 2), diagonal > 0))


def complete(stencil: torch.Tensor, offsets: tuple[Offset, ...]) -> torch.Tensor:
    """Return the stencil with all 13 forward couplings, those that are absent being 0."""
    absent = torch.zeros_like(stencil[-1])
    couplings = [stencil[offsets.index(o)] if o in offsets else absent for o in FORWARD]
    return torch.stack([*couplings, stencil[-1]])


def regular_inverse(stencil: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the inverse of a 27-point operator over its active cells, and their flat indices, differentiably.

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
    raise DivergenceError(
        "the coarsest operator is not positive definite, so the interpolation weights are unusable; restart training "
        "with a smaller learning rate."
    )


def _drop_isolated(
    result: torch.Tensor, fine: torch.Tensor, left: torch.Tensor, right: torch.Tensor, axis: int
) -> torch.Tensor:
    """Clear coarse diagonals that are rounding errors: of cells that stand for a closed component, or for no cell."""
    before = unit(axis, -1)
    own, after, back = (at_even(fine, o, axis, result.shape[axis]) for o in (HERE, unit(axis, 1), before))
    size = own + shifted(left) ** 2 * after + shifted(right, before) ** 2 * back
    floor = 10 * NEGLIGIBLE
    return torch.where((result < floor * size) | (size < floor * (own + after + back)), 0.0, result)


def _total(values: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(values).sum(dim=0)
