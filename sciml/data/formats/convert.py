"""`convert`: any layout into ours, and the parts of a data set into the whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from sciml.data.formats.dataset import Dataset
from sciml.data.formats.description import Description
from sciml.data.formats.detect import open_dataset
from sciml.data.formats.inspect import check_files
from sciml.data.formats.places import VaryingTimes, same_place
from sciml.data.formats.writer import DatasetWriter
from sciml.errors import InputError

Progress = Callable[[int, int], None]


def convert(
    sources: Sequence[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    *,
    compress: bool = False,
    progress: Progress | None = None,
) -> Description:
    """Write one or several data sets of the same kind to one file in our layout, trajectory by trajectory.

    Parts of a generated data set may come in any order; together they give the bytes of the whole made in one go.

    Parameters
    ----------
    sources : files in any layout
    target : file to write
    compress : gzip the values
    progress : called with the number of trajectories written and that of all

    Returns
    -------
    Description
        Of what was written.

    Raises
    ------
    InputError : the data sets do not fit together, or parts are missing or given twice
    DataFormatError : a file has changed since its checksum was taken
    """
    if not sources:
        raise InputError("there is nothing to convert; give at least one data set.")
    if any(os.path.realpath(source) == os.path.realpath(target) for source in sources):
        raise InputError(f"{target} is a source and the target; choose another name for the result.")
    datasets = _ordered([open_dataset(source) for source in sources])
    about = _joined(datasets)
    for dataset in datasets:
        check_files(dataset)
    done = 0
    with DatasetWriter(target, about, compress=compress) as writer:
        for dataset in datasets:
            with dataset:
                for trajectory in range(dataset.description.trajectories):
                    writer.append(
                        {entry.name: dataset.read(entry.name, trajectory) for entry in about.fields},
                        {name: values[trajectory] for name, values in dataset.description.parameters.items()},
                        {name: dataset.place(name, trajectory) for name in about.varying},
                        dataset.times(trajectory) if isinstance(about.times, VaryingTimes) else None,
                    )
                    done += 1
                    if progress is not None:
                        progress(done, about.trajectories)
    return open_dataset(target).description


def _ordered(datasets: list[Dataset]) -> list[Dataset]:
    """The parts of a data set in their order; other data sets as they are."""
    parts = [dataset.description.part for dataset in datasets]
    if any(part is None for part in parts):
        return datasets
    return sorted(datasets, key=lambda dataset: dataset.description.part or (0, 0, 0))


def _joined(datasets: list[Dataset]) -> Description:
    first = datasets[0].description
    for dataset in datasets[1:]:
        difference = _difference(first, dataset.description)
        if difference:
            raise InputError(
                f"{datasets[0].path} and {dataset.path} do not belong together: they differ in {difference}."
            )
    parts = [dataset.description.part for dataset in datasets if dataset.description.part is not None]
    part = None
    if len(parts) == len(datasets):
        for one, other in pairwise(parts):
            if one[1] != other[0] or one[2] != other[2]:
                raise InputError(
                    f"the parts must follow one another: trajectories {one[0]} to {one[1] - 1} are followed by "
                    f"{other[0]} to {other[1] - 1}; give each part once."
                )
        whole = (parts[0][0], parts[-1][1], parts[0][2])
        part = None if whole == (0, whole[2], whole[2]) else whole
    elif parts:
        raise InputError("parts of a data set and whole data sets cannot be joined; give either of them.")
    generator, path = first.generator, datasets[0].path
    if first.layout != "sciml":
        generator = f"converted from {', '.join(dataset.path.name for dataset in datasets)} ({first.layout})"
    name = first.name if first.layout != "sciml" or first.generator else path.stem
    return replace(
        first,
        name=name,
        trajectories=sum(dataset.description.trajectories for dataset in datasets),
        boundary=_known_boundary(first),
        generator=generator,
        part=part,
        layout="sciml",
        ignored=(),
    )


def _known_boundary(about: Description) -> dict[str, str]:
    """The boundaries that our layout can name: those of an axis or of one of its sides."""
    if about.named:
        return {}
    return {
        name: kind
        for name, kind in about.boundary.items()
        if name[:1] in ("x", "y", "z")[: about.on.dim] and name[1:] in ("", "-", "+") and kind.isalpha()
    }


def _difference(one: Description, other: Description) -> str:
    if one.fields != other.fields:
        return "their fields"
    if list(one.places) != list(other.places) or not all(
        same_place(place, other.places[name]) for name, place in one.places.items()
    ):
        return "their grids or meshes"
    if isinstance(one.times, VaryingTimes) or isinstance(other.times, VaryingTimes):
        if one.times != other.times:
            return "whether each has its own times"
    elif not np.array_equal(one.times, other.times):
        return "their times"
    if list(one.parameters) != list(other.parameters):
        return "their parameters"
    if one.boundary != other.boundary:
        return "their boundary conditions"
    if (one.generator, one.seed) != (other.generator, other.seed) and one.part is not None:
        return "the command that made them"
    return ""
