"""Batches of samples that have their own grids and meshes: packed one after the other, or padded to one shape.

Both are a `SampleBatch`. Its tensors by place are, for a place that differs from sample to sample,

==================  =========================================  ====================================================
a mesh              packed                                     padded
==================  =========================================  ====================================================
``points``          (points of all, dim)                       (batch, most points, dim)
``cells/TYPE``      (cells of all, nodes), numbers of the      (batch, most cells, nodes), numbers of the sample's
                    points of all                              own points, -1 where there is none
``groups/NAME``     (members of all[, nodes]), likewise        (batch, most members[, nodes]), likewise
``point_offsets``   (batch + 1,) first point of each sample
``cell_offsets``    (batch + 1,) first cell of each sample
``numbers/TYPE``    (cells of all,) which of the values    (batch, most cells) which of the sample's own values
                    of all at cells is that of each        at cells is that of each, -1 where there is no cell
``point_mask``                                                 (batch, most points), true where there is a point
``cell_mask``                                                  (batch, most cells), true where there is a cell
==================  =========================================  ====================================================

and for a grid ``shape``, ``lower`` and ``upper`` (batch, dim), beside ``value_offsets`` (batch + 1,) in a packed batch
and ``value_mask`` (batch, \\*largest shape) in a padded one. Places that all samples share have no tensors.

Fields on such a place are packed to ``([steps,] values of all, *components)`` or padded with zeros to
``(batch, [steps,] *most values, *components)``. Fields on a shared place are ``(batch, [steps,] *places, *components)``
in both.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from sciml.data.formats import DataField, Description, VaryingGrid, VaryingMesh
from sciml.data.samples import Sample
from sciml.mesh import Grid, Mesh


@dataclass(frozen=True, eq=False)
class SampleBatch:
    """A batch of samples, packed or padded.

    It has what ``training`` asks of a batch of graphs, so samples are counted and precisions changed as they should.

    Attributes
    ----------
    sample : (batch,) numbers of the trajectories in the file
    start : (batch,) first steps of the windows
    times : (batch, most steps) of the windows; NaN beyond the last step of a shorter one
    fields : by name, in the precision of the batch; whole numbers are int64
    places : tensors by name of the place; see the module
    parameters : by name, (batch, ...)
    """

    sample: Tensor
    start: Tensor
    times: Tensor
    fields: dict[str, Tensor]
    places: dict[str, dict[str, Tensor]]
    parameters: dict[str, Tensor]

    @property
    def num_graphs(self) -> int:
        """Number of samples in the batch."""
        return len(self.sample)

    def apply(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Return the batch of the values of a function of each tensor.

        Parameters
        ----------
        function : of a tensor
        """
        return replace(
            self,
            sample=function(self.sample),
            start=function(self.start),
            times=function(self.times),
            fields={name: function(tensor) for name, tensor in self.fields.items()},
            places={
                name: {part: function(tensor) for part, tensor in parts.items()} for name, parts in self.places.items()
            },
            parameters={name: function(tensor) for name, tensor in self.parameters.items()},
        )

    def to(self, *args: Any, **options: Any) -> Self:
        """Return the batch on another device, with the arguments of :meth:`torch.Tensor.to`."""
        return self.apply(lambda tensor: tensor.to(*args, **options))

    def pin_memory(self) -> Self:
        """Return the batch in memory from which it is copied to a device faster."""
        return self.apply(lambda tensor: tensor.pin_memory())


