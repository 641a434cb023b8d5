"""The smallest cases of ``sciml solve`` for transport: seconds, and known exactly."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from sciml.training.config import Config, config_from_values

TURN = 2 * math.pi
SLABS, ROUNDS = 2, 2


def fourier(outputs: int = 1, width: int = 8, waves: int = 2) -> dict[str, Any]:
    """A network of label and time, periodic in the label."""
    init_args = {"inputs": 2, "outputs": outputs, "width": width, "waves": waves, "periodic": [True, False]}
    return {"class_path": "sciml.nets.FourierNetwork", "init_args": {**init_args, "box": [[0, 0], [TURN, 1]]}}


def values_of(**arguments: Any) -> dict[str, Any]:
    """What a config says, some arguments of the task replaced; None leaves one out."""
    solves = {"tolerance": 1e-10, "max_solves": 6, "damping": 1e-3, "patience": 10}
    given = {
        "problem": {"class_path": "sciml.lpinn.VariableConvection", "init_args": {"duration": 1.0}},
        "frame": {"class_path": "sciml.lpinn.Lagrangian"},
        "network": fourier(),
        "slabs": SLABS,
        "rounds": ROUNDS,
        "points": {"count": 250},
        "fitting": {"class_path": "sciml.lpinn.LeastSquaresRounds", "init_args": {"method": solves}},
        "output": {"grid": [40], "times": 5, "animation": False},
        **arguments,
    }
    given = {name: value for name, value in given.items() if value is not None}
    task = {"class_path": "sciml.lpinn.SpaceTimeFitting", "init_args": given}
    return {"title": "a wave", "seed": 3, "task": task, "trainer": {"accelerator": "cpu"}}


def wave(**arguments: Any) -> Config:
    """The config of :func:`values_of`."""
    return config_from_values(values_of(**arguments), "wave.yaml")


def state_of(folder: Path) -> dict[str, Any]:
    """The buffers in the last checkpoint, as bytes."""
    import torch

    found = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return {name: value.numpy().tobytes() for name, value in found.items()}
