"""Checks of what callers hand over: the parts of a problem, and the tensors that their functions return."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sciml.checks import sentence
from sciml.errors import InputError


def check_function(name: str, value: object) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise InputError(sentence(name, value, "a function", "pass one"))


def check_adjoint(adjoint: object) -> None:
    """Refuse what is no solver of linear systems, such as a class in place of its object."""
    if isinstance(adjoint, type) or not callable(getattr(adjoint, "solve", None)):
        remedy = "pass Dense(), ConjugateGradients(), GMRES() or Given(solve)"
        raise InputError(sentence("adjoint", adjoint, "an object that solves linear systems", remedy))


def is_plain(value: object) -> bool:
    """Return whether a value is a dense tensor with values, rather than a sparse, nested or meta tensor."""
    return isinstance(value, Tensor) and value.layout == torch.strided and not (value.is_nested or value.is_meta)


def described(value: object) -> str:
    """Return shape, type and place of a tensor in words, and the type of anything else."""
    if not isinstance(value, Tensor):
        return type(value).__name__
    if value.is_nested:
        return "a nested tensor"
    layout = "" if value.layout == torch.strided else f", {value.layout}"
    return f"shape {tuple(value.shape)}, {value.dtype}{layout}, on {value.device}"


def check_alike(what: str, value: object, like: Tensor, remedy: str) -> None:
    """Refuse a value that is no tensor of the shape, type and device of another.

    Parameters
    ----------
    what : the subject and the verb of the sentence
    value : what was returned
    like : the tensor that it has to be like
    remedy : what to do about it, or what the tensor is for
    """
    if (
        not is_plain(value)
        or value.shape != like.shape  # type: ignore[attr-defined]
        or value.dtype != like.dtype  # type: ignore[attr-defined]
        or value.device != like.device  # type: ignore[attr-defined]
    ):
        raise InputError(f"{what} {described(value)}, expected {described(like)}; {remedy}.")


def versions(tensors: Sequence[Tensor]) -> tuple[int | None, ...]:
    """Return how often each tensor has been changed in place; None for those of inference mode, which do not count."""
    return tuple(None if each.is_inference() else each._version for each in tensors)


def check_unchanged(what: str, tensors: Sequence[Tensor], before: tuple[int | None, ...], names: Sequence[str]) -> None:
    """Refuse a function that has changed a tensor in place.

    Parameters
    ----------
    what : the function
    tensors : what it was given
    before : their versions before the call
    names : what the tensors are
    """
    for name, one, other in zip(names, before, versions(tensors), strict=True):
        if one != other:
            raise InputError(f"the {what} changes {name} in place, expected it to be left as it is; clone it there.")
