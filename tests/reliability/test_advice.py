"""Advice in the language of the reader: an error below the command line names what to do there and in Python."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import sciml
from sciml.config_files import find_config
from sciml.errors import ConfigError, InputError
from sciml.linalg import solve
from sciml.linalg.sparse_files import read_system

PACKAGE = Path(sciml.__file__).parent
OPTION = re.compile(r"(?:^|[\s(])--[a-z]|\b[a-z_]+=True\b")
OF_THE_COMMAND_LINE = {"cli", "bench"}


def texts(tree: ast.AST) -> list[str]:
    """The texts in what is raised, each f-string as one."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise):
            for part in ast.walk(node):
                if isinstance(part, ast.JoinedStr):
                    found.append("".join(str(each.value) for each in part.values if isinstance(each, ast.Constant)))
                elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                    found.append(part.value)
    return found


def test_an_error_that_names_an_option_names_the_argument_in_python_as_well():
    checked = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] in OF_THE_COMMAND_LINE:
            continue
        whole = texts(ast.parse(path.read_text(encoding="utf-8")))
        for text in whole:
            inside = any(text in other and text != other for other in whole)  # a part of an f-string
            if OPTION.search(text) and not inside:
                assert "in Python" in text, f"{path.name}: {text}"
                checked.append(text)
    assert len(checked) >= 4


@pytest.mark.parametrize("grid", [False, True], ids=["chain", "square"])
def test_a_value_of_a_vector_is_named_by_its_place_in_the_vector(grid):
    line = sp.diags_array([-np.ones(23), np.full(24, 2.0), -np.ones(23)], offsets=[-1, 0, 1])
    matrix = sp.kronsum(line, line).tocsr() if grid else sp.csr_array(line)
    b = np.ones(matrix.shape[0])
    b[3] = np.nan
    with pytest.raises(
        InputError, match=r"nan at index 3\), expected finite numbers; give a finite number for each row"
    ):
        solve(matrix, b)


@pytest.mark.parametrize("name", ["rhs", "RHS", "right_hand_side"])
def test_a_right_hand_side_of_another_name_is_recognised(name, tmp_path):
    np.savez(tmp_path / "s.npz", cells=np.zeros((8, 8), np.uint8), **{name: np.ones((8, 8))})
    with pytest.raises(Exception, match=f"'{name}' beside cells; did you mean 'b'"):
        read_system(tmp_path / "s.npz")


def test_a_config_that_does_not_exist_is_answered_in_one_short_sentence(tmp_path):
    with pytest.raises(
        ConfigError, match=r"does not exist; the nearest shipped configs are .*, see `sciml list con"
    ) as caught:
        find_config(tmp_path / "zzz.yaml")
    assert len(str(caught.value)) < 300
