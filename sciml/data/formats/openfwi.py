"""The NumPy arrays of OpenFWI, mapped into memory and never unpickled.

Reference: Deng et al., OpenFWI: large-scale multi-structural benchmark datasets for full waveform inversion, NeurIPS
2022.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sciml.data.formats.dataset import Source
from sciml.data.formats.description import DataField, Description
from sciml.errors import DataFormatError
from sciml.mesh import Grid


class _Samples:
    """A field that is constant in time: samples along the first axis, components along the second."""

    def read(self, file: Any, trajectory: int, steps: slice) -> np.ndarray:
        return np.moveaxis(np.asarray(file[trajectory]), 0, -1)[None]

    def datasets(self, trajectories: int) -> list[str]:
        return ["array"]


def read(file: np.ndarray, path: Path) -> tuple[Description, dict[str, Source]]:
    """Read the description of ``model`` (samples, 1, depth, x) or ``data`` (samples, sources, time, receivers).

    Parameters
    ----------
    file : the mapped array
    path : of the file, for sentences
    """
    if file.ndim != 4 or file.dtype.kind not in "iuf" or 0 in file.shape:
        raise DataFormatError(
            f"{path} is an array of {file.dtype} with shape {file.shape}, expected numbers of shape "
            "(samples, channels, rows, columns) as in OpenFWI."
        )
    samples, channels, *shape = file.shape
    name, components, unit = ("velocity", (), "m/s") if channels == 1 else ("shots", (channels,), "")
    entry = DataField(name, components, file.dtype.name, unit, "cells", time_varying=False)
    description = Description(
        path.stem, Grid(tuple(shape), centring="cell"), np.zeros(1), (entry,), samples, layout="openfwi"
    )
    return description, {name: _Samples()}
