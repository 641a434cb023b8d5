"""`poisson_solve`: the solution of a voxel Poisson problem as a torch function of b and of the coefficient.

    x = A(k)^+ b,     b_bar = A^+ x_bar =: y,     k_bar = -d/dk <y, A(k) x>,

one adjoint solve with the hierarchy of the forward one (A is symmetric), however many iterations either takes
(:mod:`sciml.numerics.implicit`). A^+ is the inverse, and on fluid components without Dirichlet cell the pseudo-inverse;
their null vector, the constant, does not depend on k.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from sciml.errors import DivergenceError
from sciml.linalg.multigrid import MultigridPreconditioner
from sciml.linalg.solver import solve
from sciml.linalg.tensors import KeptSolves, check_holds, check_real
from sciml.linalg.validation import SOLID, check_spacing, side_names
from sciml.linalg.voxel_poisson import VoxelPoisson
from sciml.numerics.implicit import linear_system, operator_of

# What is left of a right-hand side, relative to its norm, where projection takes all of it but rounding errors.
ROUNDING = 1e-14


def poisson_solve(
    cells: np.ndarray,
    b: torch.Tensor,
    coefficient: torch.Tensor | None = None,
    *,
    spacing: float | Sequence[float] | None = None,
    outside: str | Mapping[str, str] = "neumann",
    rtol: float = 1e-10,
    project: bool = False,
) -> torch.Tensor:
    """Solve A(coefficient) x = b, differentiably (once, in reverse and forward mode) in b and in the coefficient.

    The forward pass is :func:`sciml.linalg.solve` with ``method="auto"``; tensors on a GPU are solved there.

    Parameters
    ----------
    cells : integer array, shape (nx, ny) or (nx, ny, nz): 0 fluid, 1 Dirichlet, 2 Neumann solid
    b : right-hand side, shape of ``cells`` or (batch, ...); values off the fluid are ignored, their gradient is 0
    coefficient : > 0, shape of ``cells``, or None for 1. Dirichlet cells and ghost cells count, solid ones do not.
    spacing, outside : as in :meth:`VoxelPoisson.from_cells`
    rtol : relative tolerance of the forward and of the adjoint solve
    project : remove the part of b that makes a closed component unsolvable, instead of refusing b; its gradient is 0

    Returns
    -------
    x : shape, dtype and device of b; 0 off the fluid, zero mean on closed components

    Raises
    ------
    DivergenceError
        A solve missed its tolerance.
    InputError
        As :func:`sciml.linalg.solve` and :meth:`VoxelPoisson.from_cells`.

    Examples
    --------
    >>> k = torch.ones(8, 8, requires_grad=True)
    >>> x = poisson_solve(np.zeros((8, 8), np.uint8), torch.ones(8, 8), k, outside="dirichlet")
    >>> x.sum().backward()
    >>> bool((k.grad < 0).all())        # more permeable cells lower the pressure
    True
    """
    parameters = () if coefficient is None else (check_real("coefficient", coefficient),)
    check_real("b", b)
    passes: list[_System] = []  # one in a plain call, those of all entries under torch.func.vmap
    kept = KeptSolves(lambda arguments: arguments[1:])

    def solver(right: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        k = _to_numpy(parameters[0]) if parameters else None
        problem = VoxelPoisson.from_cells(cells, coefficient=k, spacing=spacing, outside=outside)
        passes.append(system := _System(problem, spacing, rtol, b.device))
        # Projected in any case: x does not depend on the part of b that projection removes.
        kept.keep(parameters, lambda right: system.solve(right, project=True))
        x = system.solve(right, project)
        check_holds("the solution", x, b.dtype, lambda x: x.reshape(-1, problem.cells.size).abs().amax(1))
        return x

    operator = operator_of(lambda y, x, *parameters: passes[-1].bilinear_form(y, x, *parameters))
    x, _ = linear_system(operator, solver, b, *parameters, adjoint=kept)
    return x.to(b.dtype)


class _System:
    """A problem with its hierarchy, for the forward and the adjoint solve."""

    def __init__(
        self, problem: VoxelPoisson, spacing: float | Sequence[float] | None, rtol: float, device: torch.device
    ) -> None:
        self.problem, self.rtol, self.device = problem, rtol, str(device)
        self.step = check_spacing(1.0 if spacing is None else spacing, problem.fluid.ndim)
        # A plain box goes to the fast transforms, which need no hierarchy.
        plain = problem.constant and bool(problem.fluid.all())
        self.preconditioner = None if plain else MultigridPreconditioner(problem, device=self.device)

    def solve(self, b: torch.Tensor, project: bool) -> torch.Tensor:
        """Return A^+ b, float64, on the device of b."""
        right = _to_numpy(b)
        result = solve(
            self.problem,
            right,
            preconditioner=self.preconditioner,
            rtol=self.rtol,
            atol=ROUNDING * float(np.linalg.norm(right)),
            project=project,
            device=self.device,
        )
        if not result.converged:
            raise DivergenceError(
                f"the solve ended as {result.status!r} after {result.iterations} iterations with the relative residual "
                f"{result.true_residual:.2g}, expected at most rtol={self.rtol:g}; raise rtol."
            )
        return torch.from_numpy(result.x).to(b.device)

    def bilinear_form(self, y: torch.Tensor, x: torch.Tensor, coefficient: torch.Tensor | None = None) -> torch.Tensor:
        """Return <y, A(k) x> = sum over faces of w(k) (y_l - y_r) (x_l - x_r), for x and y that are 0 off the fluid.

        The faces and ghost faces of :meth:`VoxelPoisson.from_cells`, in tensor expressions.
        """
        coefficient = x.new_ones(self.problem.cells.shape) if coefficient is None else coefficient.to(x)
        solid = torch.from_numpy(self.problem.cells == SOLID).to(x.device)
        names, kinds = iter(side_names(self.problem.fluid.ndim)), self.problem.outside or {}
        total = x.new_zeros(())
        for axis, h in zip(range(-len(self.step), 0), self.step, strict=True):
            resistance = _before(1.0 / coefficient, axis) + _after(1.0 / coefficient, axis)
            closed = _before(solid, axis) | _after(solid, axis)
            weight = torch.where(closed, 0.0, 2.0 / h**2 / resistance)
            total = total + (weight * torch.diff(y, dim=axis) * torch.diff(x, dim=axis)).sum()
            for index in (0, -1):
                if kinds[next(names)] == "dirichlet":
                    k, own, other = (values.select(axis, index) for values in (coefficient, y, x))
                    total = total + (k / h**2 * own * other).sum()
        return total


def _before(values: torch.Tensor, axis: int) -> torch.Tensor:
    return values.narrow(axis, 0, values.shape[axis] - 1)


def _after(values: torch.Tensor, axis: int) -> torch.Tensor:
    return values.narrow(axis, 1, values.shape[axis] - 1)


def _to_numpy(values: torch.Tensor) -> np.ndarray:
    return values.detach().to("cpu", torch.float64).numpy()
