"""Multigrid with learned interpolation weights and smoothing polynomials, from a network that sees the matrix once.

The network never sees a residual. At set-up it reads the couplings around every odd cell of every coarsening (see
:mod:`sciml.linalg.kernels.stencil`) and moves the share with which the cell interpolates from its left neighbour; the
rest of the method stays as it is. So the cycle stays symmetric, costs the same per iteration, and is the classical one
before training. Two moves make up the rule:

1. the operator-dependent weights are relaxed within the plane of the odd cells, so that cells which are strongly
   coupled to each other interpolate alike;
2. a small network corrects the logarithm of left / right. It is odd under reflection, so that a cell in symmetric
   surroundings, as everywhere in a constant coefficient, keeps its weights exactly.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sciml import weights as published
from sciml.dcdm.rule_kernels import ASYMMETRY, LARGEST_LOGARITHM, LOGARITHM_SCALE, relax, tables
from sciml.linalg.kernels.interpolation import OddCells
from sciml.linalg.kernels.numba_backend import coarse_halo, fill_weights
from sciml.linalg.kernels.stencil import Offset
from sciml.linalg.multigrid.smoother import SMOOTHING_INTERVAL, Factors, chebyshev_factors

SHIPPED = "multigrid_cpu"
TASK = "sciml.dcdm.MultigridTask"  # which trains the rules
DEGREES = (3, 2)
LOWEST, HIGHEST = 0.05, 1.0  # of the interval that smoothing damps evenly
ROUNDS = 2  # of relaxation; more brought nothing
FEATURES = ROUNDS + 1 + 1 + 4 + 1


class LearnedRules(nn.Module):
    """Learned interpolation and smoothing for :class:`~sciml.linalg.MultigridPreconditioner`.

    With s_k = log(left / right) of the weights after k rounds of relaxation,

        log(left / right) = s_2 + g(s_0, s_1, s_2, beside, ahead, behind) - g(-s_0, -s_1, -s_2, beside, behind, ahead),

    left + right unchanged. Problems of constant coefficient keep the classical weights: the rule would leave them
    nearly as they are.

    Parameters
    ----------
    hidden : units of the two hidden layers of g; 0 for no network, the relaxed weights alone
    intervals : learn where the smoothed part of the spectrum begins as well, on the finest and on the other levels

    Examples
    --------
    >>> preconditioner = MultigridPreconditioner(problem, rules=LearnedRules())          # doctest: +SKIP
    """

    def __init__(self, hidden: int = 16, intervals: bool = True) -> None:
        super().__init__()
        self.network: nn.Sequential | None = None
        if hidden:
            self.network = nn.Sequential(
                nn.Linear(FEATURES, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 1)
            )
            nn.init.zeros_(self.network[-1].weight)
            nn.init.zeros_(self.network[-1].bias)
        # Chebyshev's polynomials on [low, 2] stay below 1 on (0, 2] whatever low is, which free factors do not.
        start = (SMOOTHING_INTERVAL[0] - LOWEST) / (HIGHEST - LOWEST)
        self.intervals = nn.Parameter(torch.full((2,), start).logit(), requires_grad=intervals)

    @classmethod
    def from_weights(cls, weights: str | Path | None = None) -> LearnedRules:
        """Return trained rules from a file or by name.

        Parameters
        ----------
        weights : name of published weights, or a ``.safetensors`` file beside its ``.yaml``; None for those published

        Raises
        ------
        InputError
            There are no weights of that name.
        CheckpointError
            The file is damaged, or belongs to another method.
        """
        path = published.find(SHIPPED if weights is None else weights, "dcdm")
        return published.load(path, TASK, "rules.", published.from_arguments(cls))

    def smoothing(self, *, tensors: bool = False) -> list[list[Factors]]:
        """Return the factors of the smoothing steps on the finest and the other levels: numbers, or learned tensors."""
        low = LOWEST + (HIGHEST - LOWEST) * torch.sigmoid(self.intervals)
        ends = low if tensors and low.requires_grad else low.tolist()
        return [chebyshev_factors(d, end, SMOOTHING_INTERVAL[1]) for d, end in zip(DEGREES, ends, strict=True)]

    def interpolation(
        self, stencil: Tensor, offsets: tuple[Offset, ...], axis: int, level: int
    ) -> tuple[Tensor, Tensor]:
        """Return the weights of the odd cells along an axis, without halo."""
        cells = OddCells.of(stencil, offsets, axis)
        weights = [(cells.left, cells.right)]
        for _ in range(ROUNDS):
            weights.append(cells.relaxed(*weights[-1]))
        left, right = weights[-1]
        if self.network is None:
            return left, right
        where = torch.nonzero(cells.inner.reshape(-1)).ravel()
        ahead, behind = _features(cells, weights, where, level)
        asymmetric = ((ahead - behind).abs().amax(dim=-1) > ASYMMETRY).nonzero().ravel()
        where, ahead, behind = where[asymmetric], ahead[asymmetric], behind[asymmetric]
        kind = self.network[0].weight.dtype
        correction = (self.network(ahead.to(kind)) - self.network(behind.to(kind))).ravel().to(left)
        low, high = left.reshape(-1)[where], right.reshape(-1)[where]
        share = torch.sigmoid(torch.log(low / high) + correction)
        return tuple(
            old.reshape(-1).index_copy(0, where, (low + high) * part).reshape(old.shape)
            for old, part in ((left, share), (right, 1 - share))
        )

    def interpolate(
        self, stencil: np.ndarray, offsets: tuple[Offset, ...], axis: int, level: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights of :meth:`interpolation` with halo, computed by a compiled kernel on the CPU."""
        shape = (2, *coarse_halo(stencil.shape[1:], axis))
        shifts = tables(offsets, axis, stencil.shape[1:], shape[1:])
        # The last round is kept on its own: the hierarchy holds on to it.
        weights, out = np.zeros((ROUNDS, *shape), stencil.dtype), np.zeros(shape, stencil.dtype)
        fill_weights(stencil, offsets, axis, *weights[0])
        for done in range(1, ROUNDS):
            relax(stencil, axis, shifts, weights[:done], _layers(None, level, stencil.dtype), weights[done])
        relax(stencil, axis, shifts, weights, _layers(self.network, level, stencil.dtype), out)
        return out[0], out[1]


