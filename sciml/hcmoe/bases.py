"""Bases of fields on an interval and in time, of which a constraint takes the combination that satisfies an equation.

======================= ==========================================================================
basis                   derivatives
======================= ==========================================================================
:class:`GridBasis`      finite differences of values on a grid, such as the outputs of an operator
:class:`NetworkBasis`   jets of a network of coordinates, whose outputs are the fields
:class:`ChebyshevBasis` those of polynomials
======================= ==========================================================================

:func:`proper_orthogonal_modes` makes a :class:`GridBasis` of snapshots. Your own class needs the method ``derivatives``
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from sciml.checks import choice, finite, instance, positive, real_tensor, rising, shape, whole_number
from sciml.domains import Box
from sciml.errors import InputError
from sciml.hcmoe.problems.base import Points, SpaceTimeProblem
from sciml.hcmoe.problems.profiles import Coefficients, spread
from sciml.nets.coordinate import CoordinateNetwork
from sciml.numerics.finite_differences import ORDERS, FiniteDifference
from sciml.numerics.local_interpolation import interpolate
from sciml.numerics.polynomials import chebyshev

Order = tuple[int, int]  # of a derivative, by t and by x
LARGEST_DEGREE = 1000  # of Chebyshev polynomials along an axis


@runtime_checkable
class Basis(Protocol):
    """N fields of time and place for each instance of a problem, or the same ones for all."""

    def derivatives(self, orders: Sequence[Order], times: Tensor, x: Tensor) -> Tensor:
        """Return derivatives at all pairs of times and places, ``(instances or 1, orders, times, places, N)``.

        Parameters
        ----------
        orders : of the derivatives, pairs (by t, by x)
        times, x : one-dimensional
        """


class GridBasis:
    """Fields by their values on an equally spaced grid, differentiated by finite differences.

    Between grid points derivatives are interpolated by polynomials of the same order, and extrapolated by at most one
    spacing, which takes the centres of cells to the ends of the interval.

    Parameters
    ----------
    values : ``(instances, times, places, N)``
    times, x : the coordinates of the grid
    order : of accuracy, 2, 4, 6 or 8

    Raises
    ------
    InputError
        If a grid is not equally spaced, or the values have another shape.
    """

    def __init__(self, values: Tensor, times: Tensor, x: Tensor, order: int = 2) -> None:
        for name, given in (("values", values), ("times", times), ("places", x)):
            real_tensor(f"the {name} of a basis on a grid", given)
        self.times, self.x, self.order = times.double().contiguous(), x.double().contiguous(), order
        choice("the order of a basis on a grid", order, ORDERS)
        shape("the values of the basis", values, ("instances", len(times), len(x), "N"))
        self.spacings = [_spacing(name, each) for name, each in (("times", self.times), ("places", self.x))]
        self._found: dict[Order, Tensor] = {(0, 0): values.double()}

    def derivatives(self, orders: Sequence[Order], times: Tensor, x: Tensor) -> Tensor:
        """Return derivatives at all pairs of times and places, ``(instances, orders, times, places, N)``."""
        fields = torch.stack([self._derivative(*order) for order in orders], 1)
        fields = _interpolated(fields, self.times, times, self.order, 2)
        return _interpolated(fields, self.x, x, self.order, 3)

    def started(self, start: Tensor) -> GridBasis:
        """Return the fields as they are after the first time, where they are 0, and the start at all times as the last.

        Parameters
        ----------
        start : u at time 0 on the places of the grid, ``(instances or 1, places)``

        Raises
        ------
        InputError
            If the first time of the grid is not 0.
        """
        if float(self.times[0]) != 0:
            raise InputError(
                f"the grid of the basis begins at the time {float(self.times[0]):g}, expected 0, at which its fields "
                "are to give way to the start; choose start='rows' or 'lift'."
            )
        return self.after(start[:, None])

    def after(self, known: Tensor) -> GridBasis:
        """Return the fields as they are after known times, where they are 0, and values known there as the last.

        After the known times, the last of these values is held.

        Parameters
        ----------
        known : u at the first times on the places of the grid, ``(instances or 1, known times, places)``
        """
        values, count = self._found[0, 0], known.shape[1]
        later = torch.cat([torch.zeros_like(values[:, :count]), values[:, count:]], 1)
        held = known[:, -1:].expand(-1, len(self.times) - count, -1)
        last = torch.cat([known, held], 1).to(values)[..., None]
        instances = max(len(later), len(last))
        parts = [each.expand(instances, *each.shape[1:]) for each in (later, last)]
        return GridBasis(torch.cat(parts, -1), self.times, self.x, self.order)

    def _derivative(self, by_t: int, by_x: int) -> Tensor:
        if (by_t, by_x) not in self._found:
            values = self._found[0, 0]
            for axis, derivative, spacing in zip((1, 2), (by_t, by_x), self.spacings, strict=True):
                if derivative:
                    values = FiniteDifference(values.shape[axis], spacing, derivative, self.order)(values, axis)
            self._found[by_t, by_x] = values
        return self._found[by_t, by_x]


class NetworkBasis:
    """The outputs of a network of the coordinates (t, x), the same for all instances; derivatives are exact.

    A network with random inner weights is a basis of random features.

    Parameters
    ----------
    network : with two inputs
    """

    def __init__(self, network: CoordinateNetwork) -> None:
        instance("the network of a basis", network, CoordinateNetwork, "a CoordinateNetwork")
        if network.inputs != 2:
            raise InputError(
                f"the network of a basis has {network.inputs} inputs, expected two, which are time and place."
            )
        self.network = network

    def derivatives(self, orders: Sequence[Order], times: Tensor, x: Tensor) -> Tensor:
        """Return derivatives at all pairs of times and places, ``(1, orders, times, places, N)``."""
        dtype = next(self.network.parameters()).dtype
        jet = self.network(torch.cartesian_prod(times, x).reshape(-1, 2).to(dtype), max(map(sum, orders)))
        columns = {(0, 0): jet.value}
        for axis, (first, second) in enumerate([((1, 0), (2, 0)), ((0, 1), (0, 2))]):
            if jet.order >= 1:
                columns[first] = jet.first[axis]
            if jet.order >= 2:
                columns[second] = jet.second[axis]
        unknown = [order for order in orders if order not in columns]
        if unknown:
            raise InputError(
                f"a basis by a network has no derivative {unknown[0]} by (t, x), expected one of {sorted(columns)}."
            )
        return torch.stack([columns[order] for order in orders]).unflatten(1, (len(times), len(x)))[None]


class ChebyshevBasis:
    """Products of Chebyshev polynomials in time and in space, the same for all instances; derivatives are exact.

    Parameters
    ----------
    domain : the interval
    duration : final time
    time_degree, degree : of the polynomials, at least 0; there are ``(time_degree + 1) * (degree + 1)`` products
    """

    def __init__(self, domain: Box, duration: float, time_degree: int = 4, degree: int = 8) -> None:
        if instance("the domain of a basis", domain, Box, "a Box").dim != 1:
            raise InputError(f"the domain of a basis is {domain}, expected an interval.")
        positive("the duration of a basis", duration)
        for name, given in (("time_degree", time_degree), ("degree", degree)):
            whole_number(f"the {name} of a basis", given, at_least=0, at_most=LARGEST_DEGREE)
        self.axes = ((0.0, duration, time_degree), (domain.lower[0], domain.upper[0], degree))

    def derivatives(self, orders: Sequence[Order], times: Tensor, x: Tensor) -> Tensor:
        """Return derivatives at all pairs of times and places, ``(1, orders, times, places, N)``."""
        tables = []
        for axis, (points, (lower, upper, degree)) in enumerate(zip((times, x), self.axes, strict=True)):
            most = max(order[axis] for order in orders)
            scales = (2 / (upper - lower)) ** torch.arange(most + 1, dtype=points.dtype, device=points.device)
            table = chebyshev(2 * (points - lower) / (upper - lower) - 1, degree, most)
            tables.append(scales[:, None, None] * table)
        fields = [(tables[0][i][:, None, :, None] * tables[1][j][:, None]).flatten(2) for i, j in orders]
        return torch.stack(fields)[None]


class LiftedBasis:
    """The fields of a basis times ``t / duration``, and the start: a combination with weight 1 of it starts right.

    Parameters
    ----------
    basis : N fields
    problem : whose start is the field N + 1
    coefficients : of the problem by name, ``(instances,)`` each, or profiles
    """

    def __init__(self, basis: Basis, problem: SpaceTimeProblem, coefficients: Coefficients) -> None:
        self.basis, self.problem, self._given = basis, problem, coefficients
        self.coefficients = spread(coefficients, 1)

    @property
    def sides(self) -> tuple[Basis, Basis]:
        """The bases before and after a face."""
        before, after = sides_of(self.basis)
        if before is after:
            return self, self
        return LiftedBasis(before, self.problem, self._given), LiftedBasis(after, self.problem, self._given)

    def derivatives(self, orders: Sequence[Order], times: Tensor, x: Tensor) -> Tensor:
        """Return derivatives at all pairs of times and places, ``(instances, orders, times, places, N + 1)``."""
        below = [(max(i - 1, 0), j) for i, j in orders]
        own = self.basis.derivatives([*orders, *below], times, x).to(times)
        own, lower = own[:, : len(orders)], own[:, len(orders) :]
        steps = times.new_tensor([i for i, _ in orders])[:, None, None, None]
        fields = (times[:, None, None] * own + steps * lower) / self.problem.duration
        starts = torch.stack([self._start(j, x) * (i == 0) for i, j in orders], 1)  # it does not change in time
        last = starts[:, :, None, :, None].expand(-1, -1, len(times), -1, -1)
        instances = max(len(fields), len(last))
        return torch.cat([each.expand(instances, *each.shape[1:]) for each in (fields, last)], -1)

    def _start(self, order: int, x: Tensor) -> Tensor:
        """Return a derivative of the start in space, ``(instances, places)``."""

        def initial(x: Tensor) -> Tensor:
            found = self.problem.initial_values(Points(x, x.new_zeros(1), self.coefficients))
            return found.expand(torch.broadcast_shapes(found.shape, (1, len(x)))) + 0 * x

        for _ in range(order):
            initial = _slope(initial)
        return initial(x)


def sides_of(basis: Basis) -> tuple[Basis, Basis]:
    """Return the bases before and after a face, which are one unless the fields jump there."""
    return getattr(basis, "sides", (basis, basis))


def proper_orthogonal_modes(snapshots: Tensor, modes: int, times: Tensor, x: Tensor) -> GridBasis:
    """Return the modes that lie closest to snapshots of solutions in the mean square.

    Parameters
    ----------
    snapshots : ``(solutions, times, places)``
    modes : their number N, at most that of the snapshots
    times, x : the coordinates of the grid, which is equally spaced

    References
    ----------
    Sirovich, "Turbulence and the dynamics of coherent structures", Q. Appl. Math. 45, 1987, part I.
    """
    shape("the snapshots", snapshots, ("solutions", len(times), len(x)))
    finite("the snapshots", snapshots)
    whole_number("the number of modes", modes, at_least=1, at_most=len(snapshots))
    _, sizes, rows = torch.linalg.svd(snapshots.flatten(1), full_matrices=False)
    rank = int((sizes > max(snapshots.flatten(1).shape) * torch.finfo(sizes.dtype).eps * sizes[0]).sum())
    if modes > rank:
        raise InputError(f"the snapshots have the rank {rank}, expected at least the {modes} modes; take fewer modes.")
    values = rows[:modes] * (rows.shape[1] ** 0.5)  # of root mean square 1
    return GridBasis(values.T.reshape(1, len(times), len(x), modes), times, x)


def _slope(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.func.jvp(function, (x,), (torch.ones_like(x),))[1]


def _spacing(name: str, coordinates: Tensor) -> float:
    shape(f"the {name}", coordinates, (f"number of {name}",))
    rising(f"the {name}", coordinates)
    steps = coordinates.diff()
    if len(coordinates) < 2 or float(steps.max() - steps.min()) > 1e-6 * float(steps.mean()):
        raise InputError(f"the {name} of a basis on a grid are not equally spaced, expected at least two that are.")
    return float((coordinates[-1] - coordinates[0]) / (len(coordinates) - 1))


def _interpolated(fields: Tensor, known: Tensor, wanted: Tensor, points: int, axis: int) -> Tensor:
    """Return fields at other coordinates along an axis, by polynomials through the nearest points."""
    if torch.equal(known, wanted):
        return fields
    beyond = torch.maximum(known[0] - wanted.min(), wanted.max() - known[-1])
    if float(beyond) > 1.001 * float(known[1] - known[0]):
        raise InputError(
            f"a basis on the grid from {float(known[0]):g} to {float(known[-1]):g} is evaluated between "
            f"{float(wanted.min()):g} and {float(wanted.max()):g}, expected at most one spacing beyond the grid."
        )
    return interpolate(fields, known, wanted, points, axis)
