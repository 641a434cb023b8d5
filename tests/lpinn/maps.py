"""Exact maps and states as the motions that residuals are made of, and small networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sciml.lpinn import Characteristics, Frame, TransportProblem
from sciml.lpinn.frames import LabelMotion, label_directions
from sciml.nets import FourierNetwork, TanhNetwork
from sciml.numerics.derivatives import Jet, jet_of
from sciml.numerics.flat import FlatModule
from sciml.numerics.random import generator, seeded

Map = Callable[[Tensor, Tensor], Tensor]


def directions(dim: int, order: int) -> Tensor:
    """Those of a motion: of labels, then time."""
    rows = label_directions(dim, order)
    rows = torch.cat([rows, rows.new_zeros(len(rows), 1)], 1)
    return torch.cat([rows, torch.eye(dim + 1, dtype=rows.dtype)[-1:]])


def motion_of(position: Map, state: Map, points: Tensor, order: int = 2) -> LabelMotion:
    """Exact ``X(label, t)`` and ``u(x, t)``, of labels ``(n, dim)`` and times ``(n, 1)``, at points of both."""
    dim = points.shape[1] - 1
    along = directions(dim, order)

    def carried(at: Tensor) -> Tensor:
        return state(position(at[:, :dim], at[:, dim:]), at[:, dim:])

    moved = jet_of(lambda at: position(at[:, :dim], at[:, dim:]), points, order, along)
    return LabelMotion(moved, jet_of(carried, points, order, along), points[:, dim:])


def differences(function: Callable[[np.ndarray], np.ndarray], points: Tensor, step: float = 2e-3) -> Jet:
    """First derivatives by label and time, by central differences of order 8, of what torch cannot differentiate."""
    at = points.numpy()
    rows = [function(at)]
    for axis in np.eye(points.shape[1]):
        weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
        moved = (w * (function(at + k * step * axis) - function(at - k * step * axis)) for k, w in weights.items())
        rows.append(sum(moved) / step)
    return Jet(torch.from_numpy(np.stack(rows)), 1)


def space_time(problem: TransportProblem, count: int = 50, seed: int = 0) -> Tensor:
    """Random labels of a problem with times after 0."""
    draws = generator(seed)
    labels = problem.labels.interior(count, draws, kind="uniform")
    return torch.cat([labels, problem.duration * (0.02 + 0.98 * torch.rand(count, 1, generator=draws).double())], 1)


def network(problem: TransportProblem, outputs: int, width: int = 6, layers: int = 2, seed: int = 0) -> FlatModule:
    """A random network of label and scaled time, periodic where the box is."""
    box, dim = problem.labels, problem.domain.dim
    corners = [[*box.lower, 0.0], [*box.upper, 1.0]]
    with seeded(seed):
        if not any(box.periodic):
            return FlatModule(TanhNetwork(dim + 1, outputs, width, layers, corners).double())
        flags = [*box.periodic, False]
        return FlatModule(FourierNetwork(dim + 1, outputs, width, layers, corners, 2, periodic=flags).double())


def characteristics(
    problem: TransportProblem, frame: Frame, outputs: int, slabs: int = 1, width: int = 6, seed: int = 0
) -> Characteristics:
    """With a random network."""
    return Characteristics(problem, frame, network(problem, outputs, width, seed=seed), slabs)


def random_weights(made: Characteristics, scale: float = 1.0, seed: int = 7) -> Tensor:
    """Of all slabs, ``(slabs, p)``."""
    shape = (made.slabs, made.network.count)
    return scale * torch.randn(*shape, dtype=torch.float64, generator=generator(seed))
