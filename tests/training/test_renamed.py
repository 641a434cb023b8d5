"""Former names of classes and arguments: configs and run folders that were written before a rename still load."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest
import torch

from sciml import renamed, weights
from sciml.config_classes import shipped_classes
from sciml.errors import ConfigError
from sciml.renamed import PATHS, current_path, current_values
from sciml.training.config import config_from_values

# Each class that a shipped config or the card of shipped weights named before the package got its present layout.
FORMERLY_NAMED = [
    "sciml.dcdm.DirectionTask",
    "sciml.dcdm.MultigridTask",
    "sciml.dcdm.RandomGeometries",
    "sciml.dcdm.RitzDirections",
    "sciml.insr.Adam",
    "sciml.insr.Advection",
    "sciml.insr.ArapVolume",
    "sciml.insr.Burgers",
    "sciml.insr.CellPoints",
    "sciml.insr.ChorinSplitting",
    "sciml.insr.ElasticBody",
    "sciml.insr.Equilibrium",
    "sciml.insr.GaussPoints",
    "sciml.insr.Heat",
    "sciml.insr.IncrementalPotential",
    "sciml.insr.LeastSquares",
    "sciml.insr.MultiModeEuler",
    "sciml.insr.Pade22",
    "sciml.insr.Plane",
    "sciml.insr.RungeKutta",
    "sciml.insr.SemiLagrangian",
    "sciml.insr.Smoke",
    "sciml.insr.Sphere",
    "sciml.insr.StableNeoHookean",
    "sciml.insr.TaylorGreen",
    "sciml.insr.TaylorGreenPrimitive",
    "sciml.insr.Tension",
    "sciml.insr.TimeStepping",
    "sciml.insr.TwoVortices",
    "sciml.insr.TwoVorticesPrimitive",
    "sciml.lpinn.Ale",
    "sciml.lpinn.BoundaryLayer",
    "sciml.lpinn.Burgers",
    "sciml.lpinn.Channel",
    "sciml.lpinn.Convection",
    "sciml.lpinn.DeformationalSwirl",
    "sciml.lpinn.Disc",
    "sciml.lpinn.Eulerian",
    "sciml.lpinn.Gradient",
    "sciml.lpinn.Lagrangian",
    "sciml.lpinn.LeastSquares",
    "sciml.lpinn.PublishedLagrangian",
    "sciml.lpinn.PublishedNetwork",
    "sciml.lpinn.Rezoned",
    "sciml.lpinn.SolidBodyRotation",
    "sciml.lpinn.SpaceTimeFitting",
    "sciml.lpinn.StandardBurgers",
    "sciml.lpinn.TwoBranches",
    "sciml.lpinn.VariableConvection",
    "sciml.nets.FourierNetwork",
    "sciml.nets.GaussianNetwork",
    "sciml.nets.HeldAtEnds",
    "sciml.nets.MirroredNetwork",
    "sciml.nets.Siren",
    "sciml.nets.TanhNetwork",
    "sciml.nets.VanishingOnBox",
    "sciml.nets.ansatz.VanishingOnBox",
    "sciml.pde.mesh_sampling.MeshDomain",
    "sciml.pde.sampling.Box",
]


def imported(path: str) -> type:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


@pytest.mark.parametrize("path", FORMERLY_NAMED)
def test_every_class_that_a_shipped_config_ever_named_still_resolves(path):
    assert current_path(path) in shipped_classes().entries


@pytest.mark.parametrize("path", PATHS)
def test_every_row_leads_to_a_name_of_today(path):
    parts = current_path(path).split(".")
    assert current_path(current_path(path)) == ".".join(parts)
    if parts[-1][0].isupper():
        assert isinstance(imported(".".join(parts)), type)
    else:
        assert __import__(".".join(parts))


def test_the_modes_of_a_network_that_were_called_waves_are_followed():
    old = {"class_path": "sciml.nets.MirroredNetwork", "init_args": {"inputs": 2, "waves": 5}}
    new = {"class_path": "sciml.nets.OddReflectionNetwork", "init_args": {"inputs": 2, "modes": 5}}
    assert current_values(old) == new


def test_names_inside_a_config_are_followed_wherever_they_stand():
    values = {
        "class_path": "sciml.insr.TimeStepping",
        "init_args": {
            "points": [{"class_path": "sciml.insr.CellPoints", "init_args": {"degree": 2}}, "sciml.lpinn.Disc"],
            "domain": {"class_path": "sciml.pde.sampling.Box"},
            "note": "boxes of sciml.pde.sampling.Box",
        },
    }
    assert current_values(values) == {
        "class_path": "sciml.insr.TimeStepping",
        "init_args": {
            "points": [{"class_path": "sciml.domains.CellPoints", "init_args": {"degree": 2}}, "sciml.domains.Disc"],
            "domain": {"class_path": "sciml.domains.box.Box"},
            "note": "boxes of sciml.pde.sampling.Box",
        },
    }
    assert values["init_args"]["domain"] == {"class_path": "sciml.pde.sampling.Box"}


def test_a_name_that_changed_twice_and_a_renamed_argument_are_followed(monkeypatch):
    monkeypatch.setitem(PATHS, "sciml.old.A", "sciml.old.B")
    monkeypatch.setitem(PATHS, "sciml.old", "sciml.new")
    monkeypatch.setitem(renamed.ARGUMENTS, "sciml.new.B", {"start": "initial"})
    former = {"class_path": "sciml.old.A", "init_args": {"start": 1.0, "steps": 2}}
    assert current_values(former) == {"class_path": "sciml.new.B", "init_args": {"initial": 1.0, "steps": 2}}


def test_a_path_that_never_existed_is_refused_in_a_sentence():
    values = {"title": "t", "task": {"class_path": "sciml.pde.sampling.Bax"}}
    with pytest.raises(
        ConfigError, match=r"old\.yaml: task\.class_path is sciml\.domains\.box\.Bax, .* expected a Task"
    ):
        config_from_values(values, "old.yaml")


def former_classes() -> dict[str, list[str]]:
    """Return the arguments of every public class that a config could name, by its former path."""
    lines = (Path(__file__).parent / "former_paths.txt").read_text().splitlines()
    return {path: names for path, *names in map(str.split, lines[1:])}


def test_every_former_class_and_its_arguments_have_a_name_of_today():
    lost = []
    for path, names in former_classes().items():
        section = current_values({"class_path": path, "init_args": dict.fromkeys(names)})
        found = imported(section["class_path"])
        known = inspect.signature(found.__init__).parameters
        lost += [f"{path}: {name}" for name in section["init_args"] if name not in known]
    assert not lost


@pytest.mark.parametrize(
    "path", ["sciml.lpinn.Convection", "sciml.lpinn.cases.Convection", "sciml.lpinn.problems.cases.Convection"]
)
def test_a_renamed_argument_is_found_however_the_class_is_spelled(path):
    assert current_values({"class_path": path, "init_args": {"waves": 2}})["init_args"] == {"wave_number": 2}


def test_a_card_that_was_written_before_a_rename_names_the_task_of_today(tmp_path, monkeypatch):
    monkeypatch.setitem(PATHS, "sciml.old.Task", "sciml.new.Task")
    task = {"class_path": "sciml.old.Task", "init_args": {"width": 2}}
    weights.publish(tmp_path / "w.safetensors", {"net.weight": torch.ones(1, 2)}, config={"title": "t", "task": task})
    assert weights.read_card(tmp_path / "w.safetensors").class_path == "sciml.new.Task"
    net = weights.load(
        tmp_path / "w.safetensors", "sciml.new.Task", "net.", lambda made: torch.nn.Linear(made["width"], 1, bias=False)
    )
    assert net.weight.tolist() == [[1.0, 1.0]]
