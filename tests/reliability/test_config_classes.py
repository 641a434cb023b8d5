"""The list of classes that a config may name: it is that of the code, and it is asked before anything is imported."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, get_origin

import lightning
import pytest
from torch import nn

from sciml.config_classes import shipped_classes
from sciml.config_errors import Where
from sciml.errors import ConfigError
from sciml.insr.problems.base import Problem
from sciml.training.config import Head, Paper
from sciml.training.settings import Phase, Training
from sciml.training.solve_task import SolveTask
from sciml.training.task import Task
from sciml.training.trainer_settings import TrainerSettings
from sciml.typed_values import parameters_of

ROOT = Path(__file__).parents[2]
WHERE = Where("a config")
ENTRIES = {entry.path: entry for entry in shipped_classes().entries.values()}


def tool() -> Any:
    spec = importlib.util.spec_from_file_location("make_config_classes", ROOT / "tools" / "make_config_classes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lists_are_those_that_the_code_gives():
    made = tool().files()
    assert {path: path.read_text() for path in (ROOT / "sciml").glob("*/config_classes.json")} == made, (
        "run python tools/make_config_classes.py"
    )


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_every_name_leads_to_the_class_and_its_bases_are_true(entry):
    cls = entry.load()
    names = [path for path, other in shipped_classes().entries.items() if other == entry]
    assert entry.path in names
    for path in names:
        assert shipped_classes().find(WHERE, "key", path, [cls]) is cls
    inherited = {base.__name__ for base in cls.__mro__}
    for base in entry.bases:
        package, _, name = base.rpartition(".")
        if name not in inherited:  # then it is a protocol, and the class has its methods
            protocol = getattr(importlib.import_module(package), name, None) or protocol_of(name, package)
            asked = [method for method, value in vars(protocol).items() if callable(value) and method[0] != "_"]
            assert all(callable(getattr(cls, method)) for method in asked), (base, cls)


def protocol_of(name: str, package: str) -> type:
    """Return a protocol that its package does not export."""
    modules = [module for path, module in sys.modules.items() if path.startswith(f"{package}.")]
    return next(getattr(module, name) for module in modules if isinstance(getattr(module, name, None), type(Protocol)))


def hints_in(hint: Any) -> list[Any]:
    inner = [] if get_origin(hint) is Literal else [part for part in get_args(hint) if part is not Ellipsis]
    return [hint, *(found for part in inner for found in hints_in(part))]


@pytest.mark.parametrize(
    "cls", [*(entry.load() for entry in ENTRIES.values()), Head, Paper, Phase, Training, TrainerSettings]
)
def test_no_parameter_of_a_class_that_a_config_names_takes_anything_at_all(cls):
    for name, entry in parameters_of(cls).items():
        for hint in hints_in(entry.hint):
            assert hint not in (Any, object, dict, list, tuple, Ellipsis), f"{cls.__name__}.{name}: say what it takes"
            assert "Callable" not in str(get_origin(hint)), (
                f"{cls.__name__}.{name} takes a function, which no file holds"
            )


@pytest.mark.parametrize("base", [Task, lightning.LightningDataModule, nn.Module, Problem])
def test_a_base_class_has_classes_and_is_none_itself(base):
    found = [entry for entry in ENTRIES.values() if entry.fits([base])]
    assert len(found) > 3
    assert all(issubclass(entry.load(), base) for entry in found)
    assert base not in [entry.load() for entry in found]


@pytest.mark.parametrize("path", ["sciml.insr.TimeStepping", "sciml.data.FieldData"])
def test_neither_a_task_nor_a_data_module_is_a_network(path):
    with pytest.raises(ConfigError, match=f"key is {path}, expected a Module"):
        shipped_classes().find(WHERE, "key", path, [nn.Module])


def test_the_nearest_names_are_those_of_the_base_that_is_expected():
    with pytest.raises(ConfigError, match=r"expected a Problem; did you mean 'sciml\.insr\.PeriodicBurgers'\?"):
        shipped_classes().find(WHERE, "key", "sciml.lpinn.PeriodicBurger", [Problem])
    with pytest.raises(ConfigError) as caught:
        shipped_classes().find(WHERE, "key", "sciml.insr.Siren", [Problem])
    assert "sciml.insr.Heat" in str(caught.value) and "sciml.nets" not in str(caught.value)


def test_a_list_is_extended_for_one_call_and_its_classes_fit_where_their_bases_do():
    class Mine(Problem):
        pass

    class Hill:
        """An obstacle that inherits nothing."""

        depth = residuals = force = picture = Problem.__init__

    from sciml.insr.problems.contact import Obstacle

    class Solver(SolveTask):
        depth = residuals = force = picture = Problem.__init__

    mine = shipped_classes().extended({"mine.Mine": Mine, "mine.Hill": Hill, "mine.Solver": Solver})
    for base in (Task, SolveTask):
        assert mine.find(WHERE, "key", "mine.Solver", [base]) is Solver
    for base in (nn.Module, lightning.LightningModule, Obstacle, Problem):
        with pytest.raises(ConfigError, match=r"key is mine\.Solver, expected an? "):
            mine.find(WHERE, "key", "mine.Solver", [base])
    assert mine.find(WHERE, "key", "mine.Mine", [Problem]) is Mine
    assert mine.find(WHERE, "key", "mine.Hill", [Obstacle]) is Hill
    for base in (Task, nn.Module, Obstacle):
        with pytest.raises(ConfigError, match=r"key is mine\.Mine, expected an? "):
            mine.find(WHERE, "key", "mine.Mine", [base])
    with pytest.raises(ConfigError, match="no class that a config may name"):
        shipped_classes().find(WHERE, "key", "mine.Mine", [Problem])
    with pytest.raises(ValueError, match=r"sciml\.insr\.Heat is on the list of classes already"):
        shipped_classes().extended({"sciml.insr.Heat": Mine})


def test_nothing_is_imported_for_a_name_that_is_not_on_the_list(tmp_path, monkeypatch):
    (tmp_path / "spy.py").write_text("import pathlib\npathlib.Path(__file__).with_name('seen').touch()\nclass Spy: 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("spy.Spy", "spy", "sciml.spy.Spy", "torch.hub.load", "sciml.nets.ansatz.torch.nn.Linear"):
        with pytest.raises(ConfigError, match="no class that a config may name"):
            shipped_classes().find(WHERE, "key", name, [nn.Module])
    assert not (tmp_path / "seen").exists() and "spy" not in sys.modules
