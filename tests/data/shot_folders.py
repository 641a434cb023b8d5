"""Small folders of shot records, written without the package's own writer."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from sciml.data.formats.shot_manifest import MANIFEST, VERSION
from sciml.reference.waves import Acquisition


def acquisition() -> Acquisition:
    """Two shots over 8 x 9 cells, 20 samples at 6 receivers."""
    return Acquisition(
        shape=(8, 9),
        spacing=10.0,
        time_step=1e-3,
        steps=20,
        sources=np.array([[10.0, 0.0], [10.0, 40.0]]),
        receivers=np.array([[10.0, 10.0 * column] for column in range(6)]),
        frequency=15.0,
    )


def arrays(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Maps (count, 1, 8, 9) and records (count, 2, 20, 6)."""
    random = np.random.default_rng(seed)
    maps = random.uniform(1500, 4500, (count, 1, 8, 9)).astype(np.float32)
    return maps, random.standard_normal((count, 2, 20, 6)).astype(np.float32)


def write(folder: Path, sizes: tuple[int, ...] = (3, 2), faults: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Write files of so many maps in the layout of the Vel sets, or of the Fault sets; return what is in all."""
    maps, records = arrays(sum(sizes))
    low = 0
    for number, size in enumerate(sizes):
        names = (
            (f"vel2_1_{number + 9}", f"seis2_1_{number + 9}") if faults else (f"model{number + 9}", f"data{number + 9}")
        )
        for name, array in zip(names, (maps, records), strict=True):
            path = folder / ("" if faults else name.rstrip("0123456789")) / f"{name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array[low : low + size])
        low += size
    return maps, records


def write_manifest(folder: Path, **changes: object) -> None:
    """Write the manifest of the files in a folder, with values that need not be right."""
    files = sorted(path for path in folder.glob("*/*.npy"))
    sums = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    given = {
        "command": "sciml data generate",
        "seed": 0,
        "maps": 5,
        "acquisition": acquisition().as_dict(),
        "part": None,
        "maps_sha256": "",
        "sha256": sums,
        "version": VERSION,
    }
    (folder / MANIFEST).write_text(json.dumps({**given, **changes}))
