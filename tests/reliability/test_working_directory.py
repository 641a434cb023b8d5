"""What lies in the working directory is data: no library takes settings or modules from there that run a program."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sciml
from sciml import plots

PACKAGE = Path(sciml.__file__).parent
SOLVE = """
import sys
import numpy as np
from sciml.errors import InputError
from sciml.linalg import VoxelPoisson, solve
try:
    problem = VoxelPoisson.from_cells(np.zeros((4, 4), np.uint8), outside="dirichlet")
    print(solve(problem, np.ones((4, 4)), method="multigrid").status)
except InputError as error:
    print(error)
print("this" in sys.modules)
"""
COMPILE_LATER = """
import os, sys
from sciml.linalg.kernels.guarded_numba import njit
os.chdir(sys.argv[1])
print(njit(lambda x: 2 * x, cache=False)(21), "this" in sys.modules)
from numba.core import config
print(repr(config.CACHE_DIR), repr(config.CACHE_LOCATOR_CLASSES))
"""
NUMBA_SETTINGS = {  # `this` prints a poem when it is imported
    "a folder of kernels": "cache_dir: kernels\n",
    "a module": "cache_locator_classes: this.Locator\n",
}


def python(*words: object, cwd: Path) -> str:
    """Return what a process that was started in a folder wrote."""
    done = subprocess.run(
        [sys.executable, "-P", *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=3600, check=False
    )
    return done.stdout + done.stderr


@pytest.fixture(params=NUMBA_SETTINGS)
def folder(request, tmp_path):
    (tmp_path / ".numba_config.yaml").write_text(NUMBA_SETTINGS[request.param])
    return tmp_path


def test_numba_is_not_imported_where_it_would_obey_a_file(folder):
    said = python("-c", SOLVE, cwd=folder)
    assert said.startswith("the working directory holds .numba_config.yaml, which numba would obey")
    assert said.endswith("\nFalse\n")
    assert os.listdir(folder) == [".numba_config.yaml"]


def test_the_command_says_so_in_a_sentence(folder, tmp_path):
    cells = tmp_path / "cells.npz"
    np.savez(cells, cells=np.zeros((4, 4), np.uint8), outside="dirichlet", b=np.ones((4, 4)))
    said = python("-m", "sciml", "precondition", cells, "--method", "multigrid", cwd=folder)
    assert ".numba_config.yaml" in said and "Traceback" not in said and "Beautiful" not in said


def test_numba_reads_no_file_of_a_folder_that_is_entered_later(folder, tmp_path_factory):
    said = python("-c", COMPILE_LATER, folder, cwd=tmp_path_factory.mktemp("clean"))
    assert said == "42 False\n'' ''\n"


def test_one_module_imports_numba():
    found = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if re.search(r"^\s*(import|from) numba\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert found == {"guarded_numba.py"}


# A script has its own folder on the path, as an installed command has, and not the working directory.
GENERATE = """
from sciml.cli import main
if __name__ == "__main__":
    main(["data", "generate", "advection", "--count", "40", "--jobs", "2", "-o", "set.h5"])
"""
WORK = """
from sciml.bench.worker import run_jobs
print(list(run_jobs([{"key": "k", "function": "builtins:dict"}], 1)))
"""
CANARY = (
    "import os\nopen(os.path.join(os.path.dirname(__file__), 'CANARY'), 'a').close()\nraise ImportError('canary')\n"
)
MODULES = ("numpy", "multiprocessing", "json", "signal", "sciml", "torch", "h5py", "sitecustomize", "encodings")


@pytest.mark.parametrize("program", [GENERATE, WORK], ids=["jobs that make data", "the worker of benchmarks"])
def test_processes_that_we_start_import_nothing_from_there(program, tmp_path, repository):
    (tmp_path / "program.py").write_text(program)
    there = tmp_path / "there"
    there.mkdir()
    for name in MODULES:
        (there / f"{name}.py").write_text(CANARY)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        cwd=there,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    assert not (there / "CANARY").exists()
    assert "canary" not in done.stderr
    assert program is WORK or (done.returncode == 0 and (there / "set.h5").exists()), done.stderr


# Settings that start LaTeX with a preamble of somebody else's, and a backend that imports a module.
MATPLOTLIBRC = "text.usetex: True\nfigure.facecolor: red\ntext.latex.preamble: canary\nbackend: module://this\n"
DRAW = """
import sys
started = []
sys.addaudithook(lambda event, _: started.append(event) if event == "subprocess.Popen" else None)
import numpy as np
from matplotlib import rcParams
from sciml.plots import residual_history
before = dict(rcParams)
residual_history({"method": [1.0, 0.1, 0.01]}, "history.png", rtol=1e-2)
print(started, "this" in sys.modules, before["text.usetex"], dict(rcParams) == before)
"""


def test_pictures_are_drawn_with_settings_of_ours(tmp_path):
    clean, settings = tmp_path / "clean", tmp_path / "settings"
    clean.mkdir(), settings.mkdir()
    (settings / "matplotlibrc").write_text(MATPLOTLIBRC)
    assert python("-c", DRAW, cwd=clean) == "[] False False True\n"
    assert python("-c", DRAW, cwd=settings) == "[] False True True\n"
    assert (settings / "history.png").read_bytes() == (clean / "history.png").read_bytes()


def test_all_functions_that_draw_have_the_settings_of_ours():
    names = [name for name in plots.__all__ if inspect.isfunction(getattr(plots, name))]
    assert len(names) > 12
    assert [name for name in names if not hasattr(getattr(plots, name), "__wrapped__")] == []
