"""Deep conjugate directions: a network that knows one matrix proposes search directions for all right-hand sides.

Method of Kaneda, Akar, Chen, Kala, Hyde and Teran, *A deep conjugate direction method for iteratively solving linear
systems*, ICML 2023. A convolutional network f is trained, without any solution, so that f(r) is about A^-1 r up to a
factor; its outputs are made A-orthogonal to the last two directions, and an exact line search determines the step.
Where f is good, a solve takes ten iterations instead of the hundreds of conjugate gradients; where it is not, the
A-norm of the error still decreases in every iteration, and conjugate gradients take over in the end.

Ours evaluates the same network on coarser images of the residual first. That makes the number of iterations independent
of the size of the problem, on boxes as the paper claims it, and carries over to obstacles and walls that the network
has never seen; ``faithful=True`` is the published iteration. In wall time, multigrid is faster by far: ``sciml bench
dcdm`` has the table. The package also has multigrid with learned interpolation, :class:`LearnedMultigrid`.

>>> import numpy as np
>>> from sciml.dcdm import DeepConjugateDirections
>>> from sciml.linalg import VoxelPoisson, solve
>>> problem = VoxelPoisson.from_cells(np.zeros((64, 64), np.uint8), outside="dirichlet")
>>> b = np.random.default_rng(0).standard_normal(problem.shape)
>>> ours = solve(problem, b, method="dcdm", rtol=1e-4)                     # with published weights
>>> ours.status, ours.iterations < 8                                       # conjugate gradients need about 130
('converged', True)
>>> published = solve(problem, b, method=DeepConjugateDirections(faithful=True), rtol=1e-4)
>>> published.iterations > ours.iterations
True

To train your own: ``sciml train configs/dcdm/box2d_cpu.yaml -o runs/mine``; then ``sciml export runs/mine -o
mine.safetensors`` and ``DeepConjugateDirections(weights="mine.safetensors")``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from sciml.dcdm.data import RitzDirections
    from sciml.dcdm.iteration import conjugate_directions
    from sciml.dcdm.learned_multigrid import LearnedRules
    from sciml.dcdm.linear_methods import DeepConjugateDirections, LearnedMultigrid
    from sciml.dcdm.model import DirectionNet
    from sciml.dcdm.multigrid_task import MultigridTask, RandomGeometries
    from sciml.dcdm.solver import shipped
    from sciml.dcdm.task import DirectionTask

_HOMES = {
    "DeepConjugateDirections": "sciml.dcdm.linear_methods",
    "DirectionNet": "sciml.dcdm.model",
    "DirectionTask": "sciml.dcdm.task",
    "LearnedMultigrid": "sciml.dcdm.linear_methods",
    "LearnedRules": "sciml.dcdm.learned_multigrid",
    "MultigridTask": "sciml.dcdm.multigrid_task",
    "RandomGeometries": "sciml.dcdm.multigrid_task",
    "RitzDirections": "sciml.dcdm.data",
    "conjugate_directions": "sciml.dcdm.iteration",
    "shipped": "sciml.dcdm.solver",
}
__all__ = [
    "DeepConjugateDirections",
    "DirectionNet",
    "DirectionTask",
    "LearnedMultigrid",
    "LearnedRules",
    "MultigridTask",
    "RandomGeometries",
    "RitzDirections",
    "conjugate_directions",
    "shipped",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
