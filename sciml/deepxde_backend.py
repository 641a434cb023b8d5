"""DeepXDE, loaded when it is asked for, and kept from everybody's settings: the only module that imports it.

Its import chooses a backend, prints, and on a machine with a GPU moves torch's default device there; it computes in
torch's default type and draws from everybody's random states. Here all of that ends where a block ends.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Literal

import numpy as np
import torch

from sciml.errors import InputError, MissingExtraError
from sciml.numerics.random import generator

BACKEND, CHOICE = "pytorch", "DDE_BACKEND"
Distribution = Literal["pseudo", "LHS", "Halton", "Hammersley", "Sobol"]
DISTRIBUTIONS: tuple[Distribution, ...] = ("pseudo", "LHS", "Halton", "Hammersley", "Sobol")
RANDOM: tuple[Distribution, ...] = ("pseudo", "LHS")


def deepxde() -> ModuleType:
    """Return DeepXDE with torch as its backend; nothing else in the process is as it was not before.

    Raises
    ------
    InputError
        If it has another backend already, or the environment asks for another one.
    MissingExtraError
        If it cannot be imported.
    """
    loaded = sys.modules.get("deepxde")
    if loaded is None:
        asked = os.environ.get(CHOICE, BACKEND)
        if asked != BACKEND:
            raise InputError(
                f"{CHOICE} is {asked!r}, expected {BACKEND!r}, in which our networks are; unset it or set it to that."
            )
        with _as_before(), quiet():
            os.environ[CHOICE] = BACKEND
            try:
                import deepxde as loaded
            except ImportError as error:
                raise MissingExtraError(
                    f"DeepXDE cannot be imported ({error}), expected version 1.12 or later; pip install deepxde."
                ) from error
    found = loaded.backend.backend_name
    if found != BACKEND:
        raise InputError(
            f"DeepXDE is loaded with the backend {found!r}, expected {BACKEND!r}; set {CHOICE} to that before it is "
            "imported, and start again."
        )
    return loaded


@contextlib.contextmanager
def double_precision() -> Iterator[ModuleType]:
    """DeepXDE, and torch's default type, in float64 inside the block; as they were after it."""
    dde = deepxde()
    before = dde.config.default_float(), dde.config.mixed, dde.config.autodiff, torch.get_default_dtype()
    try:
        with quiet():
            dde.config.set_default_float("float64")
        dde.config.mixed, dde.config.autodiff = False, "reverse"
        yield dde
    finally:
        with quiet():
            dde.config.set_default_float(before[0])
        dde.config.mixed, dde.config.autodiff = before[1:3]
        torch.set_default_dtype(before[3])  # noqa: TID251 - as it was


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draws by DeepXDE and initial weights depend on the seed inside the block; nobody else's do.

    Parameters
    ----------
    seed : 0 to 2^63 - 1
    """
    draws = generator(seed)
    first = int(torch.randint(2**32, (1,), generator=draws))
    with _random_states():
        random.seed(first)
        np.random.set_state(np.random.RandomState(first).get_state())  # noqa: NPY002 - DeepXDE draws from it
        torch.default_generator.set_state(draws.get_state())
        yield


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is printed inside the block."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def forget_derivatives() -> None:
    """Empty the tables of derivatives that DeepXDE keeps, which hold the graphs of all points; if loaded."""
    if "deepxde" in sys.modules:
        deepxde().grad.clear()


@contextlib.contextmanager
def _random_states() -> Iterator[None]:
    """Restore the random states of Python, numpy and torch's CPU."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - only to put it back
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


@contextlib.contextmanager
def _as_before() -> Iterator[None]:
    """Restore the environment, random states, and torch's default type and device."""
    environment, dtype, device = dict(os.environ), torch.get_default_dtype(), torch.get_default_device()
    try:
        with _random_states():
            yield
    finally:
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment)
        torch.set_default_dtype(dtype)  # noqa: TID251 - as it was
        # Without a default, torch is on the CPU, and faster than with that as its default.
        torch.set_default_device(None if device.type == "cpu" else device)  # noqa: TID251 - as it was
