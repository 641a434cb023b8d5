r"""Bellman's equation on a graph as a layer: the values of the best decisions, and their derivatives.

.. math:: x_i = \max_{e = (j \to i)} \; r_e + d_e x_j, \qquad 0 \le d_e < 1.

The right-hand side is a contraction with factor :math:`\max d_e` in the maximum norm: the fixed point exists, is
unique, and depends continuously on rewards and discounts. A node that no edge enters has the value zero. Policy
iteration finds the fixed point in a few rounds. At the edges that attain the maxima the equation is linear with one
entry per row, and its derivatives there are those of the fixed point wherever each maximum is attained by one edge
(Danskin's theorem).

References
----------
Howard, *Dynamic Programming and Markov Processes*, 1960. Danskin, *The Theory of Max-Min*, 1967. As a head of a
convergent graph solver it is ours; those of Park, Choo and Park, ICLR 2022, are linear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sciml.checks import shape
from sciml.errors import DivergenceError, InputError
from sciml.mesh.graph import check_edge_index
from sciml.numerics.implicit import Given, root

ROUNDING = 64 * torch.finfo(torch.float64).eps  # relative to the largest value; no smaller gain is an improvement
MOST_ROUNDS = 1000  # of policy iteration, which takes about ten on random graphs


@dataclass(frozen=True)
class BellmanReport:
    """A report on the solution of Bellman's equation.

    Attributes
    ----------
    rounds : policies that were evaluated
    residual : largest violation of the equation
    error_bound : a bound on the errors of the values, ``residual / (1 - largest discount)``
    """

    rounds: int
    residual: float
    error_bound: float


@dataclass(frozen=True)
class Choice:
    """One edge for each node and head: the linear equations x = r + d x[source], solved by doubling of pointers.

    The powers of the matrix on the right-hand side have one entry per row, too, and (I - M)^-1 is the product of all
    I + M^(2^k).

    Attributes
    ----------
    edge : (N, H) its number, 0 at nodes that no edge enters
    acts : (N, 1) whether an edge enters the node
    source : (N, H) of the edge
    discount : (N, H) of the edge, 0 at nodes that no edge enters
    """

    edge: Tensor
    acts: Tensor
    source: Tensor
    discount: Tensor

    def of(self, edge_values: Tensor) -> Tensor:
        """Return the values (N, H) of the chosen edges, from those (E, H) of all edges; 0 where no edge enters."""
        return torch.where(self.acts, edge_values.gather(0, self.edge), 0.0)

    def solve(self, right: Tensor) -> Tensor:
        """Return x of x - d x[source] = right, (N, H)."""
        for source, factor in self._powers():
            right = right + factor * right.gather(0, source)
        return right

    def solve_transposed(self, right: Tensor) -> Tensor:
        """Return the solution of the transposed equations, (N, H)."""
        for source, factor in self._powers():
            right = right.scatter_add(0, source, factor * right)
        return right

    def _powers(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the first, second, fourth, ... power of the matrix, until it underflows."""
        source, factor = self.source, self.discount
        while factor.numel() and float(factor.max()) > 0.0:
            yield source, factor
            factor, source = factor * factor.gather(0, source), source.gather(0, source)


