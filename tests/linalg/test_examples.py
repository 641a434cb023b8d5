"""The examples in the docstrings of the packages of linear systems run and print what they say."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("name", ["sciml.linalg", "sciml.linalg.registry", "sciml.dcdm", "sciml.status"])
def test_the_examples_of_a_module_print_what_they_say(name):
    result = doctest.testmod(import_module(name))
    assert result.attempted > 0 and result.failed == 0
