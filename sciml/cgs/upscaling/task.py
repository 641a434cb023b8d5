"""Training of the network that corrects coarse transmissibilities, by the flows of the coarse problems."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import lightning
import numpy as np
import torch
from torch import Tensor

from sciml.cgs.upscaling.data import LognormalFlows
from sciml.cgs.upscaling.figures import draw_figures
from sciml.cgs.upscaling.flows import closed_flows, coarse_laplacians, through_flow
from sciml.cgs.upscaling.model import BaseName, TransmissibilityNet, all_transmissibilities
from sciml.cgs.upscaling.prediction import upscale_file
from sciml.checks import instance
from sciml.errors import ConfigError
from sciml.training.task import Task

BLOCKS_DRAWN = {2: 8, 3: 4}  # along each axis, by dimension
FIELDS_DRAWN, SEED_DRAWN = 16, 2**31
RESOLUTION = 0.005  # below this, relative errors count with their square


class UpscalingTask(Task):
    """Fit rates and mean pressures of coarse problems to those of fine ones, with the gradient through the solution.

    The terms are means over fields and flows of sqrt(e^2 + delta^2) - delta, delta = 0.005: ``rate``, of
    e = log Q / Q* of the flows along the axes; ``pressure``, of their relative error in L2; and ``pairs``, of that of
    the flows between wells, in the blocks that are not next to them.

    Parameters
    ----------
    dimension, factor, ring, hidden, base, bound : of the :class:`~sciml.cgs.upscaling.model.TransmissibilityNet`
    """

    precisions: ClassVar[tuple[str, ...]] = ("32-true", "64-true")
    sample_name: ClassVar[str] = "field"

    def __init__(
        self,
        dimension: int = 2,
        factor: int = 8,
        ring: int | None = None,
        hidden: int = 64,
        base: BaseName = "local",
        bound: float = 3.0,
    ) -> None:
        super().__init__()
        self.network = TransmissibilityNet(dimension, factor, ring, hidden, base, bound)

    def check_data(self, data: lightning.LightningDataModule) -> None:
        """Refuse data of another kind, and fields of another dimension, factor or base than those of the network."""
        flows, network = instance("data", data, LognormalFlows, "LognormalFlows", error=ConfigError), self.network
        pairs = {
            "dimension": (network.dimension, len(flows.cells)),
            "factor": (network.factor, flows.factor),
            "base": (network.base, flows.base),
        }
        for name, (got, expected) in pairs.items():
            if got != expected:
                raise ConfigError(f"the {name} of the task is {got}, expected that of its data, {expected}.")

    def loss(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the terms on a batch of :class:`~sciml.cgs.upscaling.data.LognormalFlows`."""
        rates, pressures, pairs = self._errors(batch)
        return {"rate": _smooth(rates.log1p()), "pressure": _smooth(pressures), "pairs": _smooth(pairs)}

    def validate(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean relative errors of the rates, of the pressures, and of the pressures between wells."""
        rates, pressures, pairs = self._errors(batch)
        return {"rate": rates.abs().mean(), "pressure": pressures.mean(), "pair_pressure": pairs.mean()}

    def _errors(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return relative errors of rates and pressures, (batch, d), and of the pressures of pairs, (batch, pairs)."""
        d = self.network.dimension
        corrections = self.network.corrections(batch["log_k"])
        faces = [batch[f"base_{axis}"] * correction.double().exp() for axis, correction in enumerate(corrections)]
        laplacians, target = coarse_laplacians(faces), batch["pressures"].flatten(2)
        flows = [through_flow(laplacians, faces, axis) for axis in range(d)]
        rates = torch.stack([rate for _, rate in flows], dim=1) / batch["rates"] - 1.0
        off = torch.stack([pressure for pressure, _ in flows], dim=1) - target[:, :d]
        pressures = off.norm(dim=-1) / target[:, :d].norm(dim=-1)
        sources, counted = batch["sources"].flatten(2), batch["counted"].flatten(2)
        off, size = (
            _centred(values, counted).norm(dim=-1)
            for values in (closed_flows(laplacians, sources) - target[:, d:], target[:, d:])
        )
        return rates, pressures, off / size

    def evaluate(self, data: lightning.LightningDataModule) -> dict[str, float]:
        """Return the errors of :meth:`~sciml.reference.upscaling_flows.FineFlows.errors` on the fields of the test.

        ``rate``, ``pair_rate``, ``pressure`` and ``pair_pressure`` are ours; ``NAME_averages``, ``NAME_local`` and
        ``NAME_extended`` those of classical upscaling.
        """
        instance("data", data, LognormalFlows, "LognormalFlows", error=ConfigError)
        found: dict[str, list[float]] = {}
        flows = data.test_flows()
        for number, each in enumerate(flows):
            self.tell("evaluating", number / len(flows))
            for method, coarse in all_transmissibilities(self.network, each.blocks.coefficient).items():
                ending = "" if method == "learned" else f"_{method}"
                for name, value in each.errors(coarse).items():
                    found.setdefault(name + ending, []).append(value)
        self.evaluated = len(flows)
        return {name: float(np.mean(values)) for name, values in found.items()}

    def predict_file(self, source: Path, output: Path, *, solve: bool = False) -> dict[str, float]:
        """Write the coarse problem of a coefficient in a file, see :mod:`sciml.cgs.upscaling.prediction`.

        Parameters
        ----------
        source : ``.npz`` with ``coefficient``, and optionally ``b``, ``spacing`` and ``outside``
        output : ``NAME.npz``, the matrix, beside which ``NAME_rhs.npy`` has the right-hand side
        solve : write ``pressure`` and the fluxes instead
        """
        return upscale_file(self.network, source, output, solved=solve)

    def figures(self, folder: Path) -> None:
        """Draw fine beside coarse pressures, and how the errors of ours and of the classical methods are distributed.

        On fields of correlation length 3 and deviation 1.5 that no run is trained on.
        """
        network = self.network
        cells = [network.factor * BLOCKS_DRAWN[network.dimension]] * network.dimension
        data = LognormalFlows(cells, network.factor, test_fields=FIELDS_DRAWN, pairs=0, seed=SEED_DRAWN)
        draw_figures(network, data.test_flows(), folder)


def _smooth(errors: Tensor) -> Tensor:
    return ((errors.square() + RESOLUTION**2).sqrt() - RESOLUTION).mean()


def _centred(values: Tensor, counted: Tensor) -> Tensor:
    """Return values minus their mean over the blocks that count, 0 in the others."""
    mean = (values * counted).sum(dim=-1, keepdim=True) / counted.sum(dim=-1, keepdim=True)
    return (values - mean) * counted
