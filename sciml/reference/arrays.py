"""Formulas for NumPy arrays and torch tensors alike."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from sciml.errors import InputError

Array = Any  # a NumPy array or a torch tensor


def array_module(values: Array) -> ModuleType:
    """Return the module whose functions apply to the values: torch for its tensors, otherwise NumPy."""
    return sys.modules["torch"] if type(values).__module__.split(".")[0] == "torch" else np


def check_axes(points: Array, **vectors: Sequence[float]) -> None:
    """Refuse vectors that do not have as many entries as the points (..., d) have coordinates."""
    for name, vector in vectors.items():
        if len(vector) != points.shape[-1]:
            raise InputError(f"{name} has {len(vector)} entries, expected {points.shape[-1]}, as the points have.")
