"""Geometric multigrid for voxel Poisson problems, matrix-free, with Galerkin operators on the coarse levels.

Every level is coarsened along its strongly coupled axes in turn with operator-dependent interpolation, which follows
the flow around obstacles and through jumps of the coefficient, and carries the Galerkin operator (27 points) of that
interpolation. Chebyshev polynomials of the scaled operator smooth before and after with equal strength, so the cycle is
symmetric, and positive definite because the spectrum of D^-1 A lies in [0, 2] by construction.

The cycle is in :mod:`~sciml.linalg.multigrid.preconditioner`, the smoother in :mod:`~sciml.linalg.multigrid.smoother`,
the direct solver of the coarsest level in :mod:`~sciml.linalg.multigrid.coarsest`.
"""

from sciml.linalg.multigrid.preconditioner import MultigridPreconditioner, Rules, choose_backend

__all__ = ["MultigridPreconditioner", "Rules", "choose_backend"]
