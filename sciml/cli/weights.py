"""The weights that come with sciml, and what a verb takes for a run. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import sciml
from sciml.errors import InputError
from sciml.training.config_errors import did_you_mean


def shipped_weights() -> dict[str, Path]:
    """Return the ``.safetensors`` file of all shipped weights by their names."""
    folder = Path(sciml.__file__).parent
    return {path.stem: path for path in sorted(folder.glob("*/weights/*.safetensors"))}


def find_run(name: str | Path) -> Path:
    """Return a run folder or a weights file, given by its path or as the name of shipped weights.

    Raises
    ------
    InputError
        If there is no such thing; the sentence names the nearest.
    """
    path, shipped = Path(name), shipped_weights()
    if path.is_dir():
        if not (path / "config.yaml").is_file():
            raise InputError(f"{path} has no config.yaml, expected the folder of a run of `sciml train`.")
        return path
    if path.is_file() and path.suffix == ".safetensors":
        return path
    if path.exists():
        raise InputError(f"{path} is no run: expected the folder of a run, or exported weights (.safetensors).")
    if str(path) in shipped:
        return shipped[str(path)]
    beside = [other.parent.name for other in sorted(path.parent.glob("*/config.yaml"))]
    if near := get_close_matches(path.name, beside, 1):
        raise InputError(f"{path} does not exist; did you mean {path.with_name(near[0])}?")
    near = did_you_mean(str(path), shipped) if shipped else ""
    end = "" if near.endswith("?") else "."
    raise InputError(f"{path} is neither the folder of a run nor shipped weights{near}{end}")


def config_of(run: Path) -> Mapping[str, Any]:
    """Return the plain config of a run folder or of a weights file, as it was written."""
    from sciml.training.config_files import read_yaml

    return read_yaml(run / "config.yaml") if run.is_dir() else read_yaml(run.with_suffix(".yaml")).get("config") or {}
