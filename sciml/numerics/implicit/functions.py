"""Solutions of conditions as differentiable functions: roots, fixed and stationary points, linear systems.

Each takes a condition, any solver, and the tensors to differentiate in; the solver is never differentiated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from sciml.checks import choice
from sciml.errors import InputError
from sciml.numerics.implicit.adjoints import GMRES, AdjointSolver, Dense
from sciml.numerics.implicit.differentiation import Problem, Solver, differentiable
from sciml.numerics.implicit.linearisation import Condition, GaussNewton, Linearisation
from sciml.numerics.implicit.report import ImplicitReport

DENSE = Dense()
KRYLOV = GMRES()


def root(
    condition: Condition, solver: Solver, *arguments: Tensor, adjoint: AdjointSolver = DENSE, batch: int = 0
) -> tuple[Tensor, ImplicitReport]:
    r"""Return the root of a condition as a differentiable function of its arguments.

    .. math:: F(x, p) = 0, \qquad J^T y = \bar x, \quad \bar p = -(\partial F / \partial p)^T y

    Parameters
    ----------
    condition : F, maps x and the arguments to one equation for each unknown, by torch operations
    solver : maps the arguments, detached, to x, or to x and anything that describes the solve
    arguments : p, floating-point tensors; everything else belongs into condition and solver
    adjoint : solves with the Jacobian J = dF/dx and its transpose
    batch : number of leading axes of x that count items; the equations of an item depend on that item of x alone

    Returns
    -------
    x : what the solver has found, differentiable once, in reverse and in forward mode
    report : residuals; those of a derivative are filled in when it is computed

    Raises
    ------
    DivergenceError
        The solution is not finite, or, when a derivative is computed, its linear solve does not converge.
    SingularSystemError
        When a derivative is computed: the Jacobian of an item is singular.

    Examples
    --------
    >>> p = torch.tensor([4.0, 9.0], dtype=torch.float64, requires_grad=True)
    >>> x, report = root(lambda x, p: x**2 - p, torch.sqrt, p)
    >>> torch.autograd.grad(x.sum(), p)[0]  # 1 / (2 x)
    tensor([0.2500, 0.1667], dtype=torch.float64)

    References
    ----------
    Blondel et al., "Efficient and modular implicit differentiation", NeurIPS 2022, Eq. 2. ``jaxopt.custom_root``.
    """
    return differentiable(Problem(condition, solver, adjoint, batch), arguments)


def fixed_point(
    mapping: Condition, solver: Solver, *arguments: Tensor, adjoint: AdjointSolver = KRYLOV, batch: int = 0
) -> tuple[Tensor, ImplicitReport]:
    r"""Return the fixed point of a map as a differentiable function of the map's arguments.

    .. math:: x = T(x, p), \qquad (I - \partial_x T)^T y = \bar x, \quad \bar p = (\partial_p T)^T y

    Parameters, returns and errors are those of :func:`root`, with T in place of F.

    Examples
    --------
    >>> b = torch.ones(3, dtype=torch.float64, requires_grad=True)
    >>> x, report = fixed_point(lambda x, b: 0.5 * x + b, lambda b: 2 * b, b)
    >>> torch.autograd.grad(x.sum(), b)[0]
    tensor([2., 2., 2.], dtype=torch.float64)

    References
    ----------
    Blondel et al. 2022, Eq. 3. ``jaxopt.custom_fixed_point``.
    """
    return root(lambda x, *p: x - mapping(x, *p), solver, *arguments, adjoint=adjoint, batch=batch)


def stationary_point(
    objective: Condition, solver: Solver, *arguments: Tensor, adjoint: AdjointSolver = DENSE, batch: int = 0
) -> tuple[Tensor, ImplicitReport]:
    r"""Return a stationary point of an objective as a differentiable function of the objective's arguments.

    .. math:: \nabla_x f = 0, \qquad \nabla_x^2 f\, y = \bar x, \quad \bar p = -\partial_p \langle y, \nabla_x f\rangle

    Parameters
    ----------
    objective : f, maps x and the arguments to one number for each item, ``(*batch,)``
    solver : finds a minimum, a maximum or a saddle, as that of :func:`root`; its error is one of the derivatives, too
    arguments, batch : as those of :func:`root`
    adjoint : solves with the Hessian; :class:`ConjugateGradients` suits strict extrema

    Returns and errors are those of :func:`root`.

    References
    ----------
    Blondel et al. 2022, Eq. 5.
    """
    return root(_gradient_of(objective, batch), solver, *arguments, adjoint=adjoint, batch=batch)


def least_squares(
    residuals: Condition,
    solver: Solver,
    *arguments: Tensor,
    hessian: Literal["exact", "gauss_newton"] = "exact",
    adjoint: AdjointSolver = DENSE,
    batch: int = 0,
) -> tuple[Tensor, ImplicitReport]:
    r"""Return the solution of a least-squares problem as a differentiable function of the arguments of its residuals.

    .. math::

        J^T r(x, p) = 0, \qquad \Big(J^T J + \sum_i r_i \nabla^2 r_i\Big) y = \bar x, \quad
        \bar p = -\partial_p \langle J y, r \rangle

    Parameters
    ----------
    residuals : r, maps x and the arguments to the residuals of each item, ``(*batch, ...)``
    solver : as that of :func:`root`; one Newton step on J^T r = 0 at its end makes the derivative exact
    hessian : ``"gauss_newton"`` leaves the second derivatives of r out, an error in proportion to r
    arguments, adjoint, batch : as those of :func:`root`

    Returns and errors are those of :func:`root`.
    """
    choice("hessian", hessian, ("exact", "gauss_newton"))

    def halved_squares(x: Tensor, *p: Tensor) -> Tensor:
        value = residuals(x, *p)
        return 0.5 * (value**2).reshape(*value.shape[:batch], -1).sum(-1)

    condition = _gradient_of(halved_squares, batch)
    linearise = Linearisation if hessian == "exact" else partial(GaussNewton, residuals)
    return differentiable(Problem(condition, solver, adjoint, batch, linearise), arguments)


def linear_system(
    operator: Condition,
    solver: Solver,
    right: Tensor,
    *parameters: Tensor,
    adjoint: AdjointSolver = KRYLOV,
    batch: int = 0,
) -> tuple[Tensor, ImplicitReport]:
    r"""Return the solution of a linear system as a differentiable function of right-hand side and parameters.

    .. math:: A(p)\, x = b, \qquad A^T y = \bar x, \quad \bar b = y, \quad \bar p = -\partial_p \langle y, A(p) x\rangle

    Parameters
    ----------
    operator : maps x and the parameters to A(p) x, by torch operations; on an edge list no matrix is ever formed
    solver : maps b and the parameters, detached, to x, or to x and anything that describes the solve
    right : b, in the shape of x
    parameters : p, such as the weights of edges
    adjoint : solves with A and its transpose; ``Given(solve)`` takes the factors of the forward solve again
    batch : number of leading axes of x that count items, each a system of its own

    Returns and errors are those of :func:`root`.

    Examples
    --------
    A graph Laplacian with a sink at every node, from its list of edges:

    >>> i, j = torch.tensor([[0, 1], [1, 2]])
    >>> def laplacian(x, w):
    ...     flux = w * (x[i] - x[j])
    ...     return x.index_add(0, i, flux).index_add(0, j, -flux)
    >>> w = torch.ones(2, dtype=torch.float64, requires_grad=True)
    >>> b = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    >>> def solver(b, w):
    ...     return torch.linalg.solve(torch.func.jacrev(laplacian)(b, w), b)
    >>> x, report = linear_system(laplacian, solver, b, w)
    >>> bool((torch.autograd.grad(x[2], w)[0] > 0).all())  # better edges, more arrives at the end
    True
    """
    return root(lambda x, b, *p: operator(x, *p) - b, solver, right, *parameters, adjoint=adjoint, batch=batch)


def operator_of(form: Callable[..., Tensor]) -> Condition:
    """Return the operator A(p) of a bilinear form <y, A(p) x>, given as ``form(y, x, *parameters)``."""

    def operator(x: Tensor, *parameters: Tensor) -> Tensor:
        with torch.enable_grad():
            y = torch.zeros_like(x).requires_grad_()
            return torch.autograd.grad(form(y, x, *parameters).sum(), y, create_graph=True)[0]

    return operator


def _gradient_of(objective: Condition, batch: int) -> Condition:
    """Return the condition that the gradient of an objective in its first argument vanishes."""

    def gradient(x: Tensor, *p: Tensor) -> Tensor:
        # To be differentiated again where x is a leaf. Otherwise only its value counts, and whether f has a gradient
        # without x having one.
        again = x.requires_grad or objective(x, *p).requires_grad
        with torch.enable_grad():
            leaf = x if x.requires_grad else x.detach().requires_grad_()
            value = objective(leaf, *p)
            if value.shape != x.shape[:batch] or not value.requires_grad:
                raise InputError(
                    f"the objective returns shape {tuple(value.shape)}, expected one number for each item, shape "
                    f"{tuple(x.shape[:batch])}, by torch operations on the solution."
                )
            found = torch.autograd.grad(value.sum(), leaf, create_graph=True)[0]
        return found if again else found.detach()

    return gradient
