"""The base class of methods that solve a problem without data; a method adds only its mathematics to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import lightning
import numpy as np
import torch
from torch import Tensor

from sciml.atomic import make_folder
from sciml.domains import Domain
from sciml.domains.output_points import array_on, check_inside, points_of, values_inside
from sciml.errors import InputError
from sciml.mesh import Grid, SeriesWriter, read_series
from sciml.mesh.series import Series
from sciml.numerics.random import generator
from sciml.run_records import METRICS, read_rows
from sciml.training.output import Output
from sciml.training.point_errors import PointErrors
from sciml.training.settings import Training
from sciml.training.solution_figures import draw_series
from sciml.training.states import read_state, write_state
from sciml.training.task import PredictionProgress, Task
from sciml.training.written_fields import Place, check_output, read_place, write_times

SERIES = "fields.xdmf"
SAME_TIME = 1e-6  # of a time step: by so much a time may differ from that of a step

Fields = Callable[[Tensor], Mapping[str, Tensor]]
"""Evaluates the fields of a solution at points ``(n, dim)``: by name, each ``(n, channels)``."""


FieldsInTime = Callable[[Tensor, Tensor], Mapping[str, Tensor]]
"""The same at times ``(n, 1)`` too, which are equal; differentiable by both."""


class SolvedProblem(Protocol):
    """The interface of a problem whose solution is written, drawn and measured: the domain of its equations."""

    domain: Domain


class SolveTask(Task):
    """The base class of tasks that solve a problem without data.

    It writes the fields as a series for ParaView, draws them, measures them against the exact solution,
    evaluates them on any mesh, and keeps the states of single steps. A method says what its fields are
    (:meth:`fields_at`) and how they are found, by :meth:`~sciml.training.task.Task.advance` or
    :meth:`~sciml.training.task.Task.loss`.

    Parameters
    ----------
    problem : with a ``domain``; where ``problem.exact(points, time)`` exists, errors are measured against it
    output : where and when the solution is written

    Examples
    --------
    >>> import math, torch
    >>> from sciml.domains import Box
    >>> from sciml.training.solve_task import SolveTask
    >>> class Sine:
    ...     domain = Box([0.0], [1.0])
    ...     def exact(self, points, time):
    ...         return torch.sin(math.pi * points)
    >>> class Interpolation(SolveTask):
    ...     def __init__(self, problem: Sine, output: Output | None = None) -> None:
    ...         super().__init__(problem, output)
    ...
    ...     def fields_at(self, time):
    ...         return lambda points: {"u": 4 * points * (1 - points)}
    >>> f"{Interpolation(Sine()).metrics()['mean_absolute_error']:.3f}"
    '0.030'
    """

    values_per_axis: ClassVar[Mapping[int, int]] = {1: 401, 2: 65, 3: 33}
    """Values along each axis of the grid that is written by default, by number of dimensions."""

    times_by_default: ClassVar[Mapping[int, int]] = {1: 101, 2: 25, 3: 9}
    """Number of times that are written by default where the method has no time steps, by number of dimensions."""

    epoch_name: ClassVar[str] = "epoch"
    """What an epoch is called in pictures, such as a round."""

    watched: ClassVar[tuple[str, ...]] = ()
    """Columns of ``metrics.csv`` that are drawn as curves; by default every run draws all of them."""
    units: ClassVar[Mapping[str, str]] = {"residual": "of the equation"}

    def __init__(self, problem: SolvedProblem, output: Output | None = None) -> None:
        super().__init__()
        self.problem, self.output = problem, output or Output()
        self.place = self.output.place(problem.domain, self.values_per_axis)

    interpolates: ClassVar[bool] = False
    """Whether a method with time steps has its fields between these, too."""

    # What a method overrides

    def fields_at(self, time: float) -> Fields:
        """Return the fields at a time as a function of points ``(n, dim)``, the headline field among them.

        Values are in any precision, on any device; the base class calls the function inside of the domain only. If they
        are torch functions of the points, users get their derivatives (:func:`sciml.training.load_field`).
        """
        raise InputError(f"{type(self).__name__} does not say what its fields are; override SolveTask.fields_at.")

    def fields_in_time(self, time: float) -> FieldsInTime:
        """Return the fields around a time as a function of points ``(n, dim)`` and of times ``(n, 1)`` equal to it.

        Override it with a torch function of the times, for their derivatives; by default, there are none.
        """
        fields = self.fields_at(time)
        return lambda points, times: fields(points)

    @property
    def duration(self) -> float:
        """The time at which the run ends; 0 for a steady problem."""
        return float(getattr(self.problem, "duration", 0.0))

    @property
    def step_times(self) -> Sequence[float] | None:
        """The times of the steps of the method, from 0 on; None if it knows the fields at all times of the run."""
        return None

    @property
    def known_times(self) -> tuple[float, float]:
        """The first and the last time at which the fields are known, as far as the run has got."""
        return 0.0, self.duration

    @property
    def in_time(self) -> str:
        """In words, how the fields depend on the time."""
        return "known at all times" if self.step_times is None else "known at the times of the steps"

    @property
    def headline(self) -> str:
        """The name of the field whose errors are measured."""
        return "u"

    @property
    def pictures(self) -> Sequence[str]:
        """The names of the scalar fields that are drawn; the first one is animated too."""
        return (self.headline,)

    @property
    def displacement(self) -> str | None:
        """The name of the field by which a body moves, which is drawn deformed then; None by default."""
        return None

    @property
    def obstacle(self) -> Any:
        """A ``Ball`` or ``Plane`` of :mod:`sciml.plots` beside a body; None by default."""
        return None

    def exact(self, points: Tensor, time: float) -> Tensor | None:
        """Return the exact headline field at points and a time, ``(n, channels)``; None where it is not known."""
        known = getattr(self.problem, "exact", None)
        return None if known is None else known(points, time)

    def metrics(self) -> dict[str, float]:
        """Return the metrics of the solution at the end of the run by name, errors first."""
        with torch.no_grad():
            return self.errors(self.fields_at(self.duration), self.duration)

    def history(self, folder: Path) -> list[dict[str, Any]]:
        """Return rows of numbers over the run, by default those of ``metrics.csv``, one for each epoch."""
        return read_rows(folder / METRICS)

    def run_metrics(self, history: list[dict[str, Any]]) -> dict[str, float]:
        """Return the metrics of the run for ``result.json``, headline first; those of its end by default."""
        return self.metrics()

    def memory_bytes(self) -> int:
        """Return the bytes that the representation of the solution takes; by default the parameters of the networks."""
        return sum(weight.numel() * weight.element_size() for weight in self.parameters())

    def draw_history(self, history: list[dict[str, Any]], path: Path) -> None:
        """Draw ``figures/history.png``: by default the columns :attr:`watched` over the epochs."""
        from sciml import plots

        names = [name for name in self.watched if any(name in row for row in history)]
        if names:
            told = " and ".join(name.partition("/")[2] for name in names)
            title = f"{told.capitalize()} over the {self.epoch_name}s"
            units = self.units_of(names)
            plots.training_history(history, path, names, unit=self.epoch_name, title=title, units=units)

    def draw_more(self, series: Series, figures: Path) -> None:
        """Draw the figures of this method alone from the written series into ``figures/``; none by default."""

    # What every method has

    def errors(self, fields: Fields, time: float) -> dict[str, float]:
        """Return the errors of the headline field at a time, at fixed points; none where no exact solution is known."""
        return self._errors(lambda points: fields(points)[self.headline], time, self.device)

    def prepare(self, settings: Training, seed: int) -> None:
        """Set how the task is trained; refuse times of the output that the method cannot write, before it solves."""
        super().prepare(settings, seed)
        self.written_times()

    def solution(self, folder: Path) -> dict[str, float]:
        """Write the fields and pictures; return the metrics of the run and the memory of the representation."""
        folder = Path(folder)
        with torch.no_grad():
            self.tell("measuring errors")
            history = self.history(folder)
            numbers = self.run_metrics(history)
            make_folder(folder / "figures")
            if self.place is not None:
                self.write_series(folder)
                self.draw(folder)
            self.tell("drawing the history")
            self.draw_history(history, folder / "figures" / "history.png")
        return {**numbers, "memory_bytes": float(self.memory_bytes())}

    def evaluate(self, data: lightning.LightningDataModule) -> dict[str, float]:
        """Return the metrics at the end of the run and the memory of the representation."""
        with torch.no_grad():
            return {**self.metrics(), "memory_bytes": float(self.memory_bytes())}

    def predict_file(
        self,
        source: Path | None,
        output: Path,
        *,
        time: float | list[float] | Literal["all"] | None = None,
        progress: PredictionProgress | None = None,
    ) -> dict[str, float]:
        """Evaluate the fields at the points of a file, at one time or several, and write them to another file.

        Parameters
        ----------
        source : mesh file or table of points (:mod:`sciml.training.written_fields`), inside of the domain; without it
            the grid or mesh on which the run writes its fields
        output : file with the fields and, where it is known, the exact headline field; its ending says how
        time : of the fields; a list of times, or ``"all"`` at which the run writes its fields; the end of the run by
            default
        progress : called before each time

        Raises
        ------
        InputError
            If the points reach beyond the domain, a time is none of the run, or the output cannot hold several times.
        """
        place, times = self._place_of(source), self._times_of(time)
        check_output(output, place, times, self._channels(times[0]))

        def sample(moment: float) -> dict[str, np.ndarray]:
            if progress is not None:
                progress(times.index(moment) / len(times), f"t = {moment:g}")
            with torch.no_grad():
                return self.sample_on(place, moment)

        write_times(output, place, times, sample, series=isinstance(time, str | list))
        count = place.size if isinstance(place, Grid) else place.n_points
        return {"points": float(count), **({"times": float(len(times))} if len(times) > 1 else {})}

    def _place_of(self, source: Path | None) -> Place:
        """Return the points of a file, or those of the run's own fields."""
        if source is not None:
            place = read_place(source, self.problem.domain.dim)
            check_inside(place, self.problem.domain, source)
            return place
        if self.place is None:
            dim = self.problem.domain.dim
            raise InputError(f"the fields have {dim} dimensions and no grid of their own; give a file with points.")
        return self.place

    def _times_of(self, time: float | list[float] | str | None) -> list[float]:
        """Return the times to predict at, in increasing order."""
        first, last = self.known_times
        if time is None:
            return [last]
        if isinstance(time, str):
            return [each for each in self.written_times() if first <= each <= last] or [last]
        if isinstance(time, list) and not time:
            raise InputError("there are no times, expected at least one.")
        return sorted({self.moment(each) for each in (time if isinstance(time, list) else [time])})

    def moment(self, time: float) -> float:
        """Return a time of the run, that of a step where it is one but for rounding.

        Raises
        ------
        InputError
            If it is outside of the run, or between the steps of a method that does not interpolate.
        """
        first, last = self.known_times
        if not first - SAME_TIME * last <= time <= last * (1 + SAME_TIME):
            if first == last and last:
                raise InputError(
                    f"the time is {time:g}, but these weights hold the fields at t = {last:g} alone; take the folder "
                    "of the run."
                )
            end = "the end of the run" if last == self.duration else "as far as the run has got"
            raise InputError(f"the time is {time:g}, expected {first:g} to {last:g}, {end}.")
        steps = self.step_times
        if steps is None:
            return min(max(float(time), first), last)
        nearest = min(steps, key=lambda step: abs(step - time))
        length = steps[1] - steps[0]
        if abs(nearest - time) <= SAME_TIME * length:
            return nearest
        if not self.interpolates:
            raise InputError(f"the time is {time:g}, expected that of a step, a multiple of {length:g}.")
        return float(time)

    def sample_on(self, place: Place, time: float) -> dict[str, np.ndarray]:
        """Return the fields at a time as arrays on a grid or mesh, ``NAME_exact`` beside the headline if it is known.

        Points outside of the domain, as a box around a disc has them, are nan.
        """
        found = values_inside(self.problem.domain, points_of(place), self._with_exact(time))
        return {name: array_on(place, field) for name, field in found.items()}

    def _with_exact(self, time: float) -> Fields:
        """Return the fields at a time, with the exact headline field unless the method names one of its own so."""
        fields, name = self.fields_at(time), f"{self.headline}_exact"

        def values(points: Tensor) -> dict[str, Tensor]:
            shown, exact = dict(fields(points)), self.exact(points, time)
            return shown if exact is None or name in shown else {**shown, name: exact}

        return values

    def _channels(self, time: float) -> dict[str, int]:
        """Return the number of components of each field that is written, by name."""
        point = self.problem.domain.interior(1, generator(0), kind="uniform")
        with torch.no_grad():
            return {name: values.shape[1] for name, values in self._with_exact(time)(point).items()}

    def written_times(self) -> list[float]:
        """Return the times at which the solution is written."""
        default = self.times_by_default.get(self.problem.domain.dim, 2)
        return self.output.moments(self.duration, self.step_times, default)

    def write_series(self, folder: Path) -> None:
        """Write the fields into ``fields.h5`` and ``fields.xdmf``, which ParaView opens."""
        times = self.written_times()
        with SeriesWriter(folder / SERIES, self.place) as series:
            for number, time in enumerate(times):
                self.tell("writing fields", number / len(times))
                series.append(time, **self.sample_on(self.place, time))

    def draw(self, folder: Path) -> None:
        """Draw snapshots and an animation of what lies in ``fields.xdmf``, as far as its dimension allows."""
        series = read_series(folder / SERIES)
        draw_series(
            series,
            folder,
            self.pictures,
            animation=self.output.animation,
            displacement=self.displacement,
            obstacle=self.obstacle,
            tell=self.tell,
        )
        self.tell("drawing figures")
        self.draw_more(series, folder / "figures")

    def write_state(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Write the tensors of one step as ``states/00012.safetensors`` into the folder of the run."""
        write_state(self.run_folder, step, tensors)

    def read_state(self, step: int) -> dict[str, Tensor]:
        """Return the tensors of one step on the device of the task.

        Raises
        ------
        InputError
            If the file is missing or damaged, or the task was not loaded from the folder of a run.
        """
        return {name: tensor.to(self.device) for name, tensor in read_state(self.run_folder, step).items()}

    @cached_property
    def _errors(self) -> PointErrors:
        return PointErrors(self.problem.domain, self.exact)
