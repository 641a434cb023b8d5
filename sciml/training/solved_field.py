"""From a run back to its solution: fields with their derivatives at any points and any time.

>>> field = load_field("runs/burgers")                                                            # doctest: +SKIP
>>> u = field(points, 0.5)                                                                        # doctest: +SKIP
>>> u_xx = field.derivative("u", points, 0.5, x=2)                                                # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from sciml.checks import choice, finite, number, real_array, shape, whole_number
from sciml.domains import Domain
from sciml.domains.output_points import moved_inside
from sciml.errors import InputError
from sciml.numerics.random import generator
from sciml.tables import counted, summary
from sciml.training.solve_task import FieldsInTime, SolveTask
from sciml.training.stored import load_with_config, unfinished

Array = TypeVar("Array", np.ndarray, Tensor)
TIMES_KEPT = 32  # of which the parameters are held in memory


def load_field(path: str | Path, *, modules: Sequence[str | Path] = ()) -> SolvedField:
    """Return the solution of a run of ``sciml solve`` as a function of points and time.

    Parameters
    ----------
    path : the folder of a run, which may still be going on: then the solution is known as far as it has got; one of its
        checkpoints; or published weights ``NAME.safetensors`` beside ``NAME.yaml``. Where a run averaged its weights,
        they are the averaged ones
    modules : as :func:`load_task <sciml.training.stored.load_task>` takes them

    Raises
    ------
    InputError
        If the run learns from data and has no solution; the sentence names what to do.
    CheckpointError
        If there are no weights, they are damaged, or no step has been completed.
    """
    task, config = load_with_config(path, modules=modules)
    if not isinstance(task, SolveTask):
        raise InputError(
            f"{path} holds {type(task).__name__}, which was trained on data and is not the field of one problem; use "
            "sciml.training.load_task, or 'sciml predict'."
        )
    if task.completed_epochs == 0:
        raise InputError(f"the run in {path} has not completed its first step; wait for it, or resume it.")
    return SolvedField(task.requires_grad_(False), config.title, unfinished(task, config))


class SolvedField:
    """The solution of a run: its fields, with exact derivatives, at any points and any time.

    Points are an array ``(n, dim)`` or a tensor of any precision on any device; results are of the same kind. Those of
    tensors can be differentiated further, by the points and, if it is a tensor, by the time. Points outside of the
    domain and times outside of the run are refused; along periodic axes, points may be anywhere.

    Parameters
    ----------
    task : with the weights of the run, in evaluation mode
    title : of the run
    note : what a user must know about the run, such as that it has not finished

    Attributes
    ----------
    title : str
    domain : of the problem
    coordinates : tuple of str
        Their names: ``x``, ``y``, ``z``, or ``x0``, ``x1``, ... in more than three dimensions; ``t`` is the time.
    channels : dict
        The number of components of each field, by name; the headline field is the first.
    times : tuple of float
        The first and the last time.
    """

    def __init__(self, task: SolveTask, title: str = "", note: str | None = None) -> None:
        self._task, self.title, self._note = task, title, note
        self.domain: Domain = task.problem.domain
        dim = self.domain.dim
        self.coordinates = tuple("xyz"[:dim]) if dim <= 3 else tuple(f"x{axis}" for axis in range(dim))
        self.times = task.known_times
        self._in_time = lru_cache(TIMES_KEPT)(task.fields_in_time)
        with torch.no_grad():
            point = self.domain.interior(1, generator(0), kind="uniform").to(task.device)
            found = {name: values.shape[1] for name, values in task.fields_at(self.times[1])(point).items()}
        headline = task.headline if task.headline in found else next(iter(found))
        self.channels = {headline: found[headline], **found}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(self.channels)

    @property
    def device(self) -> torch.device:
        """The device on which the fields are evaluated."""
        return self._task.device

    def to(self, device: torch.device | str) -> SolvedField:
        """Move the weights to a device; return the field."""
        self._task.to(device)
        self._in_time.cache_clear()
        return self

    def __call__(self, points: Array, time: float | Tensor | None = None, name: str | None = None) -> Array:
        """Return the values of a field, ``(n, channels)``.

        Parameters
        ----------
        points : ``(n, dim)``
        time : of the run; its end by default
        name : of the field; the headline one by default

        Raises
        ------
        InputError
            If points or time are outside, or there is no such field.
        CharacteristicCrossingError
            If the solution of a Lagrangian method has several values at a point.
        """
        return self.derivative(name or self.names[0], points, time)

    def all(self, points: Array, time: float | Tensor | None = None) -> dict[str, Array]:
        """Return the values of all fields by name, each ``(n, channels)``."""
        at, give = self._taken(points)
        with torch.set_grad_enabled(_is_recorded(points, time)):
            evaluate, times = self._around(time, len(at))
            return {name: give(values) for name, values in self._values(evaluate, at, times).items()}

    def derivative(self, name: str, points: Array, time: float | Tensor | None = None, **orders: int) -> Array:
        """Return a derivative of a field, ``(n, channels)``, by automatic differentiation.

        Parameters
        ----------
        name : of the field
        points : ``(n, dim)``
        time : of the run; its end by default
        orders : of the derivative by the name of the coordinate, such as ``x=2`` or ``x=1, t=1``

        Raises
        ------
        InputError
            If there is no such field or coordinate, points or time are outside, or the solution has no derivatives.
        """
        if not isinstance(name, str) or isinstance(points, str):
            raise InputError(
                "the points come first and the name of the field last, as in f(points, time, name=...); for a "
                "derivative it is f.derivative(name, points, time, x=1)."
            )
        choice("the field", name, self.names)
        for coordinate, order in orders.items():
            choice("a coordinate", coordinate, (*self.coordinates, "t"))
            whole_number(f"the order of the derivative by {coordinate}", order, at_least=0)
        return self._differentiated(name, points, time, [orders])[0]

    def gradient(self, name: str, points: Array, time: float | Tensor | None = None) -> Array:
        """Return the gradient of a field in space, ``(n, channels, dim)``."""
        found = self._differentiated(name, points, time, [{axis: 1} for axis in self.coordinates])
        return torch.stack(found, -1) if isinstance(found[0], Tensor) else np.stack(found, -1)

    def laplacian(self, name: str, points: Array, time: float | Tensor | None = None) -> Array:
        """Return the Laplacian of a field in space, ``(n, channels)``."""
        return sum(self._differentiated(name, points, time, [{axis: 2} for axis in self.coordinates]))

    def time_derivative(self, name: str, points: Array, time: float | Tensor | None = None) -> Array:
        """Return the derivative of a field by the time, ``(n, channels)``."""
        return self.derivative(name, points, time, t=1)

    def __repr__(self) -> str:
        """Return what the field is as a table."""
        fields = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in self.channels.items())
        first, last = self.times
        rows = {
            "problem": type(self._task.problem).__name__,
            "fields": fields,
            "coordinates": ", ".join(self.coordinates),
            "domain": self.domain,
            "times": f"{first:g} to {last:g}" if last > first else f"{last:g}",
            "in time": self._task.in_time if last > first else None,
            "run": self._note,
        }
        return summary(f"Field of {self.title!r}" if self.title else "Field", rows)

    def _differentiated(
        self, name: str, points: Array, time: float | Tensor | None, wanted: list[Mapping[str, int]]
    ) -> list[Array]:
        """Return derivatives of a field, one for each mapping of coordinates to orders."""
        choice("the field", name, self.names)
        at, give = self._taken(points)
        recorded = _is_recorded(points, time)
        by_time = any(orders.get("t") for orders in wanted)
        by_any = any(any(orders.values()) for orders in wanted)
        if by_time and type(self._task).fields_in_time is SolveTask.fields_in_time:
            raise InputError(
                f"{type(self._task).__name__} does not say how its fields depend on the time, so that there are no "
                "derivatives by it; override SolveTask.fields_in_time."
            )
        with torch.set_grad_enabled(recorded or by_any):
            at = at if at.requires_grad or not by_any else at.detach().requires_grad_()
            evaluate, times = self._around(time, len(at))
            if by_time and not times.requires_grad:
                times.requires_grad_()
            values = self._values(evaluate, at, times)[name]
            if by_any and not values.requires_grad:
                raise InputError(
                    f"the field {name!r} of {type(self._task).__name__} is no torch function of the points, so that it "
                    "has no derivatives; take differences of its values."
                )
            variables = {**{c: (at, axis) for axis, c in enumerate(self.coordinates)}, "t": (times, 0)}
            found = [_derivative(values, variables, orders) for orders in wanted]
            return [give(each if recorded else each.detach()) for each in found]

    def _around(self, time: float | Tensor | None, count: int) -> tuple[FieldsInTime, Tensor]:
        """Return the fields around a time, and that time for each point."""
        if isinstance(time, Tensor) and time.numel() != 1:
            raise InputError(f"the time has shape {tuple(time.shape)}, expected one number for all points.")
        given = self.times[1] if time is None else time.item() if isinstance(time, Tensor) else time
        moment = self._task.moment(number("the time", given))
        if isinstance(time, Tensor) and time.requires_grad:
            return self._in_time(moment), time.double().to(self.device).reshape(1, 1).expand(count, 1)
        return self._in_time(moment), torch.full((count, 1), moment, dtype=torch.float64, device=self.device)

    def _values(self, evaluate: FieldsInTime, points: Tensor, times: Tensor) -> Mapping[str, Tensor]:
        if not len(points):
            return {name: points.new_zeros(0, count) for name, count in self.channels.items()}
        return evaluate(points, times)

    def _taken(self, points: Array) -> tuple[Tensor, Callable[[Tensor], Any]]:
        """Return points as they are evaluated, and what turns results into the kind of the points."""
        if isinstance(points, Tensor):
            if not points.is_floating_point():
                raise InputError(f"the points are of the type {points.dtype}, expected a tensor of real numbers.")
            array, found, give = points.detach().double(), points, lambda values: values.to(points)
        else:
            array = real_array("the points", points, finite=False)
            given = np.asarray(points).dtype
            kind = given if np.issubdtype(given, np.floating) else np.float64
            found = torch.tensor(array)
            give = lambda values: values.detach().cpu().numpy().astype(kind)  # noqa: E731 - the other side of the branch
        dim = self.domain.dim
        shape("the points", array, ("number of points", dim), remedy=f"a point has {counted(dim, 'coordinate')}")
        finite("the points", array)
        return moved_inside(self.domain, found.double().to(self.device)), give


def _is_recorded(*given: Any) -> bool:
    """Return whether the caller will differentiate what follows from these."""
    return torch.is_grad_enabled() and any(isinstance(each, Tensor) and each.requires_grad for each in given)


def _derivative(values: Tensor, variables: Mapping[str, tuple[Tensor, int]], orders: Mapping[str, int]) -> Tensor:
    """Return the derivative of values ``(n, channels)``, row by row, by some columns of variables."""
    columns = []
    for column in values.unbind(1):
        for coordinate, order in orders.items():
            variable, axis = variables[coordinate]
            for _ in range(order):
                if not column.requires_grad:  # a polynomial that has been differentiated away
                    column = torch.zeros_like(column)
                    continue
                (slope,) = torch.autograd.grad(column.sum(), variable, create_graph=True, allow_unused=True)
                column = torch.zeros_like(column) if slope is None else slope[:, axis]
        columns.append(column)
    return torch.stack(columns, 1)
