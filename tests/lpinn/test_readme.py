"""The page of the room: its code runs, and what it says of it is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import sciml.lpinn
from sciml.numerics.random import seeded

FOLDER = Path(sciml.lpinn.__file__).parent
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(text: str) -> dict:
    """What the block with a text in it leaves behind."""
    (code,) = (code for code in BLOCKS if text in code)
    names: dict = {}
    with seeded(0):
        exec(compile(code, "README.md", "exec"), names)
    return names


def test_a_wind_of_ones_own_carries_its_pulse_as_far_as_is_said(capsys):
    names = run("class BreathingWind")
    assert float(capsys.readouterr().out.split()[-1]) < 3e-4
    x = torch.linspace(0, 1, 101, dtype=torch.float64)[:, None]
    u = names["u"](x, 1.0)
    travelled = 2 + torch.sin(torch.tensor(4.0)) / 4
    assert float(x[u.argmax()]) == pytest.approx(float(travelled % 1), abs=0.01)
    assert float(u.max()) == pytest.approx(float(torch.exp(torch.tensor(-0.5))), rel=0.01)


def test_diffusion_in_python_is_solved():
    names = run("Convection(speed=50.0")
    assert names["error"] < 1e-5


def test_baselines_share_one_call(capsys):
    run("DeepXdePinn")
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert len({row[0] for row in rows}) == 5 and len(rows) == 6
    assert all(0 < float(row[3]) < 2 for row in rows)
    assert len({row[3] for row in rows}) == 6 and min(float(row[3]) for row in rows) < 0.5  # 0 would be off by 1


def test_what_the_tables_name_exists():
    tables = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    names = {name for row in tables for name in re.findall(r"`([A-Za-z_.0-9]+)`", row)}
    files = {name for name in names if name.endswith(".py")}
    assert files == {path.name for path in FOLDER.glob("*.py")} - {"__init__.py"}
    arguments = sciml.lpinn.SpaceTimeFitting.__init__.__annotations__
    for name in names - files:
        assert hasattr(sciml.lpinn, name) or name in arguments


def test_the_configs_that_it_names_are_shipped(repository):
    for name in [*re.findall(r"configs/lpinn/(\w+)\.yaml", PAGE), *re.findall(r"`(\w+_paper)`", PAGE)]:
        assert (repository / "configs" / "lpinn" / f"{name}.yaml").is_file()
