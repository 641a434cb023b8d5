"""Reference data made by others, which are not part of the package: where benchmarks find them."""

from __future__ import annotations

import os
from pathlib import Path

from sciml.errors import InputError


def reference_file(*parts: str, kind: str) -> Path:
    """Return a file of the reference data, which lie in the folder that ``SCIML_REFERENCE_DATA`` names.

    Parameters
    ----------
    parts : of its path below that folder
    kind : what the file holds, for the sentence

    Raises
    ------
    InputError
        If it is not there.
    """
    folder = os.environ.get("SCIML_REFERENCE_DATA", "")
    path = Path(folder, *parts)
    if not folder or not path.is_file():
        raise InputError(
            f"there is no {parts[-1]} in {'/'.join(parts[:-1])} of SCIML_REFERENCE_DATA ({folder or 'not set'}), "
            f"expected {kind}; set the variable to a folder that has it."
        )
    return path
