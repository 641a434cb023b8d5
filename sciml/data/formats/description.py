"""`Description`: what a data set holds, and where the values of each of its fields are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from sciml.checks import did_you_mean
from sciml.data.formats.places import Place, VaryingTimes, is_varying, lengths
from sciml.errors import InputError
from sciml.mesh import Grid, Mesh
from sciml.mesh.field import Location


@dataclass(frozen=True)
class DataField:
    """One quantity of a data set.

    Attributes
    ----------
    name : such as ``"velocity"``
    components : shape of one value: () for a scalar, (2,) for a vector in the plane
    dtype : numpy's name of the stored numbers
    unit : for labels, e.g. "m/s"
    location : "points" or "cells" of a mesh or grid
    time_varying : False for a quantity that has one value per trajectory, such as a coefficient
    place : name of the place that it is on; may be left out where there is one only
    """

    name: str
    components: tuple[int, ...] = ()
    dtype: str = "float32"
    unit: str = ""
    location: Location = "points"
    time_varying: bool = True
    place: str = ""


@dataclass(frozen=True, eq=False)
class Description:
    """A description of the contents of a data set.

    Attributes
    ----------
    name : of the data set
    on : the grid or mesh that all its fields are on, or several places by name; one that differs from sample to sample
        is a `VaryingMesh` or `VaryingGrid`
    times : (steps,) float64, increasing, or `VaryingTimes` if those differ from sample to sample
    fields : its quantities
    trajectories : number of trajectories
    boundary : kind by axis or side: ``{"x": "periodic", "y-": "wall"}``; only where all is on one grid or mesh
    parameters : by name, (trajectories, ...) float64
    generator : the command that made it; empty if unknown
    seed : of the random numbers, None if unknown
    part : (first, past the last, all) trajectories of a part of a larger data set, None for a whole one
    layout : of the file
    ignored : names in a file of a foreign layout that are not read; in our own layout there are none

    Examples
    --------
    Velocity maps on one grid and the shots recorded over them on another:

    >>> from sciml.mesh import Grid
    >>> pairs = Description(
    ...     "pairs",
    ...     {"ground": Grid((70, 70)), "record": Grid((5, 1000, 70))},
    ...     np.zeros(1),
    ...     (DataField("velocity", time_varying=False, place="ground"), DataField("shots", place="record")),
    ...     trajectories=500,
    ... )
    >>> pairs.shape("shots")
    (500, 1, 5, 1000, 70)
    """

    name: str
    on: Grid | Mesh | Mapping[str, Place]
    times: np.ndarray | VaryingTimes
    fields: tuple[DataField, ...]
    trajectories: int
    boundary: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, np.ndarray] = field(default_factory=dict)
    generator: str = ""
    seed: int | None = None
    part: tuple[int, int, int] | None = None
    layout: str = "sciml"
    ignored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.on, Grid | Mesh | Mapping):
            raise InputError(f"a place that differs from sample to sample needs a name: on={{'mesh': {self.on!r}}}.")
        if isinstance(self.times, VaryingTimes) and not self.named:
            raise InputError(f"where times differ, the place needs a name: on={{'grid': {self.on!r}}}.")
        places = self.places
        only = next(iter(places)) if len(places) == 1 else ""
        fields = tuple(entry if entry.place else replace(entry, place=only) for entry in self.fields)
        for entry in fields:
            if entry.place not in places:
                raise InputError(
                    f"the field {entry.name!r} is on {entry.place!r}, expected one of the places {', '.join(places)}"
                    f"{did_you_mean(entry.place, places) or '.'}"
                )
        object.__setattr__(self, "fields", fields)

    def __getitem__(self, name: str) -> DataField:
        for entry in self.fields:
            if entry.name == name:
                return entry
        known = [entry.name for entry in self.fields]
        raise InputError(
            f"there is no field {name!r} in the data set {self.name!r}, which has {', '.join(known)}"
            f"{did_you_mean(name, known) or '.'}"
        )

    @property
    def places(self) -> Mapping[str, Place]:
        """The places by name; the name is empty where one grid or mesh is all there is."""
        return self.on if isinstance(self.on, Mapping) else {"": self.on}

    @property
    def named(self) -> bool:
        """True if the places have names."""
        return isinstance(self.on, Mapping)

    @property
    def varying(self) -> tuple[str, ...]:
        """Names of the places that differ from sample to sample."""
        return tuple(name for name, place in self.places.items() if is_varying(place))

    def steps(self, trajectory: int | None = None) -> int | None:
        """Return the number of times of a trajectory; None where none is given and they differ.

        Parameters
        ----------
        trajectory : its number
        """
        return self.times.steps(trajectory) if isinstance(self.times, VaryingTimes) else len(self.times)

    def step_counts(self) -> np.ndarray:
        """Return the number of times of each trajectory, (trajectories,)."""
        return np.array([self.steps(trajectory) for trajectory in range(self.trajectories)])

    def sizes(self) -> dict[str, dict[str, np.ndarray]]:
        """Return how large the places that differ are: by name, numbers such as those of points, (trajectories,)."""
        kinds = {name: self.places[name] for name in self.varying}
        return {name: kind.sizes() for name, kind in kinds.items()}  # type: ignore[union-attr]

    def shapes(self) -> str:
        """Return the fields and their shapes as text, with a star for a length that differs."""
        shapes = ((entry.name, self.shape(entry.name)) for entry in self.fields)
        return ", ".join(f"{name} ({', '.join('*' if n is None else str(n) for n in shape)})" for name, shape in shapes)

    def lengths(self, name: str, trajectory: int | None = None) -> tuple[int | None, ...]:
        """Shape of the places that a field has values at: that of the grid, or (points,) or (cells,) of the mesh.

        Parameters
        ----------
        name : of the field
        trajectory : its number; without it, a length that differs among the trajectories is None
        """
        entry = self[name]
        return lengths(self.places[entry.place], entry.location, trajectory)

    def shape(self, name: str, trajectory: int | None = None) -> tuple[int | None, ...]:
        """Return ``(trajectories, steps, *places, *components)`` of a field; a field constant in time has one step.

        Parameters
        ----------
        name : of the field
        trajectory : its number, for ``(steps, *places, *components)`` of that one; without it, a length that differs
            among the trajectories is None
        """
        steps = self.steps(trajectory) if self[name].time_varying else 1
        one = (steps, *self.lengths(name, trajectory), *self[name].components)
        return (self.trajectories, *one) if trajectory is None else one
