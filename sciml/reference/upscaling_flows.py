"""Fine flows through a coefficient, and the errors that coarse transmissibilities make on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sciml.checks import whole_number
from sciml.linalg.validation import side_names
from sciml.reference.upscaling import Blocks, Transmissibilities, fine_transmissibilities
from sciml.reference.upscaling_sources import corrected_pressures


@dataclass(frozen=True, eq=False)
class FineFlows:
    """The flow through a box along each axis, and between pairs of blocks with a source and a sink, on the fine grid.

    Parameters
    ----------
    blocks : the coefficient and its blocks
    wells : (pairs, 2, dimension) integers, the blocks of source and sink; rates of 1 and -1 are spread evenly over them
    pressures : (dimension + pairs, *blocks), means over blocks: between held pressures of 1 and 0 along each axis, the
        other sides closed, then of each pair in a closed box, of zero mean
    rates : (dimension + pairs,), per difference of pressure: of the sides, or of the two blocks of a pair
    """

    blocks: Blocks
    wells: np.ndarray
    pressures: np.ndarray
    rates: np.ndarray

    @property
    def sources(self) -> np.ndarray:
        """The rates of the blocks for each pair, of shape (pairs, *blocks)."""
        return pair_sources(self.blocks.shape, self.wells)

    def errors(self, coarse: Transmissibilities) -> dict[str, float]:
        """Return the relative errors of rates and pressures of a coarse problem, each a mean over its flows.

        ``rate`` and ``pressure`` belong to the flows along the axes, ``pair_rate`` and ``pair_pressure`` to the pairs.
        Errors of pressures are in L2, those of pairs relative to the pressure of zero mean. Pressures
        around sources are those of :func:`~sciml.reference.upscaling_sources.corrected_pressures`.
        """
        d = self.blocks.dimension
        pressures, rates = coarse_flows(self.blocks, coarse, self.wells)
        axes = tuple(range(1, d + 1))
        off = np.sqrt(((pressures - self.pressures) ** 2).sum(axes) / (self.pressures**2).sum(axes))
        rate = np.abs(rates / self.rates - 1.0)
        found = {"rate": rate[:d], "pressure": off[:d]}
        if len(self.wells):
            found |= {"pair_rate": rate[d:], "pair_pressure": off[d:]}
        return {name: float(values.mean()) for name, values in found.items()}


def fine_flows(
    coefficient: np.ndarray, factor: int, wells: np.ndarray, spacing: float | Sequence[float] = 1.0
) -> FineFlows:
    """Solve for the flows of :class:`FineFlows` on the fine grid.

    Parameters
    ----------
    coefficient, factor, spacing : as of :class:`~sciml.reference.upscaling.Blocks`
    wells : (pairs, 2, dimension) integers, the blocks of source and sink
    """
    blocks = Blocks(coefficient, factor, spacing)
    fine = fine_transmissibilities(blocks.coefficient, blocks.spacing)
    pressures, rates = _along_axes(fine)
    pressures = blocks.means(pressures)
    if len(wells):
        cells = np.kron(pair_sources(blocks.shape, wells), np.full((1, *(factor,) * blocks.dimension), 1.0))
        between = blocks.means(fine.solve({}, cells / factor**blocks.dimension))
        rates = np.concatenate([rates, _between(between, wells)])
        pressures = np.concatenate([pressures, between])
    return FineFlows(blocks, wells, pressures, rates)


def coarse_flows(blocks: Blocks, coarse: Transmissibilities, wells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pressures and rates of the flows of :class:`FineFlows` in a coarse problem."""
    pressures, rates = _along_axes(coarse)
    if not len(wells):
        return pressures, rates
    sources = pair_sources(blocks.shape, wells)
    between = coarse.solve({}, sources)
    between = corrected_pressures(blocks.coefficient, coarse, between, sources, blocks.spacing)
    return np.concatenate([pressures, between]), np.concatenate([rates, _between(between, wells)])


def random_wells(shape: Sequence[int], pairs: int, random: np.random.Generator) -> np.ndarray:
    """Return pairs of different blocks, of shape (pairs, 2, dimension)."""
    whole_number("the number of blocks", int(np.prod(shape)), at_least=2)
    drawn = [random.choice(int(np.prod(shape)), 2, replace=False) for _ in range(pairs)]
    return np.stack(np.unravel_index(np.array(drawn, int).reshape(pairs, 2), shape), axis=-1)


def pair_sources(shape: Sequence[int], wells: np.ndarray) -> np.ndarray:
    """Return the rates 1 and -1 of each pair of blocks, of shape (pairs, *shape)."""
    rates = np.zeros((len(wells), *shape))
    for end, rate in ((0, 1.0), (1, -1.0)):
        rates[(np.arange(len(wells)), *wells[:, end].T)] = rate
    return rates


def _along_axes(system: Transmissibilities) -> tuple[np.ndarray, np.ndarray]:
    """Return pressures and rates of the flow along each axis, from 1 on its lower side to 0 on its upper one."""
    sides = side_names(len(system.shape))
    pressures, rates = [], []
    for low, high in zip(sides[::2], sides[1::2], strict=True):
        held = {low: 1.0, high: 0.0}
        pressures.append(system.solve(held))
        rates.append(float(system.flow_rate(pressures[-1], held, low)))
    return np.stack(pressures), np.array(rates)


def _between(pressures: np.ndarray, wells: np.ndarray) -> np.ndarray:
    number = np.arange(len(wells))
    return 1.0 / (pressures[(number, *wells[:, 0].T)] - pressures[(number, *wells[:, 1].T)])
