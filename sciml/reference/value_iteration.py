r"""Optimal values of deterministic decisions on a graph, exactly, by policy iteration.

From state i one may go along any edge that enters it, against its direction, so that the values flow along the edges:

.. math:: v_i = \max_{e = (j \to i)} \; r_e + \gamma v_j, \qquad 0 \le \gamma < 1.

The right-hand side is a contraction with factor :math:`\gamma` in the maximum norm, so the values are unique. A state
that no edge enters is terminal, and its value is zero. A policy is one edge for each state. Its values follow from

.. math:: (I - \gamma P)^{-1} = \prod_k (I + (\gamma P)^{2^k}),

where each row of P, and of all its powers, has one entry: a few doublings of pointers instead of a linear solve.

>>> graph = DecisionGraph(2, [[0, 1, 1], [1, 0, 1]], [1.0, 0.0, 2.0], discount=0.5)  # 1 stays where it is, for 2
>>> graph.optimum().values
array([2., 4.])

References
----------
Bellman, *Dynamic Programming*, 1957; Howard, *Dynamic Programming and Markov Processes*, 1960. Puterman, *Markov
Decision Processes*, 1994, section 6.4, for policy iteration. The random graphs are those of Park, Choo and Park,
"Convergent graph solvers", ICLR 2022, with in-neighbours that differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sciml.checks import number, real_array, whole_array, whole_number
from sciml.errors import DivergenceError, InputError

ROUNDING = 64 * np.finfo(np.float64).eps  # of values, relative to the largest; no smaller gain is an improvement
MOST_ROUNDS = 1000  # of policy iteration, which takes about ten on random graphs


@dataclass(frozen=True, eq=False)
class Optimum:
    """Optimal values of a decision graph.

    Attributes
    ----------
    values : (n,) v
    policy : (n,) the edge that attains each maximum, -1 at terminal states
    rounds : policies that were evaluated
    residual : largest violation of Bellman's equation; the error of the values is at most ``residual / (1 - discount)``
    """

    values: np.ndarray
    policy: np.ndarray
    rounds: int
    residual: float


@dataclass(frozen=True, eq=False)
class DecisionGraph:
    r"""States, edges with rewards, and a discount; a disjoint union of several graphs is one, too.

    Parameters
    ----------
    states : n
    edges : (2, m) row 0 has the state whose value an edge carries, row 1 the state that may choose it
    rewards : (m,) r
    discount : :math:`\gamma`, at least 0 and less than 1
    """

    states: int
    edges: np.ndarray
    rewards: np.ndarray
    discount: float = 0.9

    def __post_init__(self) -> None:
        states = whole_number("the number of states", self.states, at_least=1)
        edges = whole_array("the edges", self.edges, shape=(2, "number of edges"), at_least=0, below=states)
        rewards = real_array("the rewards", self.rewards, shape=(edges.shape[1],))
        discount = number("the discount", self.discount, at_least=0, below=1)
        for name, value in (("states", states), ("edges", edges), ("rewards", rewards), ("discount", discount)):
            object.__setattr__(self, name, value)

    @cached_property
    def _by_state(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The edges in the order of the states that choose them, where each state's begin, and the states with any."""
        order = np.argsort(self.edges[1], kind="stable")
        chosen_by, begins = np.unique(self.edges[1][order], return_index=True)
        return order, begins, chosen_by

    def edge_values(self, values: np.ndarray) -> np.ndarray:
        """Return ``r + discount * v`` of each edge, (m,), from values of the states, (n,)."""
        return self.rewards + self.discount * values[self.edges[0]]

    def best(self, edge_values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the largest edge value of each state and the first edge that has it, 0 and -1 at terminal states.

        Parameters
        ----------
        edge_values : (m,) see :meth:`edge_values`
        """
        order, begins, chosen_by = self._by_state
        values, policy = np.zeros(self.states), np.full(self.states, -1)
        if len(order):
            sorted_values = edge_values[order]
            values[chosen_by] = np.maximum.reduceat(sorted_values, begins)
            places = np.where(sorted_values == values[self.edges[1][order]], np.arange(len(order)), len(order))
            policy[chosen_by] = order[np.minimum.reduceat(places, begins)]
        return values, policy

    def greedy_policy(self, values: np.ndarray) -> np.ndarray:
        """Return the policy that is best under given values of the states, (n,)."""
        return self.best(self.edge_values(values))[1]

    def residual(self, values: np.ndarray) -> float:
        """Return the largest violation of Bellman's equation by values of the states, (n,)."""
        return float(np.abs(self.best(self.edge_values(values))[0] - values).max())

    def policy_values(self, policy: np.ndarray) -> np.ndarray:
        """Return the values of a policy, (n,), by doubling.

        Parameters
        ----------
        policy : (n,) an edge that enters the state, or -1 for the value zero
        """
        acts = policy >= 0
        edge = np.where(acts, policy, 0)
        values = np.where(acts, self.rewards[edge], 0.0) if len(self.rewards) else np.zeros(self.states)
        target = np.where(acts, self.edges[0][edge], 0) if len(self.rewards) else np.zeros(self.states, int)
        factor = np.where(acts, self.discount, 0.0)
        while factor.any():  # a factor is squared in each round, until it underflows
            values = values + factor * values[target]
            factor, target = factor * factor[target], target[target]
        return values

    def optimum(self) -> Optimum:
        """Return the optimal values and policy, to rounding.

        Raises
        ------
        DivergenceError
            If the discount is so near to 1 that rounding decides between policies.
        """
        policy = self.best(self.rewards)[1]
        for rounds in range(1, MOST_ROUNDS + 1):
            values = self.policy_values(policy)
            edge_values = self.edge_values(values)
            best, better = self.best(edge_values)
            improves = best - values > ROUNDING * np.abs(edge_values).max(initial=0.0)
            if not improves.any():
                return Optimum(values, policy, rounds, float(np.abs(best - values).max()))
            policy = np.where(improves, better, policy)
        raise DivergenceError(
            f"policy iteration found no optimum in {MOST_ROUNDS} rounds at a discount of {self.discount}; "
            "take a smaller one."
        )

    def policy_accuracy(self, predicted: np.ndarray, exact: np.ndarray) -> float:
        """Return the share of states, terminal ones left out, that choose the same edge under both kinds of values.

        Parameters
        ----------
        predicted, exact : (n,)
        """
        chosen, right = self.greedy_policy(predicted), self.greedy_policy(exact)
        acts = right >= 0
        return float((chosen == right)[acts].mean()) if acts.any() else 1.0


def join(graphs: Sequence[DecisionGraph]) -> DecisionGraph:
    """Return the disjoint union of graphs of one discount, whose optimum is found in one go."""
    if not graphs or len({graph.discount for graph in graphs}) > 1:
        found = sorted({graph.discount for graph in graphs})
        raise InputError(f"the discounts of the graphs to join are {found}, expected one and the same.")
    starts = np.cumsum([0, *(graph.states for graph in graphs)])
    edges = np.concatenate([graph.edges + start for graph, start in zip(graphs, starts[:-1], strict=True)], axis=1)
    rewards = np.concatenate([graph.rewards for graph in graphs])
    return DecisionGraph(int(starts[-1]), edges, rewards, graphs[0].discount)


def random_decision_graph(
    states: int, actions: int, random: np.random.Generator, discount: float = 0.9
) -> DecisionGraph:
    """Return a graph whose states choose among edges from random other states, with rewards uniform from -1 to 1.

    The in-neighbours of a state are a uniformly random set of other states, without replacement. The published code
    draws them with replacement, so that some states have fewer choices than it says.

    Parameters
    ----------
    states : n, more than ``actions``
    actions : edges that enter each state
    random : draws neighbours and rewards
    discount : at least 0 and less than 1
    """
    whole_number("the number of actions", actions, at_least=1)
    whole_number(
        "the number of states", states, at_least=actions + 1, remedy="a state has so many others as neighbours"
    )
    # Floyd's sampling of sets, for all states together (Bentley and Floyd, CACM 30, 1987)
    others = np.empty((states, actions), np.int64)
    for taken in range(actions):
        last = states - 1 - actions + taken
        drawn = random.integers(0, last + 1, states)
        known = (others[:, :taken] == drawn[:, None]).any(1)
        others[:, taken] = np.where(known, last, drawn)
    state = np.arange(states)[:, None]
    sources = others + (others >= state)  # the numbers of the others leave out the state itself
    edges = np.stack([sources.ravel(), np.repeat(state, actions)])
    return DecisionGraph(states, edges, random.uniform(-1.0, 1.0, states * actions), discount)
