"""The learned methods for linear systems, which join those of :mod:`sciml.linalg` under two names of their own.

They are ``dcdm`` and ``learned``: ``solve(problem, b, method="dcdm")``. Importing this module loads no numerics.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from sciml.checks import instance, whole_number
from sciml.errors import InputError
from sciml.linalg.method import LinearMethod, check_device

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from sciml.dcdm.iteration import Directions
    from sciml.dcdm.learned_multigrid import LearnedRules
    from sciml.dcdm.model import DirectionNet
    from sciml.linalg import VoxelPoisson
    from sciml.linalg.krylov import Callback, KrylovResult
    from sciml.linalg.method import Prepared

NAME_OF_WEIGHTS = "give the name of published weights, or a file, as weights=..."


@dataclass(frozen=True, kw_only=True, eq=False)
class DeepConjugateDirections(LinearMethod):
    """Deep conjugate directions: search directions from a network, for voxel grids like those it was trained on.

    Choose it to study or compare the published method; multigrid is faster by far. The status of a result is
    ``"fallback"`` where the network was of no use and conjugate gradients finished the solve.

    Parameters
    ----------
    network : trained, float32; the vectors of a solve live on its device
    weights : name of published weights, or a ``.safetensors`` file; used where no network is given. By default the
        published ones of the dimension of the problem whose training size is nearest
    history : number of iterations whose directions the next are made A-orthogonal to
    faithful : the published iteration, which evaluates the network on the finest scale alone, without any safeguard
    scales : number of resolutions on which the network is evaluated, see :meth:`directions`

    Examples
    --------
    >>> solve(problem, b, method=DeepConjugateDirections(faithful=True), rtol=1e-4).iterations      # doctest: +SKIP
    15
    """

    name: ClassVar[str] = "dcdm"
    summary: ClassVar[str] = (
        "deep conjugate directions, a network that proposes directions: voxel grids like those it was trained on"
    )
    needs: ClassVar[Literal["matrix", "grid", "box"]] = "grid"
    kernels: ClassVar[str | None] = "cg"
    compiles: ClassVar[bool] = True

    network: DirectionNet | None = field(default=None, kw_only=False)
    weights: str | Path | None = None
    history: int = 2
    faithful: bool = False
    scales: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("history", self.history, at_least=1)
        if self.scales is not None:
            whole_number("scales", self.scales, at_least=1)
        instance("faithful", self.faithful, bool, "True or False")
        _check_one_source(self.network, self.weights)
        if self.network is not None:
            from sciml.dcdm.model import DirectionNet

            instance("network", self.network, DirectionNet, "a DirectionNet", remedy=NAME_OF_WEIGHTS)

    @classmethod
    def from_weights(cls, weights: str | Path | None = None, *, dimension: int = 3, size: int = 0) -> Self:
        """Return the method with a network that is read once, for many solves.

        Parameters
        ----------
        weights : name of published weights (see :func:`sciml.dcdm.shipped`), or a ``.safetensors`` file beside the
            ``.yaml`` that ``sciml export`` writes; None takes the published ones of this dimension whose training size
            is nearest
        dimension, size : of the problems to come, for that choice

        Raises
        ------
        InputError
            There are no weights of that name or dimension.
        CheckpointError
            The file is damaged, or belongs to another method.
        """
        from sciml.dcdm.solver import read_network

        return cls(read_network(weights, dimension, size))

    def prepare(self, system: VoxelPoisson) -> Prepared:
        """Read the network, if only its weights were named."""
        from sciml.dcdm.solver import directions, network_for

        network = network_for(system, self.weights) if self.network is None else self.network
        dimension = len(system.shape)
        if dimension != network.dimension:
            raise InputError(f"the network is for {network.dimension}-D problems, got one in {dimension}-D.")
        return self._iteration(system, directions(network, system, 1 if self.faithful else self.scales), network)

    def directions(self, problem: VoxelPoisson, scales: int | None = None) -> list[Directions]:
        """Return f on each scale, see :func:`sciml.dcdm.solver.directions`."""
        from sciml.dcdm.solver import directions, network_for

        network = network_for(problem, self.weights) if self.network is None else self.network
        return directions(network, problem, scales)

    def _iteration(self, problem: VoxelPoisson, functions: list[Directions], network: DirectionNet) -> Prepared:
        from sciml.dcdm.iteration import conjugate_directions

        device = next(network.parameters()).device

        def iterate(
            b: np.ndarray, x0: np.ndarray | None, tolerance: float, scale: float, callback: Callback | None
        ) -> tuple[np.ndarray, KrylovResult]:
            if x0 is not None:
                raise InputError("method='dcdm' takes no initial guess; leave x0 out.")
            return conjugate_directions(
                problem,
                b,
                functions,
                rtol=tolerance / scale,
                maxiter=self.maxiter,
                history=self.history,
                faithful=self.faithful,
                callback=callback,
                device=device,
            )

        return iterate


@dataclass(frozen=True, kw_only=True, eq=False)
class LearnedMultigrid(LinearMethod):
    """Multigrid with learned interpolation and smoothing: for voxel grids with a coefficient that jumps.

    Conjugate gradients as with :class:`~sciml.linalg.Multigrid`; the network looks at the matrix once, at set-up.

    Parameters
    ----------
    rules : trained
    weights : name of published weights, or a ``.safetensors`` file; used where no rules are given. By default the
        published ones
    device : ``"cuda"`` runs the cycle there
    """

    name: ClassVar[str] = "learned"
    summary: ClassVar[str] = (
        "multigrid with interpolation and smoothing from a network that looks at the matrix: any voxel grid"
    )
    needs: ClassVar[Literal["matrix", "grid", "box"]] = "grid"
    kernels: ClassVar[str | None] = "multigrid"
    compiles: ClassVar[bool] = True

    rules: LearnedRules | None = field(default=None, kw_only=False)
    weights: str | Path | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_one_source(self.rules, self.weights)
        check_device(self.device)
        if self.rules is not None:
            from sciml.dcdm.learned_multigrid import LearnedRules

            instance("rules", self.rules, LearnedRules, "LearnedRules", remedy=NAME_OF_WEIGHTS)

    def prepare(self, system: VoxelPoisson) -> Prepared:
        """Read the rules, if only their weights were named, and set up the hierarchy."""
        from sciml.dcdm.learned_multigrid import LearnedRules
        from sciml.linalg.multigrid import MultigridPreconditioner
        from sciml.linalg.preconditioned import iteration_on

        rules = LearnedRules.from_weights(self.weights) if self.rules is None else self.rules
        multigrid = MultigridPreconditioner(system, rules=rules, device=self.device)
        return iteration_on(system, multigrid, self.maxiter, self.device)


def _check_one_source(module: object | None, weights: str | Path | None) -> None:
    """Refuse weights beside a network that has some, and what does not name weights."""
    if weights is not None:
        instance("weights", weights, (str, PathLike), "a name of published weights, or the path of a file")
    if module is not None and weights is not None:
        raise InputError(
            f"both a {type(module).__name__} and weights={str(weights)!r} were given, expected one of them."
        )


METHODS: tuple[type[LinearMethod], ...] = (DeepConjugateDirections, LearnedMultigrid)
