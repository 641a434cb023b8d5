"""Adaptive points: some of many candidates, more of them where a residual is large."""

from __future__ import annotations

import torch

from sciml.checks import shape
from sciml.domains.strata import check_draw
from sciml.errors import InputError


def draw_where_large(
    candidates: torch.Tensor, residual: torch.Tensor, count: int, generator: torch.Generator
) -> torch.Tensor:
    """Return some of the candidates, distributed by the size r of the residual: with density ``r / mean(r) + 1``.

    Parameters
    ----------
    candidates : (n, dim), many times ``count``
    residual : its absolute value or norm at each candidate, (n,)
    count : number of points
    generator : draws, on the device of the candidates

    References
    ----------
    C. Wu et al., A comprehensive study of non-adaptive and residual-based adaptive sampling for physics-informed neural
    networks, Computer Methods in Applied Mechanics and Engineering 403 (2023), equation (2) with k = c = 1.
    """
    positive = torch.finfo(residual.dtype).tiny  # where the residual is 0 everywhere, all candidates are alike
    return draw_weighted(candidates, residual + residual.mean() + positive, count, generator)


def draw_weighted(
    candidates: torch.Tensor, density: torch.Tensor, count: int, generator: torch.Generator
) -> torch.Tensor:
    """Return some of the candidates, drawn without replacement with probability proportional to a density.

    The draw is sequential in law, each point from those that are left, and is made at once by random keys: the
    ``count`` smallest values of e_i / density_i with e_i exponential.

    Parameters
    ----------
    candidates : (n, dim), many times ``count``
    density : (n,) >= 0 and finite, not normalised
    count : 1 to the number of candidates of positive density
    generator : draws, on the device of the candidates

    Returns
    -------
    Tensor
        (count, dim), in the order of the candidates.

    References
    ----------
    P. S. Efraimidis and P. G. Spirakis, Weighted random sampling with a reservoir, Information Processing Letters 97
    (2006): the keys.
    """
    check_draw(count, generator, "uniform", ("uniform",))
    shape("the density", density, (len(candidates),), remedy="give each candidate one value")
    if candidates.device.type != generator.device.type:
        raise InputError(
            f"the candidates are on {candidates.device} and the generator on {generator.device}; make both on one."
        )
    density = density.detach().double()
    wrong = ~((density >= 0) & (density < torch.inf))
    if wrong.any():
        bad = int(wrong.nonzero()[0])
        raise InputError(
            f"the density of candidate {bad} is {float(density[bad])}, expected a finite number of at least 0."
        )
    possible = int((density > 0).sum())
    if count > possible:
        raise InputError(
            f"{count} points cannot be drawn from {possible} candidates of positive density; give more candidates."
        )
    keys = torch.empty_like(density).exponential_(generator=generator).log() - density.log()
    chosen = keys.topk(count, largest=False).indices
    return candidates[chosen.sort().values]
