"""Configs: what a right one becomes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import lightning
import pytest
import torch
import yaml

from sciml import nets, strict_yaml
from sciml.config_classes import ClassList, shipped_classes
from sciml.config_files import apply_overrides, read_yaml, shipped_configs, told_cost
from sciml.errors import ConfigError
from sciml.training import config as configs
from sciml.training.citations import OF_OPTIMIZERS, keys_of, read_citations
from sciml.training.config import Config, config_from_values
from sciml.training.settings import OptimizerName, Phase, Training
from sciml.training.task import Task
from sciml.training.trainer_settings import OWNED, TrainerSettings

TEXT = """
title: a line
seed: 3
task: {class_path: tiny.Line, init_args: {width: 5}}
data: {class_path: tiny.Points, init_args: {count: 8}}
training: {phases: [{epochs: 2, learning_rate: 1e-3}]}
"""


class Line(Task):
    """A task with a parameter of each kind."""

    def __init__(
        self,
        width: int = 4,
        rate: float = 0.1,
        shape: tuple[int, ...] = (4, 4),
        kind: Literal["straight", "bent"] = "straight",
        activation: torch.nn.Module | None = None,
        layers: list[torch.nn.Module] | None = None,
        file: Path | None = None,
        note: str | None = None,
    ) -> None:
        super().__init__()
        if width < 0:
            raise ValueError("a width below zero")
        self.net = torch.nn.Linear(1, width)
        self.arguments = (rate, shape, kind, file, note)
        self.activation, self.layers = activation, layers


class Points(lightning.LightningDataModule):
    """Data with one parameter that must be given."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count


CLASSES = shipped_classes().extended({"tiny.Line": Line, "tiny.Points": Points})


def load_config(path: Path | str, overrides: list[str] = [], classes: ClassList = CLASSES) -> Config:  # noqa: B006
    """Load a config that may name the classes above."""
    return configs.load_config(path, overrides, classes=classes)


@pytest.fixture
def file(tmp_path) -> Path:
    (tmp_path / "line.yaml").write_text(TEXT)
    return tmp_path / "line.yaml"


def test_the_constructors_are_called_with_the_values_of_the_file(file):
    config = load_config(file, ["task.init_args.file=a/b.h5", "task.init_args.shape=[1,2,3]"])
    task = config.build_task()
    assert isinstance(task, Line)
    assert task.net.out_features == 5
    assert task.arguments == (0.1, (1, 2, 3), "straight", Path("a/b.h5"), None)
    assert config.build_data().count == 8
    assert config.training == Training([Phase(epochs=2, learning_rate=1e-3)])
    title = "a line (changed: file=a/b.h5, shape=[1,2,3])"
    assert (config.title, config.seed, config.paper, config.cite) == (title, 3, None, [])


def test_the_initial_weights_are_a_function_of_the_seed(file):
    torch.rand(1)
    before = torch.get_rng_state()
    first, again = (load_config(file).build_task().net.weight for _ in range(2))
    other = load_config(file, ["seed=4"]).build_task().net.weight
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_values_hold_every_default_and_give_the_same_config_again(file, tmp_path):
    config = load_config(file)
    text = yaml.safe_dump(config.values, sort_keys=False)
    assert yaml.safe_load(text) == config.values, "plain values only"
    again = config_from_values(yaml.safe_load(text), "config.yaml", classes=CLASSES)
    assert (again.values, again.training, again.trainer) == (config.values, config.training, config.trainer)
    assert set(config.values["task"]["init_args"]) >= {"width", "rate", "shape", "kind", "activation", "file"}
    assert set(config.values["training"]["phases"][0]) == set(Phase.__dataclass_fields__)
    assert set(config.values["trainer"]) == set(TrainerSettings.__dataclass_fields__)
    (tmp_path / "config.yaml").write_text(text)
    assert load_config(tmp_path / "config.yaml").values == config.values


def test_building_leaves_the_values_alone(file):
    config = load_config(file, ["task.init_args.activation={class_path: sciml.nets.Siren, init_args: {inputs: 1}}"])
    before = yaml.safe_dump(config.values)
    assert isinstance(config.build_task().activation, nets.Siren)
    config.build_data()
    assert yaml.safe_dump(config.values) == before


def test_the_trainer_section_is_all_that_lightning_has_but_for_what_is_ours():
    import inspect

    known = set(inspect.signature(lightning.Trainer).parameters)
    ours = set(TrainerSettings.__dataclass_fields__)
    assert ours <= known
    assert not ours & set(OWNED)
    assert known <= ours | set(OWNED), "a new parameter of Lightning is allowed or refused with a reason"


