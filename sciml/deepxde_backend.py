"""The only module that imports DeepXDE: on demand, and without changes to global settings.

The import of DeepXDE selects a backend, prints, and on a machine with a GPU makes that torch's default device; DeepXDE
computes in torch's default type and draws from the global random states. Here all of these are restored at the end of a
block.
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
    """Return DeepXDE with torch as its backend; all global settings of the process stay as they are.

    Raises
    ------
    InputError
        If it is loaded with another backend, or the environment selects another one.
    MissingExtraError
        If it cannot be imported.
    """
    loaded = sys.modules.get("deepxde")
    if loaded is None:
        asked = os.environ.get(CHOICE, BACKEND)
        if asked != BACKEND:
            raise InputError(
                f"{CHOICE} is {asked!r}, expected {BACKEND!r}, as the networks are PyTorch modules; unset it or set it "
                "to that."
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
    """Yield DeepXDE with its and torch's default type set to float64; they are restored after the block."""
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
    """Seed the draws of DeepXDE and initial weights inside the block; the global random states are restored after it.

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
    """Suppress output to the terminal inside the block."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def forget_derivatives() -> None:
    """Clear the derivatives that DeepXDE caches, which hold the graphs of all points, if it is loaded."""
    if "deepxde" in sys.modules:
        deepxde().grad.clear()


@contextlib.contextmanager
def _random_states() -> Iterator[None]:
    """Restore the random states of Python, NumPy and torch on the CPU after the block."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - only to put it back
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


@contextlib.contextmanager
def _as_before() -> Iterator[None]:
    """Restore the environment, the random states, and torch's default type and device after the block."""
    environment, dtype, device = dict(os.environ), torch.get_default_dtype(), torch.get_default_device()
    try:
        with _random_states():
            yield
    finally:
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment)
        torch.set_default_dtype(dtype)  # noqa: TID251 - as it was
        # Without a default device, torch is on the CPU, and faster than with the CPU as its default device.
        torch.set_default_device(None if device.type == "cpu" else device)  # noqa: TID251 - as it was
