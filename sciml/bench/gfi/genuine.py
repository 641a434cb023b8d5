"""Genuine velocity maps of OpenFWI, where the reference data are at hand."""

from __future__ import annotations

import numpy as np

from sciml.bench.reference_data import reference_file
from sciml.npy_files import read_npz

ARCHIVES = {"curvevel-a": "CurveVelA_train.zip", "flatvel-a": "FlatVelA_train.zip"}


def genuine_maps(family: str, name: str) -> np.ndarray:
    """Return the genuine maps (500, 70, 70) of one file of a family, such as ``vmodel10``, in m/s.

    Raises
    ------
    InputError
        If the reference data are not at hand.
    """
    path = reference_file("openfwi", ARCHIVES[family], kind=f"genuine maps of OpenFWI's {family}")
    return read_npz(path, [name])[name][:, 0].astype(np.float64)
