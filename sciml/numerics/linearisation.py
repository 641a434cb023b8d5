"""Residuals as functions of a vector of parameters, and their Jacobians: dense in chunks, or as products.

A :class:`Residuals` is one group; a :class:`ResidualSystem` stacks groups so that the sum of squares of all its rows is
``sum over groups of weight * mean over points of |residual|^2``, the loss of a collocation method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.func import jacrev, jvp, vjp, vmap

from sciml.checks import positive
from sciml.errors import InputError

CHUNK_BYTES = 1 << 26  # of the Jacobian made at once; the batched backward pass holds a few times as much
POINTS_AT_ONCE = 1 << 16  # at which pointwise residuals are evaluated or multiplied


@dataclass(frozen=True)
class Residuals:
    """A named group of residuals ``function(parameters, *data)`` with its data and weight.

    Parameters
    ----------
    name : for reports and errors
    function : of the vector of parameters ``(p,)`` and the data; returns ``(n,)`` or ``(n, m)``
    data : tensors of ``n`` rows each: points, targets
    weight : of the mean square of the group in the loss, greater than 0
    pointwise : whether row ``i`` of the result depends on row ``i`` of the data alone, which makes Jacobians cheap
    """

    name: str
    function: Callable[..., Tensor]
    data: tuple[Tensor, ...] = ()
    weight: float = 1.0
    pointwise: bool = True

    def __post_init__(self) -> None:
        positive(f"the weight of the residuals {self.name!r}", self.weight)
        lengths = {len(tensor) for tensor in self.data}
        if self.pointwise and (len(lengths) != 1 or 0 in lengths):
            raise InputError(
                f"the data of the residuals {self.name!r} have {sorted(lengths) or 'no'} rows, expected the same "
                "number for all, at least one."
            )

    def __call__(self, parameters: Tensor) -> Tensor:
        """Evaluate the group, ``(n, m)``."""
        values = [_as_rows(self.function(parameters, *piece)) for piece in self.pieces]
        return torch.cat(values) if len(values) > 1 else values[0]

    @property
    def pieces(self) -> list[tuple[Tensor, ...]]:
        """The data in parts that bound the memory of an evaluation without a graph; whole where rows are coupled."""
        if not self.pointwise:
            return [self.data]
        return list(zip(*(tensor.split(POINTS_AT_ONCE) for tensor in self.data), strict=True))

    def loss(self, parameters: Tensor) -> Tensor:
        """Return the weighted mean over the points of the squared norm of the residual, a scalar with a graph."""
        values = self(parameters)
        return self.weight * values.square().sum() / len(values)


class System(Protocol):
    """The interface of residuals that the least-squares methods use."""

    columns: int

    @property
    def rows(self) -> int:
        """The number of scalar residuals."""

    def residual(self, parameters: Tensor) -> Tensor:
        """Return all residuals, ``(rows,)``, without a graph."""

    def jacobian_chunks(self, parameters: Tensor, chosen: Tensor | None = None) -> Iterator[Tensor]:
        """Yield row blocks of the Jacobian, in order, restricted to the ``chosen`` columns if given."""

    def products(self, parameters: Tensor) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
        """Return the products with the Jacobian and with its transpose."""


class ResidualSystem:
    """A system of groups of residuals, stacked and scaled.

    Parameters
    ----------
    groups : at least one, with names that differ
    columns : length ``p`` of the vector of parameters
    """

    def __init__(self, groups: Sequence[Residuals], columns: int) -> None:
        if not groups:
            raise InputError("there are no residuals, expected at least one group.")
        names = [group.name for group in groups]
        if len(set(names)) < len(names):
            raise InputError(f"the groups of residuals are called {', '.join(names)}; give each its own name.")
        self.groups, self.columns = tuple(groups), columns
        self._sizes: list[tuple[int, int]] = []

    @property
    def rows(self) -> int:
        """The number of scalar residuals; 0 before the first evaluation."""
        return sum(n * m for n, m in self._sizes)

    def residual(self, parameters: Tensor) -> Tensor:
        """Return all residuals, stacked and scaled, ``(rows,)``."""
        with torch.no_grad():
            values = [group(parameters) for group in self.groups]
        self._sizes = [tuple(value.shape) for value in values]
        scaled = [
            self._scale(group, len(value)) * value.flatten() for group, value in zip(self.groups, values, strict=True)
        ]
        return torch.cat(scaled)

    def jacobian_chunks(self, parameters: Tensor, chosen: Tensor | None = None) -> Iterator[Tensor]:
        """Yield row blocks of the Jacobian, group by group."""
        if not self._sizes:
            self.residual(parameters)
        for group, (n, m) in zip(self.groups, self._sizes, strict=True):
            bytes_per_row = self.columns * parameters.element_size()
            if group.pointwise:
                blocks = _pointwise(group, parameters, max(1, CHUNK_BYTES // (m * bytes_per_row)))
            else:
                blocks = _coupled(group, parameters, max(1, CHUNK_BYTES // bytes_per_row))
            scale = self._scale(group, n)
            for block in blocks:
                yield scale * (block if chosen is None else block[:, chosen])

    def products(self, parameters: Tensor) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
        """Return the products with the Jacobian, by forward mode, and with its transpose, by reverse mode."""

        parts = [
            (lambda vector, group=group, piece=piece: _as_rows(group.function(vector, *piece)).flatten(), scale)
            for group, scale in zip(self.groups, self._scales(parameters), strict=True)
            for piece in group.pieces
        ]

        def forward(vector: Tensor) -> Tensor:
            vector = vector.to(parameters.dtype)
            return torch.cat([scale * jvp(part, (parameters,), (vector,))[1] for part, scale in parts]).double()

        kept = [vjp(part, parameters) for part, _ in parts] if len(parts) == len(self.groups) else None

        def backward(vector: Tensor) -> Tensor:
            vector, begin, total = vector.to(parameters.dtype), 0, torch.zeros_like(parameters)
            for number, (part, scale) in enumerate(parts):  # many parts: one graph at a time
                values, transposed = kept[number] if kept else vjp(part, parameters)
                total = total + scale * transposed(vector[begin : begin + len(values)])[0]
                begin += len(values)
            return total.double()

        return forward, backward

    def _scales(self, parameters: Tensor) -> list[float]:
        if not self._sizes:
            self.residual(parameters)
        return [self._scale(group, n) for group, (n, _) in zip(self.groups, self._sizes, strict=True)]

    def losses(self, parameters: Tensor) -> dict[str, float]:
        """Return the weighted mean square of each group by name."""
        with torch.no_grad():
            return {group.name: float(group.loss(parameters)) for group in self.groups}

    @staticmethod
    def _scale(group: Residuals, points: int) -> float:
        return (group.weight / points) ** 0.5


def _as_rows(values: Tensor) -> Tensor:
    """Return residuals as an array ``(n, m)``."""
    return values.reshape(len(values), -1) if values.ndim else values.reshape(1, 1)


def _pointwise(group: Residuals, parameters: Tensor, at_once: int) -> Iterator[Tensor]:
    def at_a_point(vector: Tensor, *data: Tensor) -> Tensor:
        return group.function(vector, *(tensor[None] for tensor in data)).reshape(-1)

    rows = vmap(jacrev(at_a_point), in_dims=(None, *(0 for _ in group.data)))
    for pieces in zip(*(tensor.split(at_once) for tensor in group.data), strict=True):
        block = rows(parameters, *pieces).detach()
        yield block.reshape(-1, block.shape[-1])


def _coupled(group: Residuals, parameters: Tensor, at_once: int) -> Iterator[Tensor]:
    values, pull = vjp(lambda vector: group(vector).flatten(), parameters)
    for begin in range(0, len(values), at_once):
        rows = torch.arange(begin, min(begin + at_once, len(values)), device=values.device)
        seeds = torch.zeros(len(rows), len(values), dtype=values.dtype, device=values.device)
        seeds[rows - begin, rows] = 1
        yield vmap(pull)(seeds)[0].detach()
