"""The implicit function theorem in autograd: a solution as a function of the arguments of its condition.

F(x(p), p) = 0,   J = dF/dx,   B = dF/dp:
reverse mode  J^T y = x_bar,   p_bar = -B^T y;      forward mode  J x_dot = -B p_dot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from sciml.checks import whole_number
from sciml.errors import DivergenceError, InputError
from sciml.numerics.implicit.adjoints import AdjointSolver, solve_linear
from sciml.numerics.implicit.handed_over import (
    check_adjoint,
    check_function,
    check_unchanged,
    described,
    is_plain,
    versions,
)
from sciml.numerics.implicit.linearisation import Condition, Linearisation, check_residual, item_norms
from sciml.numerics.implicit.report import DerivativeReport, ImplicitReport

Solver = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Problem:
    """A condition, a solver, and how the derivative of the solution is to be found.

    Attributes
    ----------
    condition : F, maps solution and arguments to the residual, in the shape of the solution
    solver : maps the arguments to a solution, or to a solution and anything that describes it
    adjoint : solves the linear system of the derivative
    batch : number of leading axes of the solution that count independent items
    linearise : makes the products with the Jacobian that is solved with
    """

    condition: Condition
    solver: Solver
    adjoint: AdjointSolver
    batch: int = 0
    linearise: Callable[[Condition, int, Tensor, Sequence[Tensor]], Linearisation] = Linearisation


def differentiable(problem: Problem, arguments: Sequence[Tensor]) -> tuple[Tensor, ImplicitReport]:
    """Return the solution of a problem, with derivatives of first order in its arguments, and the report."""
    whole_number("batch", problem.batch, at_least=0)
    check_function("the condition", problem.condition)
    check_function("the solver", problem.solver)
    check_adjoint(problem.adjoint)
    if not arguments:
        raise InputError("no tensor is given, expected those in which the solution is to be differentiated; pass them.")
    for position, each in enumerate(arguments):
        if not isinstance(each, Tensor) or not each.is_floating_point():
            got = str(each.dtype) if isinstance(each, Tensor) else type(each).__name__
            raise InputError(
                f"argument {position} is of type {got}, expected a floating-point tensor; keep everything that is "
                "not differentiated in the condition and in the solver."
            )
        if each.is_nested or each.is_meta:
            raise InputError(f"argument {position} is {described(each)}, expected a tensor with values.")
    # Autograd keeps no tensors that inference mode has made, but copies of them.
    arguments = [each if _kept(each) else each.clone() for each in arguments]
    report = ImplicitReport(problem)
    return _Solution.apply(problem, report, torch.is_grad_enabled(), *arguments), report


def _kept(tensor: Tensor) -> bool:
    return torch.is_inference_mode_enabled() or not tensor.is_inference()


class _Looped(Function):
    """A function that ``torch.func.vmap`` calls once for each entry, as in Jacobians by rows or by columns."""

    @classmethod
    def vmap(cls, info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        found = [
            cls.apply(
                *(x.select(dim, i) if isinstance(dim, int) else x for x, dim in zip(inputs, in_dims, strict=True))
            )
            for i in range(info.batch_size)
        ]
        if isinstance(found[0], Tensor):
            return torch.stack(found), 0
        return tuple(map(torch.stack, zip(*found, strict=True))), (0,) * len(found[0])


class _Solution(_Looped):
    """x as a function of p."""

    @staticmethod
    def forward(problem: Problem, report: ImplicitReport, recorded: bool, *arguments: Tensor) -> Tensor:
        given = [each.detach() for each in arguments]
        names = [f"argument {position}" for position in range(len(given))]
        before = versions(given)
        found = problem.solver(*given)
        check_unchanged("solver", given, before, names)
        solution, report.info = _solution_of(found, problem.batch, given)
        point = [solution, *given]
        before = versions(point)
        with torch.set_grad_enabled(recorded):
            residual = problem.condition(*point)
        check_unchanged("condition", point, before, ["the solution", *names])
        check_residual(residual, solution)
        if residual.requires_grad:
            raise InputError(
                "the condition depends on a tensor that requires a gradient and is none of the arguments, so that this "
                "gradient would be lost; pass the tensor as an argument, or detach it."
            )
        norms = item_norms(residual, problem.batch)
        _refuse_infinite("the solution or its residual", norms)
        report.record_solution(norms, solution.detach(), *given)
        return solution

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.problem, ctx.report, _, *arguments = inputs
        ctx.save_for_backward(output, *arguments)
        ctx.save_for_forward(output, *arguments)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        needed = ctx.needs_input_grad[3:]
        found = iter(_Adjoint.apply(ctx.problem, ctx.report, needed, cotangent, *ctx.saved_tensors))
        return None, None, None, *(next(found) if need else None for need in needed)

    @staticmethod
    def jvp(ctx: Any, _: None, __: None, ___: None, *tangents: Tensor | None) -> Tensor:
        present = tuple(each is not None for each in tangents)
        moving = [each for each in tangents if each is not None]
        return _Tangent.apply(ctx.problem, ctx.report, present, *ctx.saved_tensors, *moving)


class _OnceOnly(_Looped):
    """A derivative, which refuses to be differentiated."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep nothing."""

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        raise InputError(_SECOND)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Any:
        raise InputError(_SECOND)


