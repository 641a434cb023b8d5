"""Generators of shot records: velocity maps of OpenFWI's families, or a user's, and what is recorded over them.

Map number k is a function of (seed, k), or number k of a file. Its records come from `sciml.reference.waves`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sciml.checks import choice
from sciml.data.formats import Description
from sciml.data.formats.openfwi import describe_pairs
from sciml.data.formats.shot_files import mapped_maps, read_acquisition, sha256_of
from sciml.data.sample_sizes import check_sample_size
from sciml.errors import InputError

if TYPE_CHECKING:
    from sciml.reference.waves import Acquisition, WaveSolver


@dataclass(frozen=True)
class Shots(ABC):
    """Velocity maps and their shot records.

    Parameters
    ----------
    engine : numba, or host, OpenFWI's own scheme: records that another scheme then inverts
    acquisition : JSON file of a `sciml.reference.waves.Acquisition`, as its ``as_dict`` gives it; OpenFWI's if empty
    """

    engine: str = "numba"
    acquisition: str = ""

    def __post_init__(self) -> None:
        from sciml.reference.waves.solver import ENGINES

        choice("the engine", self.engine, ENGINES)
        shots, steps, receivers = self.shot_by.record_shape
        check_sample_size(shots=shots, steps=steps, receivers=receivers)
        rows, columns = self.shot_by.shape
        check_sample_size(rows=rows, columns=columns)
        _ = self._solver  # which the engine may have to refuse

    @cached_property
    def shot_by(self) -> Acquisition:
        """The acquisition of all records."""
        from sciml.reference.waves import Acquisition

        return read_acquisition(Path(self.acquisition)) if self.acquisition else Acquisition.openfwi()

    @property
    def maps_sha256(self) -> str:
        """The sha256 of the file that the maps come from, empty where they are drawn."""
        return ""

    def describe(self) -> Description:
        """Return what each sample holds: ``velocity`` (nz, nx) and ``shots`` (shots, steps, receivers)."""
        about = describe_pairs("shots", self.shot_by.shape, self.shot_by.record_shape, 1, self.shot_by)
        return replace(about, layout="sciml")

    @abstractmethod
    def check_count(self, count: int) -> None:
        """Refuse more maps than there are, and maps that the acquisition cannot carry, before any is shot.

        Parameters
        ----------
        count : of the data set
        """

    def sample(self, seed: int, number: int) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Return the fields of one sample.

        Parameters
        ----------
        seed : of the data set
        number : of the sample
        """
        import torch

        velocity = self.velocity(seed, number)
        with torch.no_grad():
            records = self._solver(torch.from_numpy(velocity)[None])[0].numpy()
        return {"velocity": velocity, "shots": records}, {}

    @abstractmethod
    def velocity(self, seed: int, number: int) -> np.ndarray:
        """Return one map, (nz, nx) float32 in m/s.

        Parameters
        ----------
        seed : of the data set
        number : of the map
        """

    def __getstate__(self) -> dict[str, str]:
        return {each.name: getattr(self, each.name) for each in fields(self)}  # and not what is cached

    @cached_property
    def _solver(self) -> WaveSolver:
        from sciml.reference.waves import WaveSolver

        return WaveSolver(self.shot_by, self.engine, threads=1)  # type: ignore[arg-type] - jobs are for several cores


