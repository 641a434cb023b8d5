"""The page of the room: its code runs, and what it says of it is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import sciml.insr
import sciml.nets
from sciml.mesh import read_mesh
from sciml.numerics.random import seeded

PAGE = (Path(sciml.insr.__file__).parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(code: str, steps: int) -> dict:
    """What a block leaves behind, run for fewer steps than it says."""
    shorter = re.sub(r"stepper\.run\(\d+\)", f"stepper.run({steps})", code)
    assert shorter != code
    names: dict = {}
    with seeded(0):
        exec(compile(shorter, "README.md", "exec"), names)
    return names


def block(text: str) -> str:
    (found,) = (code for code in BLOCKS if text in code)
    return found


def test_heat_on_a_mesh_is_25_lines_and_cools_as_it_must(tmp_path, monkeypatch):
    code = block("class HeatOnDisk")
    assert len([line for line in code.splitlines() if line.strip()]) <= 25
    monkeypatch.chdir(tmp_path)
    names = run(code + block("heat.vtu"), steps=3)
    vertices, time = names["problem"].domain.vertices, names["state"].time
    exact = names["problem"].solution(vertices, time)
    assert time == pytest.approx(0.6)
    assert float((names["u"] - exact).norm() / exact.norm()) < 3e-3
    mesh, (field,) = read_mesh(tmp_path / "heat.vtu")
    assert field.values == pytest.approx(names["u"][:, 0].numpy())
    assert mesh.n_points == len(vertices)


def test_the_pulse_in_python_is_that_of_the_paper():
    names = run(block("FourierNetwork(1, box"), steps=2)
    x = torch.linspace(-2, 2, 101, dtype=torch.float64)[:, None]
    exact = names["stepper"].problem.solution(x, names["state"].time)
    assert float((names["u"]("u", x) - exact).norm() / exact.norm()) < 1e-3
    assert names["u"]("u", x, 2).second.shape == (1, 101, 1)


def test_what_the_tables_name_exists():
    tables = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    names = {name for row in tables for name in re.findall(r"`([A-Za-z_.0-9]+)(?:\(.*?\))?`", row)}
    files = {name for name in names if name.endswith(".py")}
    folder = Path(sciml.insr.__file__).parent
    assert files == {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    for name in names - files:
        module = sciml.insr if hasattr(sciml.insr, name) else sciml.nets
        for part in name.removeprefix("nets.").split("."):
            module = getattr(module, part)


def test_the_configs_that_it_names_are_shipped(repository):
    for name in re.findall(r"configs/insr/(\w+)\.yaml", PAGE):
        assert (repository / "configs" / "insr" / f"{name}.yaml").is_file()
