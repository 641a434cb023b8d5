"""Shot records in files, and the section below them that they are inverted for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sciml import strict_json
from sciml.checks import positive, real_array, whole_number
from sciml.domains import Box
from sciml.errors import DataFormatError, InputError
from sciml.npy_files import read_npy
from sciml.reference.layered_maps import layered_map
from sciml.reference.waves import Acquisition, WaveSolver
from sciml.reference.waves.acquisition import MOST_CELLS

SEGY = (".sgy", ".segy")


@dataclass(frozen=True)
class Shots:
    """Records and how they were made.

    Attributes
    ----------
    records : (shots, steps, receivers) float32
    acquisition : what was shot and recorded
    truth : the map (nz, nx), where it is known
    """

    records: np.ndarray
    acquisition: Acquisition
    truth: np.ndarray | None = None


@dataclass(frozen=True)
class Survey:
    """The section that records are inverted for, and what their files do not say; by default that of OpenFWI.

    Parameters
    ----------
    rows, columns : cells of the velocity map, downwards and along the line
    spacing : of the cells, in metres
    frequency : of the peak of the wavelet's spectrum, in hertz
    acquisition : JSON file with :meth:`~sciml.reference.waves.Acquisition.as_dict`, for records in ``.npy`` of another
        acquisition than OpenFWI's
    """

    rows: int = 70
    columns: int = 70
    spacing: float = 10.0
    frequency: float = 15.0
    acquisition: str | None = None

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            whole_number(f"the number of {name}", getattr(self, name), at_least=2, at_most=MOST_CELLS)
        for name in ("spacing", "frequency"):
            positive(f"the {name} of a survey", getattr(self, name))

    @property
    def shape(self) -> tuple[int, int]:
        """Cells of the map, (nz, nx)."""
        return self.rows, self.columns

    @property
    def domain(self) -> Box:
        """The section from the centres of its cells, x to the right and y upwards, 0 at the top."""
        return Box([0.0, -self.spacing * (self.rows - 1)], [self.spacing * (self.columns - 1), 0.0])

    def read(self, file: str) -> Shots:
        """Return the shots of a file: SEG-Y, or ``.npy`` with (shots, steps, receivers).

        Raises
        ------
        DataFormatError
            If the file is damaged, or is no such file.
        InputError
            If the records do not suit the acquisition.
        """
        path = Path(file)
        if path.suffix.lower() in SEGY:
            from sciml.data.formats.segy import read_segy

            found = read_segy(path)
            acquisition = found.acquisition(self.shape, self.spacing, self.frequency)
            return Shots(found.records, self._checked(acquisition, path))
        records = _array(path, "the shot records")
        acquisition = self._checked(self._acquisition(), Path(self.acquisition or path))
        return Shots(acquisition.check_records(f"the records in {path}", records), acquisition)

    def read_map(self, file: str) -> np.ndarray:
        """Return the velocity map (nz, nx) of an ``.npy`` file.

        Raises
        ------
        DataFormatError
            If it is no such file.
        InputError
            If the map has another shape.
        """
        velocity = _array(Path(file), "the velocity map")
        while velocity.ndim > 2 and velocity.shape[0] == 1:  # as OpenFWI's files have it
            velocity = velocity[0]
        if velocity.shape != self.shape:
            raise InputError(f"the map in {file} has the shape {velocity.shape}, expected {self.shape}, depth first.")
        return velocity.astype(np.float64)

    def example(self, seed: int) -> Shots:
        """Return records of a map of curved layers that the seed draws, by the scheme of OpenFWI's data."""
        acquisition = self._checked(self._acquisition(), Path(self.acquisition or "the example"))
        truth = layered_map("curvevel-a", 0, seed, self.shape).astype(np.float64)
        with torch.no_grad():
            records = WaveSolver(acquisition, "host")(torch.from_numpy(truth)[None])[0]
        return Shots(records.numpy(), acquisition, truth)

    def _acquisition(self) -> Acquisition:
        return Acquisition.openfwi() if self.acquisition is None else read_acquisition(Path(self.acquisition))

    def _checked(self, acquisition: Acquisition, path: Path) -> Acquisition:
        if acquisition.shape != self.shape or acquisition.spacing != self.spacing:
            raise InputError(
                f"{path} is of {acquisition.shape} cells of {acquisition.spacing:g} m, but the survey of {self.shape} "
                f"of {self.spacing:g} m; give rows, columns and spacing, and the acquisition of records in .npy."
            )
        return acquisition


def read_acquisition(path: Path) -> Acquisition:
    """Return the acquisition of a JSON file with :meth:`~sciml.reference.waves.Acquisition.as_dict`.

    Raises
    ------
    DataFormatError
        If it is no such file.
    """
    values = strict_json.read(path)
    try:
        return Acquisition.from_dict(values)
    except InputError as error:
        raise DataFormatError(f"{path} holds no acquisition: {error}") from error


def _array(path: Path, what: str) -> np.ndarray:
    """Return the real numbers of an ``.npy`` file."""
    try:
        array = read_npy(path)
    except ValueError as error:
        raise DataFormatError(f"{path} is no array in .npy: {error}; expected {what}.") from error
    return real_array(f"{what} in {path}", array, finite=False, error=DataFormatError)
