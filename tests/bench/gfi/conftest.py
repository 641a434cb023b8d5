"""Generated maps in place of genuine ones, which are not part of the package."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.bench.gfi import networks, refinements
from sciml.reference.layered_maps import layered_maps

MAPS = 3


def layered(family: str, name: str) -> np.ndarray:
    """Return a file of generated maps of a family; three of them, again and again, as there are 500."""
    few = layered_maps(family, range(MAPS), seed=len(name)).astype(float)
    return few[np.arange(500) % MAPS]


@pytest.fixture
def generated(monkeypatch):
    """Make the modules of the benchmark read generated maps, and forget them afterwards."""
    for module in (networks, refinements):
        monkeypatch.setattr(module, "genuine_maps", layered)
    yield
    networks.tests.cache_clear()
    networks.training_pairs.cache_clear()
