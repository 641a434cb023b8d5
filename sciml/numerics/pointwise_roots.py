"""Derivatives of the roots of equations by the implicit function theorem, whatever method has found the roots.

>>> x = torch.tensor([[4.0], [9.0]], dtype=torch.float64, requires_grad=True)
>>> root = torch.tensor([[2.0], [3.0]], dtype=torch.float64)  # found anyhow
>>> y = differentiable_root(lambda y, x: y**2 - x, root, x)
>>> torch.autograd.grad(y.sum(), x)[0].flatten()  # 1 / (2 y)
tensor([0.2500, 0.1667], dtype=torch.float64)

References
----------
Blondel et al., "Efficient and modular implicit differentiation", NeurIPS 2022.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sciml.checks import real_tensor, shape
from sciml.errors import InputError, SingularSystemError

Equation = Callable[..., Tensor]


def differentiable_root(equation: Equation, root: Tensor, *inputs: Tensor) -> Tensor:
    r"""Return the roots of an equation as a function of its inputs, with exact derivatives of any order.

    .. math:: g(y, p) = 0 \quad\Rightarrow\quad dy/dp = -(\partial g / \partial y)^{-1} \partial g / \partial p

    Parameters
    ----------
    equation : g, maps roots ``(n, d)`` and the inputs to ``(n, d)``; row k depends on row k of roots and inputs alone
    root : ``(n, d)``, found by any method; its error is one of the derivatives, too
    inputs : p, each ``(n, m)``; of which autograd is to know

    Returns
    -------
    Tensor
        ``root``, with a gradient if an input has one.

    Raises
    ------
    InputError
        If root and inputs are no matrices, or, in the backward pass, the equation returns another shape, or no torch
        function of root and inputs.
    SingularSystemError
        In the backward pass, if the derivative of the equation by a root is singular.
    """
    shape("the roots", real_tensor("the roots", root), ("n", "d"))
    if not torch.is_grad_enabled() or not any(given.requires_grad for given in inputs):
        return root
    return _Root.apply(equation, root, *inputs)


class _Root(torch.autograd.Function):
    """The adjoint of one root: the backward pass consists of operations that are differentiable themselves."""

    @staticmethod
    def forward(ctx: Any, equation: Equation, root: Tensor, *inputs: Tensor) -> Tensor:
        ctx.equation, root = equation, root.detach().clone()
        ctx.save_for_backward(root, *inputs)
        return root

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        again = torch.is_grad_enabled()  # whether this pass will be differentiated
        root, *inputs = ctx.saved_tensors
        with torch.enable_grad():
            # Aliases: the derivatives are partial, and the root is a function of the inputs.
            root = root.view_as(root) if again else root.detach().requires_grad_()
            inputs = [each.view_as(each) if again else each.detach() for each in inputs]
            wanted = [
                each.requires_grad_() for each, need in zip(inputs, ctx.needs_input_grad[2:], strict=True) if need
            ]
            left = _checked(ctx.equation(root, *inputs), root)
            rows = [
                torch.autograd.grad(each.sum(), root, create_graph=again, retain_graph=True, materialize_grads=True)[0]
                for each in left.unbind(1)
            ]
            adjoint, failed = torch.linalg.solve_ex(torch.stack(rows, 2), gradient[..., None])
            if bool(failed.any()):
                raise SingularSystemError(
                    f"the equation does not determine root {int(failed.nonzero()[0])}, where its derivative is "
                    "singular; there is no derivative of the root there."
                )
            adjoint = adjoint[..., 0]
            found = iter(torch.autograd.grad(left, wanted, -adjoint, create_graph=again, allow_unused=True))
        return None, None, *(next(found) if need else None for need in ctx.needs_input_grad[2:])


def _checked(left: Tensor, root: Tensor) -> Tensor:
    """Return what an equation returns, whose derivatives are to be taken."""
    name = "what the equation returns"
    shape(name, real_tensor(name, left), root.shape)
    if not left.requires_grad:
        raise InputError(
            f"{name} depends neither on the root nor on an input by torch operations, expected an equation that "
            "determines the root; remove detach() and torch.no_grad() from it."
        )
    return left
