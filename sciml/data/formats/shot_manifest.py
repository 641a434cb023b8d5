"""The manifest of a folder of shot records: the command that made it, how it was shot, and the sums of its files."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml import strict_json
from sciml.atomic import write_text
from sciml.checks import whole_number
from sciml.config_errors import Where, shorten
from sciml.data.formats.shot_files import is_of_pair
from sciml.errors import DataFormatError, InputError
from sciml.typed_values import TypedValues

if TYPE_CHECKING:
    from sciml.reference.waves import Acquisition

MANIFEST = "manifest.json"
VERSION = 1
LARGEST = 2**63 - 1  # of seeds and numbers of maps
_SUM = re.compile(r"[0-9a-f]{64}")


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

    Raises
    ------
    InputError
        If a number is out of range, a sum is none, a file is none of shot records or velocity maps, or the acquisition
        is none.
    """

    command: str
    seed: int
    maps: int
    acquisition: dict[str, Any]
    part: tuple[int, int] | None = None
    maps_sha256: str = ""
    sha256: dict[str, str] | None = None
    version: int = VERSION

    def __post_init__(self) -> None:
        if self.version != VERSION:
            raise InputError(f"it is of version {self.version}, expected {VERSION}; update sciml.")
        whole_number("the seed", self.seed, at_least=0, at_most=LARGEST)
        whole_number("the number of maps", self.maps, at_least=1, at_most=LARGEST)
        first, stop = self.bounds
        if not 0 <= first < stop <= self.maps:
            raise InputError(f"it says that maps {first} to {stop - 1} of {self.maps} are here.")
        for name, value in self.sums.items():
            if not is_of_pair(name):
                raise InputError(f"it has the sum of a file {shorten(name)}, expected one of records or maps.")
            _check_sum(f"the sha256 of {name}", value)
        if self.maps_sha256:
            _check_sum("maps_sha256", self.maps_sha256)
        self.shot_by()

    @property
    def bounds(self) -> tuple[int, int]:
        """The first map in this folder and the one past the last."""
        return self.part or (0, self.maps)

    @property
    def sums(self) -> dict[str, str]:
        """The sha256 of the files that are complete, by name."""
        return self.sha256 or {}

    def shot_by(self) -> Acquisition:
        """Return the acquisition of all shots."""
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
    plain["part"] = None if plain["part"] is None else tuple(plain["part"])
    try:
        return Manifest(**plain)
    except InputError as error:
        raise DataFormatError(f"{path}: {error}") from error


def _check_sum(name: str, value: str) -> None:
    """Refuse what is no sha256."""
    if not _SUM.fullmatch(value):
        raise InputError(f"{name} is {shorten(value)}, expected 64 hexadecimal digits.")
