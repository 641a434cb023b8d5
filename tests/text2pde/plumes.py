"""Small trajectories for the tests: a puff of smoke that rises in a closed-form flow without divergence."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sciml.data import DataField, DatasetWriter, Description
from sciml.mesh import Grid

STEPS, POINTS = 8, 16
FIELDS = {"velocity_x": "m/s", "velocity_y": "m/s", "smoke": ""}
GRID = Grid((POINTS, POINTS), (0.0, 0.0), (1.0, 1.0), centring="cell")


def trajectory(place: tuple[float, float], buoyancy: float) -> dict[str, np.ndarray]:
    """Return the fields of a puff from a place, ``(steps, points, points)``."""
    x, y = GRID.coordinates().transpose(2, 0, 1)
    times = np.arange(STEPS)[:, None, None] / STEPS
    rise = times * buoyancy
    stream = np.sin(np.pi * x) ** 2 * np.sin(np.pi * (y - rise)) ** 2
    smoke = np.exp(-40 * ((x - place[0]) ** 2 + (y - place[1] - rise) ** 2))
    along, across = np.gradient(stream, axis=2) * POINTS, -np.gradient(stream, axis=1) * POINTS
    fields = {"velocity_x": along * buoyancy, "velocity_y": across * buoyancy, "smoke": smoke}
    return {name: np.asarray(values, "float32") for name, values in fields.items()}


def write(
    path: Path,
    count: int = 12,
    seed: int = 0,
    *,
    units: dict[str, str] = FIELDS,
    grid: Grid = GRID,
    time_step: float = 1.0,
) -> Path:
    """Write a data set of puffs at random places; return its path."""
    random = np.random.default_rng(seed)
    fields = tuple(DataField(name, (), "float32", unit) for name, unit in units.items())
    parameters = {"buoyancy": np.zeros(0)}
    about = Description("puffs", grid, time_step * np.arange(STEPS), fields, count, parameters=parameters)
    with DatasetWriter(path, about) as writer:
        for _ in range(count):
            place, buoyancy = random.uniform(0.3, 0.6, 2), random.uniform(0.2, 0.5)
            values = trajectory(place, buoyancy)
            writer.append({name: values[own] for name, own in zip(units, FIELDS, strict=True)}, {"buoyancy": buoyancy})
    return path


def data(path: Path, **options: object) -> dict:
    """Return the section ``data`` of a config."""
    arguments = {"path": str(path), "history": 1, "horizon": STEPS - 1, "batch_size": 4, "fractions": [0.6, 0.2]}
    return {"class_path": "sciml.data.FieldData", "init_args": arguments | options}
