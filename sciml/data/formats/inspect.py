"""`inspect`: read all of a data set, and say what is in it and what is wrong with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from sciml.data.formats.dataset import Dataset
from sciml.data.formats.detect import open_dataset
from sciml.data.formats.openfwi import ShotFolder
from sciml.data.statistics import RunningStatistics
from sciml.errors import DataFormatError


@dataclass
class FieldReport:
    """The findings of a check of one field.

    Attributes
    ----------
    name : of the field
    values : how many were read
    mean, deviation, smallest, largest : of the finite values; nan where there are none
    not_finite : number of values that are nan or infinite
    sha256 : of all values in C order, in the byte order of the machine
    damage : a sentence for each trajectory that cannot be read
    """

    name: str
    values: int = 0
    mean: float = float("nan")
    deviation: float = float("nan")
    smallest: float = float("nan")
    largest: float = float("nan")
    not_finite: int = 0
    sha256: str = ""
    damage: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """True if all values could be read and are finite."""
        return not self.damage and not self.not_finite


def damaged_places(dataset: Dataset) -> list[str]:
    """Read all places and times that differ from sample to sample; return a sentence for each that cannot be read.

    Parameters
    ----------
    dataset : in any layout
    """
    faults = []
    with dataset:
        readers: list[Callable[[int], object]] = [partial(dataset.place, name) for name in dataset.description.varying]
        for read in (dataset.times, *readers):
            for trajectory in range(dataset.description.trajectories):
                try:
                    read(trajectory)
                except DataFormatError as error:
                    faults.append(str(error))
    return faults


def damaged_parameters(dataset: Dataset) -> list[str]:
    """Return a sentence for each parameter that has values that are not finite.

    Parameters
    ----------
    dataset : in any layout
    """
    counts = {name: int((~np.isfinite(values)).sum()) for name, values in dataset.description.parameters.items()}
    return [
        f"{dataset.path}: parameter {name!r} has {count} values that are not finite."
        for name, count in counts.items()
        if count
    ]


def damaged_files(dataset: Dataset) -> list[str]:
    """Return a sentence for each file of a folder that is not the one of which the manifest has the sum.

    Parameters
    ----------
    dataset : in any layout; others have checksums inside
    """
    with dataset:
        folder = dataset.handle()
        return folder.damage() if isinstance(folder, ShotFolder) else []


def check_files(dataset: Dataset) -> None:
    """Refuse a folder of which a file is not the one of which the manifest has the sum.

    Parameters
    ----------
    dataset : in any layout; others have checksums inside, which are checked as they are read

    Raises
    ------
    DataFormatError
        If a file has changed since it was written; the sentence names it.
    """
    with dataset:
        folder = dataset.handle()
        if isinstance(folder, ShotFolder):
            folder.verify()


def inspect(
    path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None
) -> tuple[Dataset, list[FieldReport]]:
    """Read every value of a data set.

    Parameters
    ----------
    path : of the file, in any layout
    progress : called with the number of arrays read and that of all

    Returns
    -------
    (Dataset, list of FieldReport)
        A report for each field. Damage is reported, not raised, unless the file cannot be opened at all.
    """
    dataset = open_dataset(path)
    about = dataset.description
    total, reports = about.trajectories * len(about.fields), []
    with dataset:
        for number, entry in enumerate(about.fields):
            report, running, digest = FieldReport(entry.name), RunningStatistics(()), hashlib.sha256()
            low, high = np.inf, -np.inf
            for trajectory in range(about.trajectories):
                if progress is not None:
                    progress(number * about.trajectories + trajectory, total)
                try:
                    values = dataset.read(entry.name, trajectory)
                except DataFormatError as error:
                    report.damage.append(str(error))
                    continue
                digest.update(values.tobytes())
                report.values += values.size
                good = values[np.isfinite(values)].astype(np.float64)
                report.not_finite += values.size - good.size
                if good.size:
                    with np.errstate(over="ignore", invalid="ignore"):  # squares of huge values: an infinite deviation
                        running.add(good)
                    low, high = min(low, float(good.min())), max(high, float(good.max()))
            if running.count:
                report.mean, report.deviation = float(running.mean), float(running.deviation)
                report.smallest, report.largest = low, high
            report.sha256 = digest.hexdigest()
            reports.append(report)
    return dataset, reports
