"""Every ``sciml`` line of a page is understood by the real command line; those that take seconds are run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from sciml.cli.frame import application
from sciml.mesh import read_series
from sciml.training.config import load_config
from tests.docs.pages import COMMANDS, REPOSITORY

# In this order, since later ones read what earlier ones wrote.
QUICK = [
    "sciml list configs",
    "sciml cite insr/advection_1d_cpu",
    "sciml mesh make disk -r 4 -o disk.vtu",
    "sciml mesh info disk.vtu",
    "sciml mesh convert disk.vtu disk.msh",
    "sciml mesh make interval --from -2 --to 2 --cells 1000 -o line.vtu",
    "sciml data generators",
    "sciml data generate heat -n 4 -o heat.h5 size=32",
    "sciml data info heat.h5",
    "sciml data check heat.h5",
    "sciml data generate openfwi-curvevel-a -n 4 -o maps",
    "sciml data info maps",
    "sciml data check maps",
    "sciml solve insr/burgers_1d_cpu task.init_args.steps=5 -o runs/burgers",
    "sciml predict runs/burgers --time 0.25 -o u.vtu",
    "sciml predict runs/burgers --time all -o u.xdmf",
]
SLOW = [
    "sciml demo --only poisson --size 32 -o runs/small",
    "sciml precondition runs/small/poisson/system.npz --method dcdm --rtol 1e-4",
    "sciml precondition runs/small/poisson/system.npz --method learned",
    "sciml precondition runs/small/poisson/system.npz --rtol 1e-8 -o x.npz --plot x.png",
]


def parse(command: str) -> dict[str, Any]:
    """Return the parameters of a command as the command line reads them; nothing is run."""
    words = shlex.split(command)[1:]
    group, parent = typer.main.get_command(application), None
    name = "sciml"
    while True:
        context = group.make_context(name, words, parent=parent)
        if not hasattr(group, "resolve_command"):
            return context.params
        parent = context
        name, group, words = group.resolve_command(context, [*context._protected_args, *context.args])


def run(command: str, folder: Path) -> str:
    """Run a command in a folder and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, timeout=3600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command: str) -> None:
    parameters = parse(command)
    config = parameters.get("config")
    if config is None or str(config).startswith("runs/") or parameters.get("module"):  # the last in test_own_problem.py
        return
    changes = [word for word in parameters.get("changes") or [] if word != "trainer.accelerator=gpu"]
    assert load_config(config, changes).title


def test_a_misspelt_option_and_a_missing_verb_are_not_understood() -> None:
    with pytest.raises(Exception, match="No such option"):
        parse("sciml precondition system.npz --methud dcdm")
    with pytest.raises(Exception, match="No such command"):
        parse("sciml condition system.npz")


@pytest.mark.parametrize("command", [*QUICK, *SLOW])
def test_a_command_that_is_run_is_on_a_page(command: str) -> None:
    assert command in COMMANDS


def test_the_quick_commands_run(tmp_path) -> None:
    for command in QUICK:
        run(command, tmp_path)
    assert (tmp_path / "disk.msh").is_file()
    assert len(read_series(tmp_path / "u.xdmf").times) == 6


@pytest.mark.slow
def test_the_commands_around_a_small_system_run(tmp_path) -> None:
    for command in SLOW:
        run(command, tmp_path)
    assert (tmp_path / "x.png").stat().st_size > 10_000