_SECOND = (
    "a second derivative of an implicit solution was asked for, expected derivatives of first order; differentiate the "
    "condition by hand, or an unrolled solver."
)


class _Adjoint(_OnceOnly):
    """The gradients p_bar of those arguments that need one, from x_bar, x and p."""

    @staticmethod
    def forward(
        problem: Problem, report: ImplicitReport, needed: tuple[bool, ...], cotangent: Tensor, *point: Tensor
    ) -> tuple[Tensor, ...]:
        jacobian = problem.linearise(problem.condition, problem.batch, point[0], point[1:])
        _refuse_infinite("the cotangent of the solution", cotangent)
        adjoint, iterations = solve_linear(problem.adjoint, jacobian, cotangent.detach(), transposed=True)
        image, gradients = jacobian.pull_back(adjoint)
        quality = _report(cotangent - image, cotangent, iterations, problem.batch)
        _refuse_infinite("the adjoint solution", quality.residual)
        report.record_adjoint(quality, adjoint, cotangent.detach())
        return tuple(-each for each, need in zip(gradients, needed, strict=True) if need)


class _Tangent(_OnceOnly):
    """x_dot, from x, p and the tangents p_dot that are present."""

    @staticmethod
    def forward(problem: Problem, report: ImplicitReport, present: tuple[bool, ...], *tensors: Tensor) -> Tensor:
        point, moving = tensors[: 1 + len(present)], iter(tensors[1 + len(present) :])
        jacobian = problem.linearise(problem.condition, problem.batch, point[0], point[1:])
        right = -jacobian.push_forward([next(moving) if there else None for there in present])
        _refuse_infinite("the tangent of the condition", right)
        tangent, iterations = solve_linear(problem.adjoint, jacobian, right, transposed=False)
        report.tangent = _report(right - jacobian.apply(tangent), right, iterations, problem.batch)
        _refuse_infinite("the tangent of the solution", report.tangent.residual)
        return tangent


def _solution_of(found: object, batch: int, arguments: Sequence[Tensor]) -> tuple[Tensor, object]:
    """Return a copy of what a solver has found, and what it returned beside it."""
    pair = found if isinstance(found, tuple) else (found, None)
    if len(pair) != 2:
        raise InputError(
            f"the solver returns a tuple of {len(pair)}, expected the solution, or a pair of it and what describes it."
        )
    solution, info = pair
    if not is_plain(solution) or solution.dim() < batch or solution.device not in {p.device for p in arguments}:
        raise InputError(
            f"the solver returns {described(solution)}, expected a dense tensor with {batch} leading axes of items on "
            "the device of the arguments, alone or with what describes it."
        )
    if solution.dtype not in (torch.float32, torch.float64):
        raise InputError(
            f"the solution is of type {solution.dtype}, expected torch.float32 or torch.float64, in which linear "
            "systems are solved; convert it in the solver, and what it meets in the condition."
        )
    return solution.detach().clone(), info


def _report(residual: Tensor, right: Tensor, iterations: Tensor, batch: int) -> DerivativeReport:
    return DerivativeReport(item_norms(residual, batch), item_norms(right, batch), iterations)


def _refuse_infinite(name: str, values: Tensor) -> None:
    if not bool(torch.isfinite(values).all()):
        raise DivergenceError(f"{name} has values that are not finite, expected finite ones; check the arguments.")
