"""A pulse that a hundred weights carry once around a small box: the smallest case of ``sciml solve``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sciml.training.config import Config, config_from_values

WIDTH, VELOCITY, STEP, STEPS = 0.4, 0.25, 0.1, 4


def values_of(**arguments: Any) -> dict[str, Any]:
    """What a config says, some arguments of the task replaced; None leaves one out."""
    network = {"inputs": 1, "width": 6, "waves": 4, "box": [[-2], [2]]}
    solves = {"tolerance": 1e-6, "max_solves": 60, "damping": 1e-2, "patience": 10}
    given = {
        "problem": {"class_path": "sciml.insr.Advection", "init_args": {"width": WIDTH, "velocity": [VELOCITY]}},
        "networks": {"u": {"class_path": "sciml.nets.FourierNetwork", "init_args": network}},
        "integrator": {"class_path": "sciml.insr.Pade22"},
        "time_step": STEP,
        "steps": STEPS,
        "points": {"count": 150, "kind": "shifted"},
        "fitting": {
            "class_path": "sciml.insr.LeastSquaresFit",
            "init_args": {"step": {"tolerance": 1e-6, "max_solves": 4, "damping": 1e-8}, "initial": solves},
        },
        "output": {"grid": [41], "animation": False},
        **arguments,
    }
    given = {name: value for name, value in given.items() if value is not None}
    task = {"class_path": "sciml.insr.TimeStepping", "init_args": given}
    return {"title": "a pulse", "seed": 3, "task": task, "trainer": {"accelerator": "cpu"}}


def pulse(**arguments: Any) -> Config:
    """The config of :func:`values_of`."""
    return config_from_values(values_of(**arguments), "pulse.yaml")


def files_of(folder: Path, pattern: str = "states/*") -> dict[str, bytes]:
    """Contents by name, of the weights of all steps unless another pattern is given."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob(pattern))}
