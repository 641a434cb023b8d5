"""The origin of results: the machine and its packages, the commit, and a digest of the measured code."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sciml.bench.report import DASH, span
from sciml.bench.results import Raw

# Measurements of another machine or of other libraries are not mixed with new ones.
MACHINE = ("python", "packages", "processor", "cores")
# The files of the package that decide about speed: code, trained weights, and what describes them.
MEASURED_ENDINGS = (".py", ".safetensors", ".yaml")


def same_machine(one: Raw, other: Raw) -> bool:
    """Return whether two environments have the same processor, Python and packages."""
    return all(one.get(name) == other.get(name) for name in MACHINE)


def code_digest(root: Path, names: Sequence[str]) -> str:
    """Return a digest of the code whose speed is measured: files and folders below ``root``."""
    digest = hashlib.sha256()
    for name in names:
        files = [root / name]
        if files[0].is_dir():
            files = sorted(path for path in files[0].rglob("*") if path.suffix in MEASURED_ENDINGS)
        for path in files:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def is_changed(package: Path) -> bool | None:
    """Return whether tracked files of the package differ from the commit; None where there is no clone.

    Only the package counts: the results themselves may be tracked, and they change during a run.
    """
    command = ["git", "-C", str(package), "status", "--porcelain", "--untracked-files=no", "--", "."]
    try:
        return bool(subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout)
    except (OSError, subprocess.SubprocessError):
        return None


def origin_text(raw: Raw, packages: Sequence[str]) -> str:
    """Return processor, Python, versions of some packages, commits and dates of raw results, as one sentence."""
    environment, jobs = raw["environment"], raw["jobs"].values()
    known = environment.get("packages", {})
    versions = [f"Python {environment['python']}", *(f"{name} {known[name]}" for name in packages if name in known)]
    commits = {f"{str(job.get('commit'))[:10]}{' with changes' if job.get('dirty') else ''}" for job in jobs}
    dates = sorted({job["finished"][:10] for job in jobs if "finished" in job})
    return (
        f"{environment['processor']}, {environment['cores']} cores; "
        f"{', '.join(versions)}; "
        f"commit {', '.join(sorted(commits)) or DASH}; {span(dates)}."
    )
