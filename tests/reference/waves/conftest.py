"""Small acquisitions and rough maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.reference.waves import Acquisition


@pytest.fixture(scope="session")
def small():
    """Make an acquisition of 24 by 30 cells, 2 shots, 5 receivers and 220 steps, with changes."""

    def made(**changes):
        values = {
            "shape": (24, 30),
            "spacing": 10.0,
            "time_step": 1e-3,
            "steps": 220,
            "sources": [(10.0, 40.0), (10.0, 200.0)],
            "receivers": [(10.0, x) for x in (0.0, 70.0, 140.0, 210.0, 290.0)],
            "frequency": 15.0,
        }
        return Acquisition(**{**values, **changes})

    return made


@pytest.fixture(scope="session")
def rough():
    """Make maps of 1600 to 3400 m/s that vary from cell to cell."""

    def made(acquisition, count=1):
        random = np.random.default_rng(0)
        return torch.from_numpy(2500.0 + 900.0 * random.uniform(-1, 1, (count, *acquisition.shape)))

    return made


@pytest.fixture(scope="session")
def apart():
    """Measure the relative distance of two tensors."""

    def measured(found, expected):
        return float((found.double() - expected.double()).norm() / expected.double().norm())

    return measured
