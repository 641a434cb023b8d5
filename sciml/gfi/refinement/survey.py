"""Shot records in files, and the section below them that they are inverted for."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path

import numpy as np
import torch

from sciml.checks import positive, whole_number
from sciml.data.formats.shot_files import SEGY, read_acquisition, read_values
from sciml.domains import Box
from sciml.errors import InputError
from sciml.gfi.matching import median_frequency
from sciml.reference.layered_maps import HIGHEST, layered_map
from sciml.reference.waves import Acquisition, WaveSolver
from sciml.reference.waves.acquisition import MOST_CELLS, ROUNDING
from sciml.reference.waves.units import check_metres_per_second
from sciml.reference.waves.velocities import LARGEST_COURANT

USUAL_FREQUENCY = 15.0  # Hz, of OpenFWI's wavelet
WIDEST_BAND = 3.0  # factor between the median frequency of records and the peak of the wavelet of a survey


@dataclass(frozen=True)
class SurveyRecords:
    """Records and how they were made.

    Attributes
    ----------
    records : (shots, steps, receivers) float32
    acquisition : what was shot and recorded
    truth : the map (nz, nx), where it is known
    noise_factor : from white noise in the file, relative to the records, to that at the acquisition's time step
    """

    records: np.ndarray
    acquisition: Acquisition
    truth: np.ndarray | None = None
    noise_factor: float = 1.0


@dataclass(frozen=True)
class Survey:
    """The section that records are inverted for, and what their files do not say; by default that of OpenFWI.

    Parameters
    ----------
    rows, columns : cells of the velocity map, downwards and along the line
    spacing : of the cells, in metres
    frequency : of the peak of the wavelet's spectrum, in hertz, for records in SEG-Y, 15 by default; those in ``.npy``
        have it from their acquisition, to which it has to be equal if it is given
    acquisition : JSON file with :meth:`~sciml.reference.waves.Acquisition.as_dict`, for records in ``.npy`` of another
        acquisition than OpenFWI's; SEG-Y says itself where it was recorded
    """

    rows: int = 70
    columns: int = 70
    spacing: float = 10.0
    frequency: float | None = None
    acquisition: str | None = None

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            whole_number(f"the number of {name}", getattr(self, name), at_least=2, at_most=MOST_CELLS)
        positive("the spacing of a survey", self.spacing)
        if self.frequency is not None:
            positive("the frequency of a survey", self.frequency)

    @property
    def shape(self) -> tuple[int, int]:
        """Cells of the map, (nz, nx)."""
        return self.rows, self.columns

    @property
    def domain(self) -> Box:
        """The section from the centres of its cells, x to the right and y upwards, 0 at the top."""
        return Box([0.0, -self.spacing * (self.rows - 1)], [self.spacing * (self.columns - 1), 0.0])

    def read(self, file: str, fastest: float = HIGHEST) -> SurveyRecords:
        """Return the shots of a file: SEG-Y, or ``.npy`` with (shots, steps, receivers).

        Samples of SEG-Y that are too far apart for the solver to carry the fastest velocity are interpolated.

        Parameters
        ----------
        file : its name
        fastest : velocity that the solver has to carry, in m/s

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

            if self.acquisition is not None:
                raise InputError(
                    f"{path} says itself where it was recorded, so that the acquisition {self.acquisition} has no "
                    "effect; leave it out."
                )
            found, frequency = read_segy(path), self.frequency or USUAL_FREQUENCY
            _check_band(path, median_frequency(found.records, found.time_step), frequency)
            factor = ceil(fastest * found.time_step / (LARGEST_COURANT * self.spacing) - ROUNDING)
            found = found.finer(max(1, factor))
            try:
                acquisition = found.acquisition(self.shape, self.spacing, frequency)
            except InputError as error:
                remedy = "give rows, columns and spacing of the section below the line"
                raise InputError(f"{path}: {str(error).removesuffix('.')}; {remedy}.") from error
            # The power of white noise at each frequency stays as it is, and the band that it fills does not.
            return SurveyRecords(found.records, acquisition, noise_factor=sqrt(max(1, factor)))
        records = read_values(path, "the shot records", finite=False)
        acquisition = self._stated(path)
        acquisition.check_records(f"the records in {path}", records)
        if records.ndim > 3 and len(records) != 1:
            raise InputError(
                f"{path} has the records of several maps, of shape {records.shape}, expected those of one; give them "
                "one by one."
            )
        return SurveyRecords(records.reshape(acquisition.record_shape), acquisition)

    def read_map(self, file: str) -> np.ndarray:
        """Return the velocity map (nz, nx) of an ``.npy`` file.

        Raises
        ------
        DataFormatError
            If it is no such file.
        InputError
            If the map has another shape, or velocities that are not in m/s.
        """
        velocity = read_values(Path(file), "the velocity map", finite=False)
        while velocity.ndim > 2 and velocity.shape[0] == 1:  # as OpenFWI's files have it
            velocity = velocity[0]
        if velocity.shape != self.shape:
            raise InputError(f"the map in {file} has the shape {velocity.shape}, expected {self.shape}, depth first.")
        check_metres_per_second(f"the map in {file}", velocity.min(), velocity.max(), InputError)
        return velocity.astype(np.float64)

    def example(self, seed: int) -> SurveyRecords:
        """Return records of a map of curved layers that the seed draws, by the scheme of OpenFWI's data."""
        acquisition = self._stated(Path("the example"))
        truth = layered_map("curvevel-a", 0, seed, self.shape).astype(np.float64)
        with torch.no_grad():
            records = WaveSolver(acquisition, "host")(torch.from_numpy(truth)[None])[0]
        return SurveyRecords(records.numpy(), acquisition, truth)

    def _stated(self, records: Path) -> Acquisition:
        """Return the acquisition of records in ``.npy``, OpenFWI's by default, if it is that of this survey."""
        if self.acquisition is None:
            whose, stated = f"{records} without an acquisition", Acquisition.openfwi()
        else:
            whose, stated = self.acquisition, read_acquisition(Path(self.acquisition))
        if stated.shape != self.shape or stated.spacing != self.spacing:
            raise InputError(
                f"{whose} is for a velocity map of {_cells(stated.shape)} cells of {stated.spacing:g} m, but that of "
                f"the survey has {_cells(self.shape)} of {self.spacing:g} m; give rows, columns and spacing as in the "
                "acquisition, or the acquisition with which the records were made."
            )
        if self.frequency not in (None, stated.frequency):
            raise InputError(
                f"{whose} has a wavelet that peaks at {stated.frequency:g} Hz, but the frequency of the survey is "
                f"{self.frequency:g} Hz; leave the frequency out: the acquisition of records in .npy has the wavelet."
            )
        return stated


def _cells(shape: tuple[int, int]) -> str:
    return " x ".join(map(str, shape))


def _check_band(path: Path, median: float, peak: float) -> None:
    """Refuse records whose median frequency is far from the peak of the wavelet that is to make them."""
    if not 1.0 / WIDEST_BAND <= median / peak <= WIDEST_BAND:
        raise InputError(
            f"{path} has records with a median frequency of {median:.3g} Hz, but the wavelet of the survey peaks at "
            f"{peak:g} Hz; give the frequency of theirs, or filter them."
        )
