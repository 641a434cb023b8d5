"""Training of the multigrid rules: minimise the residual after a few iterations of flexible conjugate gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import lightning
import numpy as np
import torch
from torch import Tensor

from sciml.data.modules import Draws
from sciml.dcdm.geometries import random_problem
from sciml.dcdm.learned_multigrid import LearnedRules
from sciml.linalg import MultigridPreconditioner, VoxelPoisson, solve
from sciml.linalg.kernels.torch_stencil import apply_stencil, with_halo
from sciml.reference.poisson_cases import poisson_case
from sciml.training.task import Task

TEST_SEEDS = tuple(range(100, 105))
FAMILIES = {
    "jumps": TEST_SEEDS,
    "blocks": TEST_SEEDS[:3],
    "lognormal": TEST_SEEDS[:3],
    "mixed": (100,),
    "smoke": (0,),
    "walls": (0,),
    "box": (0,),
}


class System(NamedTuple):
    """A problem and a right-hand side with halo, float64."""

    problem: VoxelPoisson
    b: Tensor


class RandomGeometries(Draws):
    """A source of random voxel problems (:func:`~sciml.dcdm.geometries.random_problem`) with white right-hand sides.

    Parameters
    ----------
    batches_per_epoch : problems per epoch; there is no end to them
    test_sizes : cells per axis of the held-out problems that ``sciml evaluate`` counts iterations on
    """

    def __init__(self, batches_per_epoch: int = 100, test_sizes: list[int] | None = None) -> None:
        super().__init__(batches_per_epoch, validation_batches=1)
        self.test_sizes = list(test_sizes or [32, 64])


class MultigridTask(Task):
    """Minimise the mean of log10 |r_k+1| / |r_k| over the first iterations, r_k of flexible conjugate gradients.

    The gradient goes through the iteration, the cycle and the set-up. Training starts from the classical method.

    Parameters
    ----------
    hidden, intervals : of the :class:`~sciml.dcdm.learned_multigrid.LearnedRules`
    steps : iterations that are unrolled
    """

    precisions: ClassVar[tuple[str, ...]] = ("32-true", "64-true")
    units: ClassVar[Mapping[str, str]] = {"iterations": "iterations"}

    def __init__(self, hidden: int = 16, intervals: bool = True, steps: int = 5) -> None:
        super().__init__()
        self.rules = LearnedRules(hidden, intervals)
        self.steps = steps

    def sample(self, batch: Any) -> System:
        """Draw a problem and a right-hand side for a counter."""
        random = np.random.default_rng(int(torch.randint(2**62, (), generator=self.generator(), device=self.device)))
        problem = random_problem(random).normalised()[0]
        b = np.where(problem.fluid, random.standard_normal(problem.shape), 0.0)
        return System(problem, with_halo(torch.from_numpy(b)).to(self.device))

    def loss(self, batch: System) -> dict[str, Tensor]:
        """Return the mean logarithmic reduction per iteration."""
        preconditioner = MultigridPreconditioner(
            batch.problem, dtype=np.float64, backend="torch", device=str(self.device), rules=self.rules
        )
        norms = unrolled(preconditioner, batch.b, self.steps)
        return {"reduction": torch.log10(norms[-1] / norms[0]) / self.steps}

    def validate(self, batch: Any) -> dict[str, Tensor]:
        """Return the iterations on held-out jumps at 32^3 relative to those of the classical cycle."""
        ours, classical = (iterations("jumps", 32, TEST_SEEDS, rules) for rules in (self.rules, None))
        ratio = float(np.mean(ours) / np.mean(classical))
        return {"ratio": torch.tensor(ratio), "iterations": torch.tensor(float(np.mean(ours)))}

    def evaluate(self, data: lightning.LightningDataModule) -> dict[str, float]:
        """Return mean iterations to 1e-6 per family and size: ours, classical, and relaxed weights without learning.

        ``ratio`` is the largest ratio of ours to classical iterations on jumps over the sizes, and ``families_worse``
        counts families and sizes on which ours takes more.
        """
        rules = {"": self.rules, "_classical": None, "_relaxed": LearnedRules(0, intervals=False)}
        found: dict[str, float] = {}
        sizes = getattr(data, "test_sizes", [32])
        cases = [(size, name, seeds) for size in sizes for name, seeds in FAMILIES.items()]
        work, done = sum(size**3 for size, _, _ in cases), 0  # the iterations hardly depend on the size
        for size, name, seeds in cases:
            self.tell("evaluating", done / work)
            done += size**3
            for kind, each in rules.items():
                found[f"{name}_{size}{kind}"] = float(np.mean(iterations(name, size, seeds, each)))
        pairs = {name: (value, found[f"{name}_classical"]) for name, value in found.items() if name.count("_") == 1}
        ratio = max(ours / classical for name, (ours, classical) in pairs.items() if name.startswith("jumps"))
        worse = sum(ours > classical for ours, classical in pairs.values())
        return {"ratio": ratio, "families_worse": float(worse)} | found


def unrolled(preconditioner: MultigridPreconditioner, b: Tensor, steps: int) -> list[Tensor]:
    """Return residual norms of flexible conjugate gradients from x = 0, differentiable.

    Parameters
    ----------
    preconditioner : on the torch back end
    b : right-hand side of its problem, with halo
    """
    finest = preconditioner.levels[0]

    def multiply(values: Tensor) -> Tensor:
        return with_halo(apply_stencil(finest.stencil, finest.offsets, values)).masked_fill(finest.known, 0.0)

    def precondition(values: Tensor) -> Tensor:
        finest.b = values
        preconditioner.cycle()
        return finest.x

    residual, norms = b, [b.norm()]
    z = precondition(residual)
    direction, product = z, (residual * z).sum()
    for step in range(steps):
        image = multiply(direction)
        old = residual
        residual = residual - product / (direction * image).sum() * image
        norms.append(residual.norm())
        if step + 1 < steps:
            z = precondition(residual)
            new = (residual * z).sum()
            direction = z + (new - (old * z).sum()) / product * direction
            product = new
    return norms


def iterations(name: str, size: int, seeds: tuple[int, ...], rules: LearnedRules | None) -> list[int]:
    """Return the iterations to 1e-6 on cases of a name, with white right-hand sides."""
    counts = []
    with torch.no_grad():
        for seed in seeds:
            case = poisson_case(name, size, seed)
            problem = VoxelPoisson.from_cells(case.cells, coefficient=case.coefficient, outside=case.outside)
            preconditioner = MultigridPreconditioner(problem, rules=rules)
            counts.append(solve(problem, case.right_hand_side(seed=1), preconditioner=preconditioner).iterations)
    return counts
