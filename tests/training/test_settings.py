"""Schedules against their closed form, phases by epoch, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from itertools import pairwise

import pytest
import torch

from sciml.errors import ConfigError
from sciml.training.settings import Phase, Training


def test_cosine_after_a_linear_warm_up() -> None:
    phase = Phase(epochs=10, learning_rate=0.2, schedule="cosine", warmup_epochs=2, final_fraction=0.1)
    rates = [phase.rate(update, 5) for update in range(50)]
    assert rates[:10] == pytest.approx([0.02 * (update + 1) for update in range(10)])
    assert rates[10] == pytest.approx(0.2)
    assert rates[30] == pytest.approx(0.2 * (0.1 + 0.9 / 2))  # half way through the 40 updates that remain
    assert rates[20] == pytest.approx(0.2 * (0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2))
    assert rates[-1] > 0.02 == pytest.approx(phase.rate(50, 5))
    assert all(later < earlier for earlier, later in pairwise(rates[10:]))


def test_cosines_that_start_again_are_those_of_torch() -> None:
    phase = Phase(epochs=3, learning_rate=0.2, schedule="cosine", final_fraction=0.0, cycles=3)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=8)
    for update in range(24):
        assert phase.rate(update, 8) == pytest.approx(schedule.get_last_lr()[0], rel=1e-12)
        optimizer.step(), schedule.step()
    assert phase.rate(24, 8) == 0
    with pytest.raises(ConfigError, match="cycles"):
        Phase(epochs=3, cycles=2)
    with pytest.raises(ConfigError, match="cycles"):
        Phase(epochs=3, schedule="cosine", cycles=0)


def test_steps_after_each_third_are_those_of_torch() -> None:
    phase = Phase(epochs=9, learning_rate=0.2, schedule="step")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.2)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.5)
    for update in range(9 * 5):
        assert phase.rate(update, 5) == pytest.approx(schedule.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        if update % 5 == 4:
            schedule.step()
    warm = Phase(epochs=5, learning_rate=1.0, schedule="step", warmup_epochs=1, step_factor=0.1, step_every=0.25)
    assert [warm.rate(update, 2) for update in range(1, 10)] == pytest.approx(
        [1, 1, 1, *[0.1] * 2, *[0.01] * 2, *[0.001] * 2]
    )


def test_a_constant_rate_stays_after_its_warm_up() -> None:
    phase = Phase(epochs=3, learning_rate=0.4, warmup_epochs=1)
    assert [phase.rate(update, 4) for update in range(12)] == pytest.approx([0.1, 0.2, 0.3, *[0.4] * 9])
    assert Phase(epochs=1, learning_rate=0.4).rate(0, 1) == 0.4


def test_the_shape_does_not_depend_on_the_number_of_updates() -> None:
    phase = Phase(epochs=4, schedule="cosine", warmup_epochs=1)
    assert phase.rate(2 * 10, 10) == pytest.approx(phase.rate(2 * 1000, 1000))


def test_phases_follow_each_other_by_epoch() -> None:
    training = Training([Phase(2), Phase(1, "lbfgs"), Phase(3, "soap")])
    assert training.epochs == 6
    assert [training.phase_at(epoch) for epoch in range(6)] == [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (2, 2)]
    with pytest.raises(ConfigError, match="epoch 6"):
        training.phase_at(6)


def test_the_rate_that_is_left_out_is_that_of_the_optimizer() -> None:
    rates = [Phase(1, name).learning_rate for name in ("adam", "adamax", "soap", "lbfgs")]
    assert rates == [1e-3, 2e-3, 3e-3, 1.0]


def test_settings_are_plain_values() -> None:
    values = asdict(Training([Phase(2, options={"betas": [0.9, 0.99]})], weights={"pde": 2.0}))
    assert json.loads(json.dumps(values)) == values
    again = Training(**values | {"phases": [Phase(**phase) for phase in values["phases"]]})
    assert asdict(again) == values


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epochs": 0}, "epochs of a phase is 0"),
        ({"epochs": 1.5}, "epochs of a phase is 1.5"),
        ({"optimizer": "adamm"}, "'adamm', expected one of adam, adamw"),
        ({"schedule": "linear"}, "expected one of constant, cosine"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0, expected a number greater than 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan"),
        ({"warmup_epochs": 2}, "less than the 2 epochs"),
        ({"final_fraction": 1.5}, "final_fraction is 1.5"),
        ({"step_factor": 0.0}, "step_factor is 0.0"),
        ({"step_every": 1.5}, "step_every is 1.5"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"optimizer": "lbfgs", "weight_decay": 0.1}, "cannot be combined with lbfgs"),
    ],
)
def test_a_wrong_phase_is_refused_with_a_sentence(values: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Phase(**{"epochs": 2} | values)


def test_the_warm_up_of_the_average_forgets_the_first_weights() -> None:
    """What 1500 averages at 0.999 leave of them: the product of the decays."""
    left = {}
    for warmup in (None, 10.0):
        training = Training([Phase(1)], ema_decay=0.999, ema_warmup=warmup)
        left[warmup] = math.prod(training.averaging_decay(n) for n in range(1, 1500))
    assert left[None] == pytest.approx(0.2232, abs=1e-4) and left[10.0] < 1e-20
    assert Training([Phase(1)], ema_decay=0.999, ema_warmup=10.0).averaging_decay(10**5) == 0.999
    assert Training([Phase(1)]).averaging_decay(3) == 0.0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"phases": []}, "at least one phase"),
        ({"updates_per_batch": 0}, "updates_per_batch is 0"),
        ({"gradient_clip": 0.0}, "gradient_clip is 0.0"),
        ({"ema_warmup": 10.0}, "ema_warmup is 10 without ema_decay"),
        ({"ema_decay": 0.9, "ema_warmup": 1.0}, "ema_warmup is 1.0, expected a number greater than 1"),
        ({"ema_decay": 1.0}, "ema_decay is 1.0, expected a number greater than 0 and less than 1"),
        ({"weights": {"pde": -1.0}}, "weights.pde is -1.0"),
        ({"phases": [Phase(1, "least_squares")], "weights": {"pde": 2.0}}, "weights do not act on residuals"),
    ],
)
def test_wrong_training_is_refused_with_a_sentence(values: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Training(**{"phases": [Phase(1)]} | values)
