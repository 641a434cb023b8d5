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
        self._steps = len(about.times) if steps is None else steps
        self._starts = windows(about, self._steps, self.names, str(dataset.path))

    def __len__(self) -> int:
        return len(self.trajectories) * self._starts

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(index)
        position, start = divmod(index, self._starts)
        number, about = self.trajectories[position], self.dataset.description
        steps = slice(start, start + self._steps)
        fields = {name: self.dataset.read(name, number, steps) for name in self.names}
        used = dict.fromkeys(about[name].place for name in self.names)
        return Sample(
            number,
            start,
            about.times[steps],
            {name: self.dataset.place(name, number) for name in used},
            {name: values if about[name].time_varying else values[0] for name, values in fields.items()},
            {name: values[number] for name, values in about.parameters.items()},
        )


def windows(about: Description, steps: int, names: Sequence[str], source: str) -> int:
    """Return the number of windows of so many steps in a trajectory; 1 where no field varies in time.

    Parameters
    ----------
    about : the data set
    steps : of a window
    names : of its fields
    source : name of the file, for sentences
    """
    whole_number("the steps of a window", steps, at_least=1)
    if not any(about[name].time_varying for name in names):  # a name that is not there raises here
        return 1
    if steps > len(about.times):
        raise InputError(
            f"{source} has trajectories of {len(about.times)} steps, expected at least the {steps} of a window; choose "
            "a shorter one."
        )
    return len(about.times) - steps + 1
