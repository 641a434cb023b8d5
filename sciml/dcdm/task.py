"""Training of a direction network: minimise the residual after one step along its direction."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import lightning
import torch
from torch import Tensor

from sciml.dcdm.data import DirectionBatch, RitzDirections
from sciml.dcdm.linear_methods import DeepConjugateDirections
from sciml.dcdm.model import DirectionNet
from sciml.errors import ConfigError
from sciml.linalg import VoxelPoisson, solve
from sciml.linalg.sparse_files import read_system, write_solution
from sciml.training.task import PredictionProgress, Task

RTOL = 1e-4
MOST_ITERATIONS = 500


class DirectionTask(Task):
    """Minimise |r - alpha A f(r)|^2, alpha = f(r) . r / f(r) . A f(r), over unit residuals r: no solution is needed.

    alpha is the step of the exact line search, which minimises the A-norm of the error and not this norm, so the loss
    may exceed 1.

    Parameters
    ----------
    dimension, filters, pairs, pooling_levels, scaled : of the :class:`~sciml.dcdm.model.DirectionNet`

    References
    ----------
    Kaneda et al., A deep conjugate direction method for iteratively solving linear systems, ICML 2023, section 5.
    """

    precisions: ClassVar[tuple[str, ...]] = ("32-true", "bf16-mixed")

    def __init__(
        self,
        dimension: int = 2,
        filters: int = 16,
        pairs: list[int] = [2, 3, 2],  # noqa: B006 - the published network; never changed
        pooling_levels: int = 1,
        scaled: bool = True,
    ) -> None:
        super().__init__()
        self.network = DirectionNet(dimension, filters, pairs, pooling_levels, scaled)

    def sample(self, batch: Any) -> DirectionBatch:
        """Draw right-hand sides for a counter."""
        return self.trainer.datamodule.draw(batch, self.generator())

    def loss(self, batch: DirectionBatch) -> dict[str, Tensor]:
        """Return the mean over the batch of the squared residual norm after one step."""
        left = remaining_residual(self.network, batch)
        return {"residual": left.square().flatten(1).sum(1).mean()}

    def evaluate(self, data: lightning.LightningDataModule) -> dict[str, float]:
        """Return iterations to 1e-4 on held-out right-hand sides, unseen domains and other sizes, and those of CG.

        ``ratio`` is the largest ratio to conjugate gradients over the domains and sizes of training, ``unseen_ratio``
        and ``resized_ratio`` over the others; ``NAME``, ``NAME_published`` and ``NAME_cg`` are the iterations on each
        system, of ours, of the published iteration and of conjugate gradients; ``residual`` is the loss on the held-out
        right-hand sides.
        """
        if not isinstance(data, RitzDirections):
            raise ConfigError(f"DirectionTask is evaluated on RitzDirections, got {type(data).__name__}.")
        limits = {"rtol": RTOL, "maxiter": MOST_ITERATIONS, "project": True}
        mine = DeepConjugateDirections(self.network)
        faithful = DeepConjugateDirections(self.network, faithful=True)
        ratios: dict[str, float] = {"trained": 0.0}
        iterations: dict[str, float] = {}
        systems = data.held_out_systems()
        work, done = sum(problem.cells.size for _, _, problem, _ in systems), 0
        for name, kind, problem, b in systems:
            self.tell("evaluating", done / work)
            done += problem.cells.size
            ours = solve(problem, b, method=mine, **limits)
            published = solve(problem, b, method=faithful, **limits)
            reference = solve(problem, b, method="cg", rtol=RTOL, project=True)
            iterations[name] = float(ours.iterations)
            iterations[f"{name}_published"] = float(published.iterations)
            iterations[f"{name}_cg"] = float(reference.iterations)
            ratios[kind] = max(ratios.get(kind, 0.0), ours.iterations / reference.iterations)
        result = {"ratio": ratios.pop("trained")} | {f"{kind}_ratio": value for kind, value in ratios.items()}
        result |= super().evaluate(data)
        self.evaluated = None  # the first numbers are those of systems, no means over samples
        return result | iterations

    def predict_file(
        self, source: Path, output: Path, *, rtol: float = 1e-6, progress: PredictionProgress | None = None
    ) -> dict[str, float]:
        """Solve the system in a file along the network's directions and write x.

        Parameters
        ----------
        source : a system of voxels, see :func:`~sciml.linalg.sparse_files.read_system`
        output : NumPy's ``.npz``
        rtol : of the residual norm, relative to that of the right-hand side
        progress : called in each iteration
        """

        def report(iteration: int, residual: float) -> None:
            done = math.log(max(residual, rtol)) / math.log(rtol) if 0 < rtol < 1 else 0.0
            progress(min(max(done, 0.0), 1.0), f"iteration {iteration}, relative residual {residual:.2e}")

        file = read_system(source)
        system = file.matrix
        if file.cells is not None:
            system = VoxelPoisson.from_cells(
                file.cells, coefficient=file.coefficient, spacing=file.spacing, outside=file.outside
            )
        method = DeepConjugateDirections(self.network, rtol=rtol)
        result = solve(system, file.b, method=method, callback=None if progress is None else report)
        write_solution(output, result.x)
        return {name: value for name, value in result.summary().items() if isinstance(value, int | float)}


def remaining_residual(network: DirectionNet, batch: DirectionBatch) -> Tensor:
    """Return r - alpha A q of every unit residual r of the batch, q its direction, alpha the exact line search."""
    operator, residuals = batch
    q = network.directions(residuals, operator)
    image = operator(q)
    cells = residuals.ndim - 2
    energy = _dots(q, image, cells).clamp_min(torch.finfo(q.dtype).tiny)
    alpha = _dots(q, residuals, cells) / energy
    return residuals - alpha.reshape(-1, *(1,) * (cells + 1)) * image


def _dots(first: Tensor, second: Tensor, cells: int) -> Tensor:
    return (first * second).flatten(-cells - 1).sum(-1)
