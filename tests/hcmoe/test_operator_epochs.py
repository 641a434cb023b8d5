"""The epochs of an operator: those of other modes come first, and the training has to be longer than they are."""

from __future__ import annotations

import pytest

from sciml.errors import ConfigError
from sciml.hcmoe import ConstrainedOperator, SorptionFamily
from sciml.nets.fno import FourierNeuralOperator
from sciml.training.settings import Phase, Training


@pytest.mark.parametrize(
    ("mode", "epochs", "words"),
    [
        (
            "experts",
            [3, 1],
            "has 4 epochs, expected at least 5: soft_epochs = 2 and single_epochs = 3 come before thos",
        ),
        ("hard", [1], "has 1 epoch, expected at least 2: soft_epochs = 2 come before those of the mode 'hard'"),
        ("experts", [4, 1], None),
        ("hard", [2], None),
        ("soft", [1], None),
    ],
)
def test_a_training_that_ends_before_its_mode_begins_is_refused(mode, epochs, words):
    family = SorptionFamily(times=10, cells=12, experts=(1, 2))
    network = FourierNeuralOperator(family.channels, 3, [3, 3], [6, 6, 6], 8)
    task = ConstrainedOperator(family, network, mode, soft_epochs=2, single_epochs=3)
    settings = Training([Phase(count) for count in epochs])
    if words is None:
        task.prepare(settings, 0)
        return
    with pytest.raises(ConfigError, match=words):
        task.prepare(settings, 0)
