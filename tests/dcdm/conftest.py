"""What the tests of this folder share."""

from __future__ import annotations

import pytest

from sciml.dcdm import DirectionNet, RitzDirections
from sciml.numerics.random import seeded


@pytest.fixture
def network() -> DirectionNet:
    """A small untrained network in 2-D."""
    with seeded(0):
        return DirectionNet(2, filters=4, pairs=(1, 1, 1))


@pytest.fixture
def data() -> RitzDirections:
    """Small data with an exact and a Lanczos source."""
    return RitzDirections(sizes=[16], cases={"box": 1, "mixed": 1}, vectors=40, batch_size=3, test_cases=["spheres"])
