r"""Characteristics represented by networks, one time slab after the other.

In the slab from t_k to t_{k+1}, with elapsed time s = t - t_k and a network N of the label and s / (t_{k+1} - t_k),

    X = X_k + s (drift + V N_X),        w = w_k + s U N_w,

so that initial conditions hold exactly, and only residuals are fitted. X_k and w_k are the final positions and states
of the slab before, label by label. Where the map alone determines u (a passive state without diffusion), labels are
reset instead, X_k = label, and the maps of the slabs are composed. In frames that rezone, X_k is a known map that
follows from the state at the beginning of the slab, and w_k is that state at X_k.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from sciml.checks import whole_number
from sciml.errors import InputError
from sciml.lpinn.boundary_form import can_hold, lifted, vanishing
from sciml.lpinn.frames import Frame, LabelMotion, label_directions, residuals
from sciml.lpinn.frames.circle_map import CircleMap
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.problems.base import PROBES
from sciml.numerics.derivatives import Jet, coordinates, jet_of
from sciml.numerics.flat import FlatModule

SLIGHT = 1e-6  # relative size of what is more than rounding
TIMES = 9  # at which velocities are sampled
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Characteristics:
    """A problem in a frame, with the network whose weights in each time slab represent the solution.

    Parameters
    ----------
    problem : to be solved; it is never replaced. See :attr:`labelled_problem` for how the frame solves it
    frame : how labels move
    network : of ``(label, time scaled to [0, 1])``. Its outputs are the position, if it is unknown in the frame, and
        the state, unless it is constant on characteristics
    slabs : number of time slabs of equal length
    """

    problem: TransportProblem
    frame: Frame
    network: FlatModule
    slabs: int = 1

    def __post_init__(self) -> None:
        self.problem.check()
        whole_number("the number of slabs", self.slabs, at_least=1)
        dim = self.problem.domain.dim
        given = (getattr(self.network.module, "inputs", None), getattr(self.network.module, "outputs", None))
        allowed = {dim * self.frame.moves + state for state in self._state_outputs()}
        if given[0] != dim + 1 or given[1] not in allowed:
            raise InputError(
                f"the network has {given[0]} inputs and {given[1]} outputs, expected {dim + 1} inputs (label, time) "
                f"and {' or '.join(map(str, sorted(allowed)))} outputs for the frame {type(self.frame).__name__}."
            )
        if self.network.vector().dtype != torch.float64:
            raise InputError(f"the network is in {self.network.vector().dtype}, expected torch.float64: call double().")
        self.frame.check(self.problem)
        self.labelled_problem  # noqa: B018 - refuses what the frame cannot label

    @cached_property
    def labelled_problem(self) -> TransportProblem:
        """The problem as it is solved on the labels of the frame.

        It is :attr:`problem` itself, unless the frame needs labels of what flows in (:class:`ThroughFlow`).
        """
        return self.frame.labelled(self.problem)

    @property
    def shown_problem(self) -> str:
        """The name of the problem, and how it is transformed or its boundary values are met, if they are."""
        name, solved = type(self.problem).__name__, type(self.labelled_problem).__name__
        if self.labelled_problem is not self.problem:
            box = self.labelled_problem.labels
            return f"{name} ({solved}: labels of what flows in, in {box})"
        return f"{name} (boundary values met by the form of the state)" if self.holds else name

    def _state_outputs(self) -> tuple[int, ...]:
        """Return the possible numbers of outputs for the state: a state that is constant on labels may have none."""
        points = self.problem.probes()[:1]
        zero = points.new_zeros(1, 1)
        changes = self.problem.viscosity > 0 or self.problem.source(points, zero, zero) is not None
        return (1,) if changes or not self.frame.follows_flow else (0, 1)

    def check_weights(self, weights: Tensor) -> None:
        """Check that weights have the shape ``(slabs, p)``."""
        expected = (self.slabs, self.network.count)
        if weights.shape != expected:
            raise InputError(f"the weights of the slabs have shape {tuple(weights.shape)}, expected {expected}.")

    @cached_property
    def drift(self) -> Tensor:
        """The velocity that all labels share, ``(dim,)``."""
        return self.frame.drift(self.labelled_problem)

    @cached_property
    def speed(self) -> float:
        """V: the largest speed relative to the drift, for initial values at some times; at least SLIGHT of the drift.

        It is 1 if all velocities are 0.
        """
        if not self.frame.moves:
            return 1.0
        points = self.labelled_problem.probes()
        start, largest = self.labelled_problem.initial(points), SLIGHT * float(self.drift.norm())
        for time in torch.linspace(0.0, self.labelled_problem.duration, TIMES, dtype=points.dtype):
            speeds = self.labelled_problem.velocity(points, time.expand(len(points), 1), start)
            largest = max(largest, float((speeds - self.drift).norm(dim=1).max()))
        return largest or 1.0

    @cached_property
    def size(self) -> float:
        """U: half the range of initial and boundary values, or the change by sources; at least SLIGHT of the values.

        It is 1 if all of these are 0.
        """
        problem, points = self.labelled_problem, self.labelled_problem.probes()
        start, zero = problem.initial(points), points.new_zeros(len(points), 1)
        added = problem.source(points, zero, start)
        values = [start]
        if not all(problem.domain.periodic):
            faces = problem.domain.boundary(len(points), torch.Generator().manual_seed(0)).points
            # the points are ordered by face; quasi-random times cover each of them
            times = problem.duration * (GOLDEN * torch.arange(len(faces), dtype=faces.dtype)[:, None] % 1)
            entering = problem.inflow(faces, times)
            values += [] if entering is None else [entering]
        values = torch.cat(values)
        by_source = 0.0 if added is None else problem.duration * float(added.abs().max())
        half = float(values.max() - values.min()) / 2
        return max(half, by_source, SLIGHT * float(values.abs().max())) or 1.0

    @property
    def length(self) -> float:
        """The duration of a slab."""
        return self.labelled_problem.duration / self.slabs

    @property
    def has_state(self) -> bool:
        """True if the network has an output for the state."""
        return self.network.module.outputs > self.labelled_problem.domain.dim * self.frame.moves

    @cached_property
    def holds(self) -> bool:
        """True if boundary values are satisfied by the form of the state: with viscosity, for fixed labels."""
        return self.frame.fixed and can_hold(self.labelled_problem)

    @property
    def restarts(self) -> bool:
        """True if labels are reset to positions in every slab, and maps composed."""
        return self.frame.moves and not self.has_state and self.labelled_problem.passive

    def initial(self, weights: Sequence[Tensor], slab: int, labels: Tensor, order: int) -> tuple[Jet, Jet]:
        """Return X and w at the beginning of a slab, as jets along the directions in label space.

        Parameters
        ----------
        weights : of the slabs before
        slab : its number
        labels : ``(n, dim)``
        order : 0 to 2
        """
        if self.frame.rezones:
            return self.initial_on(self.label_map(weights, slab), weights, slab, labels, order)
        directions = label_directions(labels.shape[1], order).to(labels)
        if slab == 0 or self.restarts:
            # The state of passive labels in between is not needed.
            state = jet_of(self.labelled_problem.initial, labels, order, directions)
            return coordinates(labels, order, directions), state
        before = slab - 1
        start = self.initial(weights, before, labels, order)
        return self.between(weights[before], before, labels, slab * self.length, start)

    def labels_at(self, weights: Sequence[Tensor], points: Tensor, time: float) -> Tensor:
        """Return the labels of points ``(n, dim)`` at a time, in frames whose labels only drift."""
        labels = points - self.drift.to(points) * time
        return self.label_map(weights, self.slab_of(time)).inverse(labels) if self.frame.rezones else labels

    def label_map(self, weights: Sequence[Tensor], slab: int) -> CircleMap:
        """Return the map from the labels of a slab to positions, less the drift, in frames that rezone.

        Parameters
        ----------
        weights : of the slabs before
        slab : its number
        """
        before = torch.stack(list(weights[:slab])) if slab else self.drift.new_zeros(0, self.network.count)
        known = self._known_maps.get(slab)
        if known is None or known[0].device != before.device or not torch.equal(known[0], before):
            found = self.frame.slab_map(self, before, slab)
            self._known_maps[slab] = known = (before.clone(), found)
        return known[1]

    @cached_property
    def _known_maps(self) -> dict[int, tuple[Tensor, CircleMap]]:
        """The last map of each slab, and the weights that it follows from."""
        return {}

    def initial_on(
        self, label_map: CircleMap, weights: Sequence[Tensor], slab: int, labels: Tensor, order: int
    ) -> tuple[Jet, Jet]:
        """Return X and w at the beginning of a slab, on labels that are distributed by a map."""
        place = label_map(labels, order)
        if not slab:
            home = self.labelled_problem.domain.wrap(place.value)
            return place, _composed(jet_of(self.labelled_problem.initial, home, order), place)
        before, begin = slab - 1, slab * self.length
        labels = self.label_map(weights, before).after(label_map, labels, order)
        start = self.initial(weights, before, labels.value, order)
        state = self.between(weights[before], before, labels.value, begin, start)[1]
        return place.shifted(self.drift.to(place.value) * begin), _composed(state, labels)

    def motion(self, weights: Tensor, slab: int, points: Tensor, start: tuple[Jet, Jet]) -> LabelMotion:
        """Return position and state with their derivatives by label and time.

        Parameters
        ----------
        weights : of the slab, ``(p,)``
        slab : its number
        points : labels and times, ``(n, dim + 1)``
        start : X and w at the beginning of the slab, as of :meth:`initial`
        """
        labels, times = points[:, :-1], points[:, -1:]
        start = self.in_time(slab, points, start)
        position, state = self._advance(weights, slab, times, labels, start, with_time=True)
        return LabelMotion(position, state, times)

    def in_time(self, slab: int, points: Tensor, start: tuple[Jet, Jet]) -> tuple[Jet, Jet]:
        """Return X and w at the beginning of a slab with derivatives by time; the lift of boundary values moves w.

        It is independent of the weights of the slab, so that fits compute it once.

        Parameters
        ----------
        slab : its number
        points : labels and times, ``(n, dim + 1)``
        start : X and w at the beginning of the slab, as of :meth:`initial`
        """
        dim, (position, state) = points.shape[1] - 1, start
        if position.order and position.count > len(label_directions(dim, position.order)):
            return start
        return _with_time(position), self._lifted(slab, points, _with_time(state), True)

    def _lifted(self, slab: int, points: Tensor, state: Jet, with_time: bool) -> Jet:
        if not self.holds:
            return state
        directions = _directions(points, state.order, with_time)
        return state + lifted(self.labelled_problem, points, slab * self.length, state.order, directions)

    def residuals(self, weights: Tensor, slab: int, points: Tensor, start: tuple[Jet, Jet]) -> Tensor:
        """Return the residuals of position, over V, and state, over U / duration, if they are unknown: ``(n, m)``."""
        found = residuals(self.labelled_problem, self.frame, self.drift, self.motion(weights, slab, points, start))
        columns = [found["position"] / self.speed] if self.frame.moves else []
        if self.has_state:
            columns.append(found["state"] * (self.labelled_problem.duration / self.size))
        return torch.cat(columns, 1)

    def residual_norm(self, weights: Sequence[Tensor], slab: int) -> float:
        """Return the root mean square residual of a slab at evenly spread points, always the same.

        Parameters
        ----------
        weights : of this slab and those before
        slab : its number
        """
        box = self.labelled_problem.labels.during(slab * self.length, (slab + 1) * self.length)
        points = box.interior(PROBES, torch.Generator().manual_seed(0), kind="shifted").to(weights[0])
        with torch.no_grad():
            start = self.initial(weights, slab, points[:, :-1], 2 if self.labelled_problem.viscosity else 1)
            return float(self.residuals(weights[slab], slab, points, start).square().sum(1).mean().sqrt())

    def evaluate(self, weights: Sequence[Tensor], labels: Tensor, time: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return position ``(n, dim)``, state ``(n, 1)`` and F ``(n, dim, dim)`` of labels at a time.

        The labels are those of the slab that contains the time.
        """
        slab = self.slab_of(time)
        with torch.no_grad():
            start = self.initial(weights, slab, labels, 1)
            position, state = self.between(weights[slab], slab, labels, time, start)
        return position.value, state.value, position.first.permute(1, 2, 0)

    def between(
        self, weights: Tensor, slab: int, labels: Tensor, time: float | Tensor, start: tuple[Jet, Jet]
    ) -> tuple[Jet, Jet]:
        """Return position and state at a time in a slab, as jets along the directions in label space.

        The time is a number, or a tensor ``(n, 1)`` by which both can be differentiated.
        """
        times = torch.as_tensor(time, dtype=labels.dtype, device=labels.device).expand(len(labels), 1)
        start = start[0], self._lifted(slab, torch.cat([labels, times], 1), start[1], False)
        return self._advance(weights, slab, times, labels, start)

    def slab_of(self, time: float) -> int:
        """Return the number of the slab that contains a time; the last one for the final time.

        Raises
        ------
        InputError
            If the time is not in the run.
        """
        if not -1e-12 <= time / self.labelled_problem.duration <= 1 + 1e-12:
            raise InputError(f"the time is {time:g}, expected 0 to {self.labelled_problem.duration:g}.")
        return min(max(int(time / self.length * (1 + 1e-14)), 0), self.slabs - 1)

    def _advance(
        self,
        weights: Tensor,
        slab: int,
        times: Tensor,
        labels: Tensor,
        start: tuple[Jet, Jet],
        with_time: bool = False,
    ) -> tuple[Jet, Jet]:
        dim, order = labels.shape[1], start[0].order
        begin = slab * self.length
        points = torch.cat([labels, times - begin], 1)
        along = _directions(points, order, with_time)
        elapsed = coordinates(points, order, along).channel(dim)
        inputs = torch.cat([labels, (times - begin) / self.length], 1)
        directions = torch.cat([along[:, :-1], along[:, -1:] / self.length], 1)
        jet = self.network(weights, inputs, order, directions)
        drift = self.drift.to(labels)
        position, state = start
        if self.frame.moves:
            moved = Jet(self.speed * jet.rows[..., :dim], order).shifted(drift)
            position = position + elapsed * moved
        else:
            position = position + Jet(elapsed.rows * drift, order)
        if self.has_state:
            change = elapsed * Jet(self.size / self.labelled_problem.duration * jet.rows[..., -1:], order)
            state = state + (vanishing(self.labelled_problem, change, points, along) if self.holds else change)
        return position, state


def _composed(outer: Jet, inner: Jet) -> Jet:
    """Return the jet of a composition in one dimension."""
    return inner.apply(*outer.rows) if inner.order else outer


def _directions(points: Tensor, order: int, with_time: bool) -> Tensor:
    """Return the directions of a motion at labels and times ``(n, dim + 1)``: of labels and, if asked for, time."""
    directions = label_directions(points.shape[1] - 1, order).to(points)
    directions = torch.cat([directions, directions.new_zeros(len(directions), 1)], 1)
    time = torch.eye(points.shape[1], dtype=points.dtype, device=points.device)[-1:]
    return torch.cat([directions, time]) if with_time else directions


def _with_time(jet: Jet) -> Jet:
    """Return a jet with derivatives by time, which are 0, after those by label."""
    if not jet.order:
        return jet
    zero = torch.zeros_like(jet.rows[:1])
    parts = [jet.rows[:1], jet.first, zero] + ([jet.second, zero] if jet.order == 2 else [])
    return Jet(torch.cat(parts), jet.order)