def _layers(network: nn.Sequential | None, level: int, dtype: np.dtype) -> tuple[np.ndarray, ...]:
    """Return weights and biases of a network, of size 0 for none; the last feature, the level, joins the bias."""
    if network is None:
        return tuple(np.zeros((0,) * (2 - k % 2), dtype) for k in range(6))
    first, bias, *others = (values.detach().cpu().numpy().astype(dtype) for values in network.parameters())
    return np.ascontiguousarray(first[:, :-1]), bias + float(level > 0) * first[:, -1], *others


def _features(
    cells: OddCells, weights: list[tuple[Tensor, Tensor]], where: Tensor, level: int
) -> tuple[Tensor, Tensor]:
    """Return the features of the cells ``where``, and of their mirror images, (cells, FEATURES) each.

    No derivatives are taken through it: those of logarithms of nearly 0 overflow.
    """

    def pick(values: Tensor) -> Tensor:
        return values.detach().reshape(-1)[where]

    def logarithm(first: Tensor, second: Tensor) -> Tensor:
        tiny = torch.finfo(first.dtype).tiny
        ratio = torch.log(first.clamp_min(tiny) / second.clamp_min(tiny))
        return ratio.clamp(-LARGEST_LOGARITHM, LARGEST_LOGARITHM) / LOGARITHM_SCALE

    own, before, after = pick(cells.own), pick(cells.before), pick(cells.after)
    sides = [logarithm(pick(left), pick(right)) for left, right in weights]
    beside = sum((pick(coupling) for _, coupling in cells.beside), torch.zeros_like(own))
    even = [logarithm(before, own), logarithm(pick(cells.even), own)]
    beyond = [logarithm(after, own), logarithm(pick(cells.beyond), own)]
    both = [logarithm(beside, before + after), torch.full_like(own, float(level > 0))]
    ahead = torch.stack([*sides, *even, *beyond, *both], dim=-1)
    behind = torch.stack([*(-side for side in sides), *beyond, *even, *both], dim=-1)
    return ahead, behind
