"""The front of the method: a trained network as a solver, and the weights that are shipped."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from sciml.dcdm import stored_weights
from sciml.dcdm.iteration import Directions, conjugate_directions
from sciml.dcdm.learned_multigrid import LearnedRules
from sciml.dcdm.model import DirectionNet
from sciml.dcdm.stencil import StencilOperator
from sciml.errors import InputError
from sciml.linalg import MultigridPreconditioner, SolveResult, VoxelPoisson
from sciml.linalg import solve as classical_solve
from sciml.linalg.krylov import Callback
from sciml.linalg.solver import grid_system

COARSEST = 8
METHODS = ("dcdm", "learned")


class DeepConjugateDirections:
    """A solver of voxel Poisson problems along the directions of a trained network.

    Parameters
    ----------
    network : float32; it stays where it is, and the vectors of a solve live on its device
    name : of the weights, for reports

    Examples
    --------
    >>> solver = DeepConjugateDirections.from_weights("box2d_cpu")                            # doctest: +SKIP
    >>> solver.solve(problem, b, rtol=1e-4).iterations                                        # doctest: +SKIP
    9
    """

    def __init__(self, network: DirectionNet, name: str = "") -> None:
        self.network, self.name = network, name

    @classmethod
    def from_weights(
        cls, weights: str | Path | None = None, *, dimension: int = 3, size: int = 0
    ) -> DeepConjugateDirections:
        """Read a network.

        Parameters
        ----------
        weights : name of shipped weights (see :func:`shipped`), or a ``.safetensors`` file beside the ``.yaml`` that
            ``sciml train`` exports; None takes the shipped ones of this dimension whose training size is nearest
        dimension, size : of the problem, for the choice

        Raises
        ------
        InputError
            There are no weights of that name or dimension.
        CheckpointError
            The file is damaged, or belongs to another method.
        """
        if weights is None:
            weights = _nearest(dimension, size)
        path = stored_weights.find("dcdm", weights)
        return cls(stored_weights.read_module(path, "dcdm", "network.", lambda words: DirectionNet(**words)), path.stem)

    def solve(  # noqa: PLR0913 - options are keywords
        self,
        system: VoxelPoisson | sp.sparray | sp.spmatrix,
        b: np.ndarray,
        *,
        rtol: float = 1e-6,
        maxiter: int = 10_000,
        history: int = 2,
        faithful: bool = False,
        scales: int | None = None,
        project: bool = False,
        callback: Callback | None = None,
    ) -> SolveResult:
        """Solve A x = b; the arguments are those of :func:`sciml.dcdm.iteration.conjugate_directions`.

        Parameters
        ----------
        scales : resolutions on which the network is asked, see :meth:`directions`; ``faithful`` asks on one

        Returns
        -------
        SolveResult
            ``status`` is ``"fallback"`` when the network was of no use here and conjugate gradients finished.
        """
        began = time.perf_counter()
        problem, values = grid_system(system, b, project=project)
        dimension = len(problem.shape)
        if dimension != self.network.dimension:
            raise InputError(f"the network is for {self.network.dimension}-D problems, got one in {dimension}-D.")
        started = time.perf_counter()
        x, found = conjugate_directions(
            problem,
            values,
            self.directions(problem, 1 if faithful else scales),
            rtol=rtol,
            maxiter=maxiter,
            history=history,
            faithful=faithful,
            callback=callback,
            device=self._device,
        )
        return SolveResult(
            x.reshape(np.shape(b)),
            found.status,
            "dcdm",
            found.iterations,
            found.history,
            found.true_residual,
            problem.unknowns,
            started - began,
            time.perf_counter() - started,
            found.fallbacks,
        )

    def directions(self, problem: VoxelPoisson, scales: int | None = None) -> list[Directions]:
        """Return f on each scale, the coarsest first: float64 unit residual to direction, of the shape of the problem.

        Parameters
        ----------
        problem : the system
        scales : 1 for the full resolution alone; None for as many as leave 8 cells along the shortest axis
        """
        operator = StencilOperator(problem, torch.float32, self._device)
        if scales is None:
            scales = 1 + max(0, int(math.log2(min(problem.shape) / COARSEST)))
        return [self._on_scale(operator, 2**level) for level in range(scales - 1, -1, -1)]

    def _on_scale(self, operator: StencilOperator, factor: int) -> Directions:
        def apply(unit: Tensor) -> Tensor:
            with torch.inference_mode():
                image = unit.to(torch.float32)[None, None]
                if factor == 1:
                    q = self.network.directions(image, operator)
                else:
                    q = self.network.coarse_directions(image, operator, factor)
                return q[0, 0].to(unit.dtype)

        return apply

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device


def solve(  # noqa: PLR0913 - options are keywords
    system: VoxelPoisson | sp.sparray | sp.spmatrix,
    b: np.ndarray,
    *,
    method: str = "dcdm",
    weights: str | Path | DirectionNet | LearnedRules | None = None,
    rtol: float = 1e-6,
    maxiter: int = 10_000,
    project: bool = False,
    callback: Callback | None = None,
) -> SolveResult:
    """Solve A x = b to |b - A x| <= rtol |b| with a learned method, checked on the true residual.

    Parameters
    ----------
    system : a voxel Poisson problem, or a 5- or 7-point matrix
    b : right-hand side, of the shape of the problem or (rows,)
    method : ``"dcdm"``, or ``"learned"`` for conjugate gradients with learned multigrid
    weights : name of shipped weights, a file, or a network; None takes shipped ones, those nearest in size
    rtol, maxiter, project, callback : as in :func:`sciml.linalg.solve`
    """
    began = time.perf_counter()
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}.")
    problem, values = grid_system(system, b, project=project)
    if method == "learned":
        rules = weights if isinstance(weights, LearnedRules) else LearnedRules.from_weights(weights)
        multigrid = MultigridPreconditioner(problem, rules=rules)
        setup = time.perf_counter() - began
        options = {"rtol": rtol, "maxiter": maxiter, "project": project, "callback": callback}
        result = classical_solve(problem, values, preconditioner=multigrid, **options)
        result.x, result.method = result.x.reshape(np.shape(b)), "learned"
        result.setup_seconds += setup
        return result
    if isinstance(weights, DirectionNet):
        solver = DeepConjugateDirections(weights)
    else:
        size = round(problem.unknowns ** (1 / len(problem.shape)))
        solver = DeepConjugateDirections.from_weights(weights, dimension=len(problem.shape), size=size)
    setup = time.perf_counter() - began
    result = solver.solve(problem, values, rtol=rtol, maxiter=maxiter, project=project, callback=callback)
    result.x = result.x.reshape(np.shape(b))
    result.setup_seconds += setup
    return result


def shipped() -> dict[str, dict[str, Any]]:
    """Return the shipped networks by name: dimension, size of the training problems, and the config of their run."""
    found = {}
    for name, about in stored_weights.shipped("dcdm").items():
        data = about["config"]["data"]["init_args"]
        found[name] = {"dimension": data["dimension"], "size": max(data["sizes"])} | about
    return found


def _nearest(dimension: int, size: int) -> str:
    """Name of the shipped weights of a dimension with the nearest training size, in the logarithm."""
    names = {name: about["size"] for name, about in shipped().items() if about["dimension"] == dimension}
    if not names:
        raise InputError(f"no weights for {dimension}-D problems are shipped; train some and pass the file.")
    return min(names, key=lambda name: abs(math.log(max(size, 1) / names[name])))