class Decisions:
    """The edges of a graph, ready for maxima over those that enter each node.

    Parameters
    ----------
    edge_index : (2, E) sources and destinations; parallel edges and loops are taken
    nodes : N

    Raises
    ------
    InputError
        If an edge leads out of the nodes.
    """

    def __init__(self, edge_index: Tensor, nodes: int) -> None:
        check_edge_index(edge_index, nodes)
        self.source, self.destination = edge_index
        self.nodes = nodes
        self.acts = torch.zeros(nodes, 1, dtype=torch.bool, device=edge_index.device)
        self.acts[self.destination] = True

    def maxima(self, edge_values: Tensor) -> Tensor:
        """Return the largest of the values (E, H) of the edges that enter each node, (N, H); 0 where none does."""
        where = self.destination[:, None].expand_as(edge_values)
        start = edge_values.new_zeros(self.nodes, edge_values.shape[1])
        return start.scatter_reduce(0, where, edge_values, "amax", include_self=False)

    def update(self, values: Tensor, rewards: Tensor, discounts: Tensor) -> Tensor:
        """Return the right-hand side of Bellman's equation, (N, H): one step of value iteration."""
        return self.maxima(rewards + discounts * values[self.source])

    def best(self, edge_values: Tensor) -> Tensor:
        """Return the first edge that attains each maximum, (N, H); 0 where no edge enters."""
        attains = edge_values == self.maxima(edge_values)[self.destination]
        number = torch.arange(len(edge_values), device=edge_values.device)[:, None].expand_as(edge_values)
        where = self.destination[:, None].expand_as(edge_values)
        start = number.new_zeros(self.nodes, edge_values.shape[1])
        return start.scatter_reduce(0, where, number.where(attains, len(edge_values)), "amin", include_self=False)

    def choice(self, edge: Tensor, discounts: Tensor) -> Choice:
        """Return the linear equations of one edge for each node and head."""
        discount = torch.where(self.acts, discounts.gather(0, edge), 0.0)
        return Choice(edge, self.acts, self.source[edge], discount)


def bellman_values(edge_index: Tensor, rewards: Tensor, discounts: Tensor, nodes: int) -> tuple[Tensor, BellmanReport]:
    """Return the fixed point of Bellman's equation for each head, differentiable in rewards and discounts.

    Parameters
    ----------
    edge_index : (2, E) sources and destinations: the value of the source reaches the destination
    rewards : (E, H)
    discounts : (E, H), or (H,) for all edges alike; at least 0 and less than 1
    nodes : N

    Returns
    -------
    (N, H) in the type of the rewards, solved in float64; and the report

    Raises
    ------
    InputError
        If a discount is not in [0, 1), or a reward is not finite.
    DivergenceError
        If rounding decides between policies, as with a discount of almost 1.
    """
    shape("the rewards", rewards, (edge_index.shape[1], "heads"))
    if not len(rewards):
        return rewards.new_zeros(nodes, rewards.shape[1]), BellmanReport(0, 0.0, 0.0)
    exact_rewards, exact_discounts = rewards.double(), discounts.double().expand_as(rewards)
    _check(exact_rewards, exact_discounts)
    decisions = Decisions(edge_index, nodes)
    with torch.no_grad():
        values, choice, report = _policy_iteration(decisions, exact_rewards, exact_discounts)
    values, _ = root(
        lambda x, r, d: x - choice.of(r + d * x[decisions.source]),
        lambda *_: values,
        exact_rewards,
        exact_discounts,
        adjoint=Given(choice.solve, choice.solve_transposed),
    )
    return values.to(rewards.dtype), report


def _check(rewards: Tensor, discounts: Tensor) -> None:
    if not bool(torch.isfinite(rewards).all()):
        raise DivergenceError("a reward is not finite; take a smaller learning rate.")
    if not bool(((discounts >= 0.0) & (discounts < 1.0)).all()):
        wrong = discounts[~((discounts >= 0.0) & (discounts < 1.0))][0]
        raise InputError(f"a discount is {float(wrong)}, expected at least 0 and less than 1 for a contraction.")


def _policy_iteration(decisions: Decisions, rewards: Tensor, discounts: Tensor) -> tuple[Tensor, Choice, BellmanReport]:
    """Return the fixed point, the edges that attain the maxima, and the report."""
    edge = decisions.best(rewards)
    for rounds in range(1, MOST_ROUNDS + 1):
        choice = decisions.choice(edge, discounts)
        values = choice.solve(choice.of(rewards))
        edge_values = rewards + discounts * values[decisions.source]
        gain = decisions.maxima(edge_values) - values
        improves = gain > ROUNDING * edge_values.abs().max()
        if not bool(improves.any()):
            residual = float(gain.abs().max())
            return values, choice, BellmanReport(rounds, residual, residual / (1.0 - float(discounts.max())))
        edge = torch.where(improves, decisions.best(edge_values), edge)
    raise DivergenceError(
        f"policy iteration found no fixed point in {MOST_ROUNDS} rounds at discounts up to {float(discounts.max())}; "
        "rounding decides between policies."
    )
