"""The surfaces that come with sciml: in ``datasets/surfaces`` of a clone, among the installed files otherwise."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

_CLONE = Path(__file__).resolve().parents[2] / "datasets" / "surfaces"


def shipped_surfaces() -> dict[str, Path]:
    """Return the path of each surface by its name."""
    if _CLONE.is_dir():
        return {path.stem: path for path in sorted(_CLONE.glob("*.ply"))}
    try:
        installed = metadata.files("sciml") or []
    except metadata.PackageNotFoundError:
        return {}
    surfaces = [file for file in sorted(installed) if file.parent.name == "surfaces" and file.suffix == ".ply"]
    return {file.stem: Path(str(file.locate())).resolve() for file in surfaces}
