"""Conversion of the parameters of a module into one vector, and of the module into a function of that vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sciml.checks import shape
from sciml.errors import InputError


class FlatModule:
    """A module as a pure function of the vector of its parameters, for ``torch.func`` and least squares.

    Parameters
    ----------
    module : its parameters make the vector, in their order; frozen ones too

    Examples
    --------
    >>> flat = FlatModule(nn.Linear(2, 1))
    >>> vector = torch.tensor([1.0, 2.0, 3.0])
    >>> flat(vector, torch.tensor([[1.0, 1.0]]))
    tensor([[6.]])
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._shapes = [(name, weight.shape, weight.numel()) for name, weight in module.named_parameters()]
        self.count = sum(count for _, _, count in self._shapes)
        if not self.count:
            raise InputError(f"{type(module).__name__} has no parameters, expected a network with some.")

    def vector(self) -> Tensor:
        """Return a copy of the module's parameters, ``(count,)``."""
        return torch.cat([weight.detach().flatten() for weight in self.module.parameters()])

    @torch.no_grad()
    def assign(self, vector: Tensor) -> None:
        """Write a vector into the module's parameters."""
        for weight, piece in zip(self.module.parameters(), self.views(vector).values(), strict=True):
            weight.copy_(piece)

    def views(self, vector: Tensor) -> dict[str, Tensor]:
        """Return the pieces of a vector by the names of the module's parameters."""
        shape("the vector of parameters", vector, (self.count,))
        pieces = vector.split([count for _, _, count in self._shapes])
        return {name: piece.view(size) for (name, size, _), piece in zip(self._shapes, pieces, strict=True)}

    def __call__(self, vector: Tensor, *arguments: Any, **named: Any) -> Any:
        """Call the module with the parameters of a vector."""
        return functional_call(self.module, self.views(vector), arguments, named)

    def at(self, vector: Tensor) -> Callable[..., Any]:
        """Return the module as a function with fixed parameters."""
        return lambda *arguments, **named: self(vector, *arguments, **named)