def test_a_precision_is_one_that_the_task_stands(file):
    assert load_config(file, ["trainer.precision=64-true"]).trainer["precision"] == "64-true"
    with pytest.raises(ConfigError, match=r"trainer\.precision is 'bf16-mixed', but .* 32-true or 64-true"):
        load_config(file, ["trainer.precision=bf16-mixed"])
    with pytest.raises(ConfigError, match=r"trainer\.precision is 16"):
        load_config(file, ["trainer.precision=16"])


def test_what_a_constructor_refuses_is_an_error_of_the_config(file):
    with pytest.raises(ConfigError, match=r"line.yaml: task.init_args is refused by Line: a width below zero\."):
        load_config(file, ["task.init_args.width=-1"]).build_task()


def test_text_that_looks_like_a_name_stays_text(file):
    config = load_config(file, ["task.init_args.note=os.system", "task.init_args.file=data.h5"])
    assert config.build_task().arguments[3:] == (Path("data.h5"), "os.system")


@pytest.mark.parametrize("key", ["width", "rate", "kind", "shape"])
def test_null_is_refused_where_a_value_is_needed(file, key):
    with pytest.raises(ConfigError, match=f"task.init_args.{key} is null, expected "):
        load_config(file, [f"task.init_args.{key}=null"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("-2E+5", -2e5),
        ("1.5e-07", 1.5e-7),
        ("3", 3),
        ("1_000", 1000),
        ("true", True),
        ("1e-3x", "1e-3x"),
    ],
)
def test_numbers_are_read_as_everybody_writes_them(text, value):
    read = strict_yaml.parse(text, "")
    assert read == value and type(read) is type(value)


def test_an_override_is_applied_to_what_those_before_it_left_and_said_where_it_changes_something():
    values = {"a": [{"b": 1}], "c": 2}
    overrides = ["a=[{b: 1}, {b: 2}]", "a.1.b=3", "c=2", "a.0.b=1"]
    changed, changes = apply_overrides(values, overrides, "x.yaml")
    assert changed == {"a": [{"b": 1}, {"b": 3}], "c": 2} and changes == overrides[:2]


def test_overrides_reach_lists_and_new_keys_and_leave_the_original_alone():
    values = {"a": {"b": [1, {"c": 2}]}, "d": None}
    changed, _ = apply_overrides(values, ["a.b.1.c=5", "a.b.0=[x]", "d.e.f=1e-2", "g="], "x.yaml")
    assert changed == {"a": {"b": [["x"], {"c": 5}]}, "d": {"e": {"f": 0.01}}, "g": None}
    assert values == {"a": {"b": [1, {"c": 2}]}, "d": None}


def test_a_shipped_config_is_found_by_its_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = next(iter(shipped_configs()))
    assert load_config(name).title == load_config(f"configs/{name}.yaml").title


def test_each_shipped_config_says_what_it_takes():
    for name, path in shipped_configs().items():
        cost = told_cost(path)
        assert cost, f"{path} has no line '# Takes ... CPU minutes.' in its header"
        if name.endswith("_cpu"):
            assert re.fullmatch(r"\d+(\.\d)? CPU minutes", cost), f"{name}: {cost}"


@pytest.mark.parametrize("name", shipped_configs())
def test_shipped_configs_are_right_and_say_what_the_paper_claims(name):
    config = load_config(name)
    assert config.paper is None or (config.paper["source"] and config.cite)
    task = config.build_task()
    assert task.solves() or sum(weight.numel() for weight in task.parameters()) > 0


def test_each_optimizer_and_each_config_has_its_references():
    from typing import get_args

    entries = read_citations()
    assert set(OF_OPTIMIZERS) == set(get_args(OptimizerName)) - {"none"}
    assert set(OF_OPTIMIZERS.values()) <= set(entries)
    assert all(entry.count("{") == entry.count("}") and "year" in entry for entry in entries.values())
    for name, path in shipped_configs().items():
        assert keys_of(read_yaml(path), name)[0] in entries
    with pytest.raises(ConfigError, match="'kaneda2023'"):
        keys_of({"cite": ["kaneda2032"]}, "x.yaml")


def test_the_configs_of_an_installed_package_are_found(tmp_path, monkeypatch):
    from sciml import config_files

    class Installed(type(Path("x"))):
        def locate(self) -> Path:
            return tmp_path / "prefix" / self

    listed = [Installed(f"../../../share/sciml/configs/{name}") for name in ("dcdm/box.yaml", "dcdm/README.md")]
    monkeypatch.setattr(config_files, "_CLONE", tmp_path / "absent")
    monkeypatch.setattr(
        config_files.metadata, "files", lambda name: [*listed, Installed("share/sciml/surfaces/a.yaml")]
    )
    assert shipped_configs() == {"dcdm/box": listed[0].locate().resolve()}
