"""Windows of trajectories as samples of a loader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as Samples

from sciml.checks import whole_number
from sciml.data.formats import Dataset, Description, VaryingTimes
from sciml.errors import InputError


@dataclass(frozen=True)
class Window:
    """The lengths of a window, and which fields are in it.

    Attributes
    ----------
    history : steps that are given
    horizon : steps after them that are wanted; 0 wants the targets at the last step given
    inputs, targets : names of fields
    """

    history: int
    horizon: int
    inputs: tuple[str, ...]
    targets: tuple[str, ...]

    @property
    def length(self) -> int:
        """Steps from the first given to the last wanted."""
        return self.history + self.horizon

    def starts(self, about: Description) -> int:
        """Number of windows in a trajectory; 1 where no field varies in time."""
        varying = any(about[name].time_varying for name in (*self.inputs, *self.targets))
        return len(about.times) - self.length + 1 if varying else 1


class Windows(Samples[dict[str, Tensor]]):
    """Every window of some trajectories, read from the file when asked for.

    A sample holds ``history`` (history, *places, channels), ``target`` (max(1, horizon), *places, channels),
    ``parameters`` (n,), ``trajectory`` and ``start``, both whole numbers.

    Parameters
    ----------
    dataset : an open data set; each process opens the file anew
    trajectories : which of its trajectories
    window : lengths and fields
    dtype : of the values
    """

    def __init__(self, dataset: Dataset, trajectories: Sequence[int], window: Window, dtype: torch.dtype) -> None:
        self.dataset, self.trajectories, self.window, self.dtype = dataset, tuple(trajectories), window, dtype
        self._starts = window.starts(dataset.description)
        parameters = [
            values.reshape(dataset.description.trajectories, -1) for values in dataset.description.parameters.values()
        ]
        self._parameters = np.hstack(parameters) if parameters else np.zeros((dataset.description.trajectories, 0))

    def __len__(self) -> int:
        return len(self.trajectories) * self._starts

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        number, start = divmod(index, self._starts)
        trajectory, window = self.trajectories[number], self.window
        middle = start + window.history
        wanted = slice(middle, middle + window.horizon) if window.horizon else slice(middle - 1, middle)
        return {
            "history": self._tensor(read(self.dataset, window.inputs, trajectory, slice(start, middle))),
            "target": self._tensor(read(self.dataset, window.targets, trajectory, wanted)),
            "parameters": self._tensor(self._parameters[trajectory]),
            "trajectory": torch.tensor(trajectory),
            "start": torch.tensor(start),
        }

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.dtype)


def read(dataset: Dataset, names: Sequence[str], trajectory: int, steps: slice) -> np.ndarray:
    """Read several fields side by side, (steps, *places, channels).

    Parameters
    ----------
    dataset : to read from
    names : of the fields, whose components become channels in this order
    trajectory : which
    steps : which; what is constant in time is repeated for each
    """
    about = dataset.description
    count = len(range(*steps.indices(len(about.times))))
    parts = []
    for name in names:
        values = dataset.read(name, trajectory, steps)
        values = values.reshape(*values.shape[: 1 + len(about.lengths(name))], -1)
        parts.append(values if len(values) == count else np.repeat(values, count, axis=0))
    return np.concatenate(parts, axis=-1)


def whole_trajectories(dataset: Dataset, names: Sequence[str], trajectories: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield the values of fields for statistics, (steps, *places, channels), one trajectory at a time.

    Parameters
    ----------
    dataset : to read from
    names : of the fields
    trajectories : which
    """
    varying = any(dataset.description[name].time_varying for name in names)
    for trajectory in trajectories:
        yield read(dataset, names, trajectory, slice(None) if varying else slice(0, 1))


def check_window(about: Description, window: Window, source: str) -> None:
    """Refuse a window that a data set has no place for.

    Parameters
    ----------
    about : the data set
    window : lengths and fields
    source : name of the file, for sentences
    """
    whole_number("the history of a window", window.history, at_least=1)
    whole_number("the horizon of a window", window.horizon, at_least=0)
    if not window.inputs or not window.targets:
        raise InputError(f"{source}: a window needs fields as inputs and as targets; name them.")
    if about.varying or isinstance(about.times, VaryingTimes):
        own = f"on places of their own ({', '.join(about.varying)})" if about.varying else "at times of their own"
        raise InputError(f"{source} has samples {own}, which windows do not stack; use sciml.data.SampleData.")
    for what, names in (("inputs", window.inputs), ("targets", window.targets)):
        places = {about.lengths(name) for name in names}  # names that are not there raise here
        if len(places) > 1:
            raise InputError(
                f"{source}: the {what} of a window must be at the same places; got shapes {sorted(places)}."
            )
    if window.starts(about) < 1:
        raise InputError(
            f"{source} has trajectories of {len(about.times)} steps, "
            f"expected at least history + horizon = {window.length}; choose a shorter window."
        )
