"""Instances of the wide family of diffusion with sorption, drawn without their solutions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sciml.checks import whole_number
from sciml.hcmoe.families.sorption_data import NAMES
from sciml.hcmoe.problems.profiles import Coefficient, Profile
from sciml.reference.diffusion_sorption_families import wide_case

SEEDS = 2**31


def wide_instances(count: int, x: Tensor, generator: torch.Generator) -> dict[str, Coefficient]:
    """Return coefficients of :class:`~sciml.hcmoe.problems.sorption.VariedSorption`: starts and numbers, no solutions.

    Parameters
    ----------
    count : instances
    x : places of the starts, ``(places,)``, in float64
    generator : of their seeds

    Examples
    --------
    >>> from sciml.numerics.random import generator
    >>> sorted(wide_instances(3, torch.linspace(0, 1, 33, dtype=torch.float64), generator(0)))
    ['coefficient', 'diffusivity', 'exponent', 'left', 'start']
    """
    whole_number("the number of instances", count, at_least=1)
    seeds = torch.randint(SEEDS, (count,), generator=generator, device=generator.device).tolist()
    cases = [wide_case(np.random.default_rng(seed)) for seed in seeds]
    starts = np.stack([start(x.cpu().numpy()) for start, _ in cases])
    numbers = {
        name: torch.tensor([getattr(equation, name) for _, equation in cases], dtype=torch.float64) for name in NAMES
    }
    return {"start": Profile(torch.from_numpy(starts), x.cpu().double()), **numbers}
