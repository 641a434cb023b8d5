"""`Sample`: one sample of a data set with its own grids and meshes, and `Samples`, the samples of a file by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset as TorchDataset

from sciml.checks import whole_number
from sciml.data.formats import Dataset, Description
from sciml.errors import InputError
from sciml.mesh import Grid, Mesh


@dataclass(frozen=True, eq=False)
class Sample:
    """One sample of a data set: its places, and its values there.

    Attributes
    ----------
    number : of the trajectory in the file
    start : first step of the window
    times : (steps,) of the window
    places : grids and meshes by name, also those that all samples share
    fields : by name, ``(*places, *components)``, with ``steps`` in front for a quantity that varies in time
    parameters : by name, float64
    """

    number: int
    start: int
    times: np.ndarray
    places: dict[str, Grid | Mesh]
    fields: dict[str, np.ndarray]
    parameters: dict[str, np.ndarray]


class Samples(TorchDataset[Sample]):
    """Every window of some trajectories with their places, read from the file when asked for.

    Parameters
    ----------
    dataset : an open data set in any layout; each process opens the file anew
    trajectories : which of its trajectories
    steps : of a window; None for whole trajectories
    names : fields that are read; all by default

    Examples
    --------
    >>> from sciml.data import generate, open_dataset
    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/heat.h5"
    >>> about = generate("heat", 2, path, options={"size": "9", "dimension": "1", "steps": "5"})
    >>> samples = Samples(open_dataset(path), [0, 1], steps=2)
    >>> len(samples), samples[5].start, samples[5].fields["u"].shape
    (8, 1, (2, 9))
    """

    def __init__(
        self,
        dataset: Dataset,
        trajectories: Sequence[int],
        steps: int | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        about = dataset.description
        self.dataset, self.trajectories = dataset, tuple(trajectories)
        self.names = tuple(entry.name for entry in about.fields) if names is None else tuple(names)
        self._steps = steps
        counts = [windows(about, number, steps, self.names, str(dataset.path)) for number in self.trajectories]
        self._ends = np.cumsum(counts, dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(index)
        position = int(np.searchsorted(self._ends, index, side="right"))
        start = index - int(self._ends[position - 1]) if position else index
        number, about = self.trajectories[position], self.dataset.description
        steps = slice(start, None if self._steps is None else start + self._steps)
        fields = {name: self.dataset.read(name, number, steps) for name in self.names}
        used = dict.fromkeys(about[name].place for name in self.names)
        return Sample(
            number,
            start,
            self.dataset.times(number)[steps],
            {name: self.dataset.place(name, number) for name in used},
            {name: values if about[name].time_varying else values[0] for name, values in fields.items()},
            {name: values[number] for name, values in about.parameters.items()},
        )


def windows(about: Description, trajectory: int, steps: int | None, names: Sequence[str], source: str) -> int:
    """Return the number of windows of so many steps in a trajectory; 1 where no field varies in time.

    Parameters
    ----------
    about : the data set
    trajectory : its number
    steps : of a window; None for the whole trajectory
    names : of its fields
    source : name of the file, for sentences
    """
    if steps is not None:
        whole_number("the steps of a window", steps, at_least=1)
    varying = [name for name in names if about[name].time_varying]  # a name that is not there raises here
    if steps is None or not varying:
        return 1
    there = about.steps(trajectory) or 0
    if steps > there:
        raise InputError(
            f"{source} has trajectories of {there} steps, expected at least the {steps} of a window; choose a shorter "
            "one."
        )
    return there - steps + 1
