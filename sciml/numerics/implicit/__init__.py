"""Implicit differentiation: a condition and any solver make a function with gradients by one adjoint solve.

>>> x, report = fixed_point(lambda x, w, b: w * torch.tanh(x) + b, solver, w, b, batch=1)       # doctest: +SKIP
>>> x.sum().backward()                    # one linear solve, however many iterations x took    # doctest: +SKIP
>>> report.residual, report.adjoint.residual, report.gradient_bound()                           # doctest: +SKIP

Condition (:func:`root` and its special cases), solver (any callable) and adjoint solver (:class:`Dense`,
:class:`ConjugateGradients`, :class:`GMRES`, :class:`Given`) are three things.

References
----------
Blondel et al., "Efficient and modular implicit differentiation", NeurIPS 2022.
"""

from sciml.numerics.implicit.adjoints import GMRES, AdjointSolver, ConjugateGradients, Dense, Given
from sciml.numerics.implicit.functions import (
    fixed_point,
    least_squares,
    linear_system,
    operator_of,
    root,
    stationary_point,
)
from sciml.numerics.implicit.report import DerivativeReport, ImplicitReport

__all__ = [
    "AdjointSolver",
    "ConjugateGradients",
    "Dense",
    "DerivativeReport",
    "GMRES",
    "Given",
    "ImplicitReport",
    "fixed_point",
    "least_squares",
    "linear_system",
    "operator_of",
    "root",
    "stationary_point",
]
