"""Velocity maps of records in files, for ``sciml predict``.

======= ==========================================================================================
ending  contents
======= ==========================================================================================
.npy    records ``(shots, steps, receivers)``, or ``(maps, shots, steps, receivers)`` of several maps; to be written,
        the maps ``(depth, width)`` or ``(maps, depth, width)`` in m/s
.xdmf   and the other files of fields (.vtu, .msh, .med): one map, the field ``velocity`` in m/s on points in
        metres, of which the first coordinate is across and the second is minus the depth
======= ==========================================================================================
"""

from __future__ import annotations

import io
from collections.abc import Callable
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
    from sciml.reference.waves import Acquisition
    from sciml.training.task import PredictionProgress

AT_ONCE = 32  # maps


@torch.no_grad()
def predict_maps(
    task: Callable[[Tensor], Tensor],
    acquisition: Acquisition,
    source: Path,
    output: Path,
    progress: PredictionProgress | None = None,
) -> dict[str, float]:
    """Write the maps of the records in a file; return their number and their least, mean and largest velocity.

    Parameters
    ----------
    task : from records to maps
    acquisition : that the records have to have
    source, output : see the table above
    progress : called now and then
    """
    source, output = Path(source), Path(output)
    if output.suffix not in (".npy", *WRITE):
        raise InputError(f"{output} ends with {output.suffix!r}, expected one of .npy, {', '.join(WRITE)}.")
    records = read_records(source, acquisition)
    if len(records) > 1 and output.suffix != ".npy":
        raise InputError(
            f"{source} has records of {len(records)} maps, which one file of fields does not hold; write .npy."
        )
    found = []
    for start in range(0, len(records), AT_ONCE):
        block = torch.from_numpy(np.ascontiguousarray(records[start : start + AT_ONCE], np.float32))
        found.append(task(block)[:, 0].double().numpy())
        if progress is not None:
            progress(min(1.0, (start + AT_ONCE) / len(records)), f"map {start + len(block)} of {len(records)}")
    velocity = np.concatenate(found)
    write_maps(output, velocity, acquisition.spacing)
    numbers = {"least": velocity.min(), "mean": velocity.mean(), "largest": velocity.max()}
    return {"maps": float(len(velocity))} | {name: float(value) for name, value in numbers.items()}


def read_records(source: Path, acquisition: Acquisition) -> np.ndarray:
    """Return the records in a ``.npy`` file, ``(maps, shots, steps, receivers)``.

    Parameters
    ----------
    source : of records of one map or of several
    acquisition : that they have to have

    Raises
    ------
    DataFormatError
        If the file cannot be read, or holds something else.
    """
    if source.suffix != ".npy":
        raise DataFormatError(f"{source} ends with {source.suffix!r}, expected .npy with records.")
    try:
        records = finite(f"{source}", read_npy(source), error=DataFormatError)
        acquisition.check_records(f"the records in {source}", records)
    except (InputError, ValueError) as error:
        raise DataFormatError(f"{source} holds no records for this network: {error}") from error
    if records.ndim not in (3, 4) or not len(records):
        raise DataFormatError(
            f"{source} has an array of shape {records.shape}, expected records of one map or several."
        )
    return records if records.ndim == 4 else records[None]


def write_maps(output: Path, velocity: np.ndarray, spacing: float) -> None:
    """Write maps, ``(maps, depth, width)``: all of them to ``.npy``, the first one to a file of fields."""
    if output.suffix == ".npy":
        file = io.BytesIO()
        np.save(file, velocity if len(velocity) > 1 else velocity[0])
        write_bytes(output, file.getvalue())
        return
    depth, width = velocity.shape[1:]
    # The first axis of a grid is across, the second upwards: the deepest row comes first.
    grid = Grid((width, depth), (0.0, -(depth - 1) * spacing), ((width - 1) * spacing, 0.0))
    write_fields(output, grid, {"velocity": velocity[0, ::-1].T})
