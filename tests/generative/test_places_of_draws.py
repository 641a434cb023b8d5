"""Draws are made where their generator is, without which a generator of another device is an error of torch."""

from __future__ import annotations

import ast
from pathlib import Path

import sciml

PACKAGES = ("generative", "text2pde")
DRAWS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}


def draws_without_a_place(source):
    """Return the lines of calls such as torch.randn that are given a generator, but no device."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in DRAWS:
            given = {keyword.arg for keyword in call.keywords}
            if "generator" in given and "device" not in given:
                yield call.lineno


def test_draws_from_a_generator_say_where_they_are():
    assert list(draws_without_a_place("torch.randn(2, generator=draws)")) == [1]
    assert not list(draws_without_a_place("torch.randn(2, generator=draws, device=draws.device)"))
    root = Path(sciml.__file__).parent
    files = [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]
    assert len(files) > 20
    found = {f"{file.relative_to(root)}:{line}" for file in files for line in draws_without_a_place(file.read_text())}
    assert found == set()
