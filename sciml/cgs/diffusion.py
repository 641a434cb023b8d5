r"""Positive weights on the edges of a triangulation in place of those of finite elements, learned from solutions.

The weights of finite elements (:mod:`sciml.reference.diffusion_finite_elements`) are exact for linear functions and of
second order, but negative at edges with obtuse opposite angles; then the discrete solution may leave the range of its
boundary values. :class:`PositiveEdgeWeights` gives every edge

.. math::
    w_{ij} = \frac{\sum_K k_K |K|}{|x_i - x_j|^2} \bigl(\sigma(t_{ij}) + \epsilon\bigr) e^{c \tanh(N(\psi_{ij}) / c)},

where t is the weight of finite elements over the first factor, sigma(t) a smooth positive part of it, and N a network
of the shapes of the cells at the edge. The system is then an M-matrix whatever N is: its solution is unique, obeys the
maximum principle where there is no source, and conserves, untrained as well as trained. On obtuse meshes no positive
weights on their edges are consistent with the equation in general, so that errors do not vanish under refinement:
choose them where the maximum principle matters more than the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from sciml.checks import positive, whole_number
from sciml.linalg.graph_laplacian import GraphLaplacian
from sciml.nets.message_passing import perceptron
from sciml.numerics.random import seeded
from sciml.reference.diffusion_finite_elements import DiffusionProblem

SHARPNESS = 8.0  # of the smooth positive part
FLOOR = 1e-3  # of it
FEATURES = 6


class PositiveEdgeWeights(nn.Module):
    """A network that gives each edge of a mesh of triangles or tetrahedra a positive weight.

    Untrained it gives the positive parts of the weights of finite elements.

    Parameters
    ----------
    hidden : units of its hidden layers
    bound : c, by which the logarithm of a weight may differ from the untrained one at most
    seed : of its parameters
    """

    def __init__(self, hidden: Sequence[int] = (32, 32), bound: float = 4.0, seed: int = 0) -> None:
        super().__init__()
        self.bound = positive("bound", bound)
        with seeded(seed):
            self.network = perceptron((FEATURES, *hidden, 1), "silu").double()
        for weight in self.network[-1].parameters():
            nn.init.zeros_(weight)

    def forward(self, shapes: EdgeShapes) -> Tensor:
        """Return the weights of the edges, ``(edges,)``, all positive."""
        correction = self.bound * torch.tanh(self.network(shapes.features)[:, 0] / self.bound)
        return torch.exp(shapes.log_untrained + correction)


@dataclass(frozen=True, eq=False)
class EdgeShapes:
    """The features of the edges of a problem, as a network sees them.

    Attributes
    ----------
    log_untrained : ``(edges,)`` logarithm of the weight without a correction
    features : ``(edges, 6)`` without units: the weight of finite elements over its scale, the smallest and the largest
        of the parts that single cells add to it, the smallest and the largest such weight at the other edges of these
        cells (all by asinh), and whether the edge is on the boundary
    """

    log_untrained: Tensor
    features: Tensor

    @classmethod
    def of(cls, problem: DiffusionProblem) -> EdgeShapes:
        """Return the shapes of the edges of a problem."""
        numbers, points = problem.edge_numbers, problem.mesh.points
        squared = ((points[problem.edges[:, 0]] - points[problem.edges[:, 1]]) ** 2).sum(axis=1)
        inside = (problem.conductivity * problem.geometry[0])[:, None]
        scale = problem.gathered(np.broadcast_to(inside, numbers.shape)) / squared
        relative = problem.weights / scale
        parts = problem.contributions * squared[numbers] / inside
        others = np.stack([np.delete(relative[numbers], k, axis=1) for k in range(numbers.shape[1])], axis=1)
        columns = [
            relative,
            *_extremes(numbers, parts, parts, len(relative)),
            *_extremes(numbers, others.min(axis=2), others.max(axis=2), len(relative)),
        ]
        cells_at = np.bincount(numbers.ravel(), minlength=len(relative))
        features = np.stack([*map(np.arcsinh, columns), cells_at == 1], axis=1)
        part = np.logaddexp(0.0, SHARPNESS * relative) / SHARPNESS + FLOOR
        return cls(torch.from_numpy(np.log(scale * part)), torch.from_numpy(features))


@dataclass(frozen=True, eq=False)
class TrainingExample:
    """A problem with the values that its solution should have at the points of the mesh, such as those of a finer mesh.

    Parameters
    ----------
    problem : with some points that are not held fixed
    target : ``(points,)``
    """

    problem: DiffusionProblem
    target: np.ndarray
    shapes: EdgeShapes = field(init=False)
    system: GraphLaplacian = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shapes", EdgeShapes.of(self.problem))
        object.__setattr__(self, "system", _system(self.problem))

    def loss(self, weights: PositiveEdgeWeights) -> Tensor:
        """Return the squared relative error at the points."""
        u = _solution(self.problem, self.system, weights(self.shapes))
        target = torch.from_numpy(np.asarray(self.target, float))
        return (u - target).square().sum() / target.square().sum()


def solve_positive(problem: DiffusionProblem, weights: PositiveEdgeWeights) -> np.ndarray:
    """Return u at the points of the mesh, ``(points,)``, with learned weights."""
    with torch.no_grad():
        return _solution(problem, _system(problem), weights(EdgeShapes.of(problem))).numpy()


def fit_weights(
    weights: PositiveEdgeWeights,
    examples: Sequence[TrainingExample],
    *,
    updates: int = 1000,
    batch: int = 8,
    learning_rate: float = 5e-3,
    seed: int = 0,
) -> list[float]:
    """Fit weights to solutions by Adam with a rate that falls to 0 as a cosine; return the loss of each update.

    Parameters
    ----------
    weights : changed in place
    examples : problems with their solutions
    updates, batch : number of updates, and of examples in each, drawn at random
    learning_rate, seed : of Adam, and of the draws
    """
    whole_number("updates", updates, at_least=1)
    draws, losses = np.random.default_rng(seed), []
    optimizer = torch.optim.Adam(weights.parameters(), positive("learning_rate", learning_rate))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    for _ in range(updates):
        chosen = draws.choice(len(examples), min(batch, len(examples)), replace=False)
        loss = torch.stack([examples[k].loss(weights) for k in chosen]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return losses


def _system(problem: DiffusionProblem) -> GraphLaplacian:
    return GraphLaplacian(problem.edges, problem.mesh.n_points, problem.pinned[0])


def _solution(problem: DiffusionProblem, system: GraphLaplacian, weights: Tensor) -> Tensor:
    values, load = torch.from_numpy(problem.pinned[1]), torch.from_numpy(problem.load)
    return system.solve(weights, values, source=load)[0]


def _extremes(numbers: np.ndarray, low: np.ndarray, high: np.ndarray, edges: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest of some values and the largest of others over the cells at each edge."""
    least, most = np.full(edges, np.inf), np.full(edges, -np.inf)
    np.minimum.at(least, numbers.ravel(), low.ravel())
    np.maximum.at(most, numbers.ravel(), high.ravel())
    return least, most
