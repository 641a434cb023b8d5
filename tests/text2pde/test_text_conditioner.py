"""The condition by prompts: dropped prompts are one learned token, and captions reach the denoiser."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.errors import InputError
from sciml.nets import WordEncoder
from sciml.nets.text_encoder import number_ranges
from sciml.numerics.random import seeded
from sciml.text2pde import TextConditioner
from sciml.text2pde.captions import ChannelFlow, CircleOutline, FlowCaptions


def captions(count: int) -> list[str]:
    flow = ChannelFlow(CircleOutline(x=0.31, y=0.18, radius=0.045), peak_velocity=1.2)
    random = np.random.default_rng(0)
    return [FlowCaptions().write(flow, random) for _ in range(count)]


def conditioner(texts: list[str]) -> TextConditioner:
    with seeded(0):
        encoder = WordEncoder(width=16, depth=1, heads=2)
        encoder.fit(FlowCaptions().vocabulary(), number_ranges(texts))
        return TextConditioner(encoder, 12)


def test_all_words_of_captions_are_known() -> None:
    texts = captions(300)
    rows = conditioner(texts).encoder.tokenise(texts)
    assert bool((rows.rows != 0)[rows.mask].all())
    assert rows.values.abs().max() == pytest.approx(1.0)


def test_dropped_prompts_are_one_learned_token_whatever_they_say() -> None:
    texts = captions(4)
    made = conditioner(texts)
    keep = torch.tensor([True, False, True, False])
    found, all_kept = made(texts, keep), made(texts)
    assert found["token_mask"].sum(1)[~keep].tolist() == [1, 1]
    torch.testing.assert_close(found["tokens"][~keep][:, 0], made.null.expand(2, -1))
    for name, values in all_kept.items():
        assert torch.equal(found[name][keep], values[keep])


def test_a_mask_of_another_length_is_refused() -> None:
    texts = captions(2)
    with pytest.raises(InputError, match="shape of the kept prompts"):
        conditioner(texts)(texts, torch.ones(3, dtype=torch.bool))
