"""Velocity maps of records in files, for ``sciml predict``.

============= ==========================================================================================
ending        contents
============= ==========================================================================================
.npy          records ``(shots, steps, receivers)``, or ``(maps, shots, steps, receivers)`` of several maps, of the
              network's acquisition; to be written, the maps ``(depth, width)`` or ``(maps, depth, width)`` in m/s
.sgy, .segy   the shots of a line, which are brought to the network's geometry, see :mod:`sciml.gfi.matching`
.xdmf         and the other files of fields (.vtu, .msh, .med): one map, the field ``velocity`` in m/s on points in
              metres, of which the first coordinate is across and the second is minus the depth; of a refined map also
              ``start``, that of the network, and ``illumination``, how much the records change with each cell relative
              to the median cell
============= ==========================================================================================
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from sciml.atomic import write_bytes
from sciml.checks import finite
from sciml.errors import DataFormatError, InputError
from sciml.mesh import Grid
from sciml.mesh.files import WRITE, write_fields
from sciml.npy_files import read_npy

if TYPE_CHECKING:
    from sciml.gfi.refinement import Refinement
    from sciml.reference.waves import Acquisition
    from sciml.training.task import PredictionProgress

AT_ONCE = 32  # maps
SEGY = (".sgy", ".segy")


@dataclass(frozen=True, eq=False)
class Observed:
    """Records as a network takes them, ``(maps, shots, steps, receivers)``, and how they were made.

    ``about`` has numbers on how they were brought there; ``wavelet_is_known`` is false for those of a line.
    """

    records: np.ndarray
    acquisition: Acquisition
    about: dict[str, float]
    wavelet_is_known: bool = True


@dataclass(frozen=True)
class Network:
    """A trained network: from records to maps, for an acquisition, with the deviation of the training's records."""

    inverse: Callable[[Tensor], Tensor]
    acquisition: Acquisition
    deviation: float

    @torch.no_grad()
    def maps(self, records: np.ndarray, progress: Callable[[float, str], None]) -> np.ndarray:
        """Return the maps ``(maps, depth, width)`` of records."""
        found = []
        for start in range(0, len(records), AT_ONCE):
            block = torch.from_numpy(np.ascontiguousarray(records[start : start + AT_ONCE], np.float32))
            found.append(self.inverse(block)[:, 0].double().numpy())
            progress((start + len(block)) / len(records), f"map {start + len(block)} of {len(records)}")
        return np.concatenate(found)


def predict_maps(
    network: Network,
    source: Path,
    output: Path,
    *,
    solves: int = 0,
    noise: float | None = None,
    progress: PredictionProgress | None = None,
) -> dict[str, float]:
    """Write the maps of the records in a file; return their number and their least, mean and largest velocity.

    Parameters
    ----------
    network : that has been trained
    source, output : see the table above
    solves : of the wave equation, with which each map is refined until its records fit those of the file
    noise : of the records relative to their root mean square, where it is known
    progress : called now and then
    """
    source, output = Path(source), Path(output)
    if output.suffix not in (".npy", *WRITE):
        raise InputError(f"{output} ends with {output.suffix!r}, expected one of .npy, {', '.join(WRITE)}.")
    settings = _refinement(solves, noise)
    observed = read_observed(source, network)
    if len(observed.records) > 1 and output.suffix != ".npy":
        raise InputError(
            f"{source} has records of {len(observed.records)} maps, which one file of fields does not hold; write .npy."
        )
    report = progress or (lambda done, words: None)
    maps = network.maps(observed.records, report if settings is None else lambda done, words: None)
    fields, numbers = {"velocity": maps}, dict(observed.about)
    if settings is not None:
        fields, refined = _refined(maps, observed, settings, report)
        numbers |= refined
    write_maps(output, fields, observed.acquisition.spacing)
    found = fields["velocity"]
    ends = {"least": found.min(), "mean": found.mean(), "largest": found.max()}
    return {"maps": float(len(found))} | {name: float(value) for name, value in ends.items()} | numbers


def read_observed(source: Path, network: Network) -> Observed:
    """Return the records in a file as a network takes them.

    Parameters
    ----------
    source : ``.npy`` or SEG-Y
    network : that takes them

    Raises
    ------
    DataFormatError
        If the file cannot be read, or holds something else.
    InputError
        If the shots of a line do not suit the network.
    """
    if source.suffix.lower() in SEGY:
        from sciml.data.formats.segy import read_segy
        from sciml.gfi.matching import match

        found = match(read_segy(source), network.acquisition, network.deviation)
        about = {"length_factor": found.factor, "gain": found.gain}
        return Observed(found.records[None], found.acquisition, about, wavelet_is_known=False)
    if source.suffix != ".npy":
        raise DataFormatError(f"{source} ends with {source.suffix!r}, expected .npy, .sgy or .segy with records.")
    try:
        records = finite(f"{source}", read_npy(source), error=DataFormatError)
        network.acquisition.check_records(f"the records in {source}", records)
    except (InputError, ValueError) as error:
        raise DataFormatError(f"{source} holds no records for this network: {error}") from error
    if records.ndim not in (3, 4) or not len(records):
        raise DataFormatError(f"{source} has shape {records.shape}, expected records of one map or of several.")
    return Observed(records if records.ndim == 4 else records[None], network.acquisition, {})


def write_maps(output: Path, fields: dict[str, np.ndarray], spacing: float) -> None:
    """Write maps, ``(maps, depth, width)`` by name: all velocities to ``.npy``, the first of each to a file of fields.

    Parameters
    ----------
    output : file
    fields : ``velocity`` among them
    spacing : of the cells in metres
    """
    velocity = fields["velocity"]
    if output.suffix == ".npy":
        file = io.BytesIO()
        np.save(file, velocity if len(velocity) > 1 else velocity[0])
        write_bytes(output, file.getvalue())
        return
    depth, width = velocity.shape[1:]
    # The first axis of a grid is across, the second upwards: the deepest row comes first.
    grid = Grid((width, depth), (0.0, -(depth - 1) * spacing), ((width - 1) * spacing, 0.0))
    write_fields(output, grid, {name: maps[0, ::-1].T for name, maps in fields.items()})


def _refinement(solves: int, noise: float | None) -> Refinement | None:
    if not solves:
        if noise is not None:
            raise InputError("noise is for the refinement; give refine=SOLVES, such as refine=300, or leave it out.")
        return None
    from sciml.gfi.refinement import Refinement

    return Refinement(solves=solves, noise=noise)


def _refined(
    maps: np.ndarray, observed: Observed, settings: Refinement, report: PredictionProgress
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Return the refined maps and what belongs to them, and the means of the numbers about them."""
    from sciml.gfi.refinement import refine

    settings = replace(settings, unknown_wavelet=not observed.wavelet_is_known)
    found = []
    for number, start in enumerate(maps):
        start = np.clip(start, settings.slowest, settings.fastest)

        def told(done: float, words: str, number: int = number) -> None:
            report((number + done) / len(maps), words)

        found.append(refine(start, observed.records[number], observed.acquisition, settings, progress=told))
    fields = {
        "velocity": np.stack([each.map for each in found]),
        "start": maps,
        "illumination": np.stack([each.illumination for each in found]),
    }
    names = ("solves", "start_misfit", "misfit", "unseen")
    return fields, {name: float(np.mean([getattr(each, name) for each in found])) for name in names}
