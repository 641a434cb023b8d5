"""The notebooks run from top to bottom, and are committed without outputs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))

# Shows the last expression of a cell, as a notebook does: a broken repr is a fault of the tour.
RUNNER = """
import ast, json, sys
names = {"__name__": "__main__"}
for number, cell in enumerate(json.load(open(sys.argv[1], encoding="utf-8"))["cells"]):
    if cell["cell_type"] != "code":
        continue
    body = ast.parse("".join(cell["source"]), f"cell {number}")
    last = body.body.pop() if body.body and isinstance(body.body[-1], ast.Expr) else None
    exec(compile(body, f"cell {number}", "exec"), names)
    if last is not None:
        shown = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
        if shown is not None:
            print(repr(shown))
"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_and_its_key_numbers_hold(path, repository, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(repository), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error:::sciml", "-c", RUNNER, str(path)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=3600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_asserts_something_and_holds_no_outputs(path):
    code = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert any("assert " in line for cell in code for line in cell["source"])
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
