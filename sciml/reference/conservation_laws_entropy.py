r"""Entropy solutions of du/dt + df(u)/dx = 0 on a periodic domain for convex f, exact to rounding, through shocks.

The characteristic of label \xi is X(\xi, t) = \xi + t f'(u_0(\xi)), and u = u_0(\xi) along it. Where several of them
cross, the solution belongs to the one of least action (Hopf, Lax, Oleinik): with U the antiderivative of u_0,

    u(x, t) = u_0(\xi),    \xi = argmin \{ A(\xi) : X(\xi, t) = x \},    A(\xi) = U + t (u f'(u) - f(u)) at u_0(\xi).

The least action V(x, t) solves V_t + f(V_x) = 0 with u = V_x, so that its differences are exact averages over cells.
Minima of the action lie where X increases with \xi: labels are cut into these branches, and in each of them one
equation of one unknown, with a bracket, is solved. The search does not need to know that X is exact, so it also reads
out characteristics that were computed in another way (:func:`least_action_labels`).

References: Lax, Comm. Pure Appl. Math. 10 (1957) 537-566, Theorem 2.1; Evans, Partial Differential Equations, 2nd ed.,
2010, section 3.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from sciml.checks import number
from sciml.errors import InputError
from sciml.reference.trigonometric_series import TrigonometricSeries

Function = Callable[[np.ndarray], np.ndarray]
NODES = 4096  # per period, where folds of the characteristics and shocks are looked for


@dataclass(frozen=True)
class Flux:
    """A flux f(u) with its derivatives; each maps an array to an array.

    Parameters
    ----------
    value, slope, curvature : f, f' and f''
    """

    value: Function
    slope: Function
    curvature: Function


BURGERS = Flux(lambda u: 0.5 * u**2, lambda u: 1.0 * u, lambda u: 1.0 + 0.0 * u)


class Shocks(NamedTuple):
    """The shocks of a solution: positions and the states on both sides.

    Parameters
    ----------
    positions : (n,) rising, in [0, L)
    left, right : (n,) states u on both sides; left > right
    """

    positions: np.ndarray
    left: np.ndarray
    right: np.ndarray


class Labels(NamedTuple):
    """The labels of least action at some points.

    Parameters
    ----------
    labels : (n,) not wrapped: X(labels) is the point itself, not its image in the first period
    actions : (n,) their action
    branches : (n,) which branch of increasing X they lie on, counted on over all periods
    """

    labels: np.ndarray
    actions: np.ndarray
    branches: np.ndarray


class Characteristics:
    r"""A map X from labels to positions, of which several labels may share a position.

    Parameters
    ----------
    position : X(\xi), maps (n,) to (n,), with X(\xi + L) = X(\xi) + L
    stretch : dX/d\xi, of period L
    action : A(\xi) with dA/d\xi = u dX/d\xi, where u is the state on the characteristic
    period : L
    nodes : per period, between which folds of X are looked for

    Attributes
    ----------
    folds : labels in one period at which X turns round; none before the first crossing
    pieces : labels and positions along each branch of increasing X
    """

    def __init__(
        self, position: Function, stretch: Function, action: Function, period: float, nodes: int = NODES
    ) -> None:
        self.position, self.stretch, self.action, self.period = position, stretch, action, period
        self.folds, self.pieces = self._folds_and_pieces(nodes)

    def _folds_and_pieces(self, nodes: int) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
        """Return the labels at which X turns round, and labels and positions along each branch of increasing X."""
        labels = self.period * np.arange(nodes + 1) / nodes
        stretch = self.stretch(labels)
        changes = np.flatnonzero((stretch[:-1] > 0.0) != (stretch[1:] > 0.0))
        folds = np.array([brentq(self._stretch, labels[i], labels[i + 1], xtol=1e-15) for i in changes])
        if not len(folds):
            return folds, [(labels, self.position(labels))]
        ends = np.append(folds, folds[0] + self.period)
        pieces = []
        for start, end in pairwise(ends):
            if self._stretch(0.5 * (start + end)) > 0.0:
                inside = np.linspace(start, end, max(8, int(nodes * (end - start) / self.period)))
                pieces.append((inside, self.position(inside)))
        return folds, pieces

    def _stretch(self, label: float) -> float:
        return float(self.stretch(np.array([label]))[0])

    def on_branch(self, piece: int, points: np.ndarray) -> np.ndarray:
        """Return the label with X(label) = point on a branch; points (n,) beyond its ends give the label of that end.

        Newton's method, which halves the bracket where it would leave it or come no closer.
        """
        labels, positions = self.pieces[piece]
        place = np.clip(np.searchsorted(positions, points) - 1, 0, len(labels) - 2)
        low, high = labels[place], labels[place + 1]
        below, above = positions[place], positions[place + 1]
        guess = low + (high - low) * np.clip((points - below) / np.maximum(above - below, 1e-300), 0.0, 1.0)
        for _ in range(80):
            miss = self.position(guess) - points
            low, high = np.where(miss < 0.0, guess, low), np.where(miss > 0.0, guess, high)
            stretch = self.stretch(guess)
            newton = guess - miss / np.where(stretch > 0.0, stretch, 1.0)
            trusted = (stretch > 0.0) & (newton >= low) & (newton <= high)
            following = np.where(miss == 0.0, guess, np.where(trusted, newton, 0.5 * (low + high)))
            moved = np.abs(following - guess).max(initial=0.0)
            guess = following
            if moved <= 4e-16 * self.period:
                break
        return guess

    def least(self, points: np.ndarray) -> Labels:
        """Return of all labels with X(label) = point the one of least action, for points (n,)."""
        home = np.floor(points / self.period).astype(np.int64)
        inside = points - home * self.period
        best = Labels(
            np.full(points.shape, np.nan), np.full(points.shape, np.inf), np.zeros(points.shape, dtype=np.int64)
        )
        # Labels of least action do not cross: those of the first period lie within one period behind that of x = 0.
        for piece, (labels, positions) in enumerate(self.pieces):
            first = int(np.ceil((self._anchor - labels[-1]) / self.period - 1e-9))
            last = int(np.floor((self._anchor - labels[0]) / self.period + 1.0 + 1e-9))
            rounding = 1e-15 * (self.period + abs(positions[0]) + abs(positions[-1]))
            for turn in range(first, last + 1):
                target = inside - turn * self.period
                there = (target >= positions[0] - rounding) & (target <= positions[-1] + rounding)
                found, actions = np.full(points.shape, np.nan), np.full(points.shape, np.inf)
                found[there] = self.on_branch(piece, target[there]) + (home[there] + turn) * self.period
                actions[there] = self.action(found[there])
                better = actions < best.actions
                number = (home + turn) * len(self.pieces) + piece
                best = Labels(*(np.where(better, a, b) for a, b in zip((found, actions, number), best, strict=True)))
        return best

    @cached_property
    def _anchor(self) -> float:
        """The label of least action of x = 0, among those of all turns."""
        candidates = []
        for piece, (_, positions) in enumerate(self.pieces):
            turns = np.arange(np.ceil(-positions[-1] / self.period), np.floor(-positions[0] / self.period) + 1.0)
            candidates.append(self.on_branch(piece, -turns * self.period) + turns * self.period)
        labels = np.concatenate(candidates)
        return float(labels[np.argmin(self.action(labels))])

    def jumps(self, nodes: int = NODES) -> list[tuple[float, float, float]]:
        """Return position and labels on the left and on the right of each jump of the label of least action."""
        if not len(self.folds):
            return []
        # shifted by part of a cell, because symmetric starts have their shocks exactly on nodes
        points = self.period * (np.arange(nodes + 1) + 0.38196601125) / nodes
        branches = self.least(points).branches
        waiting = [
            (points[i], points[i + 1], int(branches[i]), int(branches[i + 1]))
            for i in np.flatnonzero(np.diff(branches))
        ]
        found = []
        while waiting:
            start, end, left, right = waiting.pop()
            position = self._equal_action(start, end, left, right)
            between = self.least(np.array([position]))
            number, action = int(between.branches[0]), float(between.actions[0])
            ends = [self._follow(branch, position) for branch in (left, right)]
            scale = abs(action) + self.period
            if number not in (left, right) and action < self._action(ends[0]) - 1e-13 * scale:
                waiting += [(start, position, left, number), (position, end, number, right)]
            else:
                found.append((position, *ends))
        return found

    def _follow(self, branch: int, point: float) -> float:
        turns, piece = divmod(branch, len(self.pieces))
        return float(self.on_branch(piece, np.array([point - turns * self.period]))[0]) + turns * self.period

    def _action(self, label: float) -> float:
        return float(self.action(np.array([label]))[0])

    def _equal_action(self, start: float, end: float, left: int, right: int) -> float:
        """Return the point at which two branches have equal action; the difference falls along x by the jump of u."""
        for branch in (left, right):  # within the ends of both, where each of them still is a minimum
            turns, piece = divmod(branch, len(self.pieces))
            positions = self.pieces[piece][1] + turns * self.period
            start, end = max(start, positions[0]), min(end, positions[-1])

        def difference(point: float) -> float:
            return self._action(self._follow(right, point)) - self._action(self._follow(left, point))

        if start >= end or difference(start) <= 0.0:
            return start
        return end if difference(end) >= 0.0 else float(brentq(difference, start, end, xtol=1e-15))


def least_action_labels(points: np.ndarray, characteristics: Characteristics) -> np.ndarray:
    """Return the labels (n,) of the entropy solution at points (n,), for characteristics that were computed somehow.

    Parameters
    ----------
    points : (n,)
    characteristics : at one time

    Returns
    -------
    ndarray
        (n,), X(labels) = points.
    """
    return characteristics.least(np.asarray(points, float)).labels


@dataclass(frozen=True)
class ConservationLaw:
    """The conservation law du/dt + df(u)/dx = 0 with convex f and a periodic initial condition.

    Parameters
    ----------
    initial : u_0
    flux : f, convex on the range of u_0; Burgers' f = u^2 / 2 by default

    Raises
    ------
    InputError
        If f is not convex on the range of u_0.

    Examples
    --------
    >>> law = ConservationLaw(TrigonometricSeries(mean=0.5, sines=(1.0,)))
    >>> law.first_crossing
    1.0
    >>> float(law.shocks(2.0).positions[0])  # it travels at the speed 0.5 from x = pi
    4.141592653589793
    """

    initial: TrigonometricSeries
    flux: Flux = BURGERS

    def __post_init__(self) -> None:
        curvature = np.asarray(self.flux.curvature(np.linspace(*self.initial.extremes, 1025)), float)
        if not np.all(np.isfinite(curvature)) or curvature.min() < -1e-12 * np.abs(curvature).max():
            low, high = self.initial.extremes
            raise InputError(
                f"the flux is not convex between {low:g} and {high:g}, the range of the initial condition: f'' reaches "
                f"{curvature.min():g}, expected f'' >= 0; for a concave flux solve for -u, for others use "
                "sciml.reference.conservation_laws_finite_volumes."
            )

    @cached_property
    def first_crossing(self) -> float:
        r"""The time t* = -1 / \min d f'(u_0) / d\xi at which the first characteristics cross; infinite if none do."""
        labels = self.initial.period * np.arange(NODES) / NODES
        lowest, step = labels[np.argmin(self._rate(labels))], self.initial.period / NODES
        search = minimize_scalar(
            lambda label: float(self._rate(np.array([label]))[0]),
            bounds=(lowest - step, lowest + step),
            method="bounded",
            options={"xatol": 1e-9 * step},
        )
        steepest = min(float(search.fun), float(self._rate(labels).min()))
        return -1.0 / steepest if steepest < 0.0 else float("inf")

    def characteristics(self, time: float) -> Characteristics:
        """Return the characteristics at a time t >= 0, with their actions."""
        number("the time of a conservation law", time, at_least=0)

        def action(labels: np.ndarray) -> np.ndarray:
            u = self.initial(labels)
            return self.initial.antiderivative(labels) + time * (u * self.flux.slope(u) - self.flux.value(u))

        return Characteristics(
            lambda labels: labels + time * self.flux.slope(self.initial(labels)),
            lambda labels: 1.0 + time * self._rate(labels),
            action,
            self.initial.period,
        )

    def solution(self, points: np.ndarray, time: float) -> np.ndarray:
        """Return u(x, t) at points (...), of the entropy solution; at a shock one of its two sides.

        Parameters
        ----------
        points : (...) x
        time : t >= 0
        """
        points = np.asarray(points, float)
        return self.initial(self.characteristics(time).least(points.reshape(-1)).labels).reshape(points.shape)

    def potential(self, points: np.ndarray, time: float) -> np.ndarray:
        """Return V(x, t) with V_x = u and V_t = -f(u), at points (...)."""
        points = np.asarray(points, float)
        return self.characteristics(time).least(points.reshape(-1)).actions.reshape(points.shape)

    def cell_averages(self, edges: np.ndarray, time: float) -> np.ndarray:
        """Return the exact averages (n,) of u over the cells between edges (n + 1,)."""
        edges = np.asarray(edges, float)
        return np.diff(self.potential(edges, time)) / np.diff(edges)

    def shocks(self, time: float) -> Shocks:
        """Return where the entropy solution jumps at a time, and between which states."""
        jumps = np.array(self.characteristics(time).jumps()).reshape(-1, 3)
        positions = jumps[:, 0] % self.initial.period
        order = np.argsort(positions)
        return Shocks(positions[order], self.initial(jumps[order, 1]), self.initial(jumps[order, 2]))

    def _rate(self, labels: np.ndarray) -> np.ndarray:
        return self.flux.curvature(self.initial(labels)) * self.initial.slope(labels)
