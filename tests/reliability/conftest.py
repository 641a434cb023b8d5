"""What tests that go through all verbs share: a folder with one small input of each kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

Call = Callable[..., tuple[int, str, str]]

TRAINED = {
    "title": "a small box",
    "task": {"class_path": "sciml.dcdm.DirectionTask", "init_args": {"dimension": 2, "filters": 4, "pairs": [1, 1, 1]}},
    "data": {
        "class_path": "sciml.dcdm.RitzDirections",
        "init_args": {"sizes": [12], "cases": {"box": 1}, "batch_size": 2, "batches_per_epoch": 2},
    },
    "training": {"phases": [{"epochs": 1, "learning_rate": 1e-3}]},
}
SOLVED = {
    "title": "a short bar",
    "task": {
        "class_path": "sciml.insr.TimeStepping",
        "init_args": {
            "problem": {"class_path": "sciml.insr.Heat", "init_args": {"lower": [-1], "upper": [1], "modes": [2]}},
            "networks": {
                "u": {
                    "class_path": "sciml.nets.VanishingOnBox",
                    "init_args": {
                        "network": {
                            "class_path": "sciml.nets.TanhNetwork",
                            "init_args": {"inputs": 1, "width": 4, "layers": 1},
                        }
                    },
                }
            },
            "integrator": {"class_path": "sciml.insr.RungeKutta", "init_args": {"rule": "implicit_euler"}},
            "time_step": 0.01,
            "steps": 1,
            "points": {"count": 20, "kind": "shifted"},
            "fitting": {
                "class_path": "sciml.insr.LeastSquaresFit",
                "init_args": {"step": {"max_solves": 2}, "initial": {"max_solves": 5}},
            },
        },
    },
}


@pytest.fixture
def sciml(in_process: Call) -> Call:
    """Run ``sciml`` in this process; exit code, standard output, standard error."""
    return in_process


@pytest.fixture(scope="session")
def workshop(tmp_path_factory) -> Path:
    """A folder with a system, a mesh, a data set, configs, runs of them and exported weights."""
    from sciml.data import generate
    from sciml.linalg.sparse_files import write_cells
    from sciml.mesh import make_mesh, write_mesh
    from sciml.training.config import config_from_values
    from sciml.training.run import export_weights, train

    folder = tmp_path_factory.mktemp("workshop")
    cells = np.zeros((8, 8), np.uint8)
    write_cells(
        folder / "system.npz", cells, np.random.default_rng(0).standard_normal(cells.shape), outside="dirichlet"
    )
    write_mesh(folder / "mesh.vtu", make_mesh("square", 2))
    generate("heat", 2, folder / "heat.h5", options={"size": "9"})
    for name, values in {"trained": TRAINED, "solved": SOLVED}.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))
        train(config_from_values(values, f"{name}.yaml"), folder / "runs" / name)
    export_weights(folder / "runs" / "trained", folder / "weights.safetensors")
    return folder
