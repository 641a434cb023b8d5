"""Instances of diffusion with sorption as tensors, drawn without their solutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from sciml.checks import choice, whole_number
from sciml.hcmoe.families.sorption_data import NAMES
from sciml.hcmoe.problems.profiles import Coefficient, Profile
from sciml.reference.diffusion_sorption import Sorption, Start
from sciml.reference.diffusion_sorption_families import FAMILIES

SEEDS = 2**62


def drawn(family: str, count: int, generator: torch.Generator) -> list[tuple[Start, Sorption]]:
    """Return random starts and equations of a family.

    Parameters
    ----------
    family : "paper" or "wide"
    count : instances
    generator : of their seeds

    Examples
    --------
    >>> from sciml.numerics.random import generator
    >>> (start, equation), _ = drawn("paper", 2, generator(0))
    >>> 0 <= start <= 0.2, equation.left
    (True, 1.0)
    """
    choice("the family", family, tuple(FAMILIES))
    whole_number("the number of instances", count, at_least=1)
    seeds = torch.randint(SEEDS, (count,), generator=generator, device=generator.device).tolist()
    return [FAMILIES[family](np.random.default_rng(seed)) for seed in seeds]


def instances_of(pairs: Sequence[tuple[Start, Sorption]], x: Tensor) -> dict[str, Tensor]:
    """Return starts on places, ``(instances, places)``, and the numbers of equations by name, ``(instances,)``.

    Parameters
    ----------
    pairs : of starts and equations
    x : the places
    """
    places = x.cpu().numpy()
    starts = [start(places) if callable(start) else np.full(len(places), start) for start, _ in pairs]
    found = {name: [getattr(equation, name) for _, equation in pairs] for name in NAMES}
    numbers = {name: torch.tensor(values, dtype=torch.float64, device=x.device) for name, values in found.items()}
    return {"start": torch.from_numpy(np.stack(starts)).to(x.device), **numbers}


def coefficients_of_instances(instances: Mapping[str, Tensor], x: Tensor) -> dict[str, Coefficient]:
    """Return instances as coefficients of :class:`~sciml.hcmoe.problems.sorption.VariedSorption`.

    Parameters
    ----------
    instances : by name, as :func:`instances_of` returns them
    x : places of the starts
    """
    start = Profile(instances["start"].double(), x.to(instances["start"].device))
    return {"start": start, **{name: instances[name].double() for name in NAMES}}
