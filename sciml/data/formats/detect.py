"""`open_dataset`: recognise the layout of a file by its contents, never by its name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from sciml.data.formats import named_places, native, one_place, openfwi, pdearena, pdebench, the_well
from sciml.data.formats.dataset import Dataset, Source, faults, open_handle
from sciml.data.formats.description import Description
from sciml.errors import DataFormatError


def open_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Open a data set in any layout that we know; the values are read when asked for.

    ========================  ===================================================================================
    layout                    recognised by
    ========================  ===================================================================================
    ``sciml``                 the attribute ``sciml_description``
    ``the_well``              groups ``dimensions`` and ``t0_fields``, ``t1_fields`` or ``t2_fields``
    ``pdebench_tensor``       a data set ``tensor`` (trajectories, steps, x[, y[, z]])
    ``pdebench_fluid``        data sets ``Vx[, Vy[, Vz]]`` and ``density`` or ``pressure``
    ``pdebench_groups``       groups ``0000``, ``0001``, ... with a data set ``data`` (steps, x[, y[, z]], channels)
    ``pdearena``              a group ``train``, ``valid`` or ``test`` with data sets ``u``, ``vx`` and ``vy``
    ``openfwi``               a NumPy array (samples, channels, rows, columns), or a folder of pairs of them
    ========================  ===================================================================================

    Parameters
    ----------
    path : of the file or folder

    Raises
    ------
    DataFormatError : there is no such file, it is damaged, or its layout is not known
    """
    path = Path(path)
    with faults(path, "it"):
        file = open_handle(path)
        try:
            description, sources = _read(file, path)
        finally:
            if not isinstance(file, np.ndarray):
                file.close()
    return Dataset(path, description, sources)


def _read(file: Any, path: Path) -> tuple[Description, dict[str, Source]]:
    if isinstance(file, np.ndarray):
        return openfwi.read(file, path)
    if isinstance(file, openfwi.ShotFolder):
        return openfwi.read_folder(file, path)
    if native.DESCRIPTION in file.attrs:
        return (named_places if "places" in file else one_place).read(file, path)
    if "dimensions" in file and any(f"t{order}_fields" in file for order in range(3)):
        return the_well.read(file, path)
    if "tensor" in file:
        return pdebench.read_tensor(file, path)
    if "Vx" in file and ("density" in file or "pressure" in file):
        return pdebench.read_fluid(file, path)
    if pdearena.parts(file):
        return pdearena.read(file, path)
    names = sorted(file)
    if names and all(name.isdigit() for name in names) and "data" in file[names[0]]:
        return pdebench.read_groups(file, path)
    if "sciml_format" in file.attrs and "fields" in file:
        raise DataFormatError(f"{path} is one time series, expected a data set; read it with sciml.mesh.read_series.")
    raise DataFormatError(
        f"{path} has none of the layouts that are known (sciml, The Well, PDEBench, PDEArena, OpenFWI); "
        f"it holds {', '.join(names[:6]) or 'nothing'}."
    )