@dataclass(frozen=True)
class GivenShots(Shots):
    """Shot records of a user's velocity maps.

    Parameters
    ----------
    engine, acquisition : as of `Shots`
    maps : file of ``.npy`` maps in m/s, depth first: (maps, 1, nz, nx), (maps, nz, nx) or (nz, nx)
    """

    maps: str = ""
    summary: ClassVar[str] = "shot records of your velocity maps, a folder; maps=FILE.npy in m/s, depth first"

    def __post_init__(self) -> None:
        if not self.maps:
            raise InputError("the generator shots needs velocity maps; give maps=FILE.npy.")
        super().__post_init__()
        found = self._all.shape[1:]
        if found != self.shot_by.shape:
            remedy = (
                "depth comes first" if found == self.shot_by.shape[::-1] else "give acquisition=FILE.json for others"
            )
            raise InputError(f"the maps of {self.maps} have shape {found}, expected {self.shot_by.shape}; {remedy}.")

    @property
    def maps_sha256(self) -> str:
        """The sha256 of the file that the maps come from."""
        return sha256_of(Path(self.maps))

    def check_count(self, count: int) -> None:
        """Refuse more maps than there are, and maps that the acquisition cannot carry, before any is shot.

        Parameters
        ----------
        count : of the data set
        """
        from sciml.reference.waves.velocities import check_range

        if count > len(self._all):
            raise InputError(f"{self.maps} holds {len(self._all)} maps, got -n {count}; ask for as many at most.")
        for number in range(count):
            values = self.velocity(0, number)
            check_range(f"{self.maps}: velocity map {number}", values.min(), values.max(), self.shot_by)

    def velocity(self, seed: int, number: int) -> np.ndarray:
        """Return one map, (nz, nx) float32 in m/s.

        Parameters
        ----------
        seed : without effect
        number : of the map in the file
        """
        with np.errstate(over="ignore"):  # doubles that are no floats become infinite
            return np.array(self._all[number], dtype=np.float32)

    @cached_property
    def _all(self) -> np.ndarray:
        """The maps of the file, (maps, nz, nx), mapped into memory."""
        return mapped_maps(Path(self.maps))


@dataclass(frozen=True)
class LayeredShots(Shots):
    """Velocity maps of a family of `sciml.reference.layered_maps` and their shot records."""

    family: ClassVar[str]

    def __reduce__(self) -> tuple[Any, ...]:  # for workers, which find no class of a family by its name
        return _made, (self.family, self.__getstate__())

    def check_count(self, count: int) -> None:
        """Refuse an acquisition that cannot carry the slowest and the fastest map.

        Parameters
        ----------
        count : of the data set
        """
        from sciml.reference.layered_maps import HIGHEST, LOWEST
        from sciml.reference.waves.velocities import check_range

        check_range(f"the family {self.family}", LOWEST, HIGHEST, self.shot_by)

    def velocity(self, seed: int, number: int) -> np.ndarray:
        """Return one map, (nz, nx) float32 in m/s.

        Parameters
        ----------
        seed : of the data set
        number : of the map
        """
        from sciml.reference.layered_maps import layered_map

        return layered_map(self.family, number, seed, self.shot_by.shape)


FAMILIES = {
    "flatvel-a": "flat layers, faster with depth, as genuine maps",
    "flatvel-b": "flat layers in any order",
    "curvevel-a": "curved layers, faster with depth, as genuine maps",
    "curvevel-b": "curved layers in any order",
    "flatfault-a": "flat layers with a fault, our recipe",
    "flatfault-b": "flat layers in any order with two faults, our recipe",
    "curvefault-a": "curved layers with a fault, our recipe",
    "curvefault-b": "curved layers in any order with two faults, our recipe",
    "style-a": "smooth Gaussian fields, our recipe",
    "style-b": "rough Gaussian fields, our recipe",
}
"""What the maps of each family of `sciml.reference.layered_maps` are, in a few words."""


def _of_family(family: str, words: str) -> type[LayeredShots]:
    """Return the generator of a family."""
    about = {"family": family, "summary": f"{words}; and their shot records, a folder", "__doc__": f"{words}."}
    return type(family.title().replace("-", ""), (LayeredShots,), about)


def _made(family: str, options: dict[str, str]) -> Shots:
    """Return the generator of a family with its options."""
    return SHOT_GENERATORS[f"openfwi-{family}"](**options)


SHOT_GENERATORS: dict[str, type[Shots]] = {
    **{f"openfwi-{family}": _of_family(family, words) for family, words in FAMILIES.items()},
    "shots": GivenShots,
}
"""Generators of pairs, which are written to folders."""
