"""Values, residuals and jumps at faces of each coupled expert, for the pictures of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from sciml.hcmoe.coupled import CoupledExperts, SlabState
from sciml.hcmoe.elements import slab_basis

if TYPE_CHECKING:
    from sciml.plots import ExpertBoxes

SAMPLES = 10  # along each axis of a box


def expert_boxes(experts: CoupledExperts, states: Sequence[SlabState]) -> ExpertBoxes:
    """Return the boxes of the first instance's experts with their values, residuals and jumps.

    Parameters
    ----------
    experts : who found the solution
    states : of the slabs that are solved, at least one, from the first one on
    """
    from sciml.plots import ExpertBoxes

    with torch.no_grad():
        nodes = torch.linspace(-1, 1, 2 * SAMPLES + 1, dtype=torch.float64)[1::2]  # the centres of equal parts
        x = experts.basis.points(nodes)
        cuts = experts.cuts[: len(states) + 1]
        tau = cuts[:-1, None] + 0.5 * cuts.diff()[:, None] * (1 + nodes)
        times = (tau**experts.problem.time_power).flatten()
        u = experts.on_grid(states, times, x.flatten())[0]
        return ExpertBoxes(
            experts.basis.face_points.numpy(),
            np.array(experts.times[: len(states) + 1]),
            u.reshape(len(states), SAMPLES, len(x), SAMPLES).numpy(),
            torch.stack([experts.residuals(state)[0] for state in states]).numpy(),
            {name: jumps.numpy() for name, jumps in face_jumps(experts, states).items()},
        )


def face_jumps(experts: CoupledExperts, states: Sequence[SlabState]) -> dict[str, torch.Tensor]:
    """Return the largest jumps at the ends of the slabs across each face, ``(K - 1,)``, by what jumps.

    Those of u and u_x, which are coupled, are rounding; that of u_xx, which is not, tells how well the experts resolve
    the solution. Each is relative to the largest value of its kind on all faces.
    """
    ends = torch.stack([state.start[0] + _change(experts, state) for state in states])
    tables = experts.basis.tables(torch.tensor([-1.0, 1.0], dtype=torch.float64), 2)
    sides = torch.einsum("oksn,tkn->otks", tables, ends)
    jumps = (sides[:, :, 1:, 0] - sides[:, :, :-1, 1]).abs().amax(1) / sides.abs().amax((1, 2, 3))[:, None]
    return dict(zip(("u", "u_x", "u_xx"), jumps, strict=True))


def _change(experts: CoupledExperts, state: SlabState) -> torch.Tensor:
    """Return the coefficients of the change over a slab, ``(K, size)``."""
    begin, end = experts.cuts[state.number - 1 : state.number + 1]
    return state.change[0] @ slab_basis(end[None], begin, end, experts.slabs.degree)[0, 0]
