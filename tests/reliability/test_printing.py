"""Everything that a user makes prints itself in a notebook: its class and its settings, never an address."""

from __future__ import annotations

import inspect
from importlib import import_module
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sciml.cli.runs import header
from sciml.domains import Box
from sciml.insr import problems as insr
from sciml.lpinn import Characteristics, Convection, SpaceTimeSolver, frames, problems
from sciml.nets.coordinate import TanhNetwork
from sciml.numerics.flat import FlatModule
from sciml.reference.incompressible_plane_flows import taylor_green
from sciml.tables import counted

PACKAGES = ("insr", "insr.problems", "insr.integrators", "lpinn", "lpinn.problems", "lpinn.frames", "linalg")
OTHER_ARGUMENTS = {
    "ElasticBody": lambda cls: cls(
        Box([0.0, 0.0], [1.0, 1.0]), insr.Motion(0.1), obstacles=[insr.Sphere([0.0, -1.0], 0.5, 1.0)]
    ),
    "IncompressibleFlow": lambda cls: cls(taylor_green()),
    "Motion": lambda cls: cls(0.1),
    "MultiModeEuler": lambda cls: cls([(1, 2, 0.5)]),
    "Plane": lambda cls: cls([0.0, 0.0], [0.0, 1.0], 10.0),
    "Sphere": lambda cls: cls([0.0, 0.0], 1.0, 10.0),
    "StreamFunctionFlow": lambda cls: cls(taylor_green()),
    "ThroughFlow": lambda cls: cls(problems.Channel()),
    "LabelMotion": None,  # the motion of labels at points, no setting of a user
}


def classes_of(module: object) -> list[type]:
    exported = [getattr(module, name) for name in module.__all__]
    kinds = [kind for kind in exported if inspect.isclass(kind) and not getattr(kind, "_is_protocol", False)]
    return [kind for kind in kinds if not issubclass(kind, nn.Module)]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_exported_class_says_how_it_prints(package: str) -> None:
    kinds = classes_of(import_module(f"sciml.{package}"))
    assert [kind.__name__ for kind in kinds if kind.__repr__ is object.__repr__ and not inspect.isabstract(kind)] == []


@pytest.mark.parametrize(
    "kind",
    [kind for module in (insr, problems, frames) for kind in classes_of(module) if not inspect.isabstract(kind)],
    ids=lambda kind: f"{kind.__module__}.{kind.__name__}",
)
def test_problems_and_frames_print_their_class_and_no_address(kind: type) -> None:
    make = OTHER_ARGUMENTS.get(kind.__name__, lambda cls: cls())
    if make is not None:
        said = repr(make(kind))
        assert kind.__name__ in said and " object at 0x" not in said


def test_a_solver_prints_its_class_and_no_address() -> None:
    network = FlatModule(TanhNetwork(2, outputs=1, layers=1, width=4).double())
    said = repr(SpaceTimeSolver(Characteristics(Convection(), frames.Ale(), network), 1))
    assert said.startswith("SpaceTimeSolver") and " object at 0x" not in said


def test_a_header_counts_one_thing_in_the_singular() -> None:
    task = nn.Linear(1, 1, bias=False)
    task.describe = lambda: "a toy"
    training = SimpleNamespace(is_own=True, epochs=1, phases=())
    config = SimpleNamespace(training=training, trainer={"accelerator": "cpu", "precision": "64-true"}, seed=0)
    config.title, config.values = "Toy", {"data": None}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    said = header(task, config, "runs/toy")
    torch.set_num_threads(threads)
    assert "1 parameter, a toy" in said and "1 step; seed 0" in said and "with 1 thread;" in said
    assert (counted(0, "round"), counted(1, "round"), counted(2, "round")) == ("0 rounds", "1 round", "2 rounds")
