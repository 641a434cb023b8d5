"""The network of ``sciml bench generative`` and its training, the same for all rows: what differs is the objective."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from sciml.numerics.random import generator, seeded

WIDTH, DEPTH, FREQUENCIES = 160, 2, 16
RATE, BATCH, WARM_UP, DECAY, LARGEST_GRADIENT = 2e-3, 64, 100, 1e-3, 1.0
AVERAGING = 0.998
FIRST = 1000.0  # of the angular frequencies in time; the network is differentiated in time by none but MeanFlow

Loss = Callable[[nn.Module, Tensor, Generator], Tensor]
"""Maps a network, the numbers of a batch of simulations and a generator to a loss for each of them."""


class ResidualNetwork(nn.Module):
    """A residual network of vectors with a time and a condition, 0.35 M weights on 160 latents.

    Parameters
    ----------
    latents, condition : widths of x and of the condition
    times : how many times it takes: one, or two for the begin and the end of a step
    frequency : the largest angular frequency of the features of time
    """

    def __init__(self, latents: int, condition: int, times: int = 1, frequency: float = FIRST) -> None:
        super().__init__()
        d = WIDTH
        self.inner, self.outer = nn.Linear(latents, d), nn.Linear(d, latents)
        self.skip = nn.Linear(condition, latents)
        self.condition = nn.Sequential(nn.Linear(condition, d), nn.SiLU(), nn.Linear(d, d))
        self.time = nn.Sequential(nn.Linear(2 * FREQUENCIES * times, d), nn.SiLU(), nn.Linear(d, d))
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 2 * d), nn.SiLU(), nn.Linear(2 * d, d)) for _ in range(DEPTH)
        )
        waves = frequency * torch.exp(-math.log(1e4) * torch.arange(FREQUENCIES) / FREQUENCIES)
        self.register_buffer("waves", waves)

    def forward(self, x: Tensor, t: Tensor, c: Tensor, until: Tensor | None = None) -> Tensor:
        """Return the output for points ``(batch, latents)``, times ``(batch,)`` and conditions ``(batch, width)``."""
        phases = [time[:, None] * self.waves for time in (t, *(() if until is None else (until,)))]
        features = torch.cat([wave for phase in phases for wave in (phase.cos(), phase.sin())], -1)
        told = self.condition(c) + self.time(features)
        h = self.inner(x) + told
        for block in self.blocks:
            h = h + block(h + told)
        return self.outer(h) + self.skip(c)


@dataclass(frozen=True)
class Trained:
    """A network after its training, averaged over updates, with the CPU milliseconds of one."""

    network: nn.Module
    milliseconds: float


def trained(network: nn.Module, loss: Loss, items: int, updates: int, seed: int) -> Trained:
    """Return the moving average of a network trained by AdamW, with a rate that rises and then falls as a cosine.

    Parameters
    ----------
    network : its start; left as it is
    loss : of a batch
    items : number of simulations from which batches are drawn
    updates : their number
    seed : of batches, times and noise
    """
    network = copy.deepcopy(network).requires_grad_()
    average = copy.deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    draws = generator(seed, 1)
    begin = time.process_time()
    for update in range(1, updates + 1):
        rate = min(1.0, update / min(WARM_UP, updates)) * (0.525 + 0.475 * math.cos(math.pi * update / updates))
        for group in optimizer.param_groups:
            group["lr"] = RATE * rate
        batch = torch.randint(items, (min(BATCH, items),), generator=draws)
        optimizer.zero_grad()
        loss(network, batch, draws).mean().backward()
        nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
        optimizer.step()
        with torch.no_grad():
            kept = min(AVERAGING, (1 + update) / (10 + update))
            for mean, weight in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(weight, 1 - kept)
    return Trained(average.eval(), (time.process_time() - begin) / updates * 1e3)


def started(latents: int, condition: int, seed: int, settings: Mapping[str, float] | None = None) -> ResidualNetwork:
    """Return a network with the weights of its seed."""
    with seeded(seed):
        return ResidualNetwork(latents, condition, **(settings or {}))


def weights(network: nn.Module) -> int:
    """Return the number of weights of a network."""
    return sum(each.numel() for each in network.parameters())
