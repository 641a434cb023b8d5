"""Levenberg-Marquardt as a torch optimiser, for the parameters of any module and residuals given as a closure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from sciml.errors import InputError
from sciml.numerics.least_squares import LevenbergMarquardt

ROWS_AT_ONCE = 256  # of the Jacobian; bounds the memory of the batched backward pass


class LeastSquaresOptimizer(torch.optim.Optimizer):
    """Minimise ``|r(w)|^2``: each step is one solve of :class:`~sciml.numerics.least_squares.LevenbergMarquardt`.

    Parameters
    ----------
    parameters : the weights, one group
    damping : at the first step, as a fraction of the mean diagonal of ``J^T J``; each step hands its own to the next
    decrease, increase : of the damping after an accepted and a rejected step
    options : further parameters of ``LevenbergMarquardt``, such as ``method``
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        damping: float = 1e-3,
        decrease: float = 3.0,
        increase: float = 2.5,
        **options: Any,
    ) -> None:
        settings = {"smallest_damping": 1e-16, "trials": 20, **options, "tolerance": 0.0, "max_solves": 1}
        self._algorithm = LevenbergMarquardt(damping=damping, decrease=decrease, increase=increase, **settings)
        super().__init__(parameters, {"damping": damping})
        if len(self.param_groups) != 1:
            raise InputError(f"there are {len(self.param_groups)} groups of parameters, expected one.")

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor], *, residuals: Callable[[], Tensor]) -> Tensor:
        """Take one Levenberg-Marquardt step and update the parameters.

        Parameters
        ----------
        closure : evaluates the loss, which is only reported
        residuals : evaluates ``r`` at the present weights, any shape, differentiable

        Returns
        -------
        Tensor
            What the closure returned: the loss before the step.
        """
        with torch.enable_grad():
            loss = closure()
        system = _ClosureSystem(self.param_groups[0]["params"], residuals)
        before = system.vector()
        state = self.state[self.param_groups[0]["params"][0]]
        algorithm = replace(self._algorithm, damping=state.get("damping", self.param_groups[0]["damping"]))
        state["step"] = state.get("step", 0) + 1
        draws = torch.Generator(device=before.device).manual_seed(state["step"])
        result = algorithm.minimise_system(system, before, generator=draws)
        system.assign(result.value)
        state["damping"] = result.damping
        return loss


class _ClosureSystem:
    """A least-squares system of a closure that reads the parameters of the module in place."""

    def __init__(self, weights: list[nn.Parameter], residuals: Callable[[], Tensor]) -> None:
        self._weights, self._closure = weights, residuals
        self.columns = sum(weight.numel() for weight in weights)
        self.rows = 0

    def vector(self) -> Tensor:
        return torch.cat([weight.detach().flatten() for weight in self._weights])

    @torch.no_grad()
    def assign(self, vector: Tensor) -> None:
        pieces = vector.split([weight.numel() for weight in self._weights])
        for weight, piece in zip(self._weights, pieces, strict=True):
            weight.copy_(piece.view_as(weight))

    def residual(self, parameters: Tensor) -> Tensor:
        values = self._evaluate(parameters).detach()
        self.rows = len(values)
        return values

    def jacobian_chunks(self, parameters: Tensor, chosen: Tensor | None = None) -> Iterator[Tensor]:
        values = self._evaluate(parameters)
        for begin in range(0, len(values), ROWS_AT_ONCE):
            rows = torch.arange(begin, min(begin + ROWS_AT_ONCE, len(values)), device=values.device)
            seeds = torch.zeros(len(rows), len(values), dtype=values.dtype, device=values.device)
            seeds[rows - begin, rows] = 1
            block = self._pull_back(values, seeds, is_grads_batched=True, retain_graph=True)
            yield block if chosen is None else block[:, chosen]

    def products(self, parameters: Tensor) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
        values = self._evaluate(parameters)
        with torch.enable_grad():
            # The transposed product is linear in its argument, so its own derivative is the product itself.
            seed = torch.zeros_like(values, requires_grad=True)
            pulled = torch.autograd.grad(
                values, self._weights, seed, create_graph=True, allow_unused=True, materialize_grads=True
            )
            pulled = torch.cat([part.flatten() for part in pulled])

        def forward(vector: Tensor) -> Tensor:
            return torch.autograd.grad(pulled, seed, vector.to(pulled.dtype), retain_graph=True)[0].double()

        def transposed(vector: Tensor) -> Tensor:
            return self._pull_back(values, vector.to(values.dtype)[None], is_grads_batched=True, retain_graph=True)[
                0
            ].double()

        return forward, transposed

    def _evaluate(self, parameters: Tensor) -> Tensor:
        self.assign(parameters)
        with torch.enable_grad():  # residuals may contain derivatives
            return self._closure().flatten()

    def _pull_back(self, values: Tensor, seeds: Tensor, **options: bool) -> Tensor:
        columns = torch.autograd.grad(
            values, self._weights, seeds, allow_unused=True, materialize_grads=True, **options
        )
        return torch.cat([column.flatten(1) for column in columns], 1)
