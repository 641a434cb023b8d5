"""Files in the layouts of others, as their makers write them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

AXES = "xyz"


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def centres(n: int, length: float = 1.0) -> np.ndarray:
    return ((np.arange(n) + 0.5) * length / n).astype(np.float32)


def pdebench_tensor(path: Path, dimension: int = 1, extra_time: int = 1, **options) -> dict[str, np.ndarray]:
    """Advection, Burgers, reaction: ``tensor`` and coordinates, the times one longer than the steps."""
    shape = (8, 6, 5)[:dimension]
    tensor = values(3, 4, *shape)
    with h5py.File(path, "w", **options) as file:
        file["tensor"] = tensor
        for axis, n in zip(AXES, shape, strict=False):
            file[f"{axis}-coordinate"] = centres(n)
        file["t-coordinate"] = np.arange(4 + extra_time, dtype=np.float32) / 10
        file.attrs["Nu"] = 0.01
    return {"u": tensor}


def pdebench_darcy(path: Path) -> dict[str, np.ndarray]:
    """Darcy flow: one step without a time, and the coefficient ``nu``."""
    tensor, nu = values(3, 1, 8, 6), values(3, 8, 6, seed=1)
    with h5py.File(path, "w") as file:
        file["tensor"], file["nu"] = tensor, nu
        file["x-coordinate"], file["y-coordinate"] = centres(8), centres(6)
    return {"u": tensor, "nu": nu[:, None]}


def pdebench_fluid(path: Path, dimension: int = 2, **options) -> dict[str, np.ndarray]:
    """Compressible Navier-Stokes: one data set for each quantity and component."""
    shape = (8, 6, 5)[:dimension]
    names = ["density", "pressure", *(f"V{axis}" for axis in AXES[:dimension])]
    data = {name: values(3, 4, *shape, seed=k) for k, name in enumerate(names)}
    with h5py.File(path, "w", **options) as file:
        for name, array in data.items():
            file[name] = array
        for axis, n in zip(AXES, shape, strict=False):
            file[f"{axis}-coordinate"] = centres(n, 2.0)
        file["t-coordinate"] = np.arange(5, dtype=np.float32) / 10
    velocity = np.stack([data.pop(f"V{axis}") for axis in AXES[:dimension]], axis=-1)
    return {**data, "velocity": velocity}


def pdebench_groups(path: Path, dimension: int = 2, channels: int = 2, **options) -> dict[str, np.ndarray]:
    """Shallow water and reaction-diffusion: a group for each trajectory, channels last."""
    shape = (8, 6, 5)[:dimension]
    data = values(3, 4, *shape, channels)
    with h5py.File(path, "w", **options) as file:
        for number, trajectory in enumerate(data):
            group = file.create_group(f"{number:04d}")
            group["data"] = trajectory
            for axis, n in zip(AXES, shape, strict=False):
                group[f"grid/{axis}"] = centres(n) - 0.5
            group["grid/t"] = np.arange(4, dtype=np.float32) / 10
            group.attrs["config"] = "sim: {seed: 0}"
    return {"u": data[..., 0]} if channels == 1 else {f"u{c}": data[..., c] for c in range(channels)}


def pdearena(path: Path, part: str = "train", buoyancy: bool = True, **options) -> dict[str, np.ndarray]:
    """Smoke in a box of side 32 as the program of PDEArena writes it: coordinates and times that are not quite true."""
    data = {name: values(3, 4, 8, 6, seed=k).astype(np.float64) for k, name in enumerate(("u", "vx", "vy"))}
    with h5py.File(path, "w", **options) as file:
        group = file.create_group(part)
        for name, array in data.items():
            group[name] = array
        for name, n in (("x", 8), ("y", 6)):
            group[name] = np.repeat(np.linspace(0.0, 32.0, n)[None], 3, axis=0)
            group[f"d{name}"] = np.full(3, 32.0 / (n - 1))
        group["t"] = np.repeat(np.linspace(0.0, 0.4, 4)[None], 3, axis=0)  # to the end of the last step
        group["dt"] = np.full(3, 0.1)
        if buoyancy:
            group["buo_y"] = np.array([0.2, 0.3, 0.5])
    along = (data["vx"] + np.append(data["vx"][:, :, 1:], np.zeros((3, 4, 1, 6)), axis=2)) / 2
    across = (data["vy"] + np.append(data["vy"][..., 1:], np.zeros((3, 4, 8, 1)), axis=3)) / 2
    return {"smoke": data["u"], "velocity_x": along, "velocity_y": across}


def the_well(path: Path, **options) -> dict[str, np.ndarray]:
    """Two dimensions, periodic in x, walls in y; fields that lack trajectories, times, or an axis."""
    pressure, velocity, stress = values(3, 4, 8, 6), values(3, 4, 8, 6, 2, seed=1), values(3, 4, 8, 6, 2, 2, seed=2)
    height, depth, shared = values(3, 8, 6, seed=3), values(8, 6, seed=4), values(3, 4, 8, seed=5)
    with h5py.File(path, "w", **options) as file:
        file.attrs["dataset_name"], file.attrs["grid_type"] = "tank", "cartesian"
        file.attrs["n_spatial_dims"], file.attrs["n_trajectories"] = 2, 3
        file.attrs["simulation_parameters"], file.attrs["nu"] = ["nu"], 0.1
        dimensions = file.create_group("dimensions")
        dimensions.attrs["spatial_dims"] = ["x", "y"]
        for name, axis in (("time", np.arange(4) / 10), ("x", np.arange(8) / 8), ("y", centres(6))):
            dimensions[name] = axis.astype(np.float32)
            dimensions[name].attrs["sample_varying"] = False
        boundaries = file.create_group("boundary_conditions")
        for name, kind in (("x", "PERIODIC"), ("y", "WALL")):
            group = boundaries.create_group(f"{name}_{kind.lower()}")
            group.attrs["bc_type"], group.attrs["associated_dims"] = kind, [name]
            group["mask"] = np.zeros(8, bool)
        scalars = file.create_group("scalars")
        scalars.attrs["field_names"] = ["nu", "force", "speed"]
        for name, array, samples, times in (
            ("nu", np.array([0.1]), False, False),
            ("force", np.arange(4.0), False, True),
            ("speed", np.array([1.0, 2.0, 3.0]), True, False),
        ):
            scalars[name] = array
            scalars[name].attrs["sample_varying"], scalars[name].attrs["time_varying"] = samples, times
        for order, members in enumerate(
            (
                [
                    ("pressure", pressure, True, True, [True, True]),
                    ("height", height, True, False, [True, True]),
                    ("depth", depth, False, False, [True, True]),
                    ("shared", shared, True, True, [True, False]),
                ],
                [("velocity", velocity, True, True, [True, True])],
                [("stress", stress, True, True, [True, True])],
            )
        ):
            group = file.create_group(f"t{order}_fields")
            group.attrs["field_names"] = [name for name, *_ in members]
            for name, array, samples, times, varying in members:
                group[name] = array
                given = group[name].attrs
                given["sample_varying"], given["time_varying"], given["dim_varying"] = samples, times, varying
    return {
        "pressure": pressure,
        "height": height[:, None],
        "depth": np.broadcast_to(depth, (3, 1, 8, 6)),
        "shared": np.broadcast_to(shared[..., None], (3, 4, 8, 6)),
        "velocity": velocity,
        "stress": stress,
    }
