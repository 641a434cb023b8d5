"""The simulations of ``sciml bench generative``: smoke rising in 32 x 32 cells, eight frames."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sciml.data.smoke import Smoke
from sciml.reference.incompressible_smoke import FIELDS

EVERY = 2  # steps between frames
PROBLEM = Smoke(cells=32, steps=16, warm_up=8)
BUOYANCY = (PROBLEM.least_buoyancy, PROBLEM.largest_buoyancy)


def simulations(seed: int, count: int) -> tuple[Tensor, Tensor]:
    """Return velocity and smoke ``(count, 3, frames, 32, 32)`` of simulations, and their buoyancies ``(count,)``."""
    samples = [PROBLEM.sample(np.random.default_rng((seed, number))) for number in range(count)]
    fields = np.stack([np.stack([each[name][::EVERY] for name in FIELDS]) for each, _ in samples])
    return torch.from_numpy(fields).float(), torch.tensor([parameters["buoyancy"] for _, parameters in samples])
