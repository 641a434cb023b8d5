"""Check arguments: each function returns the value, or raises an error that says what it is and what it should be.

The sentence has one form: "NAME is GOT, expected WHAT; REMEDY." The error is :class:`sciml.errors.InputError`, or the
subclass given as ``error``. Single values are checked in :mod:`sciml.checks.values`, arrays in
:mod:`sciml.checks.arrays`; both load NumPy only when they are given an array.
"""

from __future__ import annotations

from sciml.checks.arrays import (
    boolean_array,
    finite,
    number_array,
    real_array,
    real_tensor,
    rising,
    shape,
    shape_of,
    whole_array,
    within,
)
from sciml.checks.values import (
    choice,
    did_you_mean,
    instance,
    known_names,
    number,
    positive,
    sentence,
    shown,
    whole_number,
)

__all__ = [
    "boolean_array",
    "choice",
    "did_you_mean",
    "finite",
    "instance",
    "known_names",
    "number",
    "number_array",
    "positive",
    "real_array",
    "real_tensor",
    "rising",
    "sentence",
    "shape",
    "shape_of",
    "shown",
    "whole_array",
    "whole_number",
    "within",
]
