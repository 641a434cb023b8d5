"""Networks that step from frame to frame: what they start from, what they learn, and that seeds decide."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sciml.bench.text2pde.rivals import RIVALS, Stepper, StepTraining, train
from sciml.errors import InputError
from sciml.numerics.random import generator


def decaying(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two fields of random waves that fade by a factor of each trajectory, six frames of 16 x 16."""
    draws = generator(seed)
    places = torch.linspace(0, 1, 16)
    waves = torch.stack([torch.cos(k * torch.pi * places) for k in range(1, 5)])
    start = torch.einsum("nckl,kx,ly->ncxy", torch.randn(count, 2, 4, 4, generator=draws), waves, waves)
    start = start / start.std((1, 2, 3), keepdim=True)
    rate = 0.05 + 0.3 * torch.rand(count, 1, generator=draws)
    factors = (1 - rate) ** torch.arange(6.0)
    return start[:, :, None] * factors[:, None, :, None, None], rate


@pytest.mark.parametrize("rival", RIVALS)
def test_each_learns_a_decay_whose_rate_is_a_parameter(rival) -> None:
    trajectories, rates = decaying(24, 0)
    stepper = Stepper(rival, trajectories, rates)
    train(stepper, trajectories, rates, StepTraining(60, chain=2, rate=5e-3))
    wanted, others = decaying(8, 1)
    with torch.no_grad():
        found = stepper.rollout(wanted[:, :, 0], others, 6)
    standing = wanted[:, :, :1] - wanted
    assert torch.equal(found[:, :, 0], wanted[:, :, 0])
    assert (found - wanted).square().sum() < 0.65 * standing.square().sum()


def test_a_network_without_an_answer_stands_still_and_a_rollout_is_a_chain_of_steps() -> None:
    trajectories, rates = decaying(4, 0)
    stepper = Stepper("resnet", trajectories, rates)
    with torch.no_grad():
        chained = stepper(stepper(trajectories[:, :, 0], rates), rates)
        assert torch.equal(stepper.rollout(trajectories[:, :, 0], rates, 3)[:, :, 2], chained)
        stepper.network = nn.Conv2d(5, 2, 1)
        nn.init.zeros_(stepper.network.weight)
        nn.init.zeros_(stepper.network.bias)
        assert torch.equal(stepper(trajectories[:, :, 0], rates), trajectories[:, :, 0])


def test_the_seeds_decide_weights_and_batches() -> None:
    trajectories, rates = decaying(6, 0)

    def weights(first: int, batches: int) -> Tensor:
        stepper = Stepper("unet", trajectories, rates, first)
        train(stepper, trajectories, rates, StepTraining(2, batch=2, chain=1, seed=batches))
        return torch.cat([each.detach().ravel() for each in stepper.parameters()])

    one = weights(0, 0)
    assert torch.equal(one, weights(0, 0))
    assert not torch.equal(one, weights(1, 0)) and not torch.equal(one, weights(0, 1))


def test_what_makes_no_sense_is_refused() -> None:
    trajectories, rates = decaying(2, 0)
    for call, says in (
        (lambda: Stepper("net", trajectories, rates), "the rival is 'net'"),
        (lambda: Stepper("fno", trajectories, rates[:1]), "parameters"),
        (lambda: Stepper("fno", trajectories[:, 0], rates), "trajectories"),
        (
            lambda: train(Stepper("resnet", trajectories, rates), trajectories, rates, StepTraining(1, chain=6)),
            "1 to 5",
        ),
    ):
        with pytest.raises(InputError, match=says):
            call()
