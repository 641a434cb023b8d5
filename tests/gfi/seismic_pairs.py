"""Small folders of pairs for the tests: layered maps, and records that say at once what lies where."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from sciml.data.formats.shot_manifest import Manifest
from sciml.reference.waves import Acquisition

RECORDS, MAP = (2, 160, 12), (12, 12)
SPACING = 10.0


def acquisition(sources: tuple[float, float] = (1.0, 10.0)) -> Acquisition:
    """Two shots over 12 x 12 cells, symmetric by default, with a receiver over each cell."""
    return Acquisition(
        shape=MAP,
        spacing=SPACING,
        time_step=1e-3,
        steps=RECORDS[1],
        sources=np.array([[SPACING, SPACING * column] for column in sources]),
        receivers=np.array([[SPACING, SPACING * column] for column in range(MAP[1])]),
        frequency=15.0,
    )


def arrays(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return maps of two layers, and records in which each trace is a step at a time that grows with the interface.

    The traces of a shot are weaker on the far side of its source, so that mirroring is seen.
    """
    random = np.random.default_rng(seed)
    depth = random.uniform(3, 8, count)[:, None] + random.uniform(-0.5, 0.5, count)[:, None] * (np.arange(12) - 5.5)
    fast = random.uniform(2500, 4000, count)
    rows = np.arange(12)[None, :, None]
    maps = np.where(rows < depth[:, None], 2000.0, fast[:, None, None])[:, None]
    times = np.arange(RECORDS[1])[None, :, None]
    arrived = np.clip((times - 13 * depth[:, None]) / 10, 0, 1) * fast[:, None, None] / 1000
    near = np.array([np.linspace(1, 0.5, 12), np.linspace(0.5, 1, 12)])
    return maps.astype(np.float32), (arrived[:, None] * near[None, :, None]).astype(np.float32)


def write(
    folder: Path, count: int, seed: int = 0, shot_by: Acquisition | None = None, drawn: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Write a folder of pairs, the first ones of ``drawn``, with its manifest; return what it holds."""
    maps, records = (each[:count] for each in arrays(drawn or count, seed))
    sums = {}
    for name, array in (("model/model1.npy", maps), ("data/data1.npy", records)):
        path = folder / name
        path.parent.mkdir(parents=True)
        np.save(path, array)
        sums[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    shot_by = shot_by or acquisition()
    Manifest(command="test", seed=seed, maps=count, acquisition=shot_by.as_dict(), sha256=sums).write(folder)
    return maps, records
