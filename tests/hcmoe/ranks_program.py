"""Solve a constraint layer on several gloo ranks, or on one, and save field and gradients: PROGRAM FOLDER RANKS."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from torch import distributed, multiprocessing

from sciml.hcmoe.bases import GridBasis
from sciml.hcmoe.layer import ConstraintSettings, ExpertConstraint
from sciml.hcmoe.problems import Burgers
from sciml.hcmoe.ranks import mean_over_ranks
from sciml.numerics.random import generator

GRADIENTS = ("values", "viscosity", "squares_values", "squares_viscosity")


def solved(over_ranks: bool, coupling: str) -> dict[str, torch.Tensor]:
    """Return the field and the sums of squares of three instances, and gradients in the basis and in the viscosity."""
    times, x = torch.linspace(0, 1, 6).double(), torch.linspace(-1, 1, 12).double()
    draws = torch.randn(3, 6, 12, 3, dtype=torch.float64, generator=generator(0))
    values, viscosity = draws.sin().requires_grad_(), torch.tensor([0.1, 0.2, 0.4]).double().requires_grad_()
    settings = ConstraintSettings(coupling=coupling, over_ranks=over_ranks)
    layer = ExpertConstraint(Burgers(), times, x, (1, 2), settings)
    u = layer(GridBasis(values, times, x), {"viscosity": viscosity}).u
    gradients = torch.autograd.grad((u**3).sum(), [values, viscosity])
    squares, weights = layer.squares(GridBasis(values, times, x), {"viscosity": viscosity})
    total = sum(squares.values())
    by_squares = torch.autograd.grad((total**2).sum(), [values, viscosity])
    found = {"u": u.detach(), "squares": total.detach(), "weights": weights}
    return {**found, **dict(zip(GRADIENTS, [*gradients, *by_squares], strict=True))}


def work(rank: int, folder: Path, ranks: int) -> None:
    """Save what one rank has, gradients averaged over all."""
    distributed.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=ranks)
    for coupling in ("faces", "independent"):
        found = solved(True, coupling)
        for name in GRADIENTS:
            distributed.all_reduce(found[name])
            found[name] /= ranks
        found["mean"] = mean_over_ranks(torch.tensor([3.0 * rank, 1.0]).double())
        torch.save(found, folder / f"{coupling}_{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    multiprocessing.start_processes(work, (Path(sys.argv[1]), int(sys.argv[2])), int(sys.argv[2]), start_method="fork")
