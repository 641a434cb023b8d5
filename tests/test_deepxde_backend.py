"""DeepXDE comes with torch as its backend, and leaves everybody's settings and random states alone."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sciml.deepxde_backend import deepxde, double_precision, forget_derivatives, seeded
from sciml.errors import InputError, MissingExtraError

IMPORT = """
import os, random, sys
import numpy as np, torch
random.seed(3), np.random.seed(4), torch.manual_seed(5)
torch.set_default_dtype(torch.float64)
torch.cuda.is_available = lambda: True  # as on a machine with a GPU: DeepXDE then makes that the default device

def state():
    draws = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    return draws, dict(os.environ), torch.get_default_dtype(), torch.get_default_device()

import sciml, sciml.lpinn, sciml.lpinn.baselines, sciml.lpinn.problems.deepxde_data
from sciml.deepxde_backend import deepxde
before, early = state(), "deepxde" in sys.modules
dde = deepxde()
print(early, before == state(), dde.backend.backend_name, torch.zeros(1).device)
"""


def test_the_room_does_not_load_deepxde_and_loading_it_changes_nothing_and_prints_nothing() -> None:
    variables = {name: value for name, value in os.environ.items() if name != "DDE_BACKEND"}
    command = [sys.executable, "-c", IMPORT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, env=variables, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True", "pytorch", "cpu"] and done.stderr == ""


def test_another_backend_is_refused_before_and_after_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "deepxde", raising=False)
    monkeypatch.setenv("DDE_BACKEND", "paddle")
    with pytest.raises(InputError, match="DDE_BACKEND is 'paddle', expected 'pytorch'"):
        deepxde()
    assert "deepxde" not in sys.modules
    other = SimpleNamespace(backend=SimpleNamespace(backend_name="jax"))
    monkeypatch.setitem(sys.modules, "deepxde", other)
    with pytest.raises(InputError, match="loaded with the backend 'jax', expected 'pytorch'"):
        deepxde()


def test_a_missing_deepxde_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deepxde", None)  # importing it raises ImportError
    with pytest.raises(MissingExtraError, match="pip install deepxde"):
        deepxde()


def test_an_environment_that_asks_for_torch_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDE_BACKEND", "pytorch")
    assert deepxde().backend.backend_name == "pytorch"


def test_double_precision_ends_with_the_block_even_if_that_fails() -> None:
    dde = deepxde()
    before = dde.config.default_float(), dde.config.mixed, torch.get_default_dtype()
    with pytest.raises(KeyError), double_precision() as same:
        assert same is dde and dde.config.default_float() == "float64"
        assert torch.get_default_dtype() is torch.float64 and dde.config.real(np) is np.float64
        assert dde.geometry.Disk([0.1, 0.0], 1.0).center.dtype == np.float64
        raise KeyError
    assert before == (dde.config.default_float(), dde.config.mixed, torch.get_default_dtype())
    assert dde.config.real(np) is np.float32


def test_draws_depend_on_the_seed_and_on_nothing_else_and_nothing_else_on_them() -> None:
    box = deepxde().geometry.Rectangle([0, 0], [1, 2])

    def draws(seed: int) -> tuple[bytes, bytes, float, float]:
        with seeded(seed):
            found = [box.random_points(8, random=name).tobytes() for name in ("pseudo", "LHS")]
            return *found, random.random(), float(torch.rand(1))

    def states() -> tuple[object, ...]:
        return random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002

    before = states()
    first = draws(1)
    assert before == states()
    np.random.random(3)  # noqa: NPY002
    assert first == draws(1) and all(one != other for one, other in zip(first, draws(2), strict=True))


def test_derivatives_are_forgotten() -> None:
    gradients = deepxde().grad
    inputs = torch.rand(5, 2, requires_grad=True)
    u = inputs.square().sum(1, keepdim=True)
    torch.testing.assert_close(gradients.jacobian(u, inputs, i=0, j=1), 2 * inputs[:, 1:])
    tables = gradients.gradients_reverse.jacobian._Jacobians, gradients.gradients_reverse.hessian._Hessians
    torch.testing.assert_close(gradients.hessian(u, inputs, i=0, j=0), torch.full((5, 1), 2.0))
    assert tables[0].Js and tables[1].Hs
    forget_derivatives()
    assert not tables[0].Js and not tables[1].Hs
