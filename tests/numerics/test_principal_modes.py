"""Principal modes against the singular value decomposition, and what they miss against the eigenvalues left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.errors import InputError
from sciml.numerics.principal_modes import principal_modes
from sciml.numerics.random import generator


def data(n, *shape, seed=0):
    items = torch.randn(n, *shape, generator=generator(seed), dtype=torch.float64)
    return items.cumsum(-1) + 3.0


@pytest.mark.parametrize(("n", "shape"), [(12, (4, 5)), (60, (7,))])
def test_modes_are_orthonormal_and_those_of_the_singular_value_decomposition(n, shape):
    items = data(n, *shape)
    found = principal_modes(items, 4)
    flat = found.modes.flatten(1)
    assert flat @ flat.T == pytest.approx(torch.eye(4, dtype=torch.float64), abs=1e-12)
    _, singular, right = np.linalg.svd((items - items.mean(0)).flatten(1).numpy(), full_matrices=False)
    assert found.variances.numpy() == pytest.approx(singular[:4] ** 2 / n, rel=1e-10)
    assert np.abs(flat.numpy() @ right[:4].T) == pytest.approx(np.eye(4), abs=1e-8)


def test_the_error_is_the_mass_of_the_eigenvalues_left_out_and_no_other_space_has_less():
    items = data(40, 9)
    found = principal_modes(items, 3)
    missed = found.decode(found.encode(items)) - items
    assert float(missed.square().sum(1).mean()) == pytest.approx(found.left_out, rel=1e-10)
    other = torch.linalg.qr(torch.randn(9, 3, generator=generator(1), dtype=torch.float64))[0]
    centred = items - items.mean(0)
    assert float((centred - centred @ other @ other.T).square().sum(1).mean()) > found.left_out
    coefficients = found.encode(items)
    assert coefficients.T @ coefficients / 40 == pytest.approx(torch.diag(found.variances), abs=1e-10)


def test_as_many_modes_as_the_rank_lose_nothing_and_keep_type_and_batch():
    items = data(30, 2, 3).float()
    found = principal_modes(items, 6)
    again = found.decode(found.encode(items[None]))
    assert again.shape == (1, 30, 2, 3) and again.dtype == torch.float32
    assert again[0] == pytest.approx(items, abs=1e-5)


def test_more_modes_than_the_rank_are_refused():
    items = data(30, 2).repeat(1, 3)
    with pytest.raises(InputError, match="the rank of the data, 2"):
        principal_modes(items, 3)
    with pytest.raises(InputError, match="not finite"):
        principal_modes(items / 0.0, 1)
