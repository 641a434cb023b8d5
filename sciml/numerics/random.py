"""Random generators as functions of counters, never of global state: a killed and resumed run draws the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from sciml.checks import whole_number

LARGEST = 2**63 - 1


def generator(seed: int, *counters: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a new generator that is a pure function of the arguments.

    Streams of different arguments are statistically independent: the arguments are hashed, not added, so that neither
    neighbouring seeds nor ``(1, 2)`` and ``(2, 1)`` have anything in common.

    Parameters
    ----------
    seed : of the run, 0 to 2^63 - 1
    counters : what the draw belongs to, such as epoch, update and rank, each 0 to 2^63 - 1
    device : where the numbers are drawn; CPU and GPU draw different numbers

    Raises
    ------
    InputError
        If an argument is negative, too large or no integer.

    Examples
    --------
    >>> first, again = (torch.rand(1, generator=generator(0, 5)) for _ in range(2))
    >>> bool(first == again)
    True
    """
    for value in (seed, *counters):
        whole_number("a seed or counter", value, at_least=0, at_most=LARGEST)
    # Two words each and their number in front: SeedSequence itself takes (1,) and (1, 0) for the same.
    words = np.array([len(counters), seed, *counters], dtype="<u8").view("<u4")
    state = np.random.SeedSequence(words.tolist()).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(state >> np.uint64(1)))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global CPU generator inside the block and restore it afterwards, for initial weights of networks.

    Parameters
    ----------
    seed : 0 to 2^63 - 1
    """
    state = generator(seed).get_state()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.set_state(state)
        yield
