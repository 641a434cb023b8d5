"""Large Poisson systems: the voxel problem, its multigrid preconditioner, and one verb that solves.

>>> import numpy as np
>>> from sciml.linalg import VoxelPoisson, solve
>>> cells = np.zeros((32, 32, 32), np.uint8)       # 0 fluid, 1 Dirichlet (p = 0), 2 solid
>>> cells[12:20, 12:20, 12:20] = 2
>>> problem = VoxelPoisson.from_cells(cells, outside={"z+": "dirichlet"})
>>> b = np.where(problem.fluid, 1.0, 0.0)
>>> solve(problem, b, rtol=1e-8).status
'converged'

Which method do I want? Leave it at ``"auto"``. A box without obstacles goes to the fast transforms, any other grid to
multigrid, any other matrix to PyAMG. Solving many times on one geometry: make a :class:`MultigridPreconditioner` once
and pass it to :func:`solve`; its ``update`` takes a new geometry. Options of a method go into its object:
``solve(problem, b, method=Multigrid(visits=1))``. Networks of conductances, differentiable and many at a time:
:class:`GraphLaplacian`.

Where things are: the methods in :mod:`~sciml.linalg.linear_methods`, the multigrid with its smoother in
:mod:`~sciml.linalg.multigrid`, the conjugate gradient loop in :mod:`~sciml.linalg.krylov`, the compiled kernels in
:mod:`~sciml.linalg.kernels`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from sciml.linalg.differentiable import poisson_solve
    from sciml.linalg.graph_laplacian import GraphLaplacian
    from sciml.linalg.linear_methods import Automatic, FastTransform, Multigrid
    from sciml.linalg.matrix_methods import AlgebraicMultigrid, ConjugateGradients, Direct
    from sciml.linalg.method import LinearMethod
    from sciml.linalg.multigrid import MultigridPreconditioner
    from sciml.linalg.results import SolveResult
    from sciml.linalg.solver import solve
    from sciml.linalg.voxel_poisson import VoxelPoisson

_HOMES = {
    "AlgebraicMultigrid": "sciml.linalg.matrix_methods",
    "Automatic": "sciml.linalg.linear_methods",
    "ConjugateGradients": "sciml.linalg.matrix_methods",
    "Direct": "sciml.linalg.matrix_methods",
    "FastTransform": "sciml.linalg.linear_methods",
    "GraphLaplacian": "sciml.linalg.graph_laplacian",
    "LinearMethod": "sciml.linalg.method",
    "Multigrid": "sciml.linalg.linear_methods",
    "MultigridPreconditioner": "sciml.linalg.multigrid",
    "SolveResult": "sciml.linalg.results",
    "VoxelPoisson": "sciml.linalg.voxel_poisson",
    "poisson_solve": "sciml.linalg.differentiable",
    "solve": "sciml.linalg.solver",
}
__all__ = [
    "AlgebraicMultigrid",
    "Automatic",
    "ConjugateGradients",
    "Direct",
    "FastTransform",
    "GraphLaplacian",
    "LinearMethod",
    "Multigrid",
    "MultigridPreconditioner",
    "SolveResult",
    "VoxelPoisson",
    "poisson_solve",
    "solve",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
