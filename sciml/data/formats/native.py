"""The description in a file of ours.

All that a reader needs is in one JSON text of fixed length, which HDF5 guards by a checksum. Two layouts go with it:
`sciml.data.formats.one_place`, which is The Well's too, where one grid or mesh is all there is, and
`sciml.data.formats.named_places`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sciml.checks import known_names, whole_number
from sciml.config_errors import Where
from sciml.data.formats.access import text
from sciml.data.formats.description import DataField, Description
from sciml.data.formats.places import Place, VaryingTimes
from sciml.errors import ConfigError, DataFormatError, InputError
from sciml.mesh.xdmf import text_attribute
from sciml.typed_values import TypedValues

DESCRIPTION = "sciml_description"
FIELD_KEYS = ("name", "components", "dtype", "unit", "location", "time_varying")
KEYS = ("name", "fields", "trajectories", "boundary", "parameters", "generator", "seed", "part")
NAMED_KEYS = ("places", "varying_times")
VERSION = "sciml_format"
ONE_PLACE, NAMED_PLACES = "1", "2"  # versions of the two layouts


@dataclass(frozen=True)
class _Stored:
    """The types of what JSON holds of a description; see `Description`."""

    name: str
    fields: list[DataField]
    trajectories: int
    boundary: dict[str, str]
    parameters: list[str]
    generator: str
    seed: int | None
    part: tuple[int, int, int] | None
    places: dict[str, dict[str, Any]] = field(default_factory=dict)
    varying_times: bool = False


class UnknownName(DataFormatError, InputError):
    """A name in a file of our layout that nothing reads."""


def write(file: Any, about: Description, places: Mapping[str, Any] | None = None) -> None:
    """Write what is not in numbers of a description.

    Parameters
    ----------
    file : open HDF5 file
    about : of a data set
    places : what JSON can hold of its named places, None for one place without a name
    """
    keys = FIELD_KEYS if places is None else (*FIELD_KEYS, "place")
    values = {
        "name": about.name,
        "fields": [{key: getattr(entry, key) for key in keys} for entry in about.fields],
        "trajectories": about.trajectories,
        "boundary": about.boundary,
        "parameters": list(about.parameters),
        "generator": about.generator,
        "seed": about.seed,
        "part": about.part,
    }
    if places is not None:
        values |= {"places": places, "varying_times": isinstance(about.times, VaryingTimes)}
    file.attrs[VERSION] = text_attribute(ONE_PLACE if places is None else NAMED_PLACES)
    file.attrs[DESCRIPTION] = text_attribute(json.dumps(values))


def read_plain(file: Any, *, named: bool) -> dict[str, Any]:
    """Return what JSON holds of a description, its names known.

    Parameters
    ----------
    file : open HDF5 file
    named : whether its places have names
    """
    _check_version(file, NAMED_PLACES if named else ONE_PLACE)
    given = json.loads(text(file.attrs[DESCRIPTION]))
    try:
        plain = TypedValues(Where("the description")).check(_Stored, given, "description")
    except ConfigError as error:
        raise DataFormatError(str(error)) from error
    check_known("a key of the description", given, (*KEYS, *NAMED_KEYS) if named else KEYS)
    for entry in given["fields"]:
        check_known("a key of the description of a field", entry, (*FIELD_KEYS, "place") if named else FIELD_KEYS)
    _check_once("fields", [entry["name"] for entry in plain["fields"]])
    _check_once("parameters", plain["parameters"])
    _check_part(plain["part"], plain["trajectories"])
    if plain["seed"] is not None:
        whole_number("the seed of the description", plain["seed"], at_least=0, error=DataFormatError)
    return plain


def _check_version(file: Any, expected: str) -> None:
    """Refuse a file of a layout that this version does not know."""
    found = None
    if VERSION in file.attrs and file.attrs.get_id(VERSION).dtype.kind in "SO":
        found = text(file.attrs[VERSION])
    if found != expected:
        there = "no text" if found is None else repr(found)
        raise DataFormatError(
            f"the attribute {VERSION} is {there}, expected {expected!r} of a data set with such contents; the file is "
            "damaged, or a newer version of sciml has written it."
        )


def _check_once(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataFormatError(f"the description has {twice[0]!r} twice among the {what}, expected each name once.")


def _check_part(part: list[int] | None, trajectories: int) -> None:
    """Refuse bounds of a part that are no range of so many trajectories of the whole."""
    if part is not None and not (0 <= part[0] < part[1] <= part[2] and part[1] - part[0] == trajectories):
        raise DataFormatError(
            f"the part of the description is {part}, expected the first, the one past the last and the number of all "
            f"trajectories, of which the file has {trajectories}."
        )


def described(
    given: dict[str, Any],
    on: Place | Mapping[str, Place],
    times: np.ndarray | VaryingTimes,
    parameters: dict[str, np.ndarray],
) -> Description:
    """Return the description of a file.

    Parameters
    ----------
    given : what :func:`read_plain` returned
    on, times, parameters : what the file holds in numbers
    """
    return Description(
        name=given["name"],
        on=on,  # type: ignore[arg-type]
        times=times,
        fields=tuple(DataField(**{**entry, "components": tuple(entry["components"])}) for entry in given["fields"]),
        trajectories=given["trajectories"],
        boundary=given["boundary"],
        parameters=parameters,
        generator=given["generator"],
        seed=given["seed"],
        part=None if given["part"] is None else tuple(given["part"]),  # type: ignore[arg-type]
    )


def check_known(what: str, names: Collection[str], known: Collection[str]) -> None:
    """Refuse what a hand has added to a file and nothing would read.

    Parameters
    ----------
    what : the names are, for the sentence
    names : those that are there
    known : those that are read
    """
    known_names(what, names, known, error=UnknownName)
