"""Reading our layout, which `sciml.data.formats.writer` describes.

All that a reader needs is in one JSON text of fixed length, which HDF5 guards by a checksum. The attributes of The Well
say the same for its own readers; they are texts of variable length, which lie in a heap without a checksum where a
flipped bit can make the library loop for ever, so they are not touched here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from sciml.checks import known_names
from sciml.data.formats.access import Stack, dataset, table, text
from sciml.data.formats.dataset import DataField, Description, Source
from sciml.errors import DataFormatError, InputError
from sciml.mesh.xdmf import read_place

DESCRIPTION = "sciml_description"
FIELD_KEYS = ("name", "components", "dtype", "unit", "location", "time_varying")
KEYS = ("name", "fields", "trajectories", "boundary", "parameters", "generator", "seed", "part")
GROUPS = ("grid", "mesh", "dimensions", "boundary_conditions", "scalars", "t0_fields", "t1_fields", "t2_fields")


class _Unknown(DataFormatError, InputError):
    """A name in a file of our layout that nothing reads."""


def to_json(about: Description) -> str:
    """Return what is not in numbers of a description, as text.

    Parameters
    ----------
    about : of a data set
    """
    entries = [
        {
            "name": entry.name,
            "components": entry.components,
            "dtype": entry.dtype,
            "unit": entry.unit,
            "location": entry.location,
            "time_varying": entry.time_varying,
        }
        for entry in about.fields
    ]
    values = {
        "name": about.name,
        "fields": entries,
        "trajectories": about.trajectories,
        "boundary": about.boundary,
        "parameters": list(about.parameters),
        "generator": about.generator,
        "seed": about.seed,
        "part": about.part,
    }
    return json.dumps(values)


def where(entry: DataField) -> str:
    """Name of the HDF5 data set of a field: The Well sorts them by the order of the tensor.

    Parameters
    ----------
    entry : the field
    """
    return f"t{len(entry.components)}_fields/{entry.name}"


def read(file: Any, path: Path) -> tuple[Description, dict[str, Source]]:
    """Read the description of one of our files.

    Parameters
    ----------
    file : open HDF5 file
    path : of the file, for sentences
    """
    given = json.loads(text(file.attrs[DESCRIPTION]))
    known_names("a key of the description", given, KEYS, error=_Unknown)
    for entry in given["fields"]:
        known_names("a key of the description of a field", entry, FIELD_KEYS, error=_Unknown)
    entries = tuple(DataField(**{**entry, "components": tuple(entry["components"])}) for entry in given["fields"])
    about = Description(
        name=given["name"],
        on=read_place(file),
        times=table(file, "dimensions/time"),
        fields=entries,
        trajectories=given["trajectories"],
        boundary=given["boundary"],
        parameters={name: table(file, f"scalars/{name}") for name in given["parameters"]},
        generator=given["generator"],
        seed=given["seed"],
        part=None if given["part"] is None else tuple(given["part"]),  # type: ignore[arg-type]
    )
    _check_names(file, about)
    for entry in entries:
        found, shape = dataset(file, where(entry)), about.shape(entry.name)
        expected = shape if entry.time_varying else (shape[0], *shape[2:])
        if found.shape != expected or found.dtype != np.dtype(entry.dtype):
            raise DataFormatError(
                f"{path}: {where(entry)} has {found.dtype} of shape {found.shape}, "
                f"expected {entry.dtype} of shape {expected}."
            )
    return about, {entry.name: Stack((where(entry),), time_varying=entry.time_varying) for entry in entries}


def _check_names(file: Any, about: Description) -> None:
    """Refuse what a hand has added to a file and nothing would read, such as a parameter or a field."""
    known_names("a group of the file", file, GROUPS, error=_Unknown)
    known_names("a parameter in the group scalars", file.get("scalars", {}), list(about.parameters), error=_Unknown)
    for order in range(3):
        names = [entry.name for entry in about.fields if len(entry.components) == order]
        known_names(f"a field in the group t{order}_fields", file.get(f"t{order}_fields", {}), names, error=_Unknown)