@dataclass(frozen=True)
class Collate(ABC):
    """The function that makes a batch of samples.

    Parameters
    ----------
    about : the data set that the samples are of
    dtype : of the numbers that are not whole
    """

    about: Description
    dtype: torch.dtype = torch.float32

    def __call__(self, samples: Sequence[Sample]) -> SampleBatch:
        """Return samples as one batch.

        Parameters
        ----------
        samples : at least one
        """
        first = samples[0]
        kinds = {name: self.about.places[name] for name in self.about.varying if name in first.places}
        fields = {name: self._values(name, [sample.fields[name] for sample in samples]) for name in first.fields}
        parameters = {name: np.stack([sample.parameters[name] for sample in samples]) for name in first.parameters}
        places = {name: self.places(kind, [sample.places[name] for sample in samples]) for name, kind in kinds.items()}
        return SampleBatch(
            torch.tensor([sample.number for sample in samples]),
            torch.tensor([sample.start for sample in samples]),
            _tensor(_padded([np.asarray(sample.times, np.float64) for sample in samples], np.nan), self.dtype),
            self._tensors(fields),
            {name: self._tensors(arrays) for name, arrays in places.items()},
            self._tensors(parameters),
        )

    @abstractmethod
    def field(self, entry: DataField, values: list[np.ndarray]) -> np.ndarray:
        """Return the values of a field, on a place that differs, of all samples.

        Parameters
        ----------
        entry : the field
        values : one array for each sample
        """

    @abstractmethod
    def places(self, kind: VaryingMesh | VaryingGrid, places: list[Grid | Mesh]) -> dict[str, np.ndarray]:
        """Return the arrays of the places of all samples by name.

        Parameters
        ----------
        kind : of the places
        places : one for each sample
        """

    def _values(self, name: str, values: list[np.ndarray]) -> np.ndarray:
        entry = self.about[name]
        return self.field(entry, values) if entry.place in self.about.varying else np.stack(values)

    def _tensors(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        return {name: _tensor(values, self.dtype) for name, values in arrays.items()}


class Pack(Collate):
    """The function that makes a packed batch of samples: values one after the other, numbers of points shifted."""

    def field(self, entry: DataField, values: list[np.ndarray]) -> np.ndarray:
        """Return the values of a field, one sample after the other along the axis of the places.

        Parameters
        ----------
        entry : the field
        values : one array for each sample
        """
        flat = [each.reshape(*each.shape[: entry.time_varying], -1, *entry.components) for each in values]
        return np.concatenate(flat, axis=int(entry.time_varying))

    def places(self, kind: VaryingMesh | VaryingGrid, places: list[Grid | Mesh]) -> dict[str, np.ndarray]:
        """Return the rows of all samples, and the offsets at which those of each start.

        Parameters
        ----------
        kind : of the places
        places : one for each sample
        """
        parts, counts = [kind.split(place) for place in places], [_counts(place) for place in places]
        offsets = {what: np.cumsum([0, *(own[what] for own in counts)]) for what in counts[0]}
        out = {f"{what}_offsets": numbers for what, numbers in offsets.items()}
        for name in parts[0]:
            shifts = offsets.get(kind.numbers(name), np.zeros(len(parts), np.int64))
            out[name] = np.concatenate([own[name] + shift for own, shift in zip(parts, shifts, strict=False)])
        numbers = [_cell_numbers(place) for place in places]
        for name in numbers[0]:
            shifts = offsets["cell"]
            out[name] = np.concatenate([own[name] + shift for own, shift in zip(numbers, shifts, strict=False)])
        return out


class Pad(Collate):
    """The function that makes a padded batch of samples: all of one shape, and masks of what is there."""

    def field(self, entry: DataField, values: list[np.ndarray]) -> np.ndarray:
        """Return the values of a field with zeros behind them.

        Parameters
        ----------
        entry : the field
        values : one array for each sample
        """
        return _padded(values, 0)

    def places(self, kind: VaryingMesh | VaryingGrid, places: list[Grid | Mesh]) -> dict[str, np.ndarray]:
        """Return the arrays of all samples with zeros behind them, -1 behind numbers of points, and the masks.

        Parameters
        ----------
        kind : of the places
        places : one for each sample
        """
        parts, out = [kind.split(place) for place in places], {}
        for name, (_, _, single) in kind.parts().items():
            rows = [own[name] for own in parts]
            out[name] = np.concatenate(rows) if single else _padded(rows, -1 if kind.numbers(name) else 0)
        numbers = [_cell_numbers(place) for place in places]
        for name in numbers[0]:
            out[name] = _padded([own[name] for own in numbers], -1)
        for what in _counts(places[0]):
            out[f"{what}_mask"] = _padded([np.ones(_lengths(place, what), bool) for place in places], False)
        return out


def _counts(place: Grid | Mesh) -> dict[str, int]:
    """How many values a place has, by what they are at; cells of all types are counted together."""
    names = ("value",) if isinstance(place, Grid) else ("point", "cell")
    return {what: math.prod(_lengths(place, what)) for what in names}


def _cell_numbers(place: Grid | Mesh) -> dict[str, np.ndarray]:
    """Return by type which of the values at cells belongs to each cell: those of one type follow those of another."""
    if isinstance(place, Grid):
        return {}
    return {f"numbers/{name}": np.arange(where.start, where.stop) for name, _, where in place.blocks()}


def _lengths(place: Grid | Mesh, what: str) -> tuple[int, ...]:
    if isinstance(place, Grid):
        return place.shape
    return (place.n_points if what == "point" else place.n_cells,)


def _padded(values: list[np.ndarray], filling: float) -> np.ndarray:
    """Stack arrays of different shapes in the corner of the smallest one that holds each."""
    shape = np.max([each.shape for each in values], axis=0)
    out = np.full((len(values), *shape), filling, values[0].dtype)
    for row, each in zip(out, values, strict=True):
        row[tuple(map(slice, each.shape))] = each
    return out


def _tensor(values: np.ndarray, dtype: torch.dtype) -> Tensor:
    """Whole numbers as int64, truth values as they are, all others in a dtype."""
    if values.dtype.kind in "iu":
        return torch.from_numpy(np.ascontiguousarray(values, np.int64))
    tensor = torch.from_numpy(np.ascontiguousarray(values))
    return tensor if values.dtype.kind == "b" else tensor.to(dtype)
