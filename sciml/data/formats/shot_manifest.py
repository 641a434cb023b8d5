"""The manifest of a folder of shot records: the command that made it, how it was shot, and the sums of its files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml import strict_json
from sciml.atomic import write_text
from sciml.config_errors import Where
from sciml.errors import DataFormatError, InputError
from sciml.typed_values import TypedValues

if TYPE_CHECKING:
    from sciml.reference.waves import Acquisition

MANIFEST = "manifest.json"
VERSION = 1


@dataclass(frozen=True)
class Manifest:
    """A description of a folder of shot records, which lies in it.

    Attributes
    ----------
    command : that made the folder
    seed : of the random numbers
    maps : number of maps of the data set
    acquisition : of all shots, as plain values of `sciml.reference.waves.Acquisition`
    part : (first, past the last) map in a folder that is a share of the data set, None for all of it
    maps_sha256 : that of the file from which the maps came; empty where they were generated
    sha256 : by file, as ``data/data1.npy``; a file that is missing here is not complete
    version : of this layout
    """

    command: str
    seed: int
    maps: int
    acquisition: dict[str, Any]
    part: tuple[int, int] | None = None
    maps_sha256: str = ""
    sha256: dict[str, str] | None = None
    version: int = VERSION

    @property
    def bounds(self) -> tuple[int, int]:
        """The first map in this folder and the one past the last."""
        return self.part or (0, self.maps)

    @property
    def sums(self) -> dict[str, str]:
        """The sha256 of the files that are complete, by name."""
        return self.sha256 or {}

    def shot_by(self) -> Acquisition:
        """Return the acquisition of all shots.

        Raises
        ------
        InputError
            If what the manifest holds is none.
        """
        from sciml.reference.waves import Acquisition

        return Acquisition.from_dict(self.acquisition)

    def write(self, folder: Path) -> None:
        """Write it into a folder, in place of an older one."""
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in asdict(self).items()]
        write_text(folder / MANIFEST, "{\n" + ",\n".join(lines) + "\n}\n", durable=True)


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a folder; None where there is no such file.

    Parameters
    ----------
    folder : of shot records

    Raises
    ------
    DataFormatError
        If it is not what :meth:`Manifest.write` writes.
    """
    path = folder / MANIFEST
    try:
        given = strict_json.read(path)
    except FileNotFoundError:
        return None
    try:
        plain = TypedValues(Where(str(path))).check(Manifest, given, "a manifest")
    except InputError as error:
        raise DataFormatError(str(error)) from error
    if plain["version"] != VERSION:
        raise DataFormatError(f"{path} is of version {plain['version']}, expected {VERSION}; update sciml.")
    plain["part"] = None if plain["part"] is None else tuple(plain["part"])
    manifest = Manifest(**plain)
    first, stop = manifest.bounds
    if not 0 <= first < stop <= manifest.maps:
        raise DataFormatError(f"{path} says that maps {first} to {stop - 1} of {manifest.maps} are here.")
    return manifest
