"""The normaliser: statistics of the training split alone, exact inverse, kept in the state."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.data import Normaliser
from sciml.errors import InputError


def blocks(seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [3.0 + np.array([1.0, 1e-3, 1e6]) * random.standard_normal((size, 4, 3)) for size in (5, 1, 17)]


def test_statistics_of_blocks_are_those_of_all_values_together() -> None:
    normaliser = Normaliser(3)
    assert not normaliser.fitted
    normaliser.fit(blocks())
    whole = np.concatenate(blocks()).reshape(-1, 3)
    assert np.allclose(normaliser.mean.numpy(), whole.mean(axis=0), rtol=1e-12)
    assert np.allclose(normaliser.deviation.numpy(), whole.std(axis=0), rtol=1e-12)
    assert normaliser.fitted and int(normaliser.count) == len(whole)


def test_statistics_keep_their_digits_far_from_zero() -> None:
    """The textbook formula E[x^2] - E[x]^2 loses all of them here."""
    values = 1e9 + np.random.default_rng(0).standard_normal((1000, 1))
    normaliser = Normaliser(1)
    normaliser.fit(np.split(values, 10))
    assert normaliser.deviation.item() == pytest.approx(values.std(), rel=1e-6)


def test_encoded_values_have_zero_mean_and_unit_deviation_and_decode_back() -> None:
    normaliser = Normaliser(3)
    normaliser.fit(blocks())
    values = torch.from_numpy(np.concatenate(blocks()))
    encoded = normaliser.encode(values)
    assert torch.allclose(encoded.mean((0, 1)), torch.zeros(3, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(encoded.std((0, 1), correction=0), torch.ones(3, dtype=torch.float64))
    assert torch.allclose(normaliser.decode(encoded), values, rtol=1e-14)
    assert normaliser.encode(values.float()).dtype == torch.float32


def test_the_statistics_survive_the_state_of_a_model_and_are_no_parameters() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), Normaliser(3))
    model[1].fit(blocks())
    again = torch.nn.Sequential(torch.nn.Linear(3, 3), Normaliser(3))
    again.load_state_dict(model.state_dict())
    assert again[1].fitted and torch.equal(again[1].mean, model[1].mean)
    assert torch.equal(again[1].deviation, model[1].deviation)
    assert len(list(model.parameters())) == 2


def test_a_channel_that_never_varies_is_shifted_only() -> None:
    normaliser = Normaliser(2)
    values = np.stack([np.full(1000, 0.1), np.arange(1000.0)], axis=-1)
    normaliser.fit([values[:300], values[300:]])
    assert normaliser.deviation[0] == 1.0
    assert torch.allclose(normaliser.encode(torch.tensor([0.1, 0.0], dtype=torch.float64))[0], torch.zeros(()).double())


def test_gradients_pass_through_in_the_units_of_the_values() -> None:
    normaliser = Normaliser(1)
    normaliser.fit([np.array([[0.0], [4.0]])])
    x = torch.zeros(1, requires_grad=True)
    normaliser.encode(x).sum().backward()
    assert x.grad.item() == 0.5


@pytest.mark.parametrize(
    "wrong",
    [[], [np.zeros((0, 2))], [np.zeros((3, 4))], [np.full((3, 2), np.nan)]],
    ids=["none", "empty", "shape", "nan"],
)
def test_values_without_statistics_are_refused(wrong: list) -> None:
    normaliser = Normaliser(2)
    with pytest.raises(InputError):
        normaliser.fit(wrong)
    assert not normaliser.fitted
    with pytest.raises(InputError):
        Normaliser(0)
